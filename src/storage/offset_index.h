// OffsetIndex: sparse map from offset to byte position in one segment, in memory.
// File form `.index`: 8-byte entries {i32 offset - base offset, i32 position}, big endian; Kafka
// preallocates the active one with zeros, which reading trims. An entry names the last offset of
// the batch that starts at the position, so the largest entry not above a target starts at or
// before it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/types.h"

namespace moldau::storage {

struct OffsetPosition {
    Offset offset{0};
    int32_t position = 0;

    friend bool operator==(const OffsetPosition&, const OffsetPosition&) = default;
};

class OffsetIndex {
 public:
    static constexpr size_t kEntryBytes = 8;

    OffsetIndex(Offset base, int32_t bytes_max)
        : base_(base), entries_max_(static_cast<size_t>(bytes_max) / kEntryBytes) {}

    // Reads a file's content. Errors: CorruptMessage when it cannot be the index of a segment of
    // `segment_bytes`: the caller rebuilds it.
    static Result<OffsetIndex> parse(Offset base, int32_t bytes_max,
                                     std::span<const uint8_t> content, int64_t segment_bytes);
    Bytes encode() const;

    // The offset must be above the last entry's.
    void append(Offset offset, int32_t position);
    // The largest entry with offset <= target; {base, 0} when there is none.
    OffsetPosition lookup(Offset target) const;
    // The smallest entry with position >= `position`; an upper bound for a fetch of so many bytes.
    std::optional<OffsetPosition> first_at_or_after_position(int32_t position) const;
    std::optional<OffsetPosition> last() const;
    void truncate_to(Offset offset);  // drops entries at or above
    void clear() { entries_.clear(); }

    bool full() const { return entries_.size() >= entries_max_; }
    size_t size() const { return entries_.size(); }
    OffsetPosition entry(size_t i) const;
    void set_bytes_max(int32_t bytes_max) {
        entries_max_ = static_cast<size_t>(bytes_max) / kEntryBytes;
    }

 private:
    struct Entry {
        int32_t relative_offset;
        int32_t position;
    };

    Offset base_;
    size_t entries_max_;
    std::vector<Entry> entries_;
};

}  // namespace moldau::storage
