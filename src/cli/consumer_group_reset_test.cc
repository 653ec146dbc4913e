#include "cli/consumer_group_reset.h"

#include <gtest/gtest.h>

namespace moldau::cli {
namespace {

TEST(ConsumerGroupReset, topic_arguments_name_partitions) {
    EXPECT_EQ(*parse_topic_partitions("orders:0,2"),
              (std::vector<TopicPartition>{{"orders", 0}, {"orders", 2}}));
    EXPECT_EQ(parse_topic_partitions("orders:x").error().message,
              "Invalid partition 'x' specified in topic arg 'orders:x''");
    EXPECT_FALSE(parse_topic_partitions("a:b:c").has_value());
}

TEST(ConsumerGroupReset, datetimes_have_milliseconds_and_zones) {
    EXPECT_EQ(parse_datetime("2020-01-01T00:00:00.000"), 1577836800000);
    EXPECT_EQ(parse_datetime("2020-01-01T00:00:00.250Z"), 1577836800250);
    EXPECT_EQ(parse_datetime("2020-01-01T02:00:00.000+02:00"), 1577836800000);
    EXPECT_EQ(parse_datetime("2020-01-01"), std::nullopt);
    EXPECT_EQ(parse_datetime("2020-01-01T00:00:00.000x"), std::nullopt);
}

TEST(ConsumerGroupReset, plans_are_read_with_and_without_the_group) {
    std::vector<std::string> one{"g"};
    auto plan = parse_reset_plan("\"events\",0,1\nevents,1,0\n", one);
    EXPECT_EQ((*plan)["g"][(TopicPartition{"events", 0})], 1);
    std::vector<std::string> two{"g", "h"};
    EXPECT_EQ((*parse_reset_plan("h,events,0,7\n", two))["h"].size(), 1u);
    EXPECT_FALSE(parse_reset_plan("events,0,7\n", two).has_value());
    EXPECT_FALSE(parse_reset_plan("events,zero,7\n", one).has_value());
}

}  // namespace
}  // namespace moldau::cli
