#include "cli/argument_parser.h"

#include <gtest/gtest.h>

#include "cli/test_streams.h"

namespace moldau::cli {
namespace {

constexpr ArgumentSpec kFormat[] = {
    {.flag = "--config", .short_flag = "-c", .help = "The file.", .required = true},
    {.flag = "--cluster-id", .short_flag = "-t", .help = "The id.", .required = true},
    {.flag = "--feature", .short_flag = "-f", .kind = ArgumentKind::Append, .help = "A level."},
    {.flag = "--standalone",
     .short_flag = "-s",
     .kind = ArgumentKind::Flag,
     .help = "Alone.",
     .group = 1},
    {.flag = "--initial-controllers", .short_flag = "-I", .help = "Several.", .group = 1},
};
constexpr ArgumentSpec kDescribe[] = {
    {.flag = "--bootstrap-server",
     .short_flag = "-b",
     .help = "Where.",
     .group = 1,
     .group_required = true},
    {.flag = "--bootstrap-controller",
     .short_flag = "-C",
     .help = "Where.",
     .group = 1,
     .group_required = true},
};
constexpr CommandSpec kCommands[] = {
    {"format", "Format.", kFormat}, {"describe", "Describe.", kDescribe}, {"uuid", "Draw.", {}}};

struct Outcome {
    std::expected<ParsedArguments, int> parsed;
    std::string out;
    std::string err;
};

Outcome parse(std::vector<std::string> words) {
    TestStreams streams;
    ArgumentParser parser("kafka-storage", "The tool.", {}, kCommands);
    auto parsed = parser.parse(words, streams.get());
    return {std::move(parsed), streams.out(), streams.err()};
}

TEST(ArgumentParser, reads_a_subcommand_with_long_short_and_repeated_flags) {
    auto outcome = parse({"format", "-c", "f", "--cluster-id=x", "-f", "a=1", "--feature", "b=2"});
    ASSERT_TRUE(outcome.parsed.has_value()) << outcome.err;
    EXPECT_EQ(outcome.parsed->command(), "format");
    EXPECT_EQ(outcome.parsed->value("--config"), "f");
    EXPECT_EQ(outcome.parsed->value("--cluster-id"), "x");
    EXPECT_EQ(outcome.parsed->values("--feature"), (std::vector<std::string>{"a=1", "b=2"}));
    EXPECT_FALSE(outcome.parsed->has("--standalone"));
}

TEST(ArgumentParser, no_command_prints_usage_and_exits_1) {
    auto outcome = parse({});
    EXPECT_EQ(outcome.parsed.error(), 1);
    EXPECT_EQ(outcome.err,
              "usage: kafka-storage [-h] {format,describe,uuid} ...\n"
              "kafka-storage: error: too few arguments\n");
}

TEST(ArgumentParser, missing_and_excluding_arguments_are_named_with_both_flags) {
    EXPECT_THAT(parse({"format", "-c", "f"}).err,
                testing::EndsWith("kafka-storage: error: argument --cluster-id/-t is required\n"));
    EXPECT_THAT(parse({"format", "-c"}).err,
                testing::EndsWith("argument --config/-c: expected one argument\n"));
    EXPECT_THAT(parse({"format", "-c", "f", "-t", "x", "-s", "-I", "y"}).err,
                testing::EndsWith("argument --initial-controllers/-I: not allowed with argument "
                                  "--standalone/-s\n"));
    EXPECT_THAT(parse({"describe"}).err,
                testing::EndsWith("one of the arguments --bootstrap-server/-b "
                                  "--bootstrap-controller/-C is required\n"));
    EXPECT_THAT(parse({"uuid", "x"}).err,
                testing::EndsWith("kafka-storage: error: unrecognized arguments: 'x'\n"));
}

TEST(ArgumentParser, usage_of_a_command_wraps_under_the_program_name) {
    auto outcome = parse({"format"});
    EXPECT_THAT(outcome.err,
                testing::StartsWith("usage: kafka-storage format [-h] --config CONFIG --cluster-id "
                                    "CLUSTER_ID\n                     [--feature FEATURE]"));
    EXPECT_THAT(outcome.err, testing::HasSubstr("[--standalone |"));
}

TEST(ArgumentParser, help_goes_to_stdout_with_exit_0) {
    auto outcome = parse({"format", "--help"});
    EXPECT_EQ(outcome.parsed.error(), 0);
    EXPECT_THAT(outcome.out, testing::HasSubstr("  --config CONFIG, -c CONFIG\n"));
    EXPECT_EQ(outcome.err, "");
}

}  // namespace
}  // namespace moldau::cli
