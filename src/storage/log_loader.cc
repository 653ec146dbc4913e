// Opening a Log: finishing what a crash interrupted, and checking what it may have damaged.
#include <algorithm>
#include <limits>

#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/checkpoint_file.h"
#include "storage/log.h"
#include "storage/partition_metadata.h"
#include "storage/producer_replay.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.LogLoader");

bool is_segment_file(std::string_view name) {
    return offset_of_file_name(name) &&
           (name.ends_with(kLogSuffix) || name.ends_with(kOffsetIndexSuffix) ||
            name.ends_with(kTimeIndexSuffix) || name.ends_with(kTransactionIndexSuffix) ||
            name.ends_with(kSnapshotSuffix));
}

// The offset after the last batch of a data file that is not a segment yet.
Result<Offset> next_offset_of_file(runtime::FileSystem& files, const std::string& path,
                                   Offset base) {
    MOLDAU_TRY(auto file, files.open(path, runtime::OpenMode::Read));
    std::array<uint8_t, record::kBatchHeaderBytes> bytes;
    uint64_t position = 0;
    Offset next = base;
    while (true) {
        MOLDAU_TRY(size_t got, file->read(bytes, position));
        if (got < bytes.size()) {
            return next;
        }
        auto header = record::BatchHeader::read(bytes.data());
        if (header.batch_length < 0 || header.last_offset_delta < 0) {
            return next;
        }
        next = header.next_offset();
        position += header.size_in_bytes();
    }
}

}  // namespace

class LogLoader {
 public:
    LogLoader(Log& log, bool clean, std::optional<ProducerState> producers, std::stop_token stop,
              TimestampMs now)
        : log_(log),
          files_(log.context_.cache->files()),
          clean_(clean),
          kept_producers_(std::move(producers)),
          stop_(std::move(stop)),
          now_(now) {}

    Status load() {
        MOLDAU_CHECK(remove_leftovers());
        MOLDAU_CHECK(finish_swaps());
        MOLDAU_CHECK(find_segments());
        bool recovered = false;
        if (log_.segments_.empty()) {
            MOLDAU_CHECK(log_.start_segment(log_.log_start_offset_, now_));
            log_.log_end_offset_ = log_.log_start_offset_;
        } else if (clean_) {
            MOLDAU_TRY(log_.log_end_offset_, log_.active().read_next_offset());
        } else {
            MOLDAU_CHECK(recover());
            recovered = true;
        }
        if (log_.log_end_offset_ < log_.log_start_offset_) {
            MOLDAU_LOG_WARN(logger,
                            "Deleting all segments because logEndOffset ({}) is smaller than "
                            "logStartOffset {}. This could happen if segment files were deleted "
                            "from the file system. partition={}",
                            log_.log_end_offset_, log_.log_start_offset_, log_.name_);
            MOLDAU_CHECK(start_anew());
            recovered = false;
        }
        log_.log_start_offset_ =
            std::max(log_.log_start_offset_, log_.segments_.front()->base_offset());
        log_.recovery_point_ =
            clean_ ? log_.log_end_offset_ : std::min(log_.recovery_point_, log_.log_end_offset_);
        log_.fit_high_watermark();
        log_.epochs_.truncate_from_end(log_.log_end_offset_);
        log_.epochs_.truncate_from_start(log_.log_start_offset_);
        return load_producers(recovered);
    }

 private:
    Status remove_file(const std::string& name) {
        auto removed = files_.remove(runtime::join_path(log_.dir_, name));
        if (!removed && !runtime::is_missing(removed.error())) {
            return removed;
        }
        return {};
    }

    // `.deleted` was on its way out; `.cleaned` was never complete, nor is a `.swap` at or above
    // one.
    Status remove_leftovers() {
        MOLDAU_TRY(auto entries, files_.list(log_.dir_));
        std::optional<Offset> cleaned_min;
        for (const auto& entry : entries) {
            if (entry.name.ends_with(kCleanedSuffix)) {
                auto offset = offset_of_file_name(entry.name);
                if (offset && (!cleaned_min || *offset < *cleaned_min)) {
                    cleaned_min = offset;
                }
            }
        }
        for (const auto& entry : entries) {
            if (entry.is_directory) {
                continue;
            }
            std::string_view name = entry.name;
            bool doomed = name.ends_with(kCleanedSuffix);
            if (name.ends_with(kDeletedSuffix)) {
                // The quorum's snapshots are none of our business.
                name.remove_suffix(kDeletedSuffix.size());
                doomed = is_segment_file(name);
            } else if (name.ends_with(kSwapSuffix)) {
                auto offset = offset_of_file_name(name);
                doomed = offset && cleaned_min && *offset >= *cleaned_min;
            }
            if (doomed) {
                MOLDAU_CHECK(remove_file(entry.name));
            }
        }
        return {};
    }

    // A `.swap` is complete: it replaces whatever lies in its range of offsets.
    Status finish_swaps() {
        MOLDAU_TRY(auto entries, files_.list(log_.dir_));
        Offset min{std::numeric_limits<int64_t>::max()};
        Offset end{-1};
        std::string log_swap = std::string(kLogSuffix) + std::string(kSwapSuffix);
        for (const auto& entry : entries) {
            auto base = offset_of_file_name(entry.name);
            if (base && entry.name.ends_with(log_swap)) {
                MOLDAU_TRY(
                    Offset next,
                    next_offset_of_file(files_, runtime::join_path(log_.dir_, entry.name), *base));
                min = std::min(min, *base);
                end = std::max(end, next);
            }
        }
        for (const auto& entry : entries) {
            auto offset = offset_of_file_name(entry.name);
            if (is_segment_file(entry.name) && *offset >= min && *offset < end) {
                MOLDAU_LOG_INFO(logger,
                                "Deleting segment files {} that is compacted but has not been "
                                "deleted yet.",
                                entry.name);
                MOLDAU_CHECK(remove_file(entry.name));
            }
        }
        if (end > min) {
            // Gone for good before anything takes their place.
            MOLDAU_CHECK(files_.sync_directory(log_.dir_));
        }
        for (const auto& entry : entries) {
            if (!entry.name.ends_with(kSwapSuffix) || !offset_of_file_name(entry.name)) {
                continue;
            }
            std::string from = runtime::join_path(log_.dir_, entry.name);
            MOLDAU_LOG_INFO(logger, "Recovering file {} by renaming from {} files.", entry.name,
                            kSwapSuffix);
            MOLDAU_CHECK(files_.rename(from, from.substr(0, from.size() - kSwapSuffix.size())));
            ++log_.directory_changes_;
        }
        return {};
    }

    Status find_segments() {
        MOLDAU_TRY(auto entries, files_.list(log_.dir_));
        std::vector<Offset> indexed;
        for (const auto& entry : entries) {
            auto base = offset_of_file_name(entry.name);
            if (!base || !is_segment_file(entry.name)) {
                continue;
            }
            if (entry.name.ends_with(kSnapshotSuffix)) {
                log_.snapshots_.push_back(*base);
            } else if (entry.name.ends_with(kLogSuffix)) {
                MOLDAU_TRY(auto info, files_.stat(runtime::join_path(log_.dir_, entry.name)));
                log_.segments_.push_back(Segment::existing(*log_.context_.cache, log_.dir_, *base,
                                                           static_cast<int64_t>(info.size),
                                                           log_.segment_limits()));
            }
        }
        // Sorted by name is sorted by offset. What indexes a missing data file is of no use.
        for (const auto& entry : entries) {
            auto base = offset_of_file_name(entry.name);
            bool index = base && is_segment_file(entry.name) &&
                         !entry.name.ends_with(kSnapshotSuffix) &&
                         !entry.name.ends_with(kLogSuffix);
            if (index && !has_segment(*base)) {
                MOLDAU_LOG_WARN(logger,
                                "Found an orphaned index file {}, with no corresponding log file.",
                                runtime::join_path(log_.dir_, entry.name));
                MOLDAU_CHECK(remove_file(entry.name));
            }
        }
        return {};
    }

    bool has_segment(Offset base) const {
        return std::any_of(log_.segments_.begin(), log_.segments_.end(),
                           [&](const auto& segment) { return segment->base_offset() == base; });
    }

    Status recover() {
        size_t first = log_.segment_index_for(log_.recovery_point_);
        // The segment before may not have lost its preallocated room yet when the machine stopped.
        if (first > 0 && log_.segments_[first]->base_offset() == log_.recovery_point_) {
            Segment& before = *log_.segments_[first - 1];
            MOLDAU_TRY(bool whole, before.ends_whole());
            log_.keep_warm(before);
            first -= whole ? 0 : 1;
        }
        // Snapshots above it may describe what is lost now.
        MOLDAU_CHECK(log_.load_producers(
            std::max(log_.segments_[first]->base_offset(), log_.log_start_offset_), now_));
        size_t count = log_.segments_.size() - first;
        for (size_t i = first; i < log_.segments_.size(); ++i) {
            Segment& segment = *log_.segments_[i];
            MOLDAU_LOG_INFO(logger, "Recovering unflushed segment {}. {}/{} recovered for {}.",
                            segment.base_offset(), i - first, count, log_.name_);
            Offset next = segment.base_offset();
            MOLDAU_TRY(int64_t cut, segment.recover([&](const record::BatchView& batch) {
                next = batch.header().next_offset();
                return visit(segment, batch);
            }));
            log_.log_end_offset_ = next;
            // Data and names reach the device in any order: a later segment may be there although
            // the end of this one is not. Only compaction leaves holes on purpose.
            bool hole =
                i + 1 < log_.segments_.size() && log_.segments_[i + 1]->base_offset() != next;
            bool lost = hole && (cut > 0 || !log_.config_->cleanup_compact);
            if (cut > 0 || lost) {
                MOLDAU_LOG_WARN(logger,
                                "Corruption found in segment {} of {}, truncating to offset {}: "
                                "{} bytes dropped",
                                segment.base_offset(), log_.name_, next, cut);
            }
            if (lost) {
                MOLDAU_CHECK(drop_segments_from(i + 1));
            }
            bool last = i + 1 == log_.segments_.size();
            MOLDAU_CHECK(last ? Status() : segment.write_indexes(true));
            if (!last) {
                log_.keep_warm(segment);
            }
        }
        return {};
    }

    Status visit(Segment& segment, const record::BatchView& batch) {
        if (stop_.stop_requested()) {
            return fail(ErrorCode::BrokerNotAvailable, "recovery was interrupted: partition={}",
                        log_.name_);
        }
        const record::BatchHeader& header = batch.header();
        if (header.leader_epoch >= 0) {
            auto latest = log_.epochs_.latest();
            if (!latest || latest->epoch.value() < header.leader_epoch) {
                MOLDAU_TRY(
                    [[maybe_unused]] bool changed,
                    log_.epochs_.assign(LeaderEpoch(header.leader_epoch), header.first_offset()));
            }
        }
        if (header.next_offset() <= log_.producers_.map_end_offset()) {
            return {};
        }
        MOLDAU_TRY(auto completed, replay_batch(log_.producers_, batch));
        for (const CompletedTxn& txn : completed) {
            if (txn.aborted) {
                segment.append_aborted({txn.producer_id, txn.first_offset, txn.last_offset,
                                        log_.producers_.last_stable_offset_after(txn)});
            }
            log_.producers_.complete(txn);
        }
        return {};
    }

    // From the last to the first, so that a crash leaves no gap.
    Status drop_segments_from(size_t first) {
        while (log_.segments_.size() > first) {
            Offset base = log_.segments_.back()->base_offset();
            log_.segments_.pop_back();
            MOLDAU_CHECK(Segment::remove_files(files_, log_.dir_, base));
            ++log_.directory_changes_;
        }
        return {};
    }

    Status start_anew() {
        MOLDAU_CHECK(drop_segments_from(0));
        log_.epochs_.clear();
        for (Offset offset : std::vector(log_.snapshots_)) {
            MOLDAU_CHECK(log_.remove_snapshot(offset));
        }
        MOLDAU_CHECK(log_.start_segment(log_.log_start_offset_, now_));
        log_.log_end_offset_ = log_.log_start_offset_;
        return {};
    }

    Status load_producers(bool recovered) {
        Offset end = log_.log_end_offset_;
        if (recovered) {
            // The walk over the segments has built the state already.
            for (Offset offset : std::vector(log_.snapshots_)) {
                if (offset > end) {
                    MOLDAU_CHECK(log_.remove_snapshot(offset));
                }
            }
            log_.producers_.set_map_end_offset(end);
            log_.producers_.remove_expired(now_);
            log_.producers_.on_high_watermark(log_.high_watermark_);
            return log_.take_producer_snapshot();
        }
        // Those of segments help truncation, the newest loads; others are in the way.
        for (Offset offset : std::vector(log_.snapshots_)) {
            if (!has_segment(offset) && offset != log_.snapshots_.back()) {
                MOLDAU_CHECK(log_.remove_snapshot(offset));
            }
        }
        if (clean_ && kept_producers_ && kept_producers_->map_end_offset() == end) {
            log_.producers_ = *std::move(kept_producers_);
            log_.producers_.remove_expired(now_);
            log_.producers_.on_high_watermark(log_.high_watermark_);
            return {};
        }
        // A clean stop leaves a snapshot unless there was nothing to remember.
        if (clean_ && log_.snapshots_.empty()) {
            log_.producers_.clear(end);
            return {};
        }
        return log_.load_producers(end, now_);
    }

    Log& log_;
    runtime::FileSystem& files_;
    const bool clean_;
    std::optional<ProducerState> kept_producers_;
    const std::stop_token stop_;
    const TimestampMs now_;
};

Result<std::unique_ptr<Log>> Log::open(LogContext context, LogOptions options, TimestampMs now) {
    runtime::FileSystem& files = context.cache->files();
    MOLDAU_CHECK(files.create_directories(options.dir));
    MOLDAU_TRY(
        LeaderEpochCache epochs,
        LeaderEpochCache::load(files, runtime::join_path(options.dir, kLeaderEpochCheckpoint)));
    bool clean = options.clean_shutdown;
    std::stop_token stop = options.stop;
    std::optional<ProducerState> producers = std::move(options.producers);
    std::unique_ptr<Log> log(new Log(std::move(context), std::move(options), std::move(epochs)));
    MOLDAU_TRY(log->topic_id_, read_partition_metadata(files, log->dir_));
    MOLDAU_CHECK(LogLoader(*log, clean, std::move(producers), std::move(stop), now).load());
    log->durable_.reset(log->log_end_offset_);
    if (log->journals() && log->recovery_point_ < log->log_end_offset_) {
        // Not synced, and found after a crash: it does not count before it is.
        log->durable_.reset(log->recovery_point_);
        log->durable_.needs_sync(log->log_end_offset_);
    }
    // Nobody synced the directory of a log without a record: LogManager makes it in passing.
    bool is_empty = log->segments_.size() == 1 && log->active().size() == 0;
    log->parent_unsynced_ = is_empty;
    log->directory_changes_ += is_empty ? 1 : 0;
    log->last_flush_ms_ = now;
    return log;
}

}  // namespace moldau::storage
