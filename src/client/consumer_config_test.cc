#include "client/consumer_config.h"

#include <gtest/gtest.h>

namespace moldau::client {
namespace {

std::vector<std::string> strategies_of(const std::string& list) {
    auto config = ConsumerConfig::from_properties({{"partition.assignment.strategy", list}});
    std::vector<std::string> names;
    for (const Assignor* assignor : config->member.assignors) {
        names.emplace_back(assignor->protocol);
    }
    return names;
}

TEST(ConsumerConfig, offers_range_and_cooperative_sticky_unless_told_otherwise) {
    auto config = ConsumerConfig::from_properties({});
    ASSERT_EQ(config->member.assignors.size(), 2u);
    EXPECT_EQ(config->member.assignors[0]->protocol, "range");
    EXPECT_EQ(config->member.assignors[1]->protocol, "cooperative-sticky");
}

TEST(ConsumerConfig, takes_strategies_by_class_in_their_order_and_each_once) {
    EXPECT_EQ(strategies_of("org.apache.kafka.clients.consumer.StickyAssignor, "
                            "org.apache.kafka.clients.consumer.RoundRobinAssignor,"
                            "org.apache.kafka.clients.consumer.StickyAssignor"),
              (std::vector<std::string>{"sticky", "roundrobin"}));
}

TEST(ConsumerConfig, refuses_a_strategy_that_is_not_there) {
    auto config =
        ConsumerConfig::from_properties({{"partition.assignment.strategy", "com.example.Mine"}});
    EXPECT_EQ(config.error().message, "com.example.Mine ClassNotFoundException exception occurred");
    EXPECT_FALSE(ConsumerConfig::from_properties({{"partition.assignment.strategy", ""}}));
}

TEST(OffsetReset, knows_kafkas_four_forms) {
    EXPECT_EQ(OffsetReset::parse("earliest")->value, offset_spec::kEarliest);
    EXPECT_EQ(OffsetReset::parse("latest")->value, offset_spec::kLatest);
    EXPECT_EQ(OffsetReset::parse("none")->kind, OffsetReset::Kind::None);
    EXPECT_EQ(OffsetReset::parse("by_duration:P1DT2H")->value, 26 * 3'600'000);
    EXPECT_FALSE(OffsetReset::parse("by_duration:-PT1S"));
    EXPECT_FALSE(OffsetReset::parse("by_duration:1h"));
    EXPECT_FALSE(OffsetReset::parse("smallest"));
}

}  // namespace
}  // namespace moldau::client
