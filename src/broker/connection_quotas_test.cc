#include "broker/connection_quotas.h"

#include <gtest/gtest.h>

#include "config/server_config.h"

namespace moldau::broker {
namespace {

constexpr std::string_view kInner = "INNER";
constexpr std::string_view kOuter = "OUTER";

ConnectionQuotas two_listeners(ConnectionLimits limits) {
    limits.inter_broker_listener = kInner;
    ConnectionQuotas quotas(std::move(limits));
    quotas.add_listener(std::string(kInner));
    quotas.add_listener(std::string(kOuter));
    return quotas;
}

TEST(ConnectionQuotas, a_full_node_lets_nobody_in_until_somebody_leaves) {
    ConnectionQuotas quotas = two_listeners({.connections_max = 2});
    ASSERT_TRUE(quotas.take(kOuter, "a"));
    ASSERT_TRUE(quotas.has_room(kOuter));
    ASSERT_TRUE(quotas.take(kOuter, "b"));
    EXPECT_FALSE(quotas.has_room(kOuter));
    quotas.release(kOuter, "a");
    EXPECT_TRUE(quotas.has_room(kOuter));
}

TEST(ConnectionQuotas, the_inter_broker_listener_may_exceed_and_the_others_shed) {
    ConnectionQuotas quotas = two_listeners({.connections_max = 2});
    ASSERT_TRUE(quotas.take(kOuter, "a"));
    ASSERT_TRUE(quotas.take(kOuter, "b"));
    EXPECT_FALSE(quotas.must_shed(kOuter));
    ASSERT_TRUE(quotas.has_room(kInner));
    ASSERT_TRUE(quotas.take(kInner, "c"));
    EXPECT_TRUE(quotas.must_shed(kOuter));
    EXPECT_FALSE(quotas.must_shed(kInner));
    quotas.release(kOuter, "a");
    EXPECT_FALSE(quotas.must_shed(kOuter));
}

TEST(ConnectionQuotas, the_inter_broker_listener_alone_is_not_protected) {
    ConnectionQuotas quotas({.connections_max = 1, .inter_broker_listener = std::string(kInner)});
    quotas.add_listener(std::string(kInner));
    ASSERT_TRUE(quotas.take(kInner, "a"));
    EXPECT_FALSE(quotas.has_room(kInner));
}

TEST(ConnectionQuotas, a_listener_has_its_own_limit_even_when_protected) {
    ConnectionLimits limits;
    limits.by_listener[std::string(kInner)] = {.connections_max = 1};
    ConnectionQuotas quotas = two_listeners(limits);
    ASSERT_TRUE(quotas.take(kInner, "a"));
    EXPECT_FALSE(quotas.has_room(kInner));
    EXPECT_TRUE(quotas.has_room(kOuter));
}

TEST(ConnectionQuotas, an_address_beyond_its_number_is_refused_and_not_counted) {
    ConnectionLimits limits{.connections_max_per_ip = 1};
    limits.connections_max_by_ip["big"] = 2;
    ConnectionQuotas quotas = two_listeners(limits);
    EXPECT_TRUE(quotas.take(kOuter, "a"));
    EXPECT_FALSE(quotas.take(kInner, "a"));
    EXPECT_TRUE(quotas.take(kOuter, "big"));
    EXPECT_TRUE(quotas.take(kOuter, "big"));
    EXPECT_FALSE(quotas.take(kOuter, "big"));
    EXPECT_EQ(quotas.count(), 3u);
    quotas.release(kOuter, "a");
    EXPECT_TRUE(quotas.take(kInner, "a"));
}

TEST(ConnectionQuotas, a_rate_is_measured_over_all_windows) {
    // Ten windows of a second count in full: 100 at once are 10 a second.
    ConnectionQuotas quotas = two_listeners({.per_second_max = 10});
    MonotonicTime now{};
    now += std::chrono::hours(1);
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(quotas.note_arrival(kOuter, now), Duration::zero()) << i;
    }
    // 101 / 10 s is a tenth above 10: a hundredth of ten seconds brings it down.
    EXPECT_EQ(to_ms(quotas.note_arrival(kOuter, now)), 100);
    EXPECT_EQ(quotas.note_arrival(kInner, now), Duration::zero());
    // A storm waits one window at most.
    for (int i = 0; i < 1000; ++i) {
        (void)quotas.note_arrival(kOuter, now);
    }
    EXPECT_EQ(to_ms(quotas.note_arrival(kOuter, now)), 1000);
    EXPECT_EQ(quotas.note_arrival(kOuter, now + seconds(12)), Duration::zero());
}

TEST(ConnectionQuotas, limits_come_from_the_node_unless_a_listener_says_otherwise) {
    auto config = config::ServerConfig::for_tests({
        {"max.connections", "50"},
        {"listener.name.plaintext.max.connections", "7"},
        {"max.connection.creation.rate", "20"},
        {"max.connections.per.ip.overrides", "127.0.0.1:3"},
    });
    ConnectionLimits limits = ConnectionLimits::of(config);
    EXPECT_EQ(limits.connections_max, 50);
    EXPECT_EQ(limits.by_listener.at("PLAINTEXT").connections_max, 7);
    EXPECT_EQ(limits.by_listener.at("CONTROLLER").connections_max, 50);
    EXPECT_EQ(limits.by_listener.at("PLAINTEXT").per_second_max, 20);
    EXPECT_EQ(limits.connections_max_by_ip.at("127.0.0.1"), 3);
    EXPECT_EQ(limits.inter_broker_listener, "PLAINTEXT");
}

}  // namespace
}  // namespace moldau::broker
