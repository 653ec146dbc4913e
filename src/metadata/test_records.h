// Records for tests, short to write.
#pragma once

#include <string>
#include <vector>

#include "metadata/versioned_record.h"

namespace moldau::metadata {

inline Uuid test_id(uint64_t n) {
    return Uuid{0x1000, n};
}

inline protocol::MetadataRecord topic_record(const std::string& name, const Uuid& id) {
    protocol::TopicRecord record;
    record.name = name;
    record.topic_id = id;
    return record;
}

inline protocol::MetadataRecord remove_topic_record(const Uuid& id) {
    protocol::RemoveTopicRecord record;
    record.topic_id = id;
    return record;
}

inline protocol::MetadataRecord partition_record(const Uuid& id, int32_t index,
                                                 std::vector<int32_t> replicas) {
    protocol::PartitionRecord record;
    record.topic_id = id;
    record.partition_id = index;
    record.isr = replicas;
    record.leader = replicas.front();
    record.leader_epoch = 0;
    record.partition_epoch = 0;
    record.directories.assign(replicas.size(), kUnassignedDirectory);
    record.replicas = std::move(replicas);
    return record;
}

inline protocol::PartitionChangeRecord partition_change(const Uuid& id, int32_t index) {
    protocol::PartitionChangeRecord record;
    record.topic_id = id;
    record.partition_id = index;
    return record;
}

inline protocol::MetadataRecord config_record(int8_t type, const std::string& resource,
                                              const std::string& name,
                                              std::optional<std::string> value) {
    protocol::ConfigRecord record;
    record.resource_type = type;
    record.resource_name = resource;
    record.name = name;
    record.value = std::move(value);
    return record;
}

inline protocol::MetadataRecord feature_record(const std::string& name, int16_t level) {
    protocol::FeatureLevelRecord record;
    record.name = name;
    record.feature_level = level;
    return record;
}

inline protocol::RegisterBrokerRecord broker_record(int32_t id, int64_t epoch) {
    protocol::RegisterBrokerRecord record;
    record.broker_id = id;
    record.broker_epoch = epoch;
    record.incarnation_id = test_id(1000 + static_cast<uint64_t>(id));
    auto& endpoint = record.end_points.emplace_back();
    endpoint.name = "PLAINTEXT";
    endpoint.host = "localhost";
    endpoint.port = 9092;
    auto& feature = record.features.emplace_back();
    feature.name = "metadata.version";
    feature.min_supported_version = 7;
    feature.max_supported_version = 30;
    record.rack = std::nullopt;
    record.log_dirs = {test_id(2000 + static_cast<uint64_t>(id))};
    return record;
}

}  // namespace moldau::metadata
