#include "client/client_config.h"

#include <gtest/gtest.h>

#include "client/consumer_config.h"

namespace moldau::client {
namespace {

TEST(ClientConfig, bootstrap_list_takes_names_ipv4_and_bracketed_ipv6) {
    auto list = parse_bootstrap("localhost:9092, 127.0.0.1:9093,[::1]:9094,PLAINTEXT://h:1");
    ASSERT_TRUE(list.has_value());
    EXPECT_EQ(list->at(0), (Endpoint{"localhost", 9092}));
    EXPECT_EQ(list->at(1), (Endpoint{"127.0.0.1", 9093}));
    EXPECT_EQ(list->at(2), (Endpoint{"::1", 9094}));
    EXPECT_EQ(list->at(3), (Endpoint{"h", 1}));
    EXPECT_EQ(list->at(2).str(), "[::1]:9094");
}

TEST(ClientConfig, bad_bootstrap_is_refused_in_kafkas_words) {
    for (std::string bad : {"localhost", ":9092", "localhost:port", "localhost:99999"}) {
        EXPECT_EQ(parse_bootstrap(bad).error().message, "Invalid url in bootstrap.servers: " + bad);
    }
    EXPECT_FALSE(parse_bootstrap("").has_value());
}

TEST(ClientConfig, properties_override_defaults) {
    auto config = ClientConfig::from_properties(
        {{"bootstrap.servers", "h:1"}, {"request.timeout.ms", "2000"}, {"client.id", "me"}});
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->request_timeout, seconds(2));
    EXPECT_EQ(config->client_id, "me");
    EXPECT_EQ(config->default_api_timeout, seconds(60));
    EXPECT_EQ(
        ClientConfig::from_properties({{"bootstrap.servers", "h:1"}, {"request.timeout.ms", "x"}})
            .error()
            .message,
        "Invalid value x for configuration request.timeout.ms: Not a number of type INT");
}

TEST(ConsumerConfig, a_group_protocol_that_is_not_here_is_refused_by_name) {
    // It was ignored, and the consumer joined by the classic protocol without a word.
    auto config = ConsumerConfig::from_properties({{"group.protocol", "consumer"}});
    EXPECT_EQ(config.error().message,
              "group.protocol is not available yet: value=consumer available=classic");
    EXPECT_TRUE(ConsumerConfig::from_properties({{"group.protocol", "classic"}}).has_value());
}

TEST(ClientConfig, backoff_doubles_up_to_its_limit) {
    EXPECT_EQ(backoff(milliseconds(100), milliseconds(1000), 1), milliseconds(100));
    EXPECT_EQ(backoff(milliseconds(100), milliseconds(1000), 3), milliseconds(400));
    EXPECT_EQ(backoff(milliseconds(100), milliseconds(1000), 30), milliseconds(1000));
}

}  // namespace
}  // namespace moldau::client
