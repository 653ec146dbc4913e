// What the state machines above the metadata log see of it: committed batches, snapshots,
// leadership. Implemented by the controller and the metadata loader; called by QuorumDriver on the
// control loop.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/types.h"
#include "consensus/types.h"
#include "metadata/versioned_record.h"

namespace moldau::quorum {

// One batch of the log, or of a snapshot.
struct CommittedBatch {
    Offset base_offset{0};
    Offset last_offset{0};
    LeaderEpoch epoch{0};
    TimestampMs append_timestamp = kNoTimestamp;
    size_t size_in_bytes = 0;
    // Empty for a control batch: it only moves the offset.
    std::vector<metadata::VersionedRecord> records;
};

// Reads one snapshot from its beginning. Valid during the call that hands it out.
class SnapshotReader {
 public:
    virtual ~SnapshotReader() = default;
    virtual const consensus::SnapshotId& id() const = 0;
    // Offset of the last record the snapshot holds.
    Offset last_contained_offset() const { return id().offset - 1; }
    LeaderEpoch last_contained_epoch() const { return id().epoch; }
    virtual TimestampMs last_contained_log_timestamp() const = 0;
    // Batches with metadata records, in order; nullopt at the end. Errors: CorruptMessage.
    virtual Result<std::optional<CommittedBatch>> next() = 0;
};

// Writes one snapshot; dropped without freeze() it leaves nothing behind.
class SnapshotWriter {
 public:
    virtual ~SnapshotWriter() = default;
    virtual const consensus::SnapshotId& id() const = 0;
    // Records may be handed over in any number of calls. Errors: KafkaStorageError.
    virtual Status append(const std::vector<metadata::VersionedRecord>& records) = 0;
    // Completes the snapshot durably; it is then the latest one. Call once.
    virtual Status freeze() = 0;
};

class RaftListener {
 public:
    virtual ~RaftListener() = default;

    // Batches arrive in offset order, each once, and only up to the high watermark.
    virtual void on_commit(const CommittedBatch& batch) = 0;
    // Everything known before is replaced by the snapshot; commits continue at its id's offset.
    virtual void on_load_snapshot(SnapshotReader& snapshot) = 0;
    // News of leadership, epochs ascending. When the leader is this node, everything committed
    // before its epoch, and the batch that starts the epoch, has been delivered already: it may act
    // at once. The loss of leadership is told at once.
    virtual void on_leader_change(const consensus::LeaderAndEpoch& leader) = 0;
    // The log cannot be used any more (its device failed, or it is corrupt): the node must stop.
    virtual void on_fault(const Error& error) { (void)error; }
};

}  // namespace moldau::quorum
