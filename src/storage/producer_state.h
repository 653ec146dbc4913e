// ProducerState: what one partition knows of the producers that wrote to it: the last five batches
// of each (idempotence, KIP-98), and the transactions that are open or not yet replicated. Owned by
// a Log and guarded like it. Rebuilt from a snapshot file plus the batches after it.
//
//   begin_append(...) -> ProducerAppend    checks and collects; changes nothing in ProducerState
//   update(ProducerAppend)                 after the bytes are in the segment
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/types.h"

namespace moldau::storage {

inline constexpr int16_t kNoProducerEpoch = -1;
inline constexpr int32_t kNoSequence = -1;

// Who appends; decides how much is checked.
enum class ProducerOrigin { Client, Coordinator, Replication };

// One appended batch of a producer, as remembered for duplicate detection.
struct ProducerBatch {
    int32_t last_sequence = kNoSequence;
    Offset last_offset = kNoOffset;
    int32_t offset_delta = 0;  // last offset - first offset
    TimestampMs timestamp = kNoTimestamp;

    // Sequences wrap from 2^31 - 1 to 0.
    int32_t first_sequence() const;
    Offset first_offset() const { return last_offset - offset_delta; }
    friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

// What a batch says of its producer: the part of a RecordBatch header that state needs.
struct ProducerBatchHeader {
    ProducerId producer_id = kNoProducerId;
    int16_t producer_epoch = kNoProducerEpoch;
    int32_t base_sequence = kNoSequence;
    int32_t last_sequence = kNoSequence;
    Offset base_offset = kNoOffset;
    Offset last_offset = kNoOffset;
    TimestampMs max_timestamp = kNoTimestamp;
    bool transactional = false;
};

struct EndTransactionMarker {
    bool commit = false;
    int32_t coordinator_epoch = 0;
};

struct ProducerEntry {
    static constexpr size_t kBatchesMax = 5;

    ProducerId producer_id = kNoProducerId;
    int16_t producer_epoch = kNoProducerEpoch;
    int32_t coordinator_epoch = -1;
    TimestampMs last_timestamp = kNoTimestamp;
    std::optional<Offset> current_txn_first_offset;
    uint8_t batch_count = 0;
    std::array<ProducerBatch, kBatchesMax> batches;  // oldest first

    bool empty() const { return batch_count == 0; }
    std::span<const ProducerBatch> cached() const { return {batches.data(), batch_count}; }
    int32_t first_sequence() const { return empty() ? kNoSequence : batches[0].first_sequence(); }
    int32_t last_sequence() const {
        return empty() ? kNoSequence : batches[batch_count - 1].last_sequence;
    }
    Offset last_offset() const {
        return empty() ? kNoOffset : batches[batch_count - 1].last_offset;
    }
    int32_t last_offset_delta() const {
        return empty() ? 0 : batches[batch_count - 1].offset_delta;
    }
    // The remembered batch with exactly these sequences, if any.
    const ProducerBatch* duplicate_of(int16_t epoch, int32_t first_sequence,
                                      int32_t last_sequence) const;

    void add_batch(int16_t epoch, const ProducerBatch& batch);
    // A new epoch forgets the batches of the old one.
    void maybe_update_epoch(int16_t epoch);
};

// A finished transaction that had data; aborted ones go to the transaction index.
struct CompletedTxn {
    ProducerId producer_id = kNoProducerId;
    Offset first_offset = kNoOffset;
    Offset last_offset = kNoOffset;  // the marker's
    bool aborted = false;
};

// Collects the effect of one append on one producer.
class ProducerAppend {
 public:
    ProducerAppend(ProducerEntry current, ProducerOrigin origin, std::string partition);

    // Errors, which change nothing: InvalidProducerEpoch, OutOfOrderSequenceNumber,
    // InvalidTxnState.
    Status append_data(const ProducerBatchHeader& batch);
    // `transaction_version` 2 demands an epoch above the current one (KIP-890).
    // Errors: InvalidProducerEpoch, TransactionCoordinatorFenced.
    Result<std::optional<CompletedTxn>> append_end_marker(const EndTransactionMarker& marker,
                                                          int16_t producer_epoch, Offset offset,
                                                          TimestampMs timestamp,
                                                          int16_t transaction_version);

    const ProducerEntry& entry() const { return updated_; }
    // First offsets of transactions that this append opens.
    const std::vector<Offset>& started_transactions() const { return started_; }

 private:
    Status check_epoch(int16_t epoch, Offset offset, int16_t transaction_version) const;
    Status check_sequence(int16_t epoch, int32_t first_sequence, Offset offset) const;

    ProducerEntry current_;
    ProducerEntry updated_;
    ProducerOrigin origin_;
    std::string partition_;
    std::vector<Offset> started_;
};

class ProducerState {
 public:
    ProducerState(std::string partition, Duration expiration)
        : partition_(std::move(partition)), expiration_(expiration) {}

    ProducerAppend begin_append(ProducerId id, ProducerOrigin origin) const;
    void update(const ProducerAppend& append);

    // An ended transaction stays unstable until its marker is replicated.
    void complete(const CompletedTxn& txn);
    // What the last stable offset would be once `txn` is complete; recorded with aborted
    // transactions.
    Offset last_stable_offset_after(const CompletedTxn& txn) const;
    void on_high_watermark(Offset high_watermark);
    // First offset of the oldest transaction that is open or whose marker is not yet replicated.
    std::optional<Offset> first_unstable_offset() const;

    const ProducerEntry* find(ProducerId id) const;
    const std::unordered_map<ProducerId, ProducerEntry>& producers() const { return producers_; }
    bool has_late_transaction(TimestampMs now, Duration limit) const;

    // Forgets producers that were silent for the expiration time and have no open transaction.
    void remove_expired(TimestampMs now);

    // End of the log prefix this state covers.
    Offset map_end_offset() const { return map_end_; }
    void set_map_end_offset(Offset end) { map_end_ = end; }

    void clear(Offset at);

    // Snapshot file content (version 1).
    Bytes encode_snapshot() const;
    // Replaces the state. Expired producers are left out. Errors: CorruptMessage.
    Status load_snapshot(std::span<const uint8_t> content, Offset at, TimestampMs now);

 private:
    bool is_expired(TimestampMs now, const ProducerEntry& entry) const;

    std::string partition_;
    Duration expiration_;
    std::unordered_map<ProducerId, ProducerEntry> producers_;
    std::map<Offset, ProducerId> ongoing_;         // by first offset
    std::map<Offset, CompletedTxn> unreplicated_;  // by first offset
    Offset map_end_{0};
};

// One line of kafka-dump-log's output for a snapshot file needs the plain entries.
Result<std::vector<ProducerEntry>> decode_producer_snapshot(std::span<const uint8_t> content);

}  // namespace moldau::storage
