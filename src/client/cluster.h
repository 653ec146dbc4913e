// Cluster: what a client knows of brokers, topics and leaders, as one immutable value.
// ClusterBuilder folds Metadata responses into the next one, keeping newer leader epochs (KIP-320).
// Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error_code.h"
#include "base/topic_partition.h"
#include "base/uuid.h"
#include "client/client_config.h"

namespace moldau::protocol {
struct MetadataResponse;
}

namespace moldau::client {

struct Node {
    int32_t id = -1;
    Endpoint endpoint;
    std::optional<std::string> rack;
};

struct PartitionInfo {
    ErrorCode error = ErrorCode::None;
    int32_t leader = -1;
    int32_t leader_epoch = -1;
    std::vector<int32_t> replicas;
    std::vector<int32_t> isr;
    std::vector<int32_t> offline;
};

struct TopicInfo {
    ErrorCode error = ErrorCode::None;
    Uuid id;
    bool is_internal = false;
    std::map<int32_t, PartitionInfo> partitions;

    int32_t partition_count() const { return static_cast<int32_t>(partitions.size()); }
};

struct Cluster {
    std::string cluster_id;
    int32_t controller_id = -1;
    std::map<int32_t, Node> brokers;
    std::map<std::string, TopicInfo, std::less<>> topics;

    const TopicInfo* topic(std::string_view name) const;
    const PartitionInfo* partition(const TopicPartition& tp) const;
    // The leader's address; null when unknown.
    const Node* leader(const TopicPartition& tp) const;
    std::optional<std::string> topic_name(const Uuid& id) const;
};

// The next cluster: brokers as told; topics told replace known ones. With `full`, topics that were
// not told are dropped. A partition whose told leader epoch is older keeps what is known, unless
// the topic was made anew.
std::shared_ptr<const Cluster> merge(const Cluster& known, const protocol::MetadataResponse& told,
                                     bool full);

}  // namespace moldau::client
