// TimeIndex: sparse map from timestamp to offset in one segment, in memory.
// File form `.timeindex`: 12-byte entries {i64 timestamp, i32 offset - base offset}. An entry says:
// no record up to its offset is younger than its timestamp. Timestamps and offsets never decrease.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/types.h"

namespace moldau::storage {

struct TimestampOffset {
    TimestampMs timestamp = kNoTimestamp;
    Offset offset = kNoOffset;

    friend bool operator==(const TimestampOffset&, const TimestampOffset&) = default;
};

class TimeIndex {
 public:
    static constexpr size_t kEntryBytes = 12;

    TimeIndex(Offset base, int32_t bytes_max)
        : base_(base), entries_max_(static_cast<size_t>(bytes_max) / kEntryBytes) {}

    // Errors: CorruptMessage, the caller rebuilds it.
    static Result<TimeIndex> parse(Offset base, int32_t bytes_max,
                                   std::span<const uint8_t> content);
    Bytes encode() const;

    // Ignored unless younger than the last entry. When full only `skip_full_check` may add: the
    // last entry, at roll or close, holds the segment's maximum.
    void maybe_append(TimestampMs timestamp, Offset offset, bool skip_full_check = false);
    // The largest entry with timestamp <= target; {kNoTimestamp, base} when there is none.
    TimestampOffset lookup(TimestampMs target) const;
    TimestampOffset last() const;     // {kNoTimestamp, base} when empty
    void truncate_to(Offset offset);  // drops entries at or above
    void clear() { entries_.clear(); }

    // One slot stays free for the last entry.
    bool full() const { return entries_.size() + 1 >= entries_max_; }
    size_t size() const { return entries_.size(); }
    TimestampOffset entry(size_t i) const;
    void set_bytes_max(int32_t bytes_max) {
        entries_max_ = static_cast<size_t>(bytes_max) / kEntryBytes;
    }

 private:
    struct Entry {
        TimestampMs timestamp;
        int32_t relative_offset;
    };

    Offset base_;
    size_t entries_max_;
    std::vector<Entry> entries_;
};

}  // namespace moldau::storage
