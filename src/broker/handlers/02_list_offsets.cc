#include "broker/handlers/02_list_offsets.h"

#include <map>
#include <set>

#include "broker/broker.h"
#include "broker/handlers/on_disk_pool.h"
#include "broker/partition_lookup.h"
#include "broker/replica_manager.h"
#include "protocol/messages/list_offsets.h"

namespace moldau::broker {
namespace {

using protocol::ListOffsetsRequest;
using Answer = protocol::ListOffsetsResponse::ListOffsetsPartitionResponse;

constexpr int32_t kConsumer = -1;
constexpr int8_t kReadUncommitted = 0;
constexpr int8_t kReadCommitted = 1;
constexpr int16_t kOffsetNotAvailableSince = 5;
constexpr int16_t kLeaderEpochSince = 4;

}  // namespace

bool is_timestamp_supported(TimestampMs timestamp, int16_t version) {
    switch (timestamp) {
        case storage::kLatestTimestamp:
        case storage::kEarliestTimestamp:
            return true;
        case storage::kMaxTimestamp:
            return version >= 7;
        case storage::kEarliestLocalTimestamp:
            return version >= 8;
        case storage::kLatestTieredTimestamp:
            return version >= 9;
        case storage::kEarliestPendingUploadTimestamp:
            return version >= 11;
        default:
            return timestamp >= 0;
    }
}

Result<storage::TimestampMatch> choose_offset(TimestampMs timestamp, OffsetReader reader,
                                              const Partition::Offsets& offsets,
                                              const std::optional<storage::TimestampMatch>& found) {
    Offset visible_end = !reader.is_consumer     ? offsets.log_end_offset
                         : reader.read_committed ? offsets.last_stable_offset
                                                 : offsets.high_watermark;
    bool is_start =
        timestamp == storage::kEarliestTimestamp || timestamp == storage::kEarliestLocalTimestamp;
    if (found && (is_start || found->offset < visible_end)) {
        return *found;
    }
    if (reader.is_consumer && !offsets.watermark_reached_epoch_start) {
        return fail(ErrorCode::OffsetNotAvailable,
                    "high watermark is behind the leader epoch's start: high_watermark={}",
                    offsets.high_watermark);
    }
    if (timestamp == storage::kLatestTimestamp) {
        return storage::TimestampMatch{kNoTimestamp, visible_end, offsets.leader_epoch};
    }
    return storage::TimestampMatch{};
}

namespace {

Result<storage::TimestampMatch> look_up(Broker& broker, const std::string& topic,
                                        const ListOffsetsRequest::ListOffsetsPartition& asked,
                                        const ListOffsetsRequest& message) {
    MOLDAU_TRY(auto partition, find_partition(broker, topic, asked.partition_index));
    auto epoch = exact_epoch_of_wire(asked.current_leader_epoch);
    MOLDAU_TRY(Partition::Offsets offsets, partition->offsets(epoch));
    std::optional<storage::TimestampMatch> found;
    if (asked.timestamp != storage::kLatestTimestamp) {
        MOLDAU_TRY(found, partition->find_timestamp(epoch, asked.timestamp));
    }
    OffsetReader reader{message.replica_id == kConsumer, message.isolation_level == kReadCommitted};
    return choose_offset(asked.timestamp, reader, offsets, found);
}

Answer answer_partition(Broker& broker, const std::string& topic,
                        const ListOffsetsRequest::ListOffsetsPartition& asked,
                        const ListOffsetsRequest& message, int16_t version, bool duplicate) {
    Answer out;
    out.partition_index = asked.partition_index;
    if (message.replica_id == kConsumer && message.isolation_level != kReadUncommitted &&
        message.isolation_level != kReadCommitted) {
        out.error_code = to_wire(ErrorCode::UnknownServerError);  // Kafka has no better one, either
        return out;
    }
    if (duplicate) {
        out.error_code = to_wire(ErrorCode::InvalidRequest);
        return out;
    }
    if (!is_timestamp_supported(asked.timestamp, version)) {
        out.error_code = to_wire(ErrorCode::UnsupportedVersion);
        return out;
    }
    auto match = look_up(broker, topic, asked, message);
    if (!match) {
        bool hide = match.error().code == ErrorCode::OffsetNotAvailable &&
                    version < kOffsetNotAvailableSince;
        out.error_code = to_wire(hide ? ErrorCode::LeaderNotAvailable : match.error().code);
        return out;
    }
    out.timestamp = match->timestamp;
    out.offset = match->offset.value();
    if (version >= kLeaderEpochSince) {
        out.leader_epoch = match->leader_epoch.value();
    }
    return out;
}

// A look-up by time reads old segments, and the first one of a partition opens its log.
bool waits_for_disk(const Broker& broker, const ListOffsetsRequest& message) {
    for (const auto& topic : message.topics) {
        for (const auto& asked : topic.partitions) {
            auto partition = broker.replicas->find(topic.name, asked.partition_index);
            bool by_time = asked.timestamp >= 0 || asked.timestamp == storage::kMaxTimestamp;
            if (partition != nullptr && (by_time || !partition->is_open())) {
                return true;
            }
        }
    }
    return false;
}

void answer(Broker& broker, Request& request, const ListOffsetsRequest& message) {
    std::set<std::pair<std::string_view, int32_t>> seen;
    std::set<std::pair<std::string_view, int32_t>> duplicates;
    for (const auto& topic : message.topics) {
        for (const auto& partition : topic.partitions) {
            if (!seen.insert({topic.name, partition.partition_index}).second) {
                duplicates.insert({topic.name, partition.partition_index});
            }
        }
    }
    // Each partition once, however often it was asked for, and no topic without any.
    protocol::ListOffsetsResponse response;
    std::map<std::string_view, size_t> places;
    std::set<std::pair<std::string_view, int32_t>> answered;
    for (const auto& topic : message.topics) {
        for (const auto& partition : topic.partitions) {
            if (!answered.insert({topic.name, partition.partition_index}).second) {
                continue;
            }
            auto [place, is_new] = places.try_emplace(topic.name, response.topics.size());
            if (is_new) {
                response.topics.emplace_back().name = topic.name;
            }
            bool duplicate = duplicates.contains({topic.name, partition.partition_index});
            response.topics[place->second].partitions.push_back(answer_partition(
                broker, topic.name, partition, message, request.version(), duplicate));
        }
    }
    request.respond(response);
}

}  // namespace

void handle_list_offsets(Broker& broker, Request request) {
    auto message = request.read<ListOffsetsRequest>();
    if (!message) {
        return;
    }
    if (!waits_for_disk(broker, *message)) {
        return answer(broker, request, *message);
    }
    answer_on_disk_pool(broker, std::move(request), std::move(*message), &answer);
}

}  // namespace moldau::broker
