#include "metadata/topic_name.h"

#include <gtest/gtest.h>

namespace moldau::metadata {
namespace {

TEST(TopicName, only_the_legal_alphabet_and_length_pass) {
    EXPECT_TRUE(is_legal_topic_name("orders.v1_a-B"));
    EXPECT_TRUE(is_legal_topic_name(std::string(249, 'x')));
    for (std::string bad : {std::string(), std::string("."), std::string(".."),
                            std::string(250, 'x'), std::string("a b"), std::string("a/b"),
                            std::string("\xc3\xa9"), std::string("a\0b", 3)}) {
        EXPECT_EQ(validate_topic_name(bad).error().code, ErrorCode::InvalidTopicException) << bad;
    }
    EXPECT_EQ(validate_topic_name("..").error().message,
              "Topic name is invalid: '..' is not allowed");
}

TEST(TopicName, names_that_share_a_metric_name_collide) {
    EXPECT_TRUE(has_collision_characters("a.b"));
    EXPECT_FALSE(has_collision_characters("a-b"));
    EXPECT_EQ(collision_key("a.b_c"), collision_key("a_b.c"));
}

TEST(TopicName, the_brokers_own_topics_are_internal) {
    EXPECT_TRUE(is_internal_topic("__consumer_offsets"));
    EXPECT_FALSE(is_internal_topic("__cluster_metadata"));
    EXPECT_FALSE(is_internal_topic("orders"));
}

}  // namespace
}  // namespace moldau::metadata
