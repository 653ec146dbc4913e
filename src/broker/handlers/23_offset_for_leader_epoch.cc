#include "broker/handlers/23_offset_for_leader_epoch.h"

#include "broker/broker.h"
#include "broker/handlers/on_disk_pool.h"
#include "broker/partition_lookup.h"
#include "broker/replica_manager.h"
#include "protocol/messages/offset_for_leader_epoch.h"

namespace moldau::broker {
namespace {

using protocol::OffsetForLeaderEpochRequest;

Result<std::optional<storage::EpochEnd>> look_up(
    Broker& broker, const std::string& topic,
    const OffsetForLeaderEpochRequest::OffsetForLeaderPartition& asked) {
    MOLDAU_TRY(auto partition, find_partition(broker, topic, asked.partition));
    return partition->epoch_end(exact_epoch_of_wire(asked.current_leader_epoch),
                                LeaderEpoch(asked.leader_epoch));
}

bool must_open(const Broker& broker, const OffsetForLeaderEpochRequest& message) {
    for (const auto& topic : message.topics) {
        for (const auto& asked : topic.partitions) {
            auto partition = broker.replicas->find(topic.topic, asked.partition);
            if (partition != nullptr && !partition->is_open()) {
                return true;
            }
        }
    }
    return false;
}

void answer(Broker& broker, Request& request, const OffsetForLeaderEpochRequest& message) {
    protocol::OffsetForLeaderEpochResponse response;
    for (const auto& topic : message.topics) {
        auto& topic_out = response.topics.emplace_back();
        topic_out.topic = topic.topic;
        for (const auto& asked : topic.partitions) {
            auto& out = topic_out.partitions.emplace_back();
            out.partition = asked.partition;
            auto end = look_up(broker, topic.topic, asked);
            if (!end) {
                out.error_code = to_wire(end.error().code);
            } else if (*end) {
                out.leader_epoch = (*end)->epoch.value();
                out.end_offset = (*end)->end_offset.value();
            }
        }
    }
    request.respond(response);
}

}  // namespace

void handle_offset_for_leader_epoch(Broker& broker, Request request) {
    auto message = request.read<OffsetForLeaderEpochRequest>();
    if (!message) {
        return;
    }
    if (!must_open(broker, *message)) {
        return answer(broker, request, *message);
    }
    answer_on_disk_pool(broker, std::move(request), std::move(*message), &answer);
}

}  // namespace moldau::broker
