// What a leader does to records before it appends them (Kafka: LogValidator): checks the batch and
// each record, assigns offsets, timestamps and the leader epoch, and recompresses when the topic
// asks.
//
// The usual case copies nothing: the 61 header bytes are made anew, the payload stays a slice of
// the request. Compressed payloads are walked as they decompress, in constant memory.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/types.h"
#include "record/batch.h"
#include "record/compression.h"

namespace moldau::record {

// Who appends: only clients are held to the rules for clients.
enum class AppendOrigin : int8_t { Client, Coordinator, RaftLeader };

struct AppendRules {
    // Set when the topic names a codec; unset means "keep the producer's".
    std::optional<Compression> recompress = std::nullopt;
    bool compacted = false;
    TimestampType timestamp_type = TimestampType::CreateTime;
    int64_t timestamp_before_ms_max = std::numeric_limits<int64_t>::max();
    int64_t timestamp_after_ms_max = std::numeric_limits<int64_t>::max();
    // max.message.bytes: of the batch as it arrives and as it is stored.
    size_t batch_bytes_max = std::numeric_limits<int32_t>::max();
    AppendOrigin origin = AppendOrigin::Client;
    LeaderEpoch leader_epoch{0};
};

struct RecordError {
    int32_t index = 0;  // within the batch
    std::string message;
};

// Why a batch was not appended; `records` names the culprits when single records were (KIP-467).
struct Rejection {
    Error error;
    std::vector<RecordError> records;
};

// A batch that may be written: header, then payload.
struct AppendableBatch {
    BatchHeader header;  // as encoded below, for the index and the producer state
    std::array<uint8_t, kBatchHeaderBytes> header_bytes{};
    Bytes payload;
    TimestampMs log_append_time = kNoTimestamp;  // set for LogAppendTime topics only

    size_t size_in_bytes() const { return kBatchHeaderBytes + payload.size(); }
};

// Checks `records`, which must be exactly one batch of format v2 for clients, and makes it the
// batch at `base_offset`. `topic_partition` ("orders-3") is for messages only. Errors:
// CorruptMessage (checksum, cut off), InvalidRecord, InvalidTimestamp, MessageTooLarge,
// UnsupportedCompressionType, UnsupportedForMessageFormat.
std::expected<AppendableBatch, Rejection> validate_for_append(const Bytes& records,
                                                              Offset base_offset, TimestampMs now,
                                                              const AppendRules& rules,
                                                              std::string_view topic_partition);

}  // namespace moldau::record
