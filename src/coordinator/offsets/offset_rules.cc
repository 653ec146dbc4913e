#include "coordinator/offsets/offset_rules.h"

#include <utility>

namespace moldau::coordinator {

using enum ClassicState;

namespace {

// From this version on a commit to a missing group is told so.
constexpr int16_t kGroupIdNotFoundVersionMin = 9;
constexpr int64_t kInvalidOffset = -1;

// Length in UTF-16 code units, which is how Kafka measures offset.metadata.max.bytes.
size_t utf16_length(std::string_view utf8) {
    size_t units = 0;
    for (unsigned char byte : utf8) {
        units += (byte & 0xc0) == 0x80 ? 0 : byte >= 0xf0 ? 2 : 1;
    }
    return units;
}

using FetchedTopic = protocol::OffsetFetchResponse::OffsetFetchResponseTopics;
using FetchedPartition = protocol::OffsetFetchResponse::OffsetFetchResponsePartitions;

FetchedPartition fetched(int32_t partition, const CommittedOffset* offset, bool unstable) {
    FetchedPartition result;
    result.partition_index = partition;
    if (unstable || offset == nullptr) {
        result.committed_offset = kInvalidOffset;
        result.committed_leader_epoch = -1;
        result.metadata = "";
        result.error_code = to_wire(unstable ? ErrorCode::UnstableOffsetCommit : ErrorCode::None);
    } else {
        result.committed_offset = offset->offset;
        result.committed_leader_epoch = offset->leader_epoch;
        result.metadata = offset->metadata;
    }
    return result;
}

}  // namespace

protocol::OffsetCommitResponse commit_failure(const protocol::OffsetCommitRequest& request,
                                              ErrorCode error) {
    protocol::OffsetCommitResponse response;
    response.topics.reserve(request.topics.size());
    for (const auto& topic : request.topics) {
        protocol::OffsetCommitResponse::OffsetCommitResponseTopic topic_result;
        topic_result.name = topic.name;
        topic_result.topic_id = topic.topic_id;
        topic_result.partitions.reserve(topic.partitions.size());
        for (const auto& partition : topic.partitions) {
            protocol::OffsetCommitResponse::OffsetCommitResponsePartition result;
            result.partition_index = partition.partition_index;
            result.error_code = to_wire(error);
            topic_result.partitions.push_back(result);
        }
        response.topics.push_back(std::move(topic_result));
    }
    return response;
}

ErrorCode OffsetRules::validate_commit(const ClassicGroup* group, int16_t api_version,
                                       const protocol::OffsetCommitRequest& request) {
    int32_t generation = request.generation_id_or_member_epoch;
    if (group == nullptr) {
        if (generation < 0) {
            return ErrorCode::None;
        }
        return api_version >= kGroupIdNotFoundVersionMin ? ErrorCode::GroupIdNotFound
                                                         : ErrorCode::IllegalGeneration;
    }
    if (group->is(Dead)) {
        return ErrorCode::CoordinatorNotAvailable;
    }
    if (generation < 0 && group->is(Empty)) {
        return ErrorCode::None;
    }
    if (generation < 0 && request.member_id.empty() && !request.group_instance_id) {
        // A commit without membership must not disturb those who have one.
        return ErrorCode::UnknownMemberId;
    }
    ErrorCode invalid = group->validate_member(request.member_id, request.group_instance_id);
    if (invalid != ErrorCode::None) {
        return invalid;
    }
    if (generation != group->generation()) {
        return ErrorCode::IllegalGeneration;
    }
    return group->is(CompletingRebalance) ? ErrorCode::RebalanceInProgress : ErrorCode::None;
}

void OffsetRules::commit(const protocol::OffsetCommitRequest& request, ReplyToken token,
                         Instant now, GroupOutcome& out) const {
    protocol::OffsetCommitResponse response = commit_failure(request, ErrorCode::None);
    size_t count = out.records.size();
    for (const auto& topic : request.topics) {
        count += topic.partitions.size();
    }
    out.records.reserve(count);
    for (size_t t = 0; t < request.topics.size(); ++t) {
        const auto& topic = request.topics[t];
        for (size_t p = 0; p < topic.partitions.size(); ++p) {
            const auto& partition = topic.partitions[p];
            std::string metadata = partition.committed_metadata.value_or("");
            if (utf16_length(metadata) > static_cast<size_t>(config_.offset_metadata_length_max)) {
                response.topics[t].partitions[p].error_code =
                    to_wire(ErrorCode::OffsetMetadataTooLarge);
                continue;
            }
            OffsetCommitRecord record =
                offset_tombstone(request.group_id, topic.name, partition.partition_index);
            protocol::OffsetCommitValue& value = record.value.emplace();
            value.offset = partition.committed_offset;
            value.leader_epoch = partition.committed_leader_epoch;
            value.metadata = std::move(metadata);
            value.commit_timestamp = now.wall;
            value.topic_id = topic.topic_id;
            if (request.retention_time_ms != -1) {
                value.expire_timestamp = now.wall + request.retention_time_ms;
            }
            out.records.push_back(std::move(record));
        }
    }
    out.reply_when_committed(token, std::move(response));
}

FetchedOffsets OffsetRules::fetch(const ClassicGroup* group, const OffsetFetchGroup& request,
                                  bool require_stable) const {
    FetchedOffsets response;
    response.group_id = request.group_id;
    bool readable = group != nullptr && !group->is(Dead);
    auto is_unstable = [&](std::string_view topic, int32_t partition) {
        return readable && require_stable &&
               store_.has_open_transaction(request.group_id, topic, partition);
    };

    if (!request.topics) {
        if (!readable) {
            return response;
        }
        store_.for_each_of(
            request.group_id, [&](const OffsetKey& key, const CommittedOffset& offset) {
                if (response.topics.empty() || response.topics.back().name != key.topic) {
                    response.topics.emplace_back().name = key.topic;
                }
                response.topics.back().partitions.push_back(
                    fetched(key.partition, &offset, is_unstable(key.topic, key.partition)));
            });
        return response;
    }

    for (const auto& topic : *request.topics) {
        FetchedTopic topic_result;
        topic_result.name = topic.name;
        topic_result.topic_id = topic.topic_id;
        for (int32_t partition : topic.partition_indexes) {
            const CommittedOffset* offset =
                readable ? store_.find(request.group_id, topic.name, partition) : nullptr;
            // An offset of an older topic of the same name says nothing about this one.
            if (offset != nullptr && !offset->topic_id.is_zero() && !topic.topic_id.is_zero() &&
                offset->topic_id != topic.topic_id) {
                offset = nullptr;
            }
            topic_result.partitions.push_back(
                fetched(partition, offset, is_unstable(topic.name, partition)));
        }
        response.topics.push_back(std::move(topic_result));
    }
    return response;
}

void OffsetRules::remove(const ClassicGroup* group, const protocol::OffsetDeleteRequest& request,
                         ReplyToken token, GroupOutcome& out) const {
    protocol::OffsetDeleteResponse response;
    ErrorCode error = ErrorCode::None;
    if (group == nullptr || group->is(Dead)) {
        error = ErrorCode::GroupIdNotFound;
    } else if (!group->is(Empty) && !group->uses_consumer_protocol()) {
        error = ErrorCode::NonEmptyGroup;
    }
    if (error != ErrorCode::None) {
        response.error_code = to_wire(error);
        return out.reply(token, std::move(response));
    }
    for (const auto& topic : request.topics) {
        protocol::OffsetDeleteResponse::OffsetDeleteResponseTopic topic_result;
        topic_result.name = topic.name;
        bool in_use = group->is_subscribed_to(topic.name);
        for (const auto& partition : topic.partitions) {
            protocol::OffsetDeleteResponse::OffsetDeleteResponsePartition result;
            result.partition_index = partition.partition_index;
            if (in_use) {
                result.error_code = to_wire(ErrorCode::GroupSubscribedToTopic);
            } else if (store_.find(group->id(), topic.name, partition.partition_index) != nullptr ||
                       store_.has_open_transaction(group->id(), topic.name,
                                                   partition.partition_index)) {
                out.records.push_back(
                    offset_tombstone(group->id(), topic.name, partition.partition_index));
            }
            topic_result.partitions.push_back(result);
        }
        response.topics.push_back(std::move(topic_result));
    }
    out.reply_when_committed(token, std::move(response));
}

size_t OffsetRules::remove_all(std::string_view group, GroupOutcome& out) const {
    size_t before = out.records.size();
    store_.for_each_of(group, [&](const OffsetKey& key, const CommittedOffset&) {
        out.records.push_back(offset_tombstone(key.group, key.topic, key.partition));
    });
    store_.for_each_open_of(group, [&](const OffsetKey& key) {
        if (store_.find(key.group, key.topic, key.partition) == nullptr) {
            out.records.push_back(offset_tombstone(key.group, key.topic, key.partition));
        }
    });
    return out.records.size() - before;
}

bool OffsetRules::expire(const ClassicGroup& group, Instant now, GroupOutcome& out) const {
    bool all_gone = !store_.has_open_transaction(group.id());
    store_.for_each_of(group.id(), [&](const OffsetKey& key, const CommittedOffset& offset) {
        if (!group.is_subscribed_to(key.topic) && is_expired(group, offset, now.wall) &&
            !store_.has_open_transaction(key.group, key.topic, key.partition)) {
            out.records.push_back(offset_tombstone(key.group, key.topic, key.partition));
        } else {
            all_gone = false;
        }
    });
    return all_gone;
}

bool OffsetRules::is_expired(const ClassicGroup& group, const CommittedOffset& offset,
                             TimestampMs now) const {
    bool is_simple = !group.protocol_type();
    bool has_aware_members =
        group.is(Stable) && group.uses_consumer_protocol() && group.knows_subscriptions();
    if (!is_simple && !group.is(Empty) && !has_aware_members) {
        return false;
    }
    if (offset.expire_timestamp != kNoTimestamp) {
        return now >= offset.expire_timestamp;
    }
    // The offsets of a group that had members stay for a while after the last of them left.
    TimestampMs since = !is_simple && group.is(Empty)
                            ? group.state_since().value_or(offset.commit_timestamp)
                            : offset.commit_timestamp;
    return now - since >= config_.offsets_retention.count();
}

void OffsetRules::remove_topic(std::string_view topic, const Uuid& topic_id, GroupOutcome& out,
                               std::string_view group) const {
    store_.for_each_of(group, [&](const OffsetKey& key, const CommittedOffset& offset) {
        if (key.topic == topic && (offset.topic_id.is_zero() || offset.topic_id == topic_id)) {
            out.records.push_back(offset_tombstone(key.group, key.topic, key.partition));
        }
    });
    store_.for_each_open_of(group, [&](const OffsetKey& key) {
        if (key.topic == topic && store_.find(key.group, key.topic, key.partition) == nullptr) {
            out.records.push_back(offset_tombstone(key.group, key.topic, key.partition));
        }
    });
}

}  // namespace moldau::coordinator
