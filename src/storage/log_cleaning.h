// LogCleaning: one compaction of one log, from the offset map to the last swapped segment. Reads
// and writes on the caller's thread, a cleaner's, and takes the log's lock only to look and to
// swap: producers and consumers go on meanwhile.
//
// Each group of segments becomes one in two steps, in Kafka's files: `.cleaned` while it is being
// written, `.swap` once it is whole and on the device; then the old ones go and it takes their
// place. A crash leaves the old content before the first rename and the new one after it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/batch_cleaner.h"
#include "storage/cleaning_plan.h"
#include "storage/log.h"

namespace moldau::storage {

struct CleaningOptions {
    int64_t map_bytes_max = 128 << 20;
    double map_load_factor = 0.9;
    size_t io_buffer_bytes = 512 * 1024;
    CleanerOffsetMap::Seed seed{};
    // Told of every `bytes` read or written; may wait. Returns false when cleaning must stop.
    std::function<bool(int64_t bytes)> pace = [](int64_t) { return true; };
    // Everything below the active segment's base is on the device and the checkpoint says so.
    std::function<Status()> before_swap = [] { return Status(); };
};

class LogCleaning {
 public:
    LogCleaning(Log& log, FileCache& cache, CleaningOptions options);

    // Compacts what `range` allows. Returns the new first dirty offset.
    // Errors: OperationNotAttempted when it was told to stop or the log changed under it;
    // CorruptMessage and InvalidRecord for a log that cannot be compacted; KafkaStorageError.
    Result<Offset> run(const CleanableRange& range, TimestampMs now);

    const CleaningStats& stats() const { return stats_; }
    double map_utilization() const { return map_utilization_; }
    int64_t bytes_before() const { return bytes_before_; }
    int64_t bytes_after() const { return bytes_after_; }

 private:
    using Visit = std::function<Result<bool>(const record::BatchView&)>;

    Status pace(int64_t bytes);
    // Shows the batches of a data file until `visit` returns false.
    Status for_each_batch(const SegmentFacts& segment, const Visit& visit);
    Result<CleanerOffsetMap> build_map(const std::vector<SegmentFacts>& segments,
                                       const CleanableRange& range);
    Status clean_group(const std::vector<SegmentFacts>& group, const CleanerOffsetMap& map,
                       CleanedTransactions& transactions, TimestampMs now);
    // Takes `cleaned` once it is part of the log.
    Status swap(const std::vector<SegmentFacts>& group, std::unique_ptr<Segment>& cleaned,
                TimestampMs now);
    Status write_group(const std::vector<SegmentFacts>& group, const CleanerOffsetMap& map,
                       CleanedTransactions& transactions, TimestampMs now, Segment& cleaned);

    Log& log_;
    FileCache& cache_;
    CleaningOptions options_;
    std::string dir_;
    uint64_t truncations_ = 0;
    CleaningStats stats_;
    double map_utilization_ = 0;
    int64_t bytes_before_ = 0;
    int64_t bytes_after_ = 0;
};

}  // namespace moldau::storage
