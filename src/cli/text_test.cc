#include "cli/text.h"

#include <gtest/gtest.h>

namespace moldau::cli {
namespace {

TEST(Text, splits_into_all_parts) {
    EXPECT_EQ(split("a:b::c", ':'), (std::vector<std::string_view>{"a", "b", "", "c"}));
    EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
}

TEST(Text, trims_both_ends) {
    EXPECT_EQ(trim(" \ta b\t "), "a b");
    EXPECT_EQ(trim(" \t"), "");
}

TEST(Text, a_number_is_the_whole_text_and_fits) {
    EXPECT_EQ(parse_number<int16_t>("-7"), -7);
    EXPECT_FALSE(parse_number<int16_t>("70000"));
    EXPECT_FALSE(parse_number<int16_t>("7x"));
    EXPECT_FALSE(parse_number<int16_t>(""));
}

}  // namespace
}  // namespace moldau::cli
