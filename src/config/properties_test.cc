#include "config/properties.h"

namespace moldau::config {
namespace {

ConfigMap parse(std::string_view text) {
    auto entries = parse_properties(text);
    EXPECT_TRUE(entries.has_value());
    return entries.value_or(ConfigMap());
}

TEST(Properties, separators_may_be_equals_colon_or_blank) {
    EXPECT_EQ(parse("a=1\nb:2\nc 3\nd = 4\ne\t:\t5\nf"),
              (ConfigMap{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "5"}, {"f", ""}}));
}

TEST(Properties, comments_and_blank_lines_are_skipped) {
    EXPECT_EQ(parse("# one\n  ! two \\\n\n   \na=1\r\n#b=2\rc=3"),
              (ConfigMap{{"a", "1"}, {"c", "3"}}));
}

TEST(Properties, a_trailing_backslash_joins_the_next_line_without_its_indent) {
    EXPECT_EQ(parse("a=one,\\\n    two,\\\r\n\tthree"), (ConfigMap{{"a", "one,two,three"}}));
    EXPECT_EQ(parse("a=one\\\\\nb=2"), (ConfigMap{{"a", "one\\"}, {"b", "2"}}));
    EXPECT_EQ(parse("a=one\\"), (ConfigMap{{"a", "one"}}));
}

TEST(Properties, escapes_are_read_in_keys_and_values) {
    EXPECT_EQ(parse("a\\=b\\:c\\ d=\\t\\n\\r\\f\\q\\\\"), (ConfigMap{{"a=b:c d", "\t\n\r\fq\\"}}));
    EXPECT_EQ(parse("a=\\u0041\\u00e9\\u20ac\\ud83d\\ude00"),
              (ConfigMap{{"a", "A\u00e9\u20ac\U0001F600"}}));
    EXPECT_FALSE(parse_properties("a=\\u12g4").has_value());
    EXPECT_FALSE(parse_properties("a=\\u12").has_value());
}

TEST(Properties, the_last_of_equal_keys_wins_and_values_keep_trailing_blanks) {
    EXPECT_EQ(parse("a=1\na=2 "), (ConfigMap{{"a", "2 "}}));
}

TEST(Properties, values_may_hold_separators) {
    EXPECT_EQ(parse("listeners=PLAINTEXT://:9092,CONTROLLER://:9093"),
              (ConfigMap{{"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"}}));
}

TEST(Properties, what_is_formatted_reads_back_the_same) {
    ConfigMap entries = {{"a b", " lead"}, {"c=d", "x:y=z"}, {"#e", "\t\\ \n"}, {"", "v"}};
    EXPECT_EQ(parse(format_properties(entries)), entries);
}

TEST(Properties, a_missing_file_is_named) {
    auto entries = read_properties_file("/nonexistent/server.properties");
    ASSERT_FALSE(entries.has_value());
    EXPECT_EQ(entries.error().message,
              "cannot read properties file: path=/nonexistent/server.properties "
              "reason=No such file or directory");
}

}  // namespace
}  // namespace moldau::config
