// MetadataLog: the directory __cluster_metadata-0 without its quorum-state: log segments and
// checkpoints, and what the core has to know of them.
//
// The log is always checked from its beginning when opened, whatever recovery points say: a voter
// may only count what is really there. A latest snapshot beyond the log's end means that a crash
// came between installing it and dropping the log; the log is then dropped now. Owned by
// QuorumDriver, on the control loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/types.h"
#include "consensus/event.h"
#include "consensus/log_index.h"
#include "consensus/raft_core.h"
#include "consensus/voter_set.h"
#include "quorum/raft_listener.h"
#include "quorum/snapshot_file.h"

namespace moldau::runtime {
class FileSystem;
}

namespace moldau::quorum {

inline constexpr std::string_view kMetadataPartitionDirectory = "__cluster_metadata-0";

struct MetadataLogOptions {
    std::string metadata_log_dir;
    consensus::VoterSet static_voters;
    int32_t segment_bytes = 1 << 30;
    Duration segment_age = std::chrono::hours(168);
    int32_t batch_bytes_max = 8 << 20;
    int64_t retention_bytes = 100 << 20;
    Duration retention_age = std::chrono::hours(168);
};

class MetadataLog {
 public:
    // Errors: KafkaStorageError; CorruptMessage for records or snapshots that cannot be read.
    static Result<std::unique_ptr<MetadataLog>> open(MetadataLogOptions options,
                                                     runtime::FileSystem& files, TimestampMs now);
    ~MetadataLog();

    const std::string& directory() const { return dir_; }
    // What the core starts from; moved out once.
    consensus::LogIndex take_index() { return std::move(index_); }
    consensus::VoterHistory take_history() { return std::move(history_); }

    // Entries continue the log; control entries of the core are encoded here.
    Status append(const std::vector<consensus::LogEntry>& entries, LeaderEpoch epoch,
                  TimestampMs now);
    Status sync();
    Status truncate_to(Offset end, TimestampMs now);
    void set_high_watermark(Offset high_watermark);
    // Decoded batches from `from` on, below `end`: about `bytes_max` bytes, one batch at least.
    Result<std::vector<CommittedBatch>> read(Offset from, Offset end, int64_t bytes_max);
    // Raw batches for another replica.
    Result<Bytes> read_raw(Offset from, int64_t bytes_max);
    // Whether a batch begins there, or the log ends.
    Result<bool> is_batch_boundary(Offset offset);

    // Snapshots.
    Result<std::unique_ptr<SnapshotFileReader>> open_snapshot(const consensus::SnapshotId& id);
    Result<std::unique_ptr<SnapshotFileWriter>> create_snapshot(SnapshotFileOptions options);
    struct Chunk {
        int64_t size = 0;
        Bytes bytes;
    };
    // `bytes_max` >= 0. Errors: SnapshotNotFound, PositionOutOfRange.
    Result<Chunk> read_snapshot_chunk(const consensus::SnapshotId& id, int64_t position,
                                      int32_t bytes_max);
    Status store_snapshot_chunk(const consensus::StoreSnapshotChunk& chunk);
    // Makes the downloaded snapshot the latest one and drops the log for it.
    Result<consensus::SnapshotInstalled> install_snapshot(const consensus::SnapshotId& id,
                                                          TimestampMs now);
    // Deletes snapshots, and the log before the oldest one kept, until size and age are within
    // their limits; the latest always stays. Returns the new start of the log, if it moved.
    Result<std::optional<Offset>> apply_retention(const std::set<consensus::SnapshotId>& snapshots,
                                                  Offset log_start, TimestampMs now);

    Status close();

 private:
    MetadataLog(MetadataLogOptions options, runtime::FileSystem& files);
    Status find_snapshots();
    Result<Offset> first_offset() const;
    Status load(TimestampMs now);
    Status load_voters(Offset from, Offset end);
    std::string path_of(const consensus::SnapshotId& id) const;

    MetadataLogOptions options_;
    runtime::FileSystem& files_;
    std::string dir_;
    std::set<consensus::SnapshotId> snapshots_;  // found when opened
    consensus::LogIndex index_;
    consensus::VoterHistory history_;
    struct Storage;  // the storage floor's Log, its file cache and configuration
    std::unique_ptr<Storage> storage_;
};

}  // namespace moldau::quorum
