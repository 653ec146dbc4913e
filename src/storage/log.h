// Log: one partition's records on disk, in Kafka's files (layout: docs/formats/partition.md).
//
// Not thread-safe: whoever shares a Log holds mutex() around every call; an owner that keeps it on
// one thread needs no lock. Nothing here waits for a device except open, roll, cold reads, and
// flush(); begin_flush() hands that wait to the caller. Time comes in as an argument.
//
// Offsets, in order: log_start <= last_stable <= high_watermark <= log_end. The high watermark is
// decided by replication and told to the Log, which keeps it because retention, reads of consumers
// and the last stable offset depend on it.
//
// Errors: KafkaStorageError when the device refuses. A full device refuses the append and leaves
// the log readable and writable; every other refused write makes the log fail() and its directory
// with it.
#pragma once

#include <atomic>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "base/topic_partition.h"
#include "base/types.h"
#include "base/uuid.h"
#include "config/log_config.h"
#include "record/validator.h"
#include "storage/batch_cleaner.h"
#include "storage/cleaning_plan.h"
#include "storage/durable_end.h"
#include "storage/file_cache.h"
#include "storage/journal_format.h"
#include "storage/leader_epoch_cache.h"
#include "storage/producer_state.h"
#include "storage/segment.h"

namespace moldau::storage {

class Journal;
class JournalClient;

// What a Log shares with others of its process.
struct LogContext {
    FileCache* cache = nullptr;
    // Told once when the device refused something that leaves the directory's state in doubt.
    // Called with the log's lock held: it may only hand the news over.
    std::function<void(const Error&)> on_failure;
    // Set when the directory is offline: the log refuses everything.
    std::shared_ptr<const std::atomic<bool>> offline = nullptr;
    // The directory's; none: nothing is durable but by a sync.
    Journal* journal = nullptr;
};

struct LogOptions {
    std::string dir;  // the partition's directory
    TopicPartition topic_partition;
    std::shared_ptr<const config::LogConfig> config;
    // From the checkpoint files.
    Offset log_start_offset{0};
    Offset recovery_point{0};
    // What recovery would go by after another crash, when that is more.
    Offset recovery_point_told{0};
    Offset high_watermark{0};
    // The directory was left by a clean stop: nothing needs checking.
    bool clean_shutdown = false;
    // What take_producers() gave when the log was closed, which is more than a snapshot file holds.
    std::optional<ProducerState> producers;
    Duration producer_id_expiration = std::chrono::hours(24);
    // Recovery gives up with BrokerNotAvailable once this is asked for.
    std::stop_token stop;
};

struct AppendResult {
    Offset base_offset;
    Offset last_offset;
    TimestampMs log_append_time = kNoTimestamp;  // set for LogAppendTime topics
    Offset log_start_offset;
    Offset log_end_offset;   // after the append
    bool duplicate = false;  // was in the log already; nothing was written
};

struct AppendError {
    Error error;
    std::vector<record::RecordError> records;  // the culprits, when single records were (KIP-467)
    Offset log_start_offset;
};

using LeaderAppendOutcome = std::expected<AppendResult, AppendError>;

struct LeaderAppend {
    LeaderEpoch leader_epoch;
    record::AppendOrigin origin = record::AppendOrigin::Client;
    // Of a transaction marker: the version its coordinator speaks.
    int16_t transaction_version = 0;
    // A client's transactional batch may open a transaction here: its coordinator knows (KIP-890).
    bool transaction_verified = false;
};

// Up to where a reader may see.
enum class ReadBound : uint8_t { LogEnd, HighWatermark, LastStable };

struct LogRead {
    Bytes records;
    // First batch did not fit into the limit; nothing was returned although there is something.
    bool first_too_large = false;
    // With ReadBound::LastStable: the transactions to skip, by first offset.
    std::vector<AbortedTxn> aborted;
    // As of the read.
    Offset log_start_offset;
    Offset high_watermark;
    Offset last_stable_offset;
    Offset log_end_offset;
};

// Special timestamps of ListOffsets.
inline constexpr TimestampMs kLatestTimestamp = -1;
inline constexpr TimestampMs kEarliestTimestamp = -2;
inline constexpr TimestampMs kMaxTimestamp = -3;
inline constexpr TimestampMs kEarliestLocalTimestamp = -4;
inline constexpr TimestampMs kLatestTieredTimestamp = -5;
inline constexpr TimestampMs kEarliestPendingUploadTimestamp = -6;

struct TimestampMatch {
    TimestampMs timestamp = kNoTimestamp;
    Offset offset = kNoOffset;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
};

// For DescribeProducers.
struct ActiveProducer {
    ProducerId producer_id;
    int16_t producer_epoch = kNoProducerEpoch;
    int32_t last_sequence = kNoSequence;
    TimestampMs last_timestamp = kNoTimestamp;
    int32_t coordinator_epoch = -1;
    Offset current_txn_start_offset = kNoOffset;
};

enum class DeletionReason : uint8_t { RetentionTime, RetentionBytes, LogStart };
std::string_view to_string(DeletionReason reason);

// A flush in two halves, so that the wait for the device happens outside the partition's lock.
class FlushTask {
 public:
    // Waits for the device. Any thread, no lock. A failure is final: pass it to end_flush().
    Status run();
    Offset end_offset() const { return end_offset_; }

 private:
    friend class Log;
    Offset end_offset_;
    uint64_t truncations_ = 0;
    uint64_t directory_changes_ = 0;
    runtime::FileSystem* files_ = nullptr;
    std::vector<std::shared_ptr<runtime::File>> to_sync_;
    std::vector<std::string> directories_;  // whose entries changed
};

class Log : public std::enable_shared_from_this<Log> {
 public:
    // Makes the directory when missing, finishes what a crash interrupted, checks what may be
    // damaged.
    static Result<std::unique_ptr<Log>> open(LogContext context, LogOptions options,
                                             TimestampMs now);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    Mutex& mutex() { return mutex_; }

    const TopicPartition& topic_partition() const { return topic_partition_; }
    const std::string& directory() const { return dir_; }
    const config::LogConfig& config() const { return *config_; }
    void set_config(std::shared_ptr<const config::LogConfig> config);
    bool failed() const { return failed_ || (context_.offline && *context_.offline); }
    // Refuses everything from now on: the directory went offline.
    void fail_with(Error error);

    // The topic this log belongs to (partition.metadata); kZeroUuid when the file is missing.
    const Uuid& topic_id() const { return topic_id_; }
    // Writes partition.metadata. Errors: InconsistentTopicId when the log belongs to another topic.
    Status assign_topic_id(const Uuid& topic_id);

    Offset log_start_offset() const { return log_start_offset_; }
    Offset log_end_offset() const { return log_end_offset_; }
    Offset high_watermark() const { return high_watermark_; }
    Offset last_stable_offset() const;
    std::optional<Offset> first_unstable_offset() const;
    Offset recovery_point() const { return recovery_point_; }
    int64_t size_in_bytes() const;
    size_t segment_count() const { return segments_.size(); }
    Offset active_segment_base() const { return segments_.back()->base_offset(); }

    // Clamped to [log_start, log_end]. Returns whether it changed.
    bool set_high_watermark(Offset high_watermark);

    // Checks and appends batches in order, assigning offsets. Rolls first when the segment is full.
    // Each is appended or refused on its own; those that share a write share its failure. There is
    // an outcome for each batch.
    void append_as_leader(std::span<const Bytes> batches, const LeaderAppend& append,
                          TimestampMs now, std::span<LeaderAppendOutcome> outcomes);
    LeaderAppendOutcome append_as_leader(const Bytes& records, const LeaderAppend& append,
                                         TimestampMs now);
    // Appends batches that carry offsets and epochs already: replication, and the quorum's own
    // leader. Batches of an epoch above `leader_epoch` are left out with all that follow them
    // (KAFKA-18723). Errors: CorruptMessage; OffsetOutOfRange when the first offset is below the
    // log end; InvalidRecord when offsets do not ascend.
    Result<AppendResult> append_as_follower(const Bytes& records, LeaderEpoch leader_epoch,
                                            TimestampMs now);

    // Errors: OffsetOutOfRange when `start` is below log_start or above log_end; with `may_wait`
    // false would_wait() when the answer is not in memory: then warm_up() and try again.
    Result<LogRead> read(Offset start, int64_t bytes_max, ReadBound bound, bool min_one_batch,
                         bool may_wait = true);
    // Reads into memory what such a read needs. Takes mutex() itself, and never while it waits for
    // the device. For the disk pool.
    Status warm_up(Offset start, int64_t bytes_max, ReadBound bound) EXCLUDES(mutex_);
    // About how many bytes a reader at `from` could be given now; cheap, for min.bytes.
    int64_t bytes_available(Offset from, ReadBound bound);

    // `timestamp` may be one of the special ones. nullopt: no such record.
    Result<std::optional<TimestampMatch>> find_timestamp(TimestampMs timestamp);
    // The largest epoch <= `epoch` and its end. nullopt as LeaderEpochCache::end_offset_for.
    std::optional<EpochEnd> end_offset_for_epoch(LeaderEpoch epoch) const;
    const LeaderEpochCache& epochs() const { return epochs_; }
    // A leader notes the start of its epoch even before it appends.
    Status assign_epoch_start(LeaderEpoch epoch, Offset start);

    // Drops records at or above `offset`; the high watermark follows. Returns whether any were.
    // Waits for the device: what was dropped must not come back.
    Result<bool> truncate_to(Offset offset, TimestampMs now);
    // Drops everything; the log starts anew at `offset`.
    Status truncate_fully_and_start_at(Offset offset, TimestampMs now);
    // Advances the log start. Returns whether it moved. Errors: OffsetOutOfRange above the high
    // watermark.
    Result<bool> advance_log_start(Offset offset);

    // Starts a new segment at the log end, unless the active one is empty.
    Status roll(TimestampMs now);
    // Deletes segments that retention or the log start have made superfluous: they are renamed, and
    // removed by remove_deleted() once file.delete.delay.ms has passed. Returns how many.
    Result<size_t> apply_retention(TimestampMs now);
    // Removes files whose delay has passed. Returns how many segments are still waiting.
    size_t remove_deleted(TimestampMs now);

    // --- For compaction (LogCleaning).
    // All segments but the one being written.
    Result<std::vector<SegmentFacts>> rolled_segments();
    // Aborted transactions that concern [start, end).
    Result<std::vector<AbortedTxn>> aborted_between(Offset start, Offset end);
    LastOfProducers last_of_producers() const;
    // Puts `cleaned`, whole and on the device as `.cleaned`, in the place of `old`: first a name
    // under which a crash finishes the exchange, and, when the caller has synced the directory, the
    // exchange itself, which leaves a change of the directory to sync (log_swap.cc). `cleaned` is
    // taken when there is no way back. Errors: OperationNotAttempted when the log is not what it
    // was at truncations().
    Status begin_swap(std::span<const SegmentFacts> old, Segment& cleaned, uint64_t truncations);
    Status replace_segments(std::span<const SegmentFacts> old, std::unique_ptr<Segment>& cleaned,
                            uint64_t truncations, const Status& swap_synced, TimestampMs now);
    uint64_t truncations() const { return truncations_; }
    SegmentLimits segment_limits() const;

    const ProducerState& producers() const { return producers_; }
    std::vector<ActiveProducer> active_producers() const;
    void expire_producers(TimestampMs now) { producers_.remove_expired(now); }
    bool has_ongoing_transaction(ProducerId id, int16_t epoch) const;

    // Up to where appends may be acknowledged and shown to consumers: what is below has been made
    // durable, or moldau.ack=memory asks for nothing.
    Offset durable_end();
    // What must be synced for durable_end() to come to the log end; nullopt: nothing.
    std::optional<Offset> sync_wanted() const { return durable_.sync_wanted(recovery_point_); }
    // Called when durable_end() may have moved by the journal, on its thread, under no lock.
    void set_durability_listener(std::shared_ptr<const std::function<void()>> listener);

    // After recovery: appends what of the journal's entries continues the log. Returns how many
    // did.
    Result<size_t> replay(const std::vector<Bytes>& appends, TimestampMs now);
    // After recovery: writes all that a clean close does and syncs nothing. The owner lets go of
    // the log and syncs everything in its directory at once before it counts as closed.
    Status close_before_sync_of_all();
    // Of a closed log: each producer with all the batches that a retry may repeat. A snapshot file
    // knows the last of them only, and after a crash clients repeat those before it, too.
    ProducerState take_producers() { return std::move(producers_); }

    // Makes everything appended so far durable and moves the recovery point.
    Status flush();
    // With `rolled_only`, the segment being written is left out.
    Result<FlushTask> begin_flush(bool rolled_only = false);
    Status end_flush(const FlushTask& task, const Status& outcome);
    void note_flushed(TimestampMs now) { last_flush_ms_ = now; }
    int64_t unflushed_records() const { return log_end_offset_ - recovery_point_; }
    TimestampMs last_flush_ms() const { return last_flush_ms_; }

    // Clean close: flush, final index entries, producer snapshot. The log refuses appends
    // afterwards.
    Status close();
    // Renames the directory; open handles are dropped.
    Status rename_directory(const std::string& dir);

 private:
    Log(LogContext context, LogOptions options, LeaderEpochCache epochs);

    friend class LogLoader;
    // Renamed files that wait for their removal.
    struct Doomed {
        std::vector<std::string> paths;
        TimestampMs due = 0;
    };
    // What the producers of one append become once its bytes are written.
    struct ProducerChanges {
        std::vector<ProducerAppend> appends;
        std::vector<CompletedTxn> completed;

        ProducerAppend* find(ProducerId id);
    };
    // Batches that are checked and wait for the write that they share. Kept between appends, so
    // that one of them allocates nothing.
    struct Staged {
        LeaderAppend append;
        TimestampMs now = 0;
        record::AppendRules rules;
        std::span<LeaderAppendOutcome> outcomes;
        size_t done = 0;   // of outcomes
        size_t first = 0;  // whose batch is staged
        std::vector<record::AppendableBatch> batches;
        size_t bytes = 0;
        ProducerChanges changes;
        // For the write.
        std::vector<Bytes> pieces;
        std::vector<BatchExtent> extents;

        void clear();
    };

    Segment& active() { return *segments_.back(); }
    // The last segment whose base is not above `offset`.
    size_t segment_index_for(Offset offset) const;
    // Passes `status` on; an error other than a full device makes the log fail.
    Error refused(const Error& cause, std::string_view action);
    Status checked(Status status, std::string_view action);
    Status check_usable() const;
    Offset bound_offset(ReadBound bound) const;
    void keep_warm(Segment& segment);
    record::AppendRules append_rules(const LeaderAppend& append) const;

    // Checks one batch and stages it; writes first what must be in the log before it.
    LeaderAppendOutcome stage(const Bytes& records, Staged& staged);
    void write_staged(Staged& staged);
    Status write(Staged& staged);
    std::optional<ProducerBatch> find_duplicate(const record::BatchHeader& header,
                                                ProducerChanges& changes) const;
    Status check_producer(const record::BatchHeader& header, const Bytes& payload,
                          ProducerOrigin origin, const LeaderAppend& append,
                          ProducerChanges& changes) const;
    Status check_transaction(const record::BatchHeader& header, const LeaderAppend& append) const;
    Status load_active_indexes(bool transactions);
    Status apply_producers(const ProducerChanges& changes, Offset end);
    // `first` to `last` are the offsets, `bytes` and `max_timestamp` those of what comes next.
    Result<bool> must_roll(size_t bytes, Offset last, TimestampMs max_timestamp, TimestampMs now);
    Status roll_if_needed(size_t bytes, Offset first, Offset last, TimestampMs max_timestamp,
                          TimestampMs now);
    Status roll_to(Offset base, TimestampMs now);
    Status start_segment(Offset base, TimestampMs now);
    Result<std::optional<TimestampMatch>> find_max_timestamp();
    Status collect_aborted(Offset start, const Segment::ReadResult& read, size_t segment,
                           bool may_wait, LogRead& result);

    Status take_producer_snapshot();
    // Makes the producer state that of the log up to `end`: newest usable snapshot, then the
    // batches.
    Status load_producers(Offset end, TimestampMs now);
    Status replay_producers(Segment& segment, Offset end);
    // The segment's aborted transactions; found in the records again when the index is damaged.
    Result<const TransactionIndex*> transactions_of(size_t segment);
    Status rebuild_transactions(size_t segment);
    Status remove_snapshot(Offset offset);
    // Takes the segments [first, last) out and renames their files.
    Status discard_segments(size_t first, size_t last, TimestampMs now);
    Status rename_deleted(size_t first, size_t last, TimestampMs now, bool keep_first_snapshot);
    // How many segments from the front may go, and why.
    Result<size_t> count_expired(TimestampMs now, DeletionReason& reason);
    Offset segment_end(size_t index) const;
    Status sync_directory();
    // Where `old` begins in segments_, if it is still there.
    Result<size_t> find_swapped(std::span<const SegmentFacts> old, uint64_t truncations) const;
    // What begin_swap() began is not to be finished, not even after a crash.
    Status abandon_swap();
    // Syncs the data that a flush would, here and now.
    Status sync_segments();
    void lower_recovery_point(Offset offset);
    // Whether appends go to the journal.
    bool journals() const;
    // Sees to it that what was just appended at `base` becomes durable.
    void secure(Offset base, std::span<const Bytes> pieces);
    // Nothing at or above `offset` is in the log any more; the journal must know.
    void truncated(Offset offset);
    bool note_truncation();
    void fit_high_watermark();

    LogContext context_;
    std::string dir_;
    TopicPartition topic_partition_;
    std::string name_;  // topic_partition_ as text
    std::shared_ptr<const config::LogConfig> config_;
    Uuid topic_id_;
    Mutex mutex_;

    Offset log_start_offset_;
    Offset high_watermark_;
    Offset log_end_offset_;
    Offset recovery_point_;
    // What the checkpoint file may say although a truncation has lowered recovery_point_ since.
    Offset recovery_point_told_;
    std::vector<std::unique_ptr<Segment>> segments_;  // by base offset, never empty once open
    LeaderEpochCache epochs_;
    ProducerState producers_;
    std::vector<Offset> snapshots_;  // offsets of the snapshot files, ascending
    std::deque<Doomed> doomed_;
    std::deque<Segment*> warm_;  // inactive segments whose indexes are in memory
    TimestampMs segment_jitter_ms_ = 0;
    TimestampMs segment_created_ms_ = 0;
    uint64_t truncations_ = 0;  // a flush begun before a truncation proves nothing after it
    TimestampMs last_flush_ms_ = 0;
    // Names made, renamed or removed in the directory; how many of these a sync has covered.
    uint64_t directory_changes_ = 0;
    uint64_t directory_changes_synced_ = 0;
    std::optional<Offset> swapping_;  // the base of a `.swap` that is not in the log yet
    bool parent_unsynced_ = false;    // the directory itself is new, and its partition.metadata
    bool device_full_ = false;        // the last append found no room
    DurableEnd durable_;
    std::shared_ptr<JournalClient> journal_client_;  // made with the first entry
    std::shared_ptr<const std::function<void()>> durability_listener_;
    std::optional<Offset> unnoted_truncation_;  // that the journal had no room for
    Staged staged_;
    bool failed_ = false;
    bool closed_ = false;
    std::optional<Error> failure_;
};

}  // namespace moldau::storage
