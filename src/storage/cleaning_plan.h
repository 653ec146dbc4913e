// Which part of a log compaction may and should go through, and which segments become one. Kafka's
// rules over plain numbers; pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "base/types.h"

namespace moldau::config {
struct LogConfig;
}

namespace moldau::storage {

// A segment that is no longer written to.
struct SegmentFacts {
    Offset base;
    Offset end;  // where the next one begins
    int64_t bytes = 0;
    int64_t offset_index_bytes = 0;
    int64_t time_index_bytes = 0;
    TimestampMs modified_ms = kNoTimestamp;
    // Asked for when a lag is configured; else kNoTimestamp.
    TimestampMs first_timestamp = kNoTimestamp;
    TimestampMs largest_timestamp = kNoTimestamp;
};

struct CleanableRange {
    Offset first_dirty;
    // Nothing from here on: being written, in an open transaction, or too young.
    Offset first_uncleanable;
    int64_t clean_bytes = 0;
    int64_t cleanable_bytes = 0;
    // How long ago max.compaction.lag.ms was over; 0: it is not.
    int64_t overdue_ms = 0;

    double ratio() const;
    // Whether compaction is worth it by min.cleanable.dirty.ratio, or overdue.
    bool is_due(const config::LogConfig& config) const;
};

// The first offset that has not been compacted: what the checkpoint says, unless the log has
// changed under it.
Offset first_dirty_offset(Offset checkpointed, Offset log_start, Offset log_end);

CleanableRange find_cleanable(std::span<const SegmentFacts> segments, Offset first_dirty,
                              Offset last_stable, const config::LogConfig& config, TimestampMs now);

// Runs of neighbours [first, last) that fit into one segment together. Of `segments`, those below
// `end`.
std::vector<std::pair<size_t, size_t>> group_segments(std::span<const SegmentFacts> segments,
                                                      Offset end, const config::LogConfig& config);

}  // namespace moldau::storage
