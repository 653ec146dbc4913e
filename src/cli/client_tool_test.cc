#include "cli/client_tool.h"

#include <gtest/gtest.h>

namespace moldau::cli {
namespace {

bool allows(std::string_view list, const std::string& topic, bool exclude_internal = false) {
    return TopicFilter::parse(list)->allows(topic, exclude_internal);
}

TEST(TopicFilter, is_a_list_of_patterns_for_the_whole_name) {
    EXPECT_TRUE(allows("orders", "orders"));
    EXPECT_FALSE(allows("orders", "orders-eu"));
    EXPECT_TRUE(allows("orders.*, pay\\w+", "payments"));
    EXPECT_TRUE(allows("\"orders\"", "orders"));
    EXPECT_FALSE(allows(".*", "__consumer_offsets", true));
    EXPECT_TRUE(allows(".*", "__consumer_offsets"));
}

TEST(TopicFilter, tells_a_wrong_pattern_from_one_that_is_not_available) {
    EXPECT_EQ(TopicFilter::parse("[abc").error().message, "[abc is an invalid regex.");
    EXPECT_EQ(
        TopicFilter::parse("(?!__).*").error().message,
        "(?!__).* uses syntax that is not available: invalid or unsupported Perl syntax: (?!");
}

}  // namespace
}  // namespace moldau::cli
