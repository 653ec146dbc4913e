// How compaction puts a cleaned segment in the place of those that it cleaned.
//
// Names reach the device in any order, so three times a directory must be synced: after the `.swap`
// is there, after the old names are gone, after the new one is there. The log is locked for the
// second alone, because readers must meet either the old or the new:
// 1. begin_swap() gives the cleaned segment its `.swap` name. A crash now leaves both, and the next
//    start takes the `.swap`. So a truncation, which must not come back, removes it first.
// 2. replace_segments() exchanges the segments.
// 3. The log counts a change of its directory that is not synced, and whoever needs it syncs it:
// the
//    cleaner before its next segment, retention before it deletes.
#include <algorithm>

#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/log.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.UnifiedLog");

}  // namespace

Result<size_t> Log::find_swapped(std::span<const SegmentFacts> old, uint64_t truncations) const {
    MOLDAU_CHECK(check_usable());
    auto first = static_cast<size_t>(
        std::ranges::find(segments_, old.front().base,
                          [](const auto& segment) { return segment->base_offset(); }) -
        segments_.begin());
    bool same = truncations == truncations_ && first + old.size() < segments_.size();
    for (size_t i = 0; same && i < old.size(); ++i) {
        same = segments_[first + i]->base_offset() == old[i].base;
    }
    if (!same) {
        return fail(ErrorCode::OperationNotAttempted,
                    "the log changed while it was cleaned: partition={}", name_);
    }
    return first;
}

Status Log::begin_swap(std::span<const SegmentFacts> old, Segment& cleaned, uint64_t truncations) {
    MOLDAU_CHECK(find_swapped(old, truncations));
    swapping_ = cleaned.base_offset();
    return checked(cleaned.change_suffix(kSwapSuffix), "cleaned segment cannot be renamed");
}

Status Log::abandon_swap() {
    if (!swapping_) {
        return {};
    }
    Offset base = *std::exchange(swapping_, std::nullopt);
    MOLDAU_CHECK(checked(Segment::remove_files(context_.cache->files(), dir_, base, kSwapSuffix),
                         "cleaned segment cannot be removed"));
    return sync_directory();
}

Status Log::replace_segments(std::span<const SegmentFacts> old, std::unique_ptr<Segment>& cleaned,
                             uint64_t truncations, const Status& swap_synced, TimestampMs now) {
    swapping_.reset();
    MOLDAU_CHECK(checked(swap_synced, "directory cannot be synced"));
    MOLDAU_TRY(size_t first, find_swapped(old, truncations));
    MOLDAU_LOG_INFO(logger,
                    "Swapping in cleaned segment LogSegment(baseOffset={}, size={}) for {} "
                    "segment(s) in log {}",
                    cleaned->base_offset(), cleaned->size(), old.size(), name_);
    // Ours from here on, whatever comes: the `.swap` is all that will be left of the old ones.
    std::unique_ptr<Segment> taken = std::move(cleaned);
    auto replaced = [&]() -> Status {
        bool keeps_snapshot = std::ranges::find(snapshots_, old.front().base) != snapshots_.end();
        MOLDAU_CHECK(rename_deleted(first, first + old.size(), now, keeps_snapshot));
        MOLDAU_CHECK(sync_directory());
        return taken->change_suffix({});
    }();
    if (!replaced) {
        // Neither the old nor the new is whole under its name: only opening the log anew helps.
        return checked(fail(ErrorCode::KafkaStorageError, "{}", replaced.error().message),
                       "cleaned segment cannot be swapped in");
    }
    taken->shed_indexes();
    segments_.insert(segments_.begin() + static_cast<ptrdiff_t>(first), std::move(taken));
    ++directory_changes_;
    return {};
}

}  // namespace moldau::storage
