// LogConfig: the effective configuration of one topic: broker defaults overlaid by the topic's own
// keys. Storage, the record validator and the partition leader read it as plain members. A value
// type, immutable in use; copy or share it freely.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config_def.h"

namespace moldau::config {

enum class TimestampType : int8_t { CreateTime = 0, LogAppendTime = 1 };

// What the broker stores; Producer keeps what the producer chose.
enum class BrokerCompression : uint8_t { Producer, Uncompressed, Gzip, Snappy, Lz4, Zstd };

// What an append waits for before it is acknowledged and seen: the device, or nothing.
enum class AckMode : uint8_t { Journal, Memory };

struct LogConfig {
    static constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

    int32_t segment_bytes = 1 << 30;
    int64_t segment_ms = 604'800'000;
    int64_t segment_jitter_ms = 0;
    int32_t segment_index_bytes = 10 << 20;
    int64_t retention_bytes = -1;        // -1: no limit
    int64_t retention_ms = 604'800'000;  // -1: no limit
    int64_t local_retention_bytes = -2;  // -2: as retention_bytes
    int64_t local_retention_ms = -2;
    bool cleanup_compact = false;
    bool cleanup_delete = true;
    int64_t delete_retention_ms = 86'400'000;
    int64_t file_delete_delay_ms = 60'000;
    int64_t flush_messages = kUnlimited;
    int64_t flush_ms = kUnlimited;
    AckMode ack = AckMode::Journal;
    int32_t index_interval_bytes = 4096;
    int64_t min_compaction_lag_ms = 0;
    int64_t max_compaction_lag_ms = kUnlimited;
    double min_cleanable_dirty_ratio = 0.5;
    int32_t max_message_bytes = 1'048'588;
    BrokerCompression compression = BrokerCompression::Producer;
    int32_t compression_gzip_level = -1;
    int32_t compression_lz4_level = 9;
    int32_t compression_zstd_level = 3;
    TimestampType message_timestamp_type = TimestampType::CreateTime;
    int64_t message_timestamp_before_max_ms = kUnlimited;
    int64_t message_timestamp_after_max_ms = 3'600'000;
    int32_t min_insync_replicas = 1;
    bool preallocate = false;
    bool unclean_leader_election = false;
    bool remote_storage = false;
    bool remote_log_copy_disable = false;
    bool remote_log_delete_on_disable = false;
    std::vector<std::string> leader_throttled_replicas;
    std::vector<std::string> follower_throttled_replicas;

    // internal.segment.bytes, when set, replaces segment_bytes below its public minimum (tests).
    int32_t effective_segment_bytes() const {
        return internal_segment_bytes.value_or(segment_bytes);
    }
    std::optional<int32_t> internal_segment_bytes;

    // The defaults of Kafka overlaid by `overrides` (topic key -> text). Unknown keys are an error.
    // Errors: InvalidConfig with Kafka's text.
    static Result<LogConfig> from_map(const ConfigMap& overrides);

    // `defaults` (a broker's, see ServerConfig::log_config()) overlaid by `overrides`.
    static Result<LogConfig> from_map(const LogConfig& defaults, const ConfigMap& overrides);

    // Sets one member from a parsed value of topic key `name`; false when the name is not known.
    bool set(std::string_view name, const ConfigValue& value);

    // The member for topic key `name` as DescribeConfigs shows it.
    ConfigValue get(std::string_view name) const;

    friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

// What CreateTopics and AlterConfigs check before anything is written: names, values, cross-key
// rules. `overrides` is the whole set the topic would have. Errors: InvalidConfig with Kafka's
// text.
Status validate_topic_configs(const LogConfig& defaults, const ConfigMap& overrides);

}  // namespace moldau::config
