#include "consensus/log_index.h"

#include <algorithm>

#include "base/assert.h"

namespace moldau::consensus {

LogIndex::LogIndex(Offset start, Offset end, std::map<LeaderEpoch, Offset> epochs,
                   std::set<SnapshotId> snapshots)
    : start_(start), end_(end), epochs_(std::move(epochs)), snapshots_(std::move(snapshots)) {
    MOLDAU_ASSERT(start_ <= end_);
}

LeaderEpoch LogIndex::last_epoch() const {
    if (!epochs_.empty()) {
        return epochs_.rbegin()->first;
    }
    // An empty log after a snapshot continues the snapshot's history.
    std::optional<SnapshotId> snapshot = latest_snapshot();
    return snapshot && snapshot->offset == end_ ? snapshot->epoch : LeaderEpoch(0);
}

std::optional<SnapshotId> LogIndex::latest_snapshot() const {
    return snapshots_.empty() ? std::nullopt : std::optional(*snapshots_.rbegin());
}

std::optional<SnapshotId> LogIndex::earliest_snapshot() const {
    // Only a log that does not begin at 0 leans on a snapshot.
    if (start_ == Offset(0)) {
        return std::nullopt;
    }
    for (const SnapshotId& id : snapshots_) {
        if (id.offset == start_) {
            return id;
        }
    }
    return std::nullopt;
}

OffsetAndEpoch LogIndex::end_of_epoch(LeaderEpoch epoch) const {
    auto higher = epochs_.upper_bound(epoch);
    if (higher == epochs_.end()) {
        // The last epoch, or one this log never saw: both end where the log ends.
        return end();
    }
    if (higher == epochs_.begin()) {
        std::optional<SnapshotId> earliest = earliest_snapshot();
        if (earliest && earliest->offset == higher->second && earliest->epoch == epoch) {
            return *earliest;
        }
        return {higher->second, epoch};
    }
    return {higher->second, std::prev(higher)->first};
}

LogIndex::Validation LogIndex::validate(const OffsetAndEpoch& fetch) const {
    std::optional<SnapshotId> latest = latest_snapshot();
    if (fetch.offset == Offset(0) && latest && *latest != kBootstrapSnapshotId) {
        // A blank replica is quicker with the snapshot, even while the log still begins at 0.
        return {Position::Snapshot, *latest};
    }
    if (fetch.offset == Offset(0) && start_ == Offset(0)) {
        return {Position::Valid, {}};
    }
    std::optional<SnapshotId> earliest = earliest_snapshot();
    if (earliest &&
        (fetch.offset < start_ || (fetch.offset == start_ && fetch.epoch != earliest->epoch) ||
         fetch.epoch < earliest->epoch)) {
        return {Position::Snapshot, *latest};
    }
    OffsetAndEpoch end_here = end_of_epoch(fetch.epoch);
    if (end_here.epoch != fetch.epoch || end_here.offset < fetch.offset) {
        return {Position::Diverging, end_here};
    }
    return {Position::Valid, fetch};
}

Status LogIndex::validate_snapshot(const SnapshotId& id,
                                   std::optional<Offset> high_watermark) const {
    if (!high_watermark || id.offset > *high_watermark) {
        return fail(ErrorCode::InvalidRequest,
                    "snapshot beyond the high watermark: snapshot={} high_watermark={}", id,
                    high_watermark.value_or(kNoOffset));
    }
    if (id.offset < start_) {
        return fail(ErrorCode::InvalidRequest, "snapshot before the log: snapshot={} log_start={}",
                    id, start_);
    }
    OffsetAndEpoch epoch_end = end_of_epoch(id.epoch);
    if (epoch_end.epoch != id.epoch || epoch_end.offset < id.offset) {
        return fail(ErrorCode::InvalidRequest,
                    "snapshot epoch is not that of the log: snapshot={} epoch_end={}", id,
                    epoch_end);
    }
    return {};
}

void LogIndex::append(Offset base, Offset end, LeaderEpoch epoch) {
    MOLDAU_ASSERT(base == end_);
    MOLDAU_ASSERT(base < end);
    MOLDAU_ASSERT(epochs_.empty() || epochs_.rbegin()->first <= epoch);
    epochs_.try_emplace(epoch, base);
    end_ = end;
}

void LogIndex::truncate_to(Offset end) {
    MOLDAU_ASSERT(start_ <= end && end <= end_);
    end_ = end;
    std::erase_if(epochs_, [&](const auto& entry) { return entry.second >= end; });
}

void LogIndex::reset_to(const SnapshotId& snapshot) {
    start_ = snapshot.offset;
    end_ = snapshot.offset;
    epochs_.clear();
    snapshots_.clear();
    snapshots_.insert(snapshot);
}

void LogIndex::start_at(Offset start) {
    MOLDAU_ASSERT(start_ <= start && start <= end_);
    start_ = start;
    std::erase_if(snapshots_, [&](const SnapshotId& id) { return id.offset < start; });
    // The epoch that holds `start` now begins there.
    auto after = epochs_.upper_bound(last_epoch());
    while (after != epochs_.begin()) {
        --after;
        if (after->second <= start) {
            after->second = start;
            epochs_.erase(epochs_.begin(), after);
            break;
        }
    }
    if (start_ == end_) {
        epochs_.clear();
    }
}

}  // namespace moldau::consensus
