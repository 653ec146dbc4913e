#include "storage/cleaning_plan.h"

#include <algorithm>
#include <limits>

#include "config/log_config.h"

namespace moldau::storage {

double CleanableRange::ratio() const {
    int64_t total = clean_bytes + cleanable_bytes;
    return total == 0 ? 0 : static_cast<double>(cleanable_bytes) / static_cast<double>(total);
}

bool CleanableRange::is_due(const config::LogConfig& config) const {
    return cleanable_bytes > 0 && (overdue_ms > 0 || ratio() > config.min_cleanable_dirty_ratio);
}

Offset first_dirty_offset(Offset checkpointed, Offset log_start, Offset log_end) {
    return checkpointed < log_start || checkpointed > log_end ? log_start : checkpointed;
}

CleanableRange find_cleanable(std::span<const SegmentFacts> segments, Offset first_dirty,
                              Offset last_stable, const config::LogConfig& config,
                              TimestampMs now) {
    CleanableRange range{first_dirty, segments.empty() ? first_dirty : segments.back().end};
    for (const SegmentFacts& segment : segments) {
        bool dirty = segment.end > first_dirty;
        bool young = dirty && config.min_compaction_lag_ms > 0 &&
                     segment.largest_timestamp > now - config.min_compaction_lag_ms;
        // A segment is read as a whole: one with an undecided record is left out as a whole.
        if (young || segment.end > last_stable) {
            range.first_uncleanable = std::min(range.first_uncleanable, segment.base);
        }
    }
    for (const SegmentFacts& segment : segments) {
        if (segment.end <= first_dirty) {
            range.clean_bytes += segment.bytes;
            continue;
        }
        if (segment.base < range.first_uncleanable) {
            range.cleanable_bytes += segment.bytes;
        }
        if (config.max_compaction_lag_ms != config::LogConfig::kUnlimited &&
            segment.first_timestamp > 0) {
            range.overdue_ms = std::max(
                range.overdue_ms, now - segment.first_timestamp - config.max_compaction_lag_ms);
        }
    }
    return range;
}

std::vector<std::pair<size_t, size_t>> group_segments(std::span<const SegmentFacts> segments,
                                                      Offset end, const config::LogConfig& config) {
    std::vector<std::pair<size_t, size_t>> groups;
    size_t first = 0;
    while (first < segments.size() && segments[first].base < end) {
        int64_t bytes = segments[first].bytes;
        int64_t offset_index_bytes = segments[first].offset_index_bytes;
        int64_t time_index_bytes = segments[first].time_index_bytes;
        size_t last = first + 1;
        while (last < segments.size() && segments[last].base < end) {
            const SegmentFacts& next = segments[last];
            bytes += next.bytes;
            offset_index_bytes += next.offset_index_bytes;
            time_index_bytes += next.time_index_bytes;
            bool fits = bytes <= config.effective_segment_bytes() &&
                        offset_index_bytes <= config.segment_index_bytes &&
                        time_index_bytes <= config.segment_index_bytes &&
                        next.end - 1 - segments[first].base <= std::numeric_limits<int32_t>::max();
            if (!fits) {
                break;
            }
            ++last;
        }
        groups.emplace_back(first, last);
        first = last;
    }
    return groups;
}

}  // namespace moldau::storage
