#include "broker/handlers/47_offset_delete.h"

#include <utility>

#include "broker/broker.h"
#include "broker/coordinator_host.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {

namespace {

using TopicResult = protocol::OffsetDeleteResponse::OffsetDeleteResponseTopic;

// Adds the results of partitions that were not asked about to the coordinator's.
void merge(std::vector<TopicResult>& topics, std::vector<TopicResult> refused) {
    for (TopicResult& more : refused) {
        auto same = std::ranges::find(topics, more.name, &TopicResult::name);
        if (same == topics.end()) {
            topics.push_back(std::move(more));
        } else {
            std::ranges::move(more.partitions, std::back_inserter(same->partitions));
        }
    }
}

}  // namespace

void handle_offset_delete(Broker& broker, Request request) {
    auto message = request.read<protocol::OffsetDeleteRequest>();
    if (!message) {
        return;
    }
    metadata::ImagePtr image = broker.metadata->image();
    protocol::OffsetDeleteRequest asked;
    asked.group_id = message->group_id;
    std::vector<TopicResult> refused;
    for (const auto& topic : message->topics) {
        protocol::OffsetDeleteRequest::OffsetDeleteRequestTopic known;
        known.name = topic.name;
        TopicResult unknown;
        unknown.name = topic.name;
        for (const auto& partition : topic.partitions) {
            if (image->topics.partition(topic.name, partition.partition_index) != nullptr) {
                known.partitions.push_back(partition);
                continue;
            }
            auto& result = unknown.partitions.emplace_back();
            result.partition_index = partition.partition_index;
            result.error_code = to_wire(ErrorCode::UnknownTopicOrPartition);
        }
        if (!known.partitions.empty()) {
            asked.topics.push_back(std::move(known));
        }
        if (!unknown.partitions.empty()) {
            refused.push_back(std::move(unknown));
        }
    }
    broker.coordinators->delete_offsets(
        std::move(asked), [refused = std::move(refused), request = std::move(request)](
                              protocol::OffsetDeleteResponse response) mutable {
            // An answer with an error for the whole group has no topics.
            if (response.error_code == to_wire(ErrorCode::None)) {
                merge(response.topics, std::move(refused));
            }
            request.respond(response);
        });
}

}  // namespace moldau::broker
