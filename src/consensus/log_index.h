// LogIndex: the replicated log as the core sees it: where it starts and ends, which epoch began
// where, and which snapshots exist. The records themselves stay with the shell. Positions handed to
// it come from records already validated. Owned by RaftCore.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "base/result.h"
#include "consensus/types.h"

namespace moldau::consensus {

class LogIndex {
 public:
    LogIndex() = default;
    // `epochs`: epoch -> offset of its first record, ascending in both.
    LogIndex(Offset start, Offset end, std::map<LeaderEpoch, Offset> epochs,
             std::set<SnapshotId> snapshots);

    Offset start_offset() const { return start_; }
    Offset end_offset() const { return end_; }
    // Epoch of the last record: of the latest snapshot when the log is empty after it, else 0.
    LeaderEpoch last_epoch() const;
    OffsetAndEpoch end() const { return {end_, last_epoch()}; }
    const std::map<LeaderEpoch, Offset>& epochs() const { return epochs_; }
    // Newest last.
    const std::set<SnapshotId>& snapshots() const { return snapshots_; }
    std::optional<SnapshotId> latest_snapshot() const;
    std::optional<SnapshotId> earliest_snapshot() const;

    // The end of the largest local epoch at or below `epoch`, with that epoch.
    OffsetAndEpoch end_of_epoch(LeaderEpoch epoch) const;

    enum class Position : uint8_t { Valid, Diverging, Snapshot };
    struct Validation {
        Position position = Position::Valid;
        OffsetAndEpoch at;  // Diverging: where to truncate to; Snapshot: which to fetch
    };
    // Whether a replica whose log ends at `fetch` may continue from here (KIP-595, KIP-630).
    Validation validate(const OffsetAndEpoch& fetch) const;
    // Whether a snapshot of that id may be taken: it lies within the log, in an epoch that reached
    // it.
    Status validate_snapshot(const SnapshotId& id, std::optional<Offset> high_watermark) const;

    void append(Offset base, Offset end, LeaderEpoch epoch);
    void truncate_to(Offset end);
    // The log was dropped; it continues after the snapshot.
    void reset_to(const SnapshotId& snapshot);
    void add_snapshot(const SnapshotId& id) { snapshots_.insert(id); }
    // Retention: everything before `start` is gone, snapshots that end before it too.
    void start_at(Offset start);

 private:
    Offset start_{0};
    Offset end_{0};
    std::map<LeaderEpoch, Offset> epochs_;
    std::set<SnapshotId> snapshots_;
};

}  // namespace moldau::consensus
