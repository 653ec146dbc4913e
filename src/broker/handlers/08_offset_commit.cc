#include "broker/handlers/08_offset_commit.h"

#include <algorithm>
#include <utility>

#include "broker/broker.h"
#include "broker/coordinator_host.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {

namespace {

constexpr int16_t kTopicIdVersionMin = 10;

using Topic = protocol::OffsetCommitRequest::OffsetCommitRequestTopic;
using TopicResult = protocol::OffsetCommitResponse::OffsetCommitResponseTopic;

TopicResult result_for(const Topic& topic) {
    TopicResult result;
    result.name = topic.name;
    result.topic_id = topic.topic_id;
    return result;
}

void refuse(TopicResult& result, int32_t partition, ErrorCode error) {
    auto& refused = result.partitions.emplace_back();
    refused.partition_index = partition;
    refused.error_code = to_wire(error);
}

// Parts of a commit: what the coordinator is asked, and what is refused here.
struct Sorted {
    std::vector<Topic> known;
    std::vector<TopicResult> refused;
};

Sorted sort_topics(const metadata::Image& image, std::vector<Topic> topics, bool by_id) {
    Sorted sorted;
    for (Topic& topic : topics) {
        const metadata::Topic* found =
            by_id ? image.topics.find(topic.topic_id) : image.topics.find(topic.name);
        if (found != nullptr) {
            topic.name = found->name;
            topic.topic_id = found->id;
        }
        TopicResult refused = result_for(topic);
        std::erase_if(topic.partitions, [&](const auto& partition) {
            int32_t index = partition.partition_index;
            if (found == nullptr) {
                refuse(refused, index,
                       by_id ? ErrorCode::UnknownTopicId : ErrorCode::UnknownTopicOrPartition);
            } else if (found->partitions.find(index) == nullptr) {
                refuse(refused, index, ErrorCode::UnknownTopicOrPartition);
            } else {
                return false;
            }
            return true;
        });
        // A topic of which nothing was asked is answered too.
        if (!refused.partitions.empty() || (found == nullptr && topic.partitions.empty())) {
            sorted.refused.push_back(std::move(refused));
        }
        if (!topic.partitions.empty()) {
            sorted.known.push_back(std::move(topic));
        }
    }
    return sorted;
}

void merge(std::vector<TopicResult>& topics, std::vector<TopicResult> more) {
    for (TopicResult& refused : more) {
        auto same = std::ranges::find_if(topics, [&](const TopicResult& topic) {
            return topic.name == refused.name && topic.topic_id == refused.topic_id;
        });
        if (same == topics.end()) {
            topics.push_back(std::move(refused));
        } else {
            std::ranges::move(refused.partitions, std::back_inserter(same->partitions));
        }
    }
}

}  // namespace

void handle_offset_commit(Broker& broker, Request request) {
    auto message = request.read<protocol::OffsetCommitRequest>();
    if (!message) {
        return;
    }
    int16_t version = request.version();
    Sorted sorted = sort_topics(*broker.metadata->image(), std::move(message->topics),
                                version >= kTopicIdVersionMin);
    if (sorted.known.empty()) {
        protocol::OffsetCommitResponse response;
        response.topics = std::move(sorted.refused);
        return request.respond(response);
    }
    message->topics = std::move(sorted.known);
    broker.coordinators->commit_offsets(
        version, *std::move(message),
        [refused = std::move(sorted.refused),
         request = std::move(request)](protocol::OffsetCommitResponse response) mutable {
            merge(response.topics, std::move(refused));
            request.respond(response);
        });
}

}  // namespace moldau::broker
