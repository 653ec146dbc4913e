#include "base/regex.h"

#include <gtest/gtest.h>

namespace moldau {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
    return Regex::compile(pattern)->matches(text);
}

TEST(Regex, matches_the_whole_text) {
    EXPECT_TRUE(matches("orders.*", "orders-eu"));
    EXPECT_FALSE(matches("orders", "orders-eu"));
    EXPECT_TRUE(matches("orders|payments", "payments"));
    EXPECT_FALSE(matches("orders|payments", "orderspayments"));
    EXPECT_TRUE(matches("(?i)ORDERS", "orders"));
    EXPECT_TRUE(matches("a[]b]", "a]"));
}

TEST(Regex, takes_javas_named_groups_and_quotes) {
    EXPECT_TRUE(matches("(?<region>eu|us)-orders", "eu-orders"));
    EXPECT_TRUE(matches("\\Q[a&&b\\E.*", "[a&&bc"));
    EXPECT_TRUE(matches("[\\[&]", "["));
}

TEST(Regex, refuses_what_only_java_knows_and_names_it) {
    for (std::string_view pattern : {"(?=a)b", "(?<!a)b", "(a)\\1", "a++", "\\Z"}) {
        auto regex = Regex::compile(pattern);
        ASSERT_FALSE(regex.has_value()) << pattern;
        EXPECT_TRUE(regex.error().unsupported) << pattern;
    }
    EXPECT_EQ(Regex::compile("[a-z&&[^b]]").error().message,
              "intersection of character classes is not available");
    EXPECT_EQ(Regex::compile("[a[b]]").error().message,
              "a character class inside another is not available");
}

// As com.google.re2j 1.8 says it.
TEST(Regex, explains_in_the_words_of_kafkas_library) {
    struct Wrong {
        std::string_view pattern;
        std::string_view message;
        std::string_view at;
    };
    for (const Wrong& wrong :
         {Wrong{"[abc", "missing closing ]", "[abc"}, Wrong{"(abc", "missing closing )", "(abc"},
          Wrong{"*a", "missing argument to repetition operator", "*"},
          Wrong{"a{2000}", "invalid repeat count", "{2000}"},
          Wrong{"[z-a]", "invalid character class range", "z-a"},
          Wrong{"\\", "trailing backslash at end of expression", ""},
          Wrong{"a\\h", "invalid escape sequence", "\\h"},
          Wrong{"(?P<n", "invalid named capture", "(?P<n"}}) {
        auto regex = Regex::compile(wrong.pattern);
        ASSERT_FALSE(regex.has_value()) << wrong.pattern;
        EXPECT_EQ(regex.error().message, wrong.message);
        EXPECT_EQ(regex.error().at, wrong.at);
    }
}

// Back-tracking engines take years for this one.
TEST(Regex, takes_linear_time) {
    EXPECT_FALSE(matches("(a*)*b", std::string(100'000, 'a')));
}

}  // namespace
}  // namespace moldau
