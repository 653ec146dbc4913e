#include "storage/offset_index.h"

#include <algorithm>

#include "base/assert.h"
#include "base/endian.h"

namespace moldau::storage {

Result<OffsetIndex> OffsetIndex::parse(Offset base, int32_t bytes_max,
                                       std::span<const uint8_t> content, int64_t segment_bytes) {
    if (content.size() % kEntryBytes != 0) {
        return fail(ErrorCode::CorruptMessage,
                    "offset index is not a whole number of entries: base={} bytes={}", base,
                    content.size());
    }
    OffsetIndex index(base, bytes_max);
    size_t count = content.size() / kEntryBytes;
    index.entries_.reserve(std::min(count, index.entries_max_));
    bool zeros = false;
    for (size_t i = 0; i < count; ++i) {
        const uint8_t* at = content.data() + i * kEntryBytes;
        Entry entry{load_big<int32_t>(at), load_big<int32_t>(at + 4)};
        // Kafka preallocates with zeros. Offset 0 of position 0 is a real entry only at the front.
        if (entry.relative_offset == 0 && entry.position == 0 && i > 0) {
            zeros = true;
            continue;
        }
        if (zeros || entry.relative_offset < 0 || entry.position < 0 ||
            entry.position >= std::max<int64_t>(segment_bytes, 1) ||
            (!index.entries_.empty() &&
             (entry.relative_offset <= index.entries_.back().relative_offset ||
              entry.position <= index.entries_.back().position))) {
            return fail(ErrorCode::CorruptMessage, "offset index does not ascend: base={} entry={}",
                        base, i);
        }
        index.entries_.push_back(entry);
    }
    // The same reason for a file of nothing but zeros.
    if (index.entries_.size() == 1 && index.entries_[0].relative_offset == 0 &&
        index.entries_[0].position == 0) {
        index.entries_.clear();
    }
    return index;
}

Bytes OffsetIndex::encode() const {
    Buffer buffer;
    buffer.resize(entries_.size() * kEntryBytes);
    uint8_t* to = buffer.data();
    for (const Entry& entry : entries_) {
        store_big(to, entry.relative_offset);
        store_big(to + 4, entry.position);
        to += kEntryBytes;
    }
    return std::move(buffer).freeze();
}

void OffsetIndex::append(Offset offset, int32_t position) {
    auto relative = static_cast<int32_t>(offset - base_);
    MOLDAU_ASSERT(entries_.empty() || relative > entries_.back().relative_offset);
    entries_.push_back({relative, position});
}

OffsetPosition OffsetIndex::entry(size_t i) const {
    return {base_ + entries_[i].relative_offset, entries_[i].position};
}

OffsetPosition OffsetIndex::lookup(Offset target) const {
    int64_t relative = target - base_;
    auto next = std::upper_bound(
        entries_.begin(), entries_.end(), relative,
        [](int64_t wanted, const Entry& entry) { return wanted < entry.relative_offset; });
    if (next == entries_.begin()) {
        return {base_, 0};
    }
    return entry(static_cast<size_t>(next - entries_.begin()) - 1);
}

std::optional<OffsetPosition> OffsetIndex::first_at_or_after_position(int32_t position) const {
    auto found = std::lower_bound(
        entries_.begin(), entries_.end(), position,
        [](const Entry& entry, int32_t wanted) { return entry.position < wanted; });
    if (found == entries_.end()) {
        return std::nullopt;
    }
    return entry(static_cast<size_t>(found - entries_.begin()));
}

std::optional<OffsetPosition> OffsetIndex::last() const {
    return entries_.empty() ? std::nullopt : std::optional(entry(entries_.size() - 1));
}

void OffsetIndex::truncate_to(Offset offset) {
    while (!entries_.empty() && base_ + entries_.back().relative_offset >= offset) {
        entries_.pop_back();
    }
}

}  // namespace moldau::storage
