#include "config/log_config.h"

namespace moldau::config {
namespace {

TEST(LogConfig, members_start_at_the_defaults_of_the_table) {
    LogConfig config;
    for (const ConfigKey& key : topic_config_def().keys()) {
        EXPECT_EQ(config.get(key.name), default_value(key)) << key.name;
    }
}

TEST(LogConfig, every_key_of_the_table_sets_a_member) {
    LogConfig config;
    for (const ConfigKey& key : topic_config_def().keys()) {
        EXPECT_TRUE(config.set(key.name, default_value(key))) << key.name;
    }
    EXPECT_FALSE(config.set("nosuch", ConfigValue(true)));
}

TEST(LogConfig, overrides_lie_over_the_brokers_defaults) {
    LogConfig defaults;
    defaults.retention_ms = 1000;
    defaults.max_message_bytes = 77;
    auto config = LogConfig::from_map(defaults, {{"cleanup.policy", "compact,delete"},
                                                 {"compression.type", "zstd"},
                                                 {"message.timestamp.type", "LogAppendTime"},
                                                 {"retention.ms", "-1"}});
    ASSERT_TRUE(config.has_value());
    EXPECT_TRUE(config->cleanup_compact);
    EXPECT_TRUE(config->cleanup_delete);
    EXPECT_EQ(config->compression, BrokerCompression::Zstd);
    EXPECT_EQ(config->message_timestamp_type, TimestampType::LogAppendTime);
    EXPECT_EQ(config->retention_ms, -1);
    EXPECT_EQ(config->max_message_bytes, 77);
}

TEST(LogConfig, internal_segment_bytes_goes_below_the_public_minimum) {
    auto config = LogConfig::from_map({{"internal.segment.bytes", "512"}});
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->effective_segment_bytes(), 512);
    EXPECT_EQ(LogConfig().effective_segment_bytes(), 1 << 30);
}

TEST(LogConfig, an_empty_cleanup_policy_neither_deletes_nor_compacts) {
    auto config = LogConfig::from_map({{"cleanup.policy", ""}});
    ASSERT_TRUE(config.has_value());
    EXPECT_FALSE(config->cleanup_compact);
    EXPECT_FALSE(config->cleanup_delete);
}

TEST(LogConfig, unknown_names_and_conflicting_lags_are_refused) {
    auto unknown = validate_topic_configs({}, {{"nosuch.config", "1"}});
    ASSERT_FALSE(unknown.has_value());
    EXPECT_EQ(unknown.error().code, ErrorCode::InvalidConfig);
    EXPECT_EQ(unknown.error().message, "Unknown topic config name: nosuch.config");
    auto lags = validate_topic_configs(
        {}, {{"min.compaction.lag.ms", "9"}, {"max.compaction.lag.ms", "8"}});
    ASSERT_FALSE(lags.has_value());
    EXPECT_EQ(
        lags.error().message,
        "conflict topic config setting min.compaction.lag.ms (9) > max.compaction.lag.ms (8)");
    EXPECT_FALSE(validate_topic_configs({}, {{"remote.storage.enable", "true"}}).has_value());
}

}  // namespace
}  // namespace moldau::config
