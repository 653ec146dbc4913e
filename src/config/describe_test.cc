#include "config/describe.h"

namespace moldau::config {
namespace {

const DescribedConfig& find(const std::vector<DescribedConfig>& all, std::string_view name) {
    auto it = std::ranges::find(all, name, &DescribedConfig::name);
    EXPECT_NE(it, all.end()) << name;
    return *it;
}

TEST(Describe, a_topic_shows_its_own_value_above_the_brokers) {
    ServerConfig server = ServerConfig::for_tests({{"log.retention.hours", "1"}});
    auto all = describe_topic(server.with_dynamic({{"log.segment.bytes", "2000000"}}, {}),
                              {{"cleanup.policy", "compact, delete"}, {"retention.ms", "5"}});
    EXPECT_EQ(all.size(), 33U);
    const auto& policy = find(all, "cleanup.policy");
    EXPECT_EQ(policy.value, "compact,delete");
    EXPECT_EQ(policy.source, ConfigSource::Topic);
    EXPECT_EQ(policy.synonyms, (std::vector<DescribedSynonym>{
                                   {"cleanup.policy", "compact,delete", ConfigSource::Topic},
                                   {"log.cleanup.policy", "delete", ConfigSource::Default}}));
    const auto& segment = find(all, "segment.bytes");
    EXPECT_EQ(segment.value, "2000000");
    EXPECT_EQ(segment.source, ConfigSource::DynamicDefaultBroker);
}

// Kafka shows nothing below the key it starts from: hours do not appear for log.retention.ms.
TEST(Describe, synonyms_start_at_the_key_itself) {
    auto all = describe_topic(ServerConfig::for_tests({{"log.retention.hours", "1"}}), {});
    const auto& retention = find(all, "retention.ms");
    EXPECT_EQ(retention.value, "3600000");
    EXPECT_TRUE(retention.synonyms.empty());
    EXPECT_EQ(retention.source, ConfigSource::Default);
}

TEST(Describe, a_broker_shows_every_layer_of_a_key) {
    ServerConfig server = ServerConfig::for_tests({{"log.retention.hours", "5"}})
                              .with_dynamic({}, {{"log.retention.ms", "604800000"}});
    auto all = describe_broker(server);
    EXPECT_EQ(find(all, "log.retention.ms").synonyms,
              (std::vector<DescribedSynonym>{
                  {"log.retention.ms", "604800000", ConfigSource::DynamicBroker},
                  {"log.retention.hours", "5", ConfigSource::StaticBroker},
                  {"log.retention.hours", "168", ConfigSource::Default}}));
    // The file's hours are listed, yet no longer in force.
    EXPECT_EQ(find(all, "log.retention.hours").value, "168");
    EXPECT_FALSE(find(all, "log.retention.ms").read_only);
    EXPECT_TRUE(find(all, "num.partitions").read_only);
    EXPECT_EQ(find(all, "node.id").source, ConfigSource::StaticBroker);
}

TEST(Describe, passwords_and_unknown_keys_hide_their_values) {
    auto all = describe_broker(
        ServerConfig::for_tests({{"ssl.key.password", "secret"}, {"my.own.key", "secret"}}));
    for (std::string_view name : {"ssl.key.password", "my.own.key"}) {
        const auto& config = find(all, name);
        EXPECT_TRUE(config.sensitive);
        EXPECT_EQ(config.value, std::nullopt);
        ASSERT_EQ(config.synonyms.size(), 1U);
        EXPECT_EQ(config.synonyms[0].value, std::nullopt);
    }
}

TEST(Describe, cluster_defaults_show_only_what_is_set_there) {
    ServerConfig server = ServerConfig::for_tests().with_dynamic({{"log.cleaner.threads", "2"}},
                                                                 {{"num.io.threads", "4"}});
    auto all = describe_broker_defaults(server);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].name, "log.cleaner.threads");
    EXPECT_EQ(all[0].source, ConfigSource::DynamicDefaultBroker);
}

TEST(Describe, a_group_falls_back_to_the_brokers_key) {
    auto all =
        describe_group(ServerConfig::for_tests(), {{"consumer.session.timeout.ms", "50000"}});
    const auto& session = find(all, "consumer.session.timeout.ms");
    EXPECT_EQ(session.source, ConfigSource::Group);
    EXPECT_EQ(session.synonyms.back(), (DescribedSynonym{"group.consumer.session.timeout.ms",
                                                         "45000", ConfigSource::Default}));
    EXPECT_EQ(find(all, "share.isolation.level").value, "read_uncommitted");
}

TEST(Describe, client_metrics_show_defaults_below_what_is_set) {
    auto all = describe_client_metrics({{"interval.ms", "5000"}});
    EXPECT_EQ(find(all, "interval.ms").value, "5000");
    EXPECT_EQ(find(all, "metrics").value, "");
}

}  // namespace
}  // namespace moldau::config
