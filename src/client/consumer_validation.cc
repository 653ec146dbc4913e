// The part of Consumer that asks a new leader whether it still has what was read (KIP-320).
#include "client/consumer.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "runtime/logging.h"

namespace moldau::client {
namespace {

runtime::Logger log("org.apache.kafka.clients.consumer.internals.SubscriptionState");

}  // namespace

void Consumer::start_validations(MonotonicTime now) {
    std::map<Endpoint, std::map<TopicPartition, Validation>> by_leader;
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    {
        MutexLock lock(mutex_);
        for (auto& [tp, partition] : partitions_) {
            const PartitionInfo* info = cluster->partition(tp);
            bool new_leader = partition.fetch_offset && info != nullptr &&
                              info->leader_epoch > partition.validated_epoch;
            if (!new_leader || partition.leaving || partition.validating || partition.fetching ||
                now < partition.not_before) {
                continue;
            }
            if (partition.fetch_epoch < 0) {
                // Nothing was read yet, or its epoch was not told: there is nothing to compare.
                partition.validated_epoch = info->leader_epoch;
                continue;
            }
            if (const Node* leader = cluster->leader(tp); leader != nullptr) {
                partition.validating = true;
                by_leader[leader->endpoint][tp] = {partition.generation,
                                                   {*partition.fetch_offset, partition.fetch_epoch},
                                                   info->leader_epoch};
            }
        }
    }
    for (auto& [node, asked] : by_leader) {
        validate(node, std::move(asked));
    }
}

void Consumer::validate(const Endpoint& node, std::map<TopicPartition, Validation> asked) {
    protocol::OffsetForLeaderEpochRequest request;
    request.replica_id = -1;
    for (const auto& [tp, validation] : asked) {
        if (request.topics.empty() || request.topics.back().topic != tp.topic) {
            request.topics.emplace_back().topic = tp.topic;
        }
        protocol::OffsetForLeaderEpochRequest::OffsetForLeaderPartition one;
        one.partition = tp.partition;
        one.current_leader_epoch = validation.leader_epoch;
        one.leader_epoch = validation.position.leader_epoch;
        request.topics.back().partitions.push_back(std::move(one));
    }
    client_.send<protocol::OffsetForLeaderEpochResponse>(
        node, std::move(request),
        [this,
         asked = std::move(asked)](const Result<protocol::OffsetForLeaderEpochResponse>& answer) {
            if (stopped_) {
                return;
            }
            struct Told {
                ErrorCode error;
                Position end;
            };
            std::map<TopicPartition, Told> told;
            if (answer) {
                for (const auto& topic : answer->topics) {
                    for (const auto& one : topic.partitions) {
                        told[{topic.topic, one.partition}] = {error_code_from_wire(one.error_code),
                                                              {one.end_offset, one.leader_epoch}};
                    }
                }
            }
            Told silence{answer ? ErrorCode::UnknownTopicOrPartition : answer.error().code, {}};
            {
                MutexLock lock(mutex_);
                for (const auto& [tp, validation] : asked) {
                    Partition* partition = still_asked(tp, validation.generation);
                    if (partition == nullptr) {
                        continue;
                    }
                    auto heard = told.find(tp);
                    const Told& end = heard == told.end() ? silence : heard->second;
                    partition->validating = false;
                    judge(tp, *partition, validation,
                          judge_position(validation.position, end.error, end.end));
                }
            }
            step();
        });
}

void Consumer::judge(const TopicPartition& tp, Partition& partition, const Validation& asked,
                     const PositionVerdict& verdict) {
    if (std::holds_alternative<PositionValid>(verdict)) {
        partition.validated_epoch = asked.leader_epoch;
    } else if (const auto* truncated = std::get_if<PositionTruncated>(&verdict)) {
        MOLDAU_LOG_INFO(log, "Truncation detected for partition {} at offset {}, last common: {}",
                        tp.str(), asked.position.offset, truncated->last.offset);
        if (config_.reset.kind != OffsetReset::Kind::None) {
            place(partition, truncated->last);
            partition.validated_epoch = asked.leader_epoch;
            return;
        }
        partition.fetch_offset.reset();
        partition.looking_up = true;  // the application decides with a seek
        raise({ErrorCode::OffsetOutOfRange,
               fmt::format("Detected log truncation with diverging offsets: partition={} offset={} "
                           "last_common={}",
                           tp.str(), asked.position.offset, truncated->last.offset)});
    } else if (std::holds_alternative<PositionUnknown>(verdict)) {
        reset(tp, partition);
    } else if (const auto* refused = std::get_if<PositionRefused>(&verdict)) {
        // A node that cannot be asked is believed, as before there was this question.
        partition.validated_epoch = asked.leader_epoch;
        if (refused->error == ErrorCode::TopicAuthorizationFailed) {
            raise({refused->error, fmt::format("Not authorized to access topics: [{}]", tp.topic)});
        }
    } else {
        partition.not_before = client_.now() + config_.retry_backoff;
        client_.request_update();
    }
}

}  // namespace moldau::client
