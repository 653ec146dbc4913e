// LeaderEpochCache: where each leader epoch began in one partition's log (KIP-101, KIP-279).
// Owned by a Log and guarded like it. The file leader-epoch-checkpoint follows every assignment
// before the append that carries the new epoch; truncations reach it with the next flush, because
// losing one only leaves entries that loading trims again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace moldau::runtime {
class FileSystem;
}

namespace moldau::storage {

struct EpochEntry {
    LeaderEpoch epoch;
    Offset start_offset;

    friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};

struct EpochEnd {
    LeaderEpoch epoch = kNoLeaderEpoch;
    Offset end_offset = kNoOffset;  // exclusive

    friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
};

class LeaderEpochCache {
 public:
    // An absent file is an empty cache.
    static Result<LeaderEpochCache> load(runtime::FileSystem& files, std::string path);

    // Notes that `epoch` begins at `start`. Entries that contradict it are removed. The file is
    // synced before this returns when anything changed. Returns whether it did.
    Result<bool> assign(LeaderEpoch epoch, Offset start);

    // End of the largest epoch not above `epoch`; nullopt when `epoch` is none, newer than all
    // known, or nothing is known. For an epoch below all known ones: that epoch, ending where the
    // first begins.
    std::optional<EpochEnd> end_offset_for(LeaderEpoch epoch, Offset log_end_offset) const;

    // The epoch of the record at `offset`.
    std::optional<LeaderEpoch> epoch_for_offset(Offset offset) const;
    // The largest known epoch below `epoch`.
    std::optional<LeaderEpoch> previous_epoch(LeaderEpoch epoch) const;

    std::optional<EpochEntry> latest() const;
    std::optional<EpochEntry> earliest() const;
    const std::vector<EpochEntry>& entries() const { return entries_; }

    // Drops entries that begin at or after `end_offset`.
    void truncate_from_end(Offset end_offset);
    // Drops entries that end at or before `start_offset`; the first left begins there at the
    // earliest.
    void truncate_from_start(Offset start_offset);
    void clear();

    // Writes the file when it lags behind memory.
    Status flush();
    void set_path(std::string path) { path_ = std::move(path); }

 private:
    LeaderEpochCache(runtime::FileSystem& files, std::string path)
        : files_(&files), path_(std::move(path)) {}

    runtime::FileSystem* files_;
    std::string path_;
    std::vector<EpochEntry> entries_;  // epochs and start offsets both ascend strictly
    bool dirty_ = false;
    bool assignment_unwritten_ = false;
};

}  // namespace moldau::storage
