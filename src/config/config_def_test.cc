#include "config/config_def.h"

namespace moldau::config {
namespace {

// The error for topic key `name` set to `text`, empty when it is fine.
std::string topic_error(std::string_view name, std::string_view text) {
    auto value = parse_value(*topic_config_def().find(name), text);
    return value ? "" : value.error().message;
}

std::string broker_error(std::string_view name, std::optional<std::string_view> text) {
    auto value = parse_value(*broker_config_def().find(name), text);
    return value ? "" : value.error().message;
}

TEST(ConfigDef, tables_hold_every_key_of_kafka_and_ours) {
    EXPECT_EQ(broker_config_def().keys().size(), 360U + 3U);
    EXPECT_EQ(broker_dynamic_only_def().keys().size(), 3U);
    EXPECT_EQ(topic_config_def().keys().size(), 34U + 1U);
    EXPECT_EQ(group_config_def().keys().size(), 17U);
    EXPECT_EQ(client_metrics_config_def().keys().size(), 3U);
    EXPECT_EQ(user_client_quota_def().keys().size(), 6U);
    EXPECT_EQ(ip_quota_def().keys().size(), 1U);
}

TEST(ConfigDef, every_default_satisfies_its_own_rule) {
    for (const ConfigDef* def : {&broker_config_def(), &topic_config_def(), &group_config_def(),
                                 &client_metrics_config_def(), &user_client_quota_def()}) {
        for (const ConfigKey& key : def->keys()) {
            if (!key.required && key.default_value) {
                auto value = parse_value(key, key.default_value);
                EXPECT_TRUE(value.has_value()) << key.name;
                EXPECT_EQ(format_value(*value), std::string(*key.default_value)) << key.name;
            }
        }
    }
}

TEST(ConfigDef, every_synonym_names_a_broker_key) {
    for (const ConfigDef* def : {&broker_config_def(), &topic_config_def(), &group_config_def()}) {
        for (const ConfigKey& key : def->keys()) {
            for (const Synonym& synonym : key.synonyms) {
                EXPECT_NE(broker_config_def().find(synonym.name), nullptr) << synonym.name;
            }
        }
    }
}

TEST(ConfigDef, a_wrong_type_is_refused_in_kafkas_words) {
    EXPECT_EQ(topic_error("retention.ms", "abc"),
              "Invalid value abc for configuration retention.ms: Not a number of type LONG");
    EXPECT_EQ(topic_error("max.message.bytes", "2147483648"),
              "Invalid value 2147483648 for configuration max.message.bytes: Not a number of type "
              "INT");
    EXPECT_EQ(topic_error("preallocate", "yes"),
              "Invalid value yes for configuration preallocate: Expected value to be either true "
              "or false");
    EXPECT_EQ(topic_error("min.cleanable.dirty.ratio", "half"),
              "Invalid value half for configuration min.cleanable.dirty.ratio: Not a number of "
              "type DOUBLE");
}

TEST(ConfigDef, a_value_out_of_range_is_refused_in_kafkas_words) {
    EXPECT_EQ(topic_error("segment.bytes", "1"),
              "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576");
    EXPECT_EQ(
        topic_error("min.cleanable.dirty.ratio", "1.5"),
        "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more "
        "than 1");
    EXPECT_EQ(topic_error("compression.gzip.level", "0"),
              "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 "
              "and 9 or equal to -1");
    EXPECT_EQ(topic_error("compression.gzip.level", "-1"), "");
}

TEST(ConfigDef, a_word_outside_the_choice_is_refused_in_kafkas_words) {
    EXPECT_EQ(topic_error("compression.type", "brotli"),
              "Invalid value brotli for configuration compression.type: String must be one of: "
              "uncompressed, zstd, lz4, snappy, gzip, producer");
    EXPECT_EQ(broker_error("group.consumer.migration.policy", "Upgrade"), "");
    EXPECT_EQ(broker_error("group.consumer.migration.policy", "never"),
              "Invalid value never for configuration group.consumer.migration.policy: String must "
              "be one of (case insensitive): DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL");
}

TEST(ConfigDef, lists_refuse_empty_repeated_and_unknown_entries) {
    EXPECT_EQ(topic_error("cleanup.policy", "compact, delete"), "");
    EXPECT_EQ(topic_error("cleanup.policy", ""), "");
    EXPECT_EQ(topic_error("cleanup.policy", "delete,delete"),
              "Configuration 'cleanup.policy' values must not be duplicated.");
    EXPECT_EQ(topic_error("cleanup.policy", "delete,"),
              "Configuration 'cleanup.policy' values must not be empty.");
    EXPECT_EQ(topic_error("cleanup.policy", "shred"),
              "Invalid value shred for configuration cleanup.policy: String must be one of: "
              "compact, delete");
    EXPECT_EQ(broker_error("listeners", ""),
              "Configuration 'listeners' must not be empty. Valid values include: any non-empty "
              "value");
    EXPECT_EQ(broker_error("process.roles", ""),
              "Configuration 'process.roles' must not be empty. Valid values include: [broker, "
              "controller]");
}

TEST(ConfigDef, throttled_replicas_are_pairs_or_a_star) {
    constexpr std::string_view kKey = "leader.replication.throttled.replicas";
    EXPECT_EQ(topic_error(kKey, "*"), "");
    EXPECT_EQ(topic_error(kKey, ""), "");
    EXPECT_EQ(topic_error(kKey, "0:1,12:3"), "");
    EXPECT_EQ(topic_error(kKey, "0-1"),
              "Invalid value [0-1] for configuration leader.replication.throttled.replicas: "
              "leader.replication.throttled.replicas must be the literal '*' or a list of replicas "
              "in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...");
}

TEST(ConfigDef, share_offset_reset_takes_words_and_durations) {
    const ConfigKey& key = *group_config_def().find("share.auto.offset.reset");
    for (std::string_view good :
         {"latest", "EARLIEST", "by_duration:PT1H", "by_duration:P2DT3.5S"}) {
        EXPECT_TRUE(parse_value(key, good).has_value()) << good;
    }
    for (std::string_view bad : {"", "none", "by_duration:", "by_duration:PT", "by_duration:1h"}) {
        EXPECT_FALSE(parse_value(key, bad).has_value()) << bad;
    }
}

TEST(ConfigDef, voters_and_bootstrap_servers_need_host_and_port) {
    EXPECT_EQ(broker_error("controller.quorum.voters", "1@localhost:9093,2@[::1]:9093"), "");
    EXPECT_EQ(broker_error("controller.quorum.voters", "localhost:9093"),
              "Invalid configuration value for controller.quorum.voters. Each entry should be in "
              "the form `{id}@{host}:{port}`.");
    EXPECT_EQ(broker_error("controller.quorum.voters", "x@localhost:9093"),
              "Failed to parse voter ID as an integer from x");
    EXPECT_EQ(broker_error("controller.quorum.bootstrap.servers", "localhost"),
              "Failed to parse host name from localhost for the configuration "
              "controller.quorum.bootstrap.servers. Each entry should be in the form "
              "\"{host}:{port}\"");
}

TEST(ConfigDef, values_are_trimmed_as_java_trims) {
    EXPECT_EQ(parse_value(*topic_config_def().find("retention.ms"), " 7 "),
              ConfigValue(int64_t{7}));
    EXPECT_EQ(parse_value(*topic_config_def().find("preallocate"), " TRUE "), ConfigValue(true));
    EXPECT_EQ(split_list("a , b,c"), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_TRUE(split_list("").empty());
}

TEST(ConfigDef, doubles_are_shown_as_java_shows_them) {
    EXPECT_EQ(format_value(ConfigValue(0.5)), "0.5");
    EXPECT_EQ(format_value(ConfigValue(1.0)), "1.0");
    EXPECT_EQ(format_value(ConfigValue(2147483647.0)), "2.147483647E9");
    EXPECT_EQ(format_value(ConfigValue(1e-5)), "1.0E-5");
    EXPECT_EQ(format_value(ConfigValue(1.7976931348623157E308)), "1.7976931348623157E308");
}

TEST(ConfigDef, an_unknown_name_is_answered_with_the_nearest_one) {
    EXPECT_EQ(broker_config_def().nearest("log.retention.hour"), "log.retention.hours");
    EXPECT_EQ(broker_config_def().nearest("num.partition"), "num.partitions");
    EXPECT_EQ(broker_config_def().nearest("completely.different.thing"), "");
}

TEST(ConfigDef, client_metrics_are_checked_as_a_whole) {
    EXPECT_TRUE(
        validate_client_metrics_configs({{"interval.ms", "100"}, {"match", "client_id=app-[0-9]+"}})
            .has_value());
    auto interval = validate_client_metrics_configs({{"interval.ms", "1"}});
    ASSERT_FALSE(interval.has_value());
    EXPECT_EQ(interval.error().code, ErrorCode::InvalidRequest);
    EXPECT_EQ(interval.error().message,
              "Invalid value 1 for interval.ms, interval must be between 100 and 3600000 (1 hour)");
    EXPECT_FALSE(validate_client_metrics_configs({{"match", "host=1"}}).has_value());
    EXPECT_FALSE(validate_client_metrics_configs({{"match", "client_id=("}}).has_value());
    EXPECT_FALSE(validate_client_metrics_configs({{"nosuch", "1"}}).has_value());
}

}  // namespace
}  // namespace moldau::config
