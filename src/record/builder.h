// BatchBuilder makes one record batch: producers, the quorum's metadata log, coordinators and tests
// all write through it. Records are encoded as they come; compression happens once, in build().
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "record/batch.h"
#include "record/compression.h"

namespace moldau::record {

struct BatchOptions {
    Compression compression;
    TimestampType timestamp_type = TimestampType::CreateTime;
    Offset base_offset{0};
    int32_t leader_epoch = -1;
    int64_t producer_id = -1;
    int16_t producer_epoch = kNoProducerEpoch;
    int32_t base_sequence = kNoSequence;
    bool transactional = false;
    bool control = false;
    // For LogAppendTime: the timestamp of the whole batch.
    TimestampMs log_append_time = kNoTimestamp;
    // For compaction: until when the tombstones or the marker in the batch stay (KIP-534). Stands
    // where the base timestamp does.
    std::optional<TimestampMs> delete_horizon;
    // For compaction: where the batch ends although its last records are gone.
    std::optional<Offset> last_offset;
};

class BatchBuilder {
 public:
    explicit BatchBuilder(BatchOptions options = {}) : options_(options) {}

    // Appends a record with the next offset.
    void append(TimestampMs timestamp, std::optional<std::string_view> key,
                std::optional<std::string_view> value, std::span<const RecordHeader> headers = {});
    // Appends a record at a given offset, which must lie above the last one: compaction leaves
    // gaps.
    void append_at(Offset offset, TimestampMs timestamp, std::optional<std::string_view> key,
                   std::optional<std::string_view> value,
                   std::span<const RecordHeader> headers = {});

    int32_t record_count() const { return record_count_; }
    bool empty() const { return record_count_ == 0; }
    // Size of the batch if it were not compressed.
    size_t uncompressed_bytes() const { return kBatchHeaderBytes + payload_.size(); }
    // What the batch would grow by, at most, with such a record.
    static size_t record_bytes_max(std::optional<std::string_view> key,
                                   std::optional<std::string_view> value,
                                   std::span<const RecordHeader> headers = {});

    // Options that are only known when the batch is sent.
    BatchOptions& options() { return options_; }

    // The finished batch, at least one record. The builder is empty afterwards and may be used
    // again.
    Bytes build();

 private:
    BatchOptions options_;
    Buffer payload_;
    int32_t record_count_ = 0;
    int32_t last_offset_delta_ = -1;
    TimestampMs base_timestamp_ = kNoTimestamp;
    TimestampMs max_timestamp_ = kNoTimestamp;
};

// A batch like `header` without records: what compaction keeps of a producer's last batch.
Bytes empty_batch(const BatchHeader& header);

// Types of control records (key of a control batch's record).
enum class ControlType : int16_t {
    Abort = 0,
    Commit = 1,
    LeaderChange = 2,
    SnapshotHeader = 3,
    SnapshotFooter = 4,
    KRaftVersion = 5,
    KRaftVoters = 6,
};

// The 4-byte key of a control record: version 0 and the type.
std::array<uint8_t, 4> control_key(ControlType type);
// The type in a control record's key; nullopt when the key is too short. Unknown numbers are
// returned as they are.
std::optional<int16_t> control_type_of_key(std::optional<std::string_view> key);

}  // namespace moldau::record
