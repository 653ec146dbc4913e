// How a Log's producer state survives: snapshot files at rolls and at the close, replay in between.
#include <algorithm>

#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/log.h"
#include "storage/producer_replay.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.UnifiedLog");

constexpr Duration kForever = std::chrono::hours(24 * 365 * 100);

// Follows the batches of one segment, from where the state is up to `end`; `ended` sees each
// transaction that ends just before it is completed.
Status replay_segment(ProducerState& state, Segment& segment, Offset end,
                      const std::function<void(const CompletedTxn&)>& ended) {
    Offset from = std::max(state.map_end_offset(), segment.base_offset());
    MOLDAU_TRY(auto located, segment.locate(from));
    if (!located) {
        return {};
    }
    Status outcome;
    MOLDAU_CHECK(segment.for_each_header(
        located->position, [&](const record::BatchHeader& header, int64_t position) {
            if (header.first_offset() >= end) {
                return false;
            }
            // Only a marker's records matter: the rest is told by the header.
            if (!header.has_producer_id()) {
                return true;
            }
            outcome = [&]() -> Status {
                MOLDAU_TRY(auto batch, segment.read_batch({position, header}));
                MOLDAU_TRY(auto completed, replay_batch(state, batch));
                for (const CompletedTxn& txn : completed) {
                    ended(txn);
                    state.complete(txn);
                }
                return {};
            }();
            return outcome.has_value();
        }));
    return outcome;
}

}  // namespace

Status Log::take_producer_snapshot() {
    Offset at = producers_.map_end_offset();
    if (!snapshots_.empty() && at <= snapshots_.back()) {
        return {};
    }
    // Not synced: a snapshot that does not survive is replaced by an older one and replay.
    auto written = [&]() -> Status {
        MOLDAU_TRY(auto file, context_.cache->files().open(segment_path(dir_, at, kSnapshotSuffix),
                                                           runtime::OpenMode::Create));
        Bytes content = producers_.encode_snapshot();
        MOLDAU_CHECK(file->truncate(content.size()));
        return file->write(content.span(), 0);
    }();
    MOLDAU_CHECK(checked(written, "producer snapshot cannot be written"));
    snapshots_.push_back(at);
    return {};
}

Status Log::remove_snapshot(Offset offset) {
    std::erase(snapshots_, offset);
    auto removed = context_.cache->files().remove(segment_path(dir_, offset, kSnapshotSuffix));
    if (!removed && !runtime::is_missing(removed.error())) {
        return checked(removed, "producer snapshot cannot be removed");
    }
    return {};
}

Status Log::load_producers(Offset end, TimestampMs now) {
    for (Offset offset : std::vector(snapshots_)) {
        if (offset > end || offset <= log_start_offset_) {
            MOLDAU_CHECK(remove_snapshot(offset));
        }
    }
    producers_.clear(log_start_offset_);
    while (!snapshots_.empty()) {
        Offset at = snapshots_.back();
        auto content = context_.cache->files().read_file(segment_path(dir_, at, kSnapshotSuffix));
        if (content) {
            auto loaded = producers_.load_snapshot(content->span(), at, now);
            if (loaded) {
                break;
            }
            MOLDAU_LOG_WARN(logger, "Failed to load producer snapshot: partition={} offset={} {}",
                            name_, at, loaded.error().message);
        } else if (!runtime::is_missing(content.error())) {
            return fail(content.error());
        }
        producers_.clear(log_start_offset_);
        MOLDAU_CHECK(remove_snapshot(at));
    }
    for (size_t i = segment_index_for(producers_.map_end_offset()); i < segments_.size(); ++i) {
        if (segments_[i]->base_offset() >= end || producers_.map_end_offset() >= end) {
            break;
        }
        MOLDAU_CHECK(replay_producers(*segments_[i], end));
    }
    producers_.set_map_end_offset(end);
    producers_.remove_expired(now);
    producers_.on_high_watermark(high_watermark_);
    return {};
}

Status Log::replay_producers(Segment& segment, Offset end) {
    auto replayed = replay_segment(producers_, segment, end, [](const CompletedTxn&) {});
    keep_warm(segment);
    return replayed;
}

Result<const TransactionIndex*> Log::transactions_of(size_t segment) {
    auto index = segments_[segment]->transactions();
    if (index || index.error().code != ErrorCode::CorruptMessage) {
        return index;
    }
    MOLDAU_LOG_WARN(logger,
                    "Found a corrupted index file corresponding to log file {} due to {}, "
                    "recovering segment and rebuilding index files...",
                    segment_path(dir_, segments_[segment]->base_offset(), kLogSuffix),
                    index.error().message);
    MOLDAU_CHECK(rebuild_transactions(segment));
    return segments_[segment]->transactions();
}

// A state of its own follows the log up to the segment, then notes what is aborted in it.
Status Log::rebuild_transactions(size_t segment) {
    Segment& damaged = *segments_[segment];
    ProducerState state(name_, kForever);
    state.clear(log_start_offset_);
    for (auto at = snapshots_.rbegin(); at != snapshots_.rend(); ++at) {
        if (*at > damaged.base_offset()) {
            continue;
        }
        auto content = context_.cache->files().read_file(segment_path(dir_, *at, kSnapshotSuffix));
        if (content && state.load_snapshot(content->span(), *at, 0)) {
            break;
        }
        state.clear(log_start_offset_);
    }
    TransactionIndex index;
    for (size_t i = segment_index_for(state.map_end_offset()); i <= segment; ++i) {
        MOLDAU_CHECK(replay_segment(state, *segments_[i], segment_end(i), [&](const auto& txn) {
            if (i == segment && txn.aborted) {
                index.append({txn.producer_id, txn.first_offset, txn.last_offset,
                              state.last_stable_offset_after(txn)});
            }
        }));
    }
    return damaged.set_transactions(std::move(index));
}

}  // namespace moldau::storage
