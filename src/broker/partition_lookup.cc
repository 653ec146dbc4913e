#include "broker/partition_lookup.h"

#include "broker/broker.h"
#include "broker/metadata_cache.h"
#include "broker/replica_manager.h"

namespace moldau::broker {

Result<std::shared_ptr<Partition>> find_partition(Broker& broker, std::string_view topic,
                                                  int32_t partition) {
    if (auto found = broker.replicas->find(topic, partition)) {
        return found;
    }
    if (broker.metadata->image()->topics.partition(topic, partition) == nullptr) {
        return fail(ErrorCode::UnknownTopicOrPartition, "no such partition: partition={}-{}", topic,
                    partition);
    }
    return fail(ErrorCode::NotLeaderOrFollower, "partition is not hosted here: partition={}-{}",
                topic, partition);
}

Result<std::shared_ptr<Partition>> find_partition(Broker& broker, const Uuid& topic_id,
                                                  int32_t partition) {
    if (auto found = broker.replicas->find(topic_id, partition)) {
        return found;
    }
    metadata::ImagePtr image = broker.metadata->image();
    const metadata::Topic* topic = image->topics.find(topic_id);
    if (topic == nullptr) {
        return fail(ErrorCode::UnknownTopicId, "no such topic: id={}", topic_id);
    }
    return find_partition(broker, topic->name, partition);
}

LeaderHints::Leader LeaderHints::leader_of(const metadata::Partition* partition) {
    if (partition == nullptr) {
        return {};
    }
    const metadata::Broker* node = image_.cluster.broker(partition->leader);
    const metadata::Endpoint* endpoint = node == nullptr ? nullptr : node->endpoint(listener_);
    if (endpoint != nullptr) {
        endpoints_.insert_or_assign(partition->leader,
                                    Endpoint{endpoint->host, endpoint->port, node->rack});
    }
    return {partition->leader, partition->leader_epoch};
}

}  // namespace moldau::broker
