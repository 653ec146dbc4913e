#include "cli/option_parser.h"

#include <gtest/gtest.h>

#include "cli/test_streams.h"

namespace moldau::cli {
namespace {

constexpr OptionSpec kOptions[] = {
    {"list", OptionArgument::None, {}, "List all."},
    {"topic", OptionArgument::Required, "topic", "The topic."},
    {"partitions", OptionArgument::Required, "# of partitions", "How many.", "Integer"},
    {"config", OptionArgument::Required, "name=value", "A key.", "String", "", false, true},
    {"codec", OptionArgument::Optional, "compression-codec", "The codec."},
    {"timeout", OptionArgument::Required, "ms", "How long.", "Long", "5000"},
    kHelpOption,
    kVersionOption,
};

Result<ParsedOptions> parse(std::vector<std::string> words) {
    // The result borrows nothing of the words.
    return OptionParser(kOptions).parse(words);
}

std::string error_of(std::vector<std::string> words) {
    auto parsed = parse(std::move(words));
    return parsed ? "none" : parsed.error().message;
}

TEST(OptionParser, takes_values_apart_and_attached_and_after_one_dash) {
    EXPECT_EQ(parse({"--topic", "a"})->value("topic"), "a");
    EXPECT_EQ(parse({"--topic=a=b"})->value("topic"), "a=b");
    EXPECT_EQ(parse({"-topic", "a"})->value("topic"), "a");
    EXPECT_TRUE(parse({"-list"})->has("list"));
}

TEST(OptionParser, required_value_may_look_like_an_option) {
    EXPECT_EQ(parse({"--topic", "--list"})->value("topic"), "--list");
}

TEST(OptionParser, optional_value_is_not_taken_from_the_next_option) {
    auto parsed = parse({"--codec", "--list"});
    EXPECT_TRUE(parsed->has("codec"));
    EXPECT_EQ(parsed->value("codec"), std::nullopt);
    EXPECT_TRUE(parsed->has("list"));
    EXPECT_EQ(parse({"--codec", "gzip"})->value("codec"), "gzip");
}

TEST(OptionParser, speaks_joptsimples_words) {
    EXPECT_EQ(error_of({"--nosuch"}), "nosuch is not a recognized option");
    EXPECT_EQ(error_of({"--boot", "x"}), "boot is not a recognized option");
    EXPECT_EQ(error_of({"--lis"}), "lis is not a recognized option");
    EXPECT_EQ(error_of({"-xyz"}), "x is not a recognized option");
    EXPECT_EQ(error_of({"--topic"}), "Option topic requires an argument");
}

TEST(OptionParser, repeated_values_are_kept_in_order) {
    auto parsed = parse({"--config", "a", "--config", "b"});
    EXPECT_EQ(parsed->values("config"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(error_of({"--topic", "a", "--topic", "b"}),
              "Found multiple arguments for option topic, but you asked for only one");
}

TEST(OptionParser, numbers_and_defaults) {
    EXPECT_EQ(parse({"--partitions", "3"})->int32("partitions"), 3);
    EXPECT_EQ(parse({"--partitions", "x"})->int32("partitions").error().message,
              "Cannot parse argument 'x' of option partitions");
    EXPECT_EQ(parse({"--partitions", "99999999999"})->int32("partitions").error().message,
              "Cannot parse argument '99999999999' of option partitions");
    EXPECT_EQ(parse({})->int64("timeout"), 5000);
    EXPECT_FALSE(parse({})->has("timeout"));
    EXPECT_EQ(parse({})->int32("partitions"), std::nullopt);
}

TEST(OptionParser, words_after_a_double_dash_are_operands) {
    auto parsed = parse({"x", "--", "--list"});
    EXPECT_FALSE(parsed->has("list"));
    ASSERT_EQ(parsed->operands().size(), 2u);
    EXPECT_EQ(parsed->operands()[1], "--list");
}

TEST(OptionParser, required_options_are_demanded_unless_only_help_is_wanted) {
    constexpr OptionSpec table[] = {
        {"file", OptionArgument::Required, "f", "A file.", "String", "", true}, kHelpOption};
    OptionParser parser(table);
    std::vector<std::string> nothing;
    EXPECT_EQ(parser.parse(nothing).error().message, "Missing required option(s) [file]");
    std::vector<std::string> help{"--help"};
    EXPECT_TRUE(parser.parse(help).has_value());
}

TEST(OptionParser, table_has_joptsimples_two_columns) {
    std::string table = OptionParser(kOptions).help_table();
    EXPECT_THAT(table, testing::StartsWith("Option  "));
    EXPECT_THAT(table, testing::HasSubstr("--timeout <Long: ms>"));
    EXPECT_THAT(table, testing::HasSubstr("How long. (default: 5000)"));
    EXPECT_THAT(table, testing::HasSubstr("--codec [String: compression-codec]"));
}

TEST(OptionParser, checks_speak_kafkas_words) {
    auto parsed = parse({"--list", "--topic", "a"});
    EXPECT_EQ(missing_required(*parsed, {"partitions"}),
              "Missing required argument \"[partitions]\"");
    EXPECT_EQ(conflicting(*parsed, "list", {"codec", "topic"}),
              "Option \"[list]\" can't be used with option \"[topic]\"");
    EXPECT_EQ(conflicting_set(*parsed, {"list", "topic"}, {"topic"}, " (x)"),
              "Option combination \"[[list], [topic]]\" can't be used with option \"[topic]\" (x)");
    EXPECT_EQ(not_exactly_one(*parsed, {"list", "topic"}),
              "Exactly one of the following arguments is required: [list], [topic]");
    EXPECT_EQ(not_exactly_one(*parsed, {"list", "codec"}), std::nullopt);
}

TEST(OptionParser, help_goes_to_stderr_with_exit_1_and_version_to_stdout_with_0) {
    OptionParser parser(kOptions);
    TestStreams help;
    EXPECT_EQ(help_or_version(help.get(), parser, *parse({"--help"}), "What it does."), 1);
    EXPECT_THAT(help.err(), testing::StartsWith("What it does.\nOption"));
    TestStreams nothing;
    EXPECT_EQ(help_or_version(nothing.get(), parser, *parse({}), "What it does."), 1);
    TestStreams version;
    EXPECT_EQ(help_or_version(version.get(), parser, *parse({"--version"}), "What it does."), 0);
    EXPECT_EQ(version.out(), "4.3.1\n");
}

}  // namespace
}  // namespace moldau::cli
