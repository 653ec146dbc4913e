#include "cli/config_changes.h"

#include <gtest/gtest.h>

namespace moldau::cli {
namespace {

TEST(ConfigChanges, brackets_keep_commas_and_equals_signs_together) {
    auto changes = parse_config_changes(
        "retention.ms=1, cleanup.policy=[compact,delete],match=[client_id=app1,b=2]");
    ASSERT_TRUE(changes.has_value());
    EXPECT_EQ((*changes)["retention.ms"], "1");
    EXPECT_EQ((*changes)["cleanup.policy"], "compact,delete");
    EXPECT_EQ((*changes)["match"], "client_id=app1,b=2");
}

TEST(ConfigChanges, a_value_may_be_empty_but_not_missing) {
    EXPECT_EQ((*parse_config_changes("a="))["a"], "");
    EXPECT_EQ(parse_config_changes("a"), std::nullopt);
    EXPECT_EQ(parse_config_changes("a=b=c"), std::nullopt);
}

TEST(ConfigChanges, keys_are_a_list) {
    EXPECT_EQ(parse_config_keys("a, b,"), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace moldau::cli
