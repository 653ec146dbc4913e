#include "storage/time_index.h"

#include <algorithm>

#include "base/endian.h"

namespace moldau::storage {

Result<TimeIndex> TimeIndex::parse(Offset base, int32_t bytes_max,
                                   std::span<const uint8_t> content) {
    if (content.size() % kEntryBytes != 0) {
        return fail(ErrorCode::CorruptMessage,
                    "time index is not a whole number of entries: base={} bytes={}", base,
                    content.size());
    }
    TimeIndex index(base, bytes_max);
    size_t count = content.size() / kEntryBytes;
    bool zeros = false;
    for (size_t i = 0; i < count; ++i) {
        const uint8_t* at = content.data() + i * kEntryBytes;
        Entry entry{load_big<int64_t>(at), load_big<int32_t>(at + 8)};
        if (entry.timestamp == 0 && entry.relative_offset == 0) {
            zeros = true;  // Kafka preallocates with zeros
            continue;
        }
        if (zeros || entry.relative_offset < 0 ||
            (!index.entries_.empty() &&
             (entry.timestamp < index.entries_.back().timestamp ||
              entry.relative_offset < index.entries_.back().relative_offset))) {
            return fail(ErrorCode::CorruptMessage, "time index does not ascend: base={} entry={}",
                        base, i);
        }
        index.entries_.push_back(entry);
    }
    return index;
}

Bytes TimeIndex::encode() const {
    Buffer buffer;
    buffer.resize(entries_.size() * kEntryBytes);
    uint8_t* to = buffer.data();
    for (const Entry& entry : entries_) {
        store_big(to, entry.timestamp);
        store_big(to + 8, entry.relative_offset);
        to += kEntryBytes;
    }
    return std::move(buffer).freeze();
}

void TimeIndex::maybe_append(TimestampMs timestamp, Offset offset, bool skip_full_check) {
    if (full() && !skip_full_check) {
        return;
    }
    if (timestamp <= last().timestamp) {
        return;
    }
    auto relative = static_cast<int32_t>(offset - base_);
    // An entry older than its predecessor's offset would break the order that look-ups rely on.
    if (!entries_.empty() && relative < entries_.back().relative_offset) {
        return;
    }
    entries_.push_back({timestamp, relative});
}

TimestampOffset TimeIndex::entry(size_t i) const {
    return {entries_[i].timestamp, base_ + entries_[i].relative_offset};
}

TimestampOffset TimeIndex::lookup(TimestampMs target) const {
    auto next = std::upper_bound(
        entries_.begin(), entries_.end(), target,
        [](TimestampMs wanted, const Entry& entry) { return wanted < entry.timestamp; });
    if (next == entries_.begin()) {
        return {kNoTimestamp, base_};
    }
    return entry(static_cast<size_t>(next - entries_.begin()) - 1);
}

TimestampOffset TimeIndex::last() const {
    return entries_.empty() ? TimestampOffset{kNoTimestamp, base_} : entry(entries_.size() - 1);
}

void TimeIndex::truncate_to(Offset offset) {
    while (!entries_.empty() && base_ + entries_.back().relative_offset >= offset) {
        entries_.pop_back();
    }
}

}  // namespace moldau::storage
