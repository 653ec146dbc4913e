#include "client/cluster.h"

#include "protocol/messages/metadata.h"

namespace moldau::client {

const TopicInfo* Cluster::topic(std::string_view name) const {
    auto found = topics.find(name);
    return found == topics.end() ? nullptr : &found->second;
}

const PartitionInfo* Cluster::partition(const TopicPartition& tp) const {
    const TopicInfo* info = topic(tp.topic);
    if (info == nullptr) {
        return nullptr;
    }
    auto found = info->partitions.find(tp.partition);
    return found == info->partitions.end() ? nullptr : &found->second;
}

const Node* Cluster::leader(const TopicPartition& tp) const {
    const PartitionInfo* info = partition(tp);
    if (info == nullptr || info->leader < 0) {
        return nullptr;
    }
    auto found = brokers.find(info->leader);
    return found == brokers.end() ? nullptr : &found->second;
}

std::optional<std::string> Cluster::topic_name(const Uuid& id) const {
    for (const auto& [name, info] : topics) {
        if (info.id == id) {
            return name;
        }
    }
    return std::nullopt;
}

std::shared_ptr<const Cluster> merge(const Cluster& known, const protocol::MetadataResponse& told,
                                     bool full) {
    auto next = std::make_shared<Cluster>();
    next->cluster_id = told.cluster_id.value_or("");
    next->controller_id = told.controller_id;
    for (const auto& broker : told.brokers) {
        Node node;
        node.id = broker.node_id;
        node.endpoint = {broker.host, static_cast<uint16_t>(broker.port)};
        node.rack = broker.rack;
        next->brokers[broker.node_id] = std::move(node);
    }
    if (!full) {
        next->topics = known.topics;
    }
    for (const auto& topic : told.topics) {
        if (!topic.name) {
            continue;
        }
        TopicInfo info;
        info.error = error_code_from_wire(topic.error_code);
        info.id = topic.topic_id;
        info.is_internal = topic.is_internal;
        const TopicInfo* before = known.topic(*topic.name);
        bool same_topic = before != nullptr && before->id == info.id;
        for (const auto& partition : topic.partitions) {
            PartitionInfo fresh;
            fresh.error = error_code_from_wire(partition.error_code);
            fresh.leader = partition.leader_id;
            fresh.leader_epoch = partition.leader_epoch;
            fresh.replicas = partition.replica_nodes;
            fresh.isr = partition.isr_nodes;
            fresh.offline = partition.offline_replicas;
            if (same_topic) {
                auto old = before->partitions.find(partition.partition_index);
                bool stale = old != before->partitions.end() && fresh.leader_epoch >= 0 &&
                             old->second.leader_epoch > fresh.leader_epoch;
                if (stale) {
                    fresh = old->second;
                }
            }
            info.partitions[partition.partition_index] = std::move(fresh);
        }
        next->topics[*topic.name] = std::move(info);
    }
    return next;
}

}  // namespace moldau::client
