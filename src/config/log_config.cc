#include "config/log_config.h"

#include <algorithm>

#include "base/assert.h"
#include "config/rules.h"

namespace moldau::config {
namespace {

using List = std::vector<std::string>;

// How one topic key and one member hold the same value.
struct Binding {
    void (*set)(LogConfig&, const ConfigValue&);
    ConfigValue (*get)(const LogConfig&);
};

template <auto Member>
constexpr Binding bind_number() {
    return {[](LogConfig& config, const ConfigValue& value) {
                using T = std::remove_reference_t<decltype(config.*Member)>;
                config.*Member = static_cast<T>(std::get<int64_t>(value));
            },
            [](const LogConfig& config) { return ConfigValue(int64_t{config.*Member}); }};
}

template <auto Member>
constexpr Binding bind_same() {
    return {[](LogConfig& config, const ConfigValue& value) {
                using T = std::remove_reference_t<decltype(config.*Member)>;
                config.*Member = std::get<T>(value);
            },
            [](const LogConfig& config) { return ConfigValue(config.*Member); }};
}

constexpr std::pair<std::string_view, BrokerCompression> kCompressions[] = {
    {"producer", BrokerCompression::Producer}, {"uncompressed", BrokerCompression::Uncompressed},
    {"gzip", BrokerCompression::Gzip},         {"snappy", BrokerCompression::Snappy},
    {"lz4", BrokerCompression::Lz4},           {"zstd", BrokerCompression::Zstd}};

const Binding kCleanupPolicy = {[](LogConfig& config, const ConfigValue& value) {
                                    const List& policies = std::get<List>(value);
                                    config.cleanup_compact = contains(policies, "compact");
                                    config.cleanup_delete = contains(policies, "delete");
                                },
                                [](const LogConfig& config) {
                                    List policies;
                                    if (config.cleanup_compact) {
                                        policies.push_back("compact");
                                    }
                                    if (config.cleanup_delete) {
                                        policies.push_back("delete");
                                    }
                                    return ConfigValue(policies);
                                }};

const Binding kCompression = {
    [](LogConfig& config, const ConfigValue& value) {
        const auto& word = std::get<std::string>(value);
        auto it = std::ranges::find(kCompressions, std::string_view(word),
                                    [](const auto& entry) { return entry.first; });
        config.compression = it->second;
    },
    [](const LogConfig& config) {
        auto it = std::ranges::find(kCompressions, config.compression,
                                    [](const auto& entry) { return entry.second; });
        return ConfigValue(std::string(it->first));
    }};

const Binding kTimestampType = {
    [](LogConfig& config, const ConfigValue& value) {
        config.message_timestamp_type = std::get<std::string>(value) == "LogAppendTime"
                                            ? TimestampType::LogAppendTime
                                            : TimestampType::CreateTime;
    },
    [](const LogConfig& config) {
        bool append = config.message_timestamp_type == TimestampType::LogAppendTime;
        return ConfigValue(std::string(append ? "LogAppendTime" : "CreateTime"));
    }};

const Binding kAck = {[](LogConfig& config, const ConfigValue& value) {
                          config.ack = std::get<std::string>(value) == "memory" ? AckMode::Memory
                                                                                : AckMode::Journal;
                      },
                      [](const LogConfig& config) {
                          bool memory = config.ack == AckMode::Memory;
                          return ConfigValue(std::string(memory ? "memory" : "journal"));
                      }};

const Binding kInternalSegmentBytes = {
    [](LogConfig& config, const ConfigValue& value) {
        const auto* bytes = std::get_if<int64_t>(&value);
        config.internal_segment_bytes =
            bytes != nullptr ? std::optional(static_cast<int32_t>(*bytes)) : std::nullopt;
    },
    [](const LogConfig& config) {
        return config.internal_segment_bytes ? ConfigValue(int64_t{*config.internal_segment_bytes})
                                             : ConfigValue();
    }};

const std::map<std::string_view, Binding>& bindings() {
    using C = LogConfig;
    static const std::map<std::string_view, Binding> table = {
        {"cleanup.policy", kCleanupPolicy},
        {"compression.gzip.level", bind_number<&C::compression_gzip_level>()},
        {"compression.lz4.level", bind_number<&C::compression_lz4_level>()},
        {"compression.type", kCompression},
        {"compression.zstd.level", bind_number<&C::compression_zstd_level>()},
        {"delete.retention.ms", bind_number<&C::delete_retention_ms>()},
        {"file.delete.delay.ms", bind_number<&C::file_delete_delay_ms>()},
        {"flush.messages", bind_number<&C::flush_messages>()},
        {"flush.ms", bind_number<&C::flush_ms>()},
        {"follower.replication.throttled.replicas", bind_same<&C::follower_throttled_replicas>()},
        {"index.interval.bytes", bind_number<&C::index_interval_bytes>()},
        {"internal.segment.bytes", kInternalSegmentBytes},
        {"leader.replication.throttled.replicas", bind_same<&C::leader_throttled_replicas>()},
        {"local.retention.bytes", bind_number<&C::local_retention_bytes>()},
        {"local.retention.ms", bind_number<&C::local_retention_ms>()},
        {"max.compaction.lag.ms", bind_number<&C::max_compaction_lag_ms>()},
        {"max.message.bytes", bind_number<&C::max_message_bytes>()},
        {"message.timestamp.after.max.ms", bind_number<&C::message_timestamp_after_max_ms>()},
        {"message.timestamp.before.max.ms", bind_number<&C::message_timestamp_before_max_ms>()},
        {"message.timestamp.type", kTimestampType},
        {"min.cleanable.dirty.ratio", bind_same<&C::min_cleanable_dirty_ratio>()},
        {"min.compaction.lag.ms", bind_number<&C::min_compaction_lag_ms>()},
        {"min.insync.replicas", bind_number<&C::min_insync_replicas>()},
        {"moldau.ack", kAck},
        {"preallocate", bind_same<&C::preallocate>()},
        {"remote.log.copy.disable", bind_same<&C::remote_log_copy_disable>()},
        {"remote.log.delete.on.disable", bind_same<&C::remote_log_delete_on_disable>()},
        {"remote.storage.enable", bind_same<&C::remote_storage>()},
        {"retention.bytes", bind_number<&C::retention_bytes>()},
        {"retention.ms", bind_number<&C::retention_ms>()},
        {"segment.bytes", bind_number<&C::segment_bytes>()},
        {"segment.index.bytes", bind_number<&C::segment_index_bytes>()},
        {"segment.jitter.ms", bind_number<&C::segment_jitter_ms>()},
        {"segment.ms", bind_number<&C::segment_ms>()},
        {"unclean.leader.election.enable", bind_same<&C::unclean_leader_election>()},
    };
    return table;
}

}  // namespace

bool LogConfig::set(std::string_view name, const ConfigValue& value) {
    auto it = bindings().find(name);
    if (it == bindings().end()) {
        return false;
    }
    it->second.set(*this, value);
    return true;
}

ConfigValue LogConfig::get(std::string_view name) const {
    auto it = bindings().find(name);
    return it == bindings().end() ? ConfigValue() : it->second.get(*this);
}

Result<LogConfig> LogConfig::from_map(const ConfigMap& overrides) {
    return from_map(LogConfig(), overrides);
}

Result<LogConfig> LogConfig::from_map(const LogConfig& defaults, const ConfigMap& overrides) {
    LogConfig config = defaults;
    for (const auto& [name, text] : overrides) {
        const ConfigKey* key = topic_config_def().find(name);
        if (key == nullptr) {
            return fail(ErrorCode::InvalidConfig, "Unknown topic config name: {}", name);
        }
        MOLDAU_TRY(auto value, parse_value(*key, text));
        bool known = config.set(name, value);
        MOLDAU_ASSERT(known);
    }
    return config;
}

Status validate_topic_configs(const LogConfig& defaults, const ConfigMap& overrides) {
    MOLDAU_TRY(auto config, LogConfig::from_map(defaults, overrides));
    if (config.min_compaction_lag_ms > config.max_compaction_lag_ms) {
        return fail(ErrorCode::InvalidConfig,
                    "conflict topic config setting min.compaction.lag.ms ({}) > "
                    "max.compaction.lag.ms ({})",
                    config.min_compaction_lag_ms, config.max_compaction_lag_ms);
    }
    if (config.remote_storage) {
        return fail(ErrorCode::InvalidConfig,
                    "Tiered Storage functionality is disabled in the broker. Topic cannot be "
                    "configured with remote log storage.");
    }
    return {};
}

}  // namespace moldau::config
