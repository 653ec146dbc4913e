// What happens to a Log besides reading and appending: rolls, truncation, retention, flush, close.
#include <algorithm>

#include "base/assert.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/journal.h"
#include "storage/log.h"
#include "storage/partition_metadata.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.UnifiedLog");

}  // namespace

std::string_view to_string(DeletionReason reason) {
    switch (reason) {
        case DeletionReason::RetentionTime:
            return "log retention time breach";
        case DeletionReason::RetentionBytes:
            return "log retention size breach";
        case DeletionReason::LogStart:
            return "log start offset breach";
    }
    return "";
}

Status Log::assign_topic_id(const Uuid& topic_id) {
    if (topic_id_ == topic_id) {
        return {};
    }
    if (!topic_id_.is_zero()) {
        return fail(ErrorCode::InconsistentTopicId,
                    "log belongs to another topic: partition={} topic_id={} wanted={}", name_,
                    topic_id_, topic_id);
    }
    MOLDAU_CHECK(checked(write_partition_metadata(context_.cache->files(), dir_, topic_id),
                         "partition metadata cannot be written"));
    topic_id_ = topic_id;
    return {};
}

Result<bool> Log::must_roll(size_t bytes, Offset last, TimestampMs max_timestamp, TimestampMs now) {
    Segment& segment = active();
    if (segment.size() > config_->effective_segment_bytes() - static_cast<int64_t>(bytes) ||
        !segment.can_hold(last)) {
        return true;
    }
    auto full = segment.indexes_full();
    if (!full) {
        return fail(refused(full.error(), "index cannot be read"));
    }
    if (*full || segment.empty()) {
        return *full;
    }
    auto first_timestamp = segment.first_batch_timestamp();
    if (!first_timestamp) {
        return fail(refused(first_timestamp.error(), "segment cannot be read"));
    }
    // Time is told by the records, so that what is replayed years later rolls all the same.
    bool told = *first_timestamp && **first_timestamp >= 0;
    int64_t waited = told ? max_timestamp - **first_timestamp : now - segment_created_ms_;
    int64_t segment_ms = config_->cleanup_compact
                             ? std::min(config_->segment_ms, config_->max_compaction_lag_ms)
                             : config_->segment_ms;
    return waited > segment_ms - segment_jitter_ms_;
}

Status Log::roll_if_needed(size_t bytes, Offset first, Offset last, TimestampMs max_timestamp,
                           TimestampMs now) {
    MOLDAU_TRY(bool roll, must_roll(bytes, last, max_timestamp, now));
    if (!roll || (active().empty() && active().base_offset() == first)) {
        return {};
    }
    return roll_to(std::max(first, log_end_offset_), now);
}

Status Log::roll(TimestampMs now) {
    MOLDAU_CHECK(check_usable());
    if (active().base_offset() == log_end_offset_) {
        return {};
    }
    return roll_to(log_end_offset_, now);
}

Status Log::roll_to(Offset base, TimestampMs now) {
    Segment& closing = active();
    MOLDAU_CHECK(take_producer_snapshot());
    MOLDAU_CHECK(checked(closing.load_indexes(), "index cannot be read"));
    MOLDAU_CHECK(checked(closing.write_indexes(true), "index cannot be written"));
    MOLDAU_CHECK(checked(closing.trim(), "segment cannot be trimmed"));
    // A lost end must not make a hole between segments that recovery does not see: it takes those
    // of a compacted log for compaction's, and looks at nothing below the recovery point in the
    // file.
    bool is_hidden = recovery_point_ < base && base <= recovery_point_told_;
    if (config_->cleanup_compact || is_hidden) {
        MOLDAU_CHECK(sync_segments());
    }
    MOLDAU_CHECK(start_segment(base, now));
    keep_warm(closing);
    MOLDAU_LOG_INFO(logger, "[UnifiedLog partition={}] Rolled new log segment at offset {}", name_,
                    base);
    return {};
}

Status Log::start_segment(Offset base, TimestampMs now) {
    // A leftover of that name holds nothing that was acknowledged: its records would be in the log.
    MOLDAU_CHECK(
        checked(Segment::remove_files(context_.cache->files(), dir_, base), "stale segment stays"));
    auto segment = Segment::create(*context_.cache, dir_, base, segment_limits(),
                                   config_->preallocate ? config_->effective_segment_bytes() : 0);
    if (!segment) {
        return fail(refused(segment.error(), "segment cannot be created"));
    }
    segments_.push_back(std::move(*segment));
    segment_created_ms_ = now;
    ++directory_changes_;
    // Spread by name and offset, so that partitions created together do not roll together.
    segment_jitter_ms_ =
        config_->segment_jitter_ms <= 0
            ? 0
            : static_cast<int64_t>((std::hash<std::string>()(name_) +
                                    static_cast<uint64_t>(base.value()) * 0x9e3779b97f4a7c15ULL) %
                                   static_cast<uint64_t>(config_->segment_jitter_ms));
    return {};
}

Offset Log::segment_end(size_t index) const {
    return index + 1 < segments_.size() ? segments_[index + 1]->base_offset() : log_end_offset_;
}

void Log::lower_recovery_point(Offset offset) {
    recovery_point_told_ = std::max(recovery_point_told_, recovery_point_);
    recovery_point_ = std::min(recovery_point_, offset);
    ++truncations_;
}

Status Log::discard_segments(size_t first, size_t last, TimestampMs now) {
    return rename_deleted(first, last, now, false);
}

Status Log::rename_deleted(size_t first, size_t last, TimestampMs now, bool keep_first_snapshot) {
    Doomed doomed;
    doomed.due = now + config_->file_delete_delay_ms;
    for (size_t i = first; i < last; ++i) {
        Segment& segment = *segments_[first];
        Offset base = segment.base_offset();
        MOLDAU_CHECK(checked(segment.mark_deleted(), "segment cannot be renamed"));
        for (std::string_view suffix :
             {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
            doomed.paths.push_back(segment_path(dir_, base, suffix) + std::string(kDeletedSuffix));
        }
        std::erase(warm_, &segment);
        segments_.erase(segments_.begin() + static_cast<ptrdiff_t>(first));
        ++directory_changes_;
        if (i > first || !keep_first_snapshot) {
            MOLDAU_CHECK(remove_snapshot(base));
        }
    }
    doomed_.push_back(std::move(doomed));
    return {};
}

Status Log::sync_directory() {
    MOLDAU_CHECK(
        checked(context_.cache->files().sync_directory(dir_), "directory cannot be synced"));
    directory_changes_synced_ = directory_changes_;
    return {};
}

Result<std::vector<SegmentFacts>> Log::rolled_segments() {
    runtime::FileSystem& files = context_.cache->files();
    bool lags = config_->min_compaction_lag_ms > 0 ||
                config_->max_compaction_lag_ms != config::LogConfig::kUnlimited;
    std::vector<SegmentFacts> all;
    for (size_t i = 0; i + 1 < segments_.size(); ++i) {
        Segment& segment = *segments_[i];
        SegmentFacts facts{segment.base_offset(), segment_end(i), segment.size()};
        MOLDAU_TRY(auto info, files.stat(segment.path(kLogSuffix)));
        facts.modified_ms = info.modified_ms;
        auto size_of = [&](std::string_view suffix) {
            auto index = files.stat(segment.path(suffix));
            return index ? static_cast<int64_t>(index->size) : 0;
        };
        facts.offset_index_bytes = size_of(kOffsetIndexSuffix);
        facts.time_index_bytes = size_of(kTimeIndexSuffix);
        if (lags) {
            MOLDAU_TRY(facts.largest_timestamp, segment.largest_timestamp());
            MOLDAU_TRY(auto first, segment.first_batch_timestamp());
            facts.first_timestamp = first.value_or(kNoTimestamp);
            keep_warm(segment);
        }
        all.push_back(facts);
    }
    return all;
}

Result<std::vector<AbortedTxn>> Log::aborted_between(Offset start, Offset end) {
    std::vector<AbortedTxn> aborted;
    for (size_t i = segment_index_for(start); i < segments_.size(); ++i) {
        MOLDAU_TRY(auto transactions, transactions_of(i));
        if (transactions->collect(start, end, aborted)) {
            break;
        }
    }
    return aborted;
}

LastOfProducers Log::last_of_producers() const {
    LastOfProducers all;
    for (const auto& [id, entry] : producers_.producers()) {
        all[id] = {entry.empty() ? std::nullopt : std::optional(entry.last_offset()),
                   entry.producer_epoch};
    }
    return all;
}

Status Log::sync_segments() {
    for (size_t i = segment_index_for(recovery_point_); i < segments_.size(); ++i) {
        auto files = segments_[i]->files_to_sync();
        if (!files) {
            return fail(refused(files.error(), "segment cannot be opened"));
        }
        for (const auto& file : *files) {
            if (auto synced = file->sync(); !synced) {
                return fail(refused({ErrorCode::KafkaStorageError, synced.error().message},
                                    "segment cannot be synced"));
            }
        }
    }
    return {};
}

Result<bool> Log::truncate_to(Offset offset, TimestampMs now) {
    MOLDAU_CHECK(check_usable());
    if (offset.value() < 0) {
        return fail(ErrorCode::InvalidRequest,
                    "Cannot truncate partition {} to a negative offset ({})", name_, offset);
    }
    if (offset >= log_end_offset_) {
        return false;
    }
    MOLDAU_LOG_INFO(logger, "[UnifiedLog partition={}] Truncating to offset {}", name_, offset);
    MOLDAU_CHECK(abandon_swap());
    if (segments_.front()->base_offset() > offset) {
        MOLDAU_CHECK(truncate_fully_and_start_at(offset, now));
        return true;
    }
    size_t keep = segment_index_for(offset) + 1;
    // One after the other, from the back, each made durable: a crash must not leave a hole.
    while (segments_.size() > keep) {
        MOLDAU_CHECK(discard_segments(segments_.size() - 1, segments_.size(), now));
        MOLDAU_CHECK(sync_directory());
    }
    if (auto transactions = transactions_of(segments_.size() - 1); !transactions) {
        return fail(refused(transactions.error(), "transaction index cannot be read"));
    }
    auto cut = active().truncate_to(offset);
    if (!cut) {
        return fail(refused(cut.error(), "segment cannot be truncated"));
    }
    std::erase(warm_, &active());
    auto end = active().read_next_offset();
    if (!end) {
        return fail(refused(end.error(), "segment cannot be read"));
    }
    // A batch that holds `offset` goes as a whole.
    log_end_offset_ = *cut == 0 ? offset : std::min(*end, offset);
    lower_recovery_point(log_end_offset_);
    log_start_offset_ = std::min(log_start_offset_, log_end_offset_);
    epochs_.truncate_from_end(log_end_offset_);
    fit_high_watermark();
    MOLDAU_CHECK(load_producers(log_end_offset_, now));
    truncated(log_end_offset_);
    // What was dropped must not come back after a crash, in the place of what is appended next.
    MOLDAU_CHECK(checked(epochs_.flush(), "leader epochs cannot be written"));
    auto files = active().files_to_sync();
    if (!files) {
        return fail(refused(files.error(), "segment cannot be opened"));
    }
    for (const auto& file : *files) {
        if (auto synced = file->sync(); !synced) {
            return fail(refused({ErrorCode::KafkaStorageError, synced.error().message},
                                "truncation cannot be made durable"));
        }
    }
    MOLDAU_CHECK(sync_directory());
    return true;
}

Status Log::truncate_fully_and_start_at(Offset offset, TimestampMs now) {
    MOLDAU_CHECK(check_usable());
    MOLDAU_LOG_INFO(logger, "[UnifiedLog partition={}] Truncate and start at offset {}", name_,
                    offset);
    MOLDAU_CHECK(abandon_swap());
    while (!segments_.empty()) {
        MOLDAU_CHECK(discard_segments(segments_.size() - 1, segments_.size(), now));
        MOLDAU_CHECK(sync_directory());
    }
    if (auto started = start_segment(offset, now); !started) {
        // Even a full device is final here: there is no segment left to go on with.
        fail_with(started.error());
        return started;
    }
    log_start_offset_ = offset;
    log_end_offset_ = offset;
    lower_recovery_point(offset);
    epochs_.clear();
    MOLDAU_CHECK(checked(epochs_.flush(), "leader epochs cannot be written"));
    for (Offset snapshot : std::vector(snapshots_)) {
        MOLDAU_CHECK(remove_snapshot(snapshot));
    }
    producers_.clear(offset);
    high_watermark_ = offset;
    durable_.reset(offset);
    truncated(Offset(0));
    return sync_directory();
}

Result<bool> Log::advance_log_start(Offset offset) {
    MOLDAU_CHECK(check_usable());
    if (offset > high_watermark_) {
        return fail(
            ErrorCode::OffsetOutOfRange,
            "Cannot increment the log start offset to {} of partition {} since it is larger "
            "than the high watermark {}",
            offset, name_, high_watermark_);
    }
    if (offset <= log_start_offset_) {
        return false;
    }
    log_start_offset_ = offset;
    epochs_.truncate_from_start(offset);
    producers_.on_high_watermark(offset);
    return true;
}

Result<size_t> Log::count_expired(TimestampMs now, DeletionReason& reason) {
    // Nothing above the high watermark goes: it is not committed yet.
    auto committed = [&](size_t i) {
        return segment_end(i) <= high_watermark_ &&
               !(i + 1 == segments_.size() && segments_[i]->empty());
    };
    size_t count = 0;
    reason = DeletionReason::LogStart;
    while (count + 1 < segments_.size() && committed(count) &&
           segments_[count + 1]->base_offset() <= log_start_offset_) {
        ++count;
    }
    if (count > 0 || !config_->cleanup_delete) {
        return count;
    }
    if (config_->retention_bytes >= 0) {
        reason = DeletionReason::RetentionBytes;
        int64_t excess = size_in_bytes() - config_->retention_bytes;
        while (count < segments_.size() && committed(count) && excess >= segments_[count]->size()) {
            excess -= segments_[count]->size();
            ++count;
        }
        if (count > 0) {
            return count;
        }
    }
    if (config_->retention_ms >= 0) {
        reason = DeletionReason::RetentionTime;
        while (count < segments_.size() && committed(count)) {
            auto largest = segments_[count]->largest_timestamp();
            keep_warm(*segments_[count]);
            if (!largest) {
                return fail(refused(largest.error(), "segment cannot be read"));
            }
            if (now - *largest <= config_->retention_ms) {
                break;
            }
            ++count;
        }
    }
    return count;
}

Result<size_t> Log::apply_retention(TimestampMs now) {
    MOLDAU_CHECK(check_usable());
    size_t deleted = 0;
    while (true) {
        DeletionReason reason{};
        MOLDAU_TRY(size_t count, count_expired(now, reason));
        if (count == 0) {
            return deleted;
        }
        if (count == segments_.size()) {
            MOLDAU_CHECK(roll(now));
        }
        MOLDAU_LOG_INFO(
            logger,
            "[UnifiedLog partition={}] Deleting {} segments due to {} breach, log start "
            "offset {} -> {}",
            name_, count, to_string(reason), log_start_offset_,
            std::max(log_start_offset_, segments_[count]->base_offset()));
        // What stays must be there after a crash when what goes is not: the log would begin anew.
        if (directory_changes_ != directory_changes_synced_) {
            MOLDAU_CHECK(sync_directory());
        }
        MOLDAU_TRY([[maybe_unused]] bool moved, advance_log_start(segments_[count]->base_offset()));
        MOLDAU_CHECK(discard_segments(0, count, now));
        deleted += count;
    }
}

size_t Log::remove_deleted(TimestampMs now) {
    while (!doomed_.empty() && doomed_.front().due <= now) {
        for (const std::string& path : doomed_.front().paths) {
            auto removed = context_.cache->files().remove(path);
            if (!removed && !runtime::is_missing(removed.error())) {
                MOLDAU_LOG_WARN(logger, "{}", removed.error().message);
            }
        }
        doomed_.pop_front();
    }
    return doomed_.size();
}

Status FlushTask::run() {
    for (const auto& file : to_sync_) {
        MOLDAU_CHECK(file->sync());
    }
    for (const std::string& directory : directories_) {
        MOLDAU_CHECK(files_->sync_directory(directory));
    }
    return {};
}

Result<FlushTask> Log::begin_flush(bool rolled_only) {
    MOLDAU_CHECK(check_usable());
    MOLDAU_CHECK(checked(epochs_.flush(), "leader epochs cannot be written"));
    FlushTask task;
    task.end_offset_ = rolled_only ? active_segment_base() : log_end_offset_;
    task.truncations_ = truncations_;
    task.files_ = &context_.cache->files();
    if (task.end_offset_ > recovery_point_) {
        size_t end = segments_.size() - (rolled_only ? 1 : 0);
        for (size_t i = segment_index_for(recovery_point_); i < end; ++i) {
            auto files = segments_[i]->files_to_sync();
            if (!files) {
                return fail(refused(files.error(), "segment cannot be opened"));
            }
            task.to_sync_.insert(task.to_sync_.end(), files->begin(), files->end());
        }
    }
    task.directory_changes_ = directory_changes_;
    if (directory_changes_ != directory_changes_synced_) {
        task.directories_.push_back(dir_);
    }
    if (parent_unsynced_) {
        task.directories_.push_back(runtime::parent_path(dir_));
        auto metadata = task.files_->open(runtime::join_path(dir_, kPartitionMetadata),
                                          runtime::OpenMode::ReadWrite);
        if (metadata) {
            task.to_sync_.push_back(std::move(*metadata));
        } else if (!runtime::is_missing(metadata.error())) {
            return fail(refused(metadata.error(), "partition metadata cannot be opened"));
        }
    }
    return task;
}

Status Log::end_flush(const FlushTask& task, const Status& outcome) {
    if (!outcome) {
        // What the device lost is unknown; asking it again would hide the loss.
        return fail(
            refused({ErrorCode::KafkaStorageError, outcome.error().message}, "flush failed"));
    }
    directory_changes_synced_ = std::max(directory_changes_synced_, task.directory_changes_);
    parent_unsynced_ = false;
    if (task.truncations_ == truncations_) {
        recovery_point_ = std::max(recovery_point_, task.end_offset_);
    }
    return {};
}

Status Log::flush() {
    MOLDAU_TRY(FlushTask task, begin_flush());
    return end_flush(task, task.run());
}

Status Log::close() {
    if (closed_ || failed()) {
        closed_ = true;
        return {};
    }
    MOLDAU_CHECK(take_producer_snapshot());
    for (auto& segment : segments_) {
        MOLDAU_CHECK(checked(segment->write_indexes(true), "index cannot be written"));
    }
    MOLDAU_CHECK(checked(active().trim(), "segment cannot be trimmed"));
    MOLDAU_CHECK(flush());
    closed_ = true;
    return {};
}

Status Log::rename_directory(const std::string& dir) {
    MOLDAU_CHECK(checked(context_.cache->files().rename(dir_, dir), "directory cannot be renamed"));
    dir_ = dir;
    epochs_.set_path(runtime::join_path(dir_, "leader-epoch-checkpoint"));
    for (auto& segment : segments_) {
        segment->set_directory(dir_);
    }
    doomed_.clear();  // they go with the directory
    if (journal_client_ != nullptr) {
        journal_client_->set_log({});  // what it journaled is of no use any more
    }
    return {};
}

}  // namespace moldau::storage
