// BatchCleaner decides what compaction keeps of a batch, by Kafka's rules: of each key the last
// record; a tombstone or a marker without data until its delete horizon (KIP-534); nothing of
// aborted transactions; of every active producer its last batch, if need be empty, so that its
// sequence survives. Offsets and the extent of a batch never change. Pure; one thread.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/types.h"
#include "record/batch.h"
#include "storage/cleaned_transactions.h"
#include "storage/cleaner_offset_map.h"

namespace moldau::storage {

// Where an active producer wrote last.
struct LastOfProducer {
    std::optional<Offset> data_offset;  // nullopt: only a marker is left
    int16_t epoch = -1;
};
using LastOfProducers = std::unordered_map<ProducerId, LastOfProducer>;

struct CleaningStats {
    int64_t bytes_read = 0;
    int64_t bytes_written = 0;
    int64_t records_read = 0;
    int64_t records_written = 0;
    int64_t invalid_records = 0;  // without a key
    int64_t map_bytes_read = 0;
    int64_t map_records_read = 0;
};

// Whether a control batch commits; nullopt when it is empty or no transaction marker at all.
// Errors: CorruptMessage.
struct ControlBatch {
    bool is_marker = false;
    std::optional<bool> committed;
};
Result<ControlBatch> read_control_batch(const record::BatchView& batch);

// Puts the keys of a dirty batch into the map. False: the map is full before the batch's end.
Result<bool> map_batch(const record::BatchView& batch, Offset first_dirty,
                       CleanedTransactions& transactions, CleanerOffsetMap& map,
                       CleaningStats& stats);

class BatchCleaner {
 public:
    // All references outlive the cleaner.
    BatchCleaner(const CleanerOffsetMap& map, CleanedTransactions& transactions,
                 const LastOfProducers& producers, int64_t delete_retention_ms, TimestampMs now,
                 CleaningStats& stats);

    // The batch as it stays; nullopt: it goes. An untouched batch is the one given.
    // Errors: CorruptMessage, InvalidRecord.
    Result<std::optional<Bytes>> clean(const record::BatchView& batch);

 private:
    bool is_last_of_producer(const record::BatchHeader& header) const;
    bool keeps(const record::BatchHeader& header, const record::RecordView& record) const;

    const CleanerOffsetMap& map_;
    CleanedTransactions& transactions_;
    const LastOfProducers& producers_;
    const int64_t delete_retention_ms_;
    const TimestampMs now_;
    CleaningStats& stats_;
};

}  // namespace moldau::storage
