#include "cli/line_reader.h"

#include <gtest/gtest.h>

namespace moldau::cli {
namespace {

using Map = std::map<std::string, std::string, std::less<>>;

LineReader reader(Map properties) {
    return std::move(*LineReader::configure(properties));
}

TEST(LineReader, a_line_is_a_value_unless_asked_otherwise) {
    auto record = reader({}).read("a\tb");
    EXPECT_EQ(record->key, std::nullopt);
    EXPECT_EQ(record->value, "a\tb");
    EXPECT_EQ(reader({}).read("")->value, "");
}

TEST(LineReader, key_and_headers_are_cut_in_order) {
    auto record = reader({{"parse.key", "true"}, {"parse.headers", "TRUE"}, {"key.separator", ":"}})
                      .read("h1:a,h2:b\tk1:v1:x");
    EXPECT_EQ(record->key, "k1");
    EXPECT_EQ(record->value, "v1:x");
    ASSERT_EQ(record->headers.size(), 2u);
    EXPECT_EQ(record->headers[1].key, "h2");
    EXPECT_EQ(record->headers[1].value, "b");
}

TEST(LineReader, missing_separators_name_the_line) {
    auto with_key = reader({{"parse.key", "true"}, {"key.separator", ":"}});
    EXPECT_EQ(with_key.read("novalue").error().message,
              "No key separator found on line number 1: 'novalue'");
    auto with_headers = reader({{"parse.headers", "true"}});
    EXPECT_TRUE(with_headers.read("h:a\tv").has_value());
    EXPECT_EQ(with_headers.read("\tv").error().message,
              "No header key separator found in pair '' on line number 2");
}

TEST(LineReader, errors_can_be_ignored) {
    auto record = reader({{"parse.key", "true"}, {"ignore.error", "true"}}).read("novalue");
    EXPECT_EQ(record->key, std::nullopt);
    EXPECT_EQ(record->value, "novalue");
}

TEST(LineReader, the_null_marker_makes_nulls) {
    auto record = reader({{"parse.key", "true"}, {"key.separator", ":"}, {"null.marker", "NULL"}})
                      .read("k:NULL");
    EXPECT_EQ(record->key, "k");
    EXPECT_EQ(record->value, std::nullopt);
}

TEST(LineReader, equal_separators_are_refused) {
    EXPECT_EQ(LineReader::configure({{"headers.separator", "\t"}}).error().message,
              "headers.delimiter and headers.separator may not be equal");
    EXPECT_EQ(LineReader::configure({{"null.marker", ","}}).error().message,
              "null.marker and headers.separator may not be equal");
}

}  // namespace
}  // namespace moldau::cli
