// A Segment is one contiguous run of a partition's log: a data file and its indexes.
// Owned by a Log and guarded like it. Cheap until used: no handle is held (FileCache) and the
// indexes are read on first need. The indexes of the segment being written live in memory and reach
// their files at roll, flush and close: after a crash they are rebuilt from the data anyway.
#pragma once

#include <array>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/types.h"
#include "record/batch.h"
#include "storage/file_cache.h"
#include "storage/offset_index.h"
#include "storage/time_index.h"
#include "storage/transaction_index.h"

namespace moldau::storage {

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kOffsetIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
inline constexpr std::string_view kTransactionIndexSuffix = ".txnindex";
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
inline constexpr std::string_view kDeletedSuffix = ".deleted";
// Of a segment that compaction writes, and of one that is whole and about to replace others.
inline constexpr std::string_view kCleanedSuffix = ".cleaned";
inline constexpr std::string_view kSwapSuffix = ".swap";

// `dir`/00000000000000000042.log
std::string segment_path(std::string_view dir, Offset base, std::string_view suffix);
// The offset in such a file name; nullopt when it does not begin with 20 digits.
std::optional<Offset> offset_of_file_name(std::string_view name);

struct SegmentLimits {
    int32_t index_bytes_max = 10 << 20;
    int32_t index_interval_bytes = 4096;
};

// What an index learns from one batch that was written.
struct BatchExtent {
    Offset last_offset;
    TimestampMs max_timestamp = kNoTimestamp;
    uint32_t size_in_bytes = 0;
};

// The answer of a read that must not wait when it would have to; nothing was done.
inline Error would_wait() {
    return {ErrorCode::OperationNotAttempted, "not in memory"};
}
inline bool is_would_wait(const Error& error) {
    return error.code == ErrorCode::OperationNotAttempted;
}

class Segment {
 public:
    // Makes the data file, which must not exist, with `preallocated_bytes` of zeros.
    static Result<std::unique_ptr<Segment>> create(FileCache& cache, std::string dir, Offset base,
                                                   SegmentLimits limits,
                                                   int64_t preallocated_bytes = 0,
                                                   std::string file_suffix = {});
    // Takes up an existing data file of `size` bytes. Touches no file.
    static std::unique_ptr<Segment> existing(FileCache& cache, std::string dir, Offset base,
                                             int64_t size, SegmentLimits limits);

    Offset base_offset() const { return base_; }
    int64_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    void set_limits(SegmentLimits limits);

    // Writes batches at the end with one call and notes them in the indexes. Load the indexes
    // first. On an error the file is cut back to what it was; `intact()` tells whether that worked.
    Status append(std::span<const Bytes> pieces, std::span<const BatchExtent> batches);
    bool intact() const { return intact_; }

    // Whole and cut-off batches from the one that holds `start` on, at most `bytes_max` bytes.
    struct ReadResult {
        Bytes records;
        int64_t position = 0;    // of the first byte of records
        bool found = false;      // there is a batch at or after `start`
        bool too_large = false;  // it did not fit and was left out
    };
    // Stops before the first batch that begins at or after `offset_end`. With `min_one`, the first
    // batch is returned whole even when larger than `bytes_max`; without it, a first batch that
    // does not fit is left out. With `may_wait` false only what is in memory is read, perhaps less
    // than there is; would_wait() when that is not even one batch.
    Result<ReadResult> read(Offset start, Offset offset_end, int64_t bytes_max, bool min_one,
                            bool may_wait = true);

    // Position and header of the first batch whose last offset is at or above `target`.
    struct Located {
        int64_t position = 0;
        record::BatchHeader header;

        int64_t end() const { return position + static_cast<int64_t>(header.size_in_bytes()); }
    };
    Result<std::optional<Located>> locate(Offset target, bool may_wait = true);
    // Approximate: where the index says reading for `target` starts.
    Result<int64_t> position_hint(Offset target);
    // An offset above every record in the `bytes` bytes from `position` on; nullopt when unknown.
    Result<std::optional<Offset>> upper_bound_offset(int64_t position, int64_t bytes);

    // Calls `visit` for the header of each batch from `position` on, until it returns false.
    Status for_each_header(int64_t position,
                           const std::function<bool(const record::BatchHeader&, int64_t)>& visit,
                           bool may_wait = true);
    // One whole batch of which position and header are known.
    Result<record::BatchView> read_batch(const Located& located);

    // First record at or after `start` that is not older than `target`.
    struct TimeMatch {
        TimestampMs timestamp = kNoTimestamp;
        Offset offset;
        LeaderEpoch leader_epoch = kNoLeaderEpoch;
    };
    Result<std::optional<TimeMatch>> find_timestamp(TimestampMs target, Offset start);

    // The offset after the last record. Reads the tail; the owner remembers it.
    Result<Offset> read_next_offset();

    // Largest timestamp and the last offset of the first batch that has it.
    Result<TimestampOffset> max_timestamp();
    // For retention: the largest timestamp, or when records carry none the file's time of change.
    Result<TimestampMs> largest_timestamp();
    // Timestamp of the first batch; nullopt when empty. Rolling by time counts from it.
    Result<std::optional<TimestampMs>> first_batch_timestamp();

    // Cuts off preallocated room that was not used: nothing more is appended.
    Status trim();
    // The last batch ends where the file does.
    Result<bool> ends_whole();

    // Checks every batch and rebuilds the indexes; `visit` sees each good batch. The file is cut at
    // the first bad byte. Returns how many bytes were cut.
    Result<int64_t> recover(const std::function<Status(const record::BatchView&)>& visit);

    // Drops what is at or above `offset`. Returns the bytes dropped.
    Result<int64_t> truncate_to(Offset offset);

    // No room in an index, or `last_offset` is too far from the base for 31 bits.
    Result<bool> indexes_full();
    bool can_hold(Offset last_offset) const {
        int64_t relative = last_offset - base_;
        return relative >= 0 && relative <= std::numeric_limits<int32_t>::max();
    }

    // Notes an aborted transaction in memory; write_transactions() brings the file up to date.
    void append_aborted(const AbortedTxn& txn);
    Status write_transactions();
    // Errors: CorruptMessage when the index is damaged or went missing with the others: its owner
    // makes it anew from the records and sets it.
    Result<const TransactionIndex*> transactions();
    Status set_transactions(TransactionIndex index);
    // Whether indexes and transactions can be asked without a read.
    bool indexes_in_memory() const { return offset_index_.has_value(); }
    bool transactions_in_memory() const { return txn_index_.has_value(); }
    std::string path(std::string_view suffix) const;
    Result<std::shared_ptr<runtime::File>> data_file() { return data_.get(); }

    // Reads the indexes unless they are in memory; builds them anew when they are missing or
    // damaged.
    Status load_indexes();
    // Brings the index files up to date; with `final`, the time index gets its last entry.
    Status write_indexes(bool final);
    // Forgets indexes that can be read again.
    void shed_indexes();

    // The open files a flush must sync; the flush itself runs without the partition's lock.
    Result<std::vector<std::shared_ptr<runtime::File>>> files_to_sync();

    // Renames every file to `<name>.deleted`.
    Status mark_deleted();
    // Renames every file so that its name ends in `suffix` instead: `.cleaned`, `.swap`, or
    // nothing.
    Status change_suffix(std::string_view suffix);
    // Removes every file, with a suffix or none. Missing ones are fine.
    static Status remove_files(runtime::FileSystem& files, std::string_view dir, Offset base,
                               std::string_view suffix = {});
    // The partition's directory was renamed.
    void set_directory(std::string dir);

 private:
    Segment(FileCache& cache, std::string dir, Offset base, int64_t size, SegmentLimits limits);

    Status rebuild_indexes();
    void index_batch(const BatchExtent& batch, int64_t position);
    bool plausible(const record::BatchHeader& header, int64_t position) const;
    Error malformed(int64_t position) const;
    Result<Buffer> read_exactly(int64_t position, int64_t bytes);
    // What of it is in memory, at least `bytes_min`.
    Result<Buffer> read_cached(int64_t position, int64_t bytes, int64_t bytes_min);
    // Where a batch begins and ends, if it was written lately.
    std::optional<std::pair<int64_t, int64_t>> recent_extent(Offset first_offset) const;
    Status write_index_file(std::string_view suffix, const Bytes& content);

    FileCache& cache_;
    std::string dir_;
    std::string file_suffix_;
    const Offset base_;
    int64_t size_;
    SegmentLimits limits_;
    CachedFile data_;
    bool intact_ = true;
    bool preallocated_ = false;  // the file is longer than size_

    std::optional<OffsetIndex> offset_index_;
    std::optional<TimeIndex> time_index_;
    std::optional<TransactionIndex> txn_index_;
    size_t transactions_written_ = 0;  // entries that the file has
    bool transactions_lost_ = false;   // the index went missing with the others
    bool indexes_dirty_ = false;       // files lag behind memory
    bool indexes_unsynced_ = false;    // files were written since the last flush
    int64_t bytes_since_index_entry_ = 0;
    std::optional<TimestampOffset> max_timestamp_;
    std::optional<TimestampMs> first_timestamp_;

    // The batches written last, by order of writing: a consumer at the tail asks for one of these,
    // and finds it without a read.
    struct Recent {
        Offset last_offset;
        int64_t end;
    };
    static constexpr size_t kRecentBatches = 32;
    std::array<Recent, kRecentBatches> recent_{};
    size_t recent_written_ = 0;
};

}  // namespace moldau::storage
