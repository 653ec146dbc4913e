#include "storage/log_cleaning.h"

#include <algorithm>

#include "runtime/file_system.h"
#include "runtime/logging.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.LogCleaner");

Error stopped(std::string_view why) {
    return {ErrorCode::OperationNotAttempted, std::string(why)};
}

}  // namespace

LogCleaning::LogCleaning(Log& log, FileCache& cache, CleaningOptions options)
    : log_(log), cache_(cache), options_(std::move(options)) {}

Status LogCleaning::pace(int64_t bytes) {
    if (!options_.pace(bytes)) {
        return fail(stopped("cleaning was stopped"));
    }
    return {};
}

Result<Offset> LogCleaning::run(const CleanableRange& range, TimestampMs now) {
    const std::string name = log_.topic_partition().str();
    MOLDAU_LOG_INFO(logger, "Beginning cleaning of log {}", name);
    std::vector<SegmentFacts> segments;
    config::LogConfig config;
    {
        MutexLock lock(log_.mutex());
        dir_ = log_.directory();
        truncations_ = log_.truncations();
        config = log_.config();
        MOLDAU_TRY(segments, log_.rolled_segments());
    }
    MOLDAU_LOG_INFO(logger, "Building offset map for {}...", name);
    MOLDAU_TRY(CleanerOffsetMap map, build_map(segments, range));
    map_utilization_ = map.utilization();
    Offset end = map.latest_offset() + 1;
    if (end <= range.first_dirty) {
        return fail(ErrorCode::InvalidRecord,
                    "the offset map has no room for one batch: partition={} offset={}", name,
                    range.first_dirty);
    }
    MOLDAU_LOG_INFO(logger, "Cleaning log {} (cleaning prior to {})...", name, end);
    CleanedTransactions transactions;
    for (auto [first, last] : group_segments(segments, end, config)) {
        std::vector<SegmentFacts> group(segments.begin() + static_cast<ptrdiff_t>(first),
                                        segments.begin() + static_cast<ptrdiff_t>(last));
        MOLDAU_CHECK(clean_group(group, map, transactions, now));
    }
    return end;
}

Status LogCleaning::for_each_batch(const SegmentFacts& segment, const Visit& visit) {
    MOLDAU_TRY(auto file, cache_.files().open(segment_path(dir_, segment.base, kLogSuffix),
                                              runtime::OpenMode::Read));
    int64_t position = 0;
    auto want = static_cast<int64_t>(options_.io_buffer_bytes);
    while (position < segment.bytes) {
        Buffer buffer;
        buffer.resize(static_cast<size_t>(std::min(want, segment.bytes - position)));
        MOLDAU_TRY(size_t got, file->read(buffer.span(), static_cast<uint64_t>(position)));
        if (got < buffer.size()) {
            return fail(ErrorCode::KafkaStorageError,
                        "segment is shorter than it was: partition={} base={} position={}",
                        log_.topic_partition(), segment.base, position);
        }
        MOLDAU_CHECK(pace(static_cast<int64_t>(got)));
        record::BatchIterator batches(std::move(buffer).freeze());
        int64_t walked = 0;
        while (true) {
            MOLDAU_TRY(auto batch, batches.next());
            if (!batch) {
                break;
            }
            walked += static_cast<int64_t>(batch->size_in_bytes());
            MOLDAU_TRY(bool more, visit(*batch));
            if (!more) {
                return {};
            }
        }
        if (walked == 0 && static_cast<int64_t>(got) == segment.bytes - position) {
            return fail(ErrorCode::CorruptMessage,
                        "malformed batch in a segment: partition={} base={} position={}",
                        log_.topic_partition(), segment.base, position);
        }
        // A batch larger than the buffer makes the buffer grow.
        want = walked == 0 ? want * 2 : static_cast<int64_t>(options_.io_buffer_bytes);
        position += walked;
    }
    return {};
}

Result<CleanerOffsetMap> LogCleaning::build_map(const std::vector<SegmentFacts>& segments,
                                                const CleanableRange& range) {
    CleanerOffsetMap map(options_.map_bytes_max, options_.map_load_factor, options_.seed);
    CleanedTransactions transactions;
    {
        MutexLock lock(log_.mutex());
        MOLDAU_TRY(auto aborted, log_.aborted_between(range.first_dirty, range.first_uncleanable));
        transactions.add_aborted(aborted);
    }
    auto dirty = [&](const SegmentFacts& segment) {
        return segment.end > range.first_dirty && segment.base < range.first_uncleanable;
    };
    MOLDAU_LOG_INFO(logger,
                    "Building offset map for log {} for {} segments in offset range [{}, {}).",
                    log_.topic_partition(), std::ranges::count_if(segments, dirty),
                    range.first_dirty, range.first_uncleanable);
    bool full = false;
    for (const SegmentFacts& segment : segments) {
        if (!dirty(segment) || full) {
            continue;
        }
        MOLDAU_CHECK(for_each_batch(segment, [&](const record::BatchView& batch) -> Result<bool> {
            if (batch.header().last_offset() < range.first_dirty) {
                return true;
            }
            MOLDAU_CHECK(batch.check_crc());
            MOLDAU_TRY(bool all, map_batch(batch, range.first_dirty, transactions, map, stats_));
            full = !all;
            return all;
        }));
        if (!full) {
            // Compaction may have left nothing at the segment's end.
            map.set_latest_offset(segment.end - 1);
        }
    }
    MOLDAU_LOG_INFO(logger, "Offset map for log {} complete.", log_.topic_partition());
    return map;
}

Status LogCleaning::clean_group(const std::vector<SegmentFacts>& group, const CleanerOffsetMap& map,
                                CleanedTransactions& transactions, TimestampMs now) {
    Offset base = group.front().base;
    SegmentLimits limits;
    {
        MutexLock lock(log_.mutex());
        limits = log_.segment_limits();
    }
    MOLDAU_CHECK(Segment::remove_files(cache_.files(), dir_, base, kCleanedSuffix));
    auto remove_cleaned = [&] {
        (void)Segment::remove_files(cache_.files(), dir_, base, kCleanedSuffix);
        (void)Segment::remove_files(cache_.files(), dir_, base, kSwapSuffix);
    };
    auto cleaned = Segment::create(cache_, dir_, base, limits, 0, std::string(kCleanedSuffix));
    if (!cleaned) {
        remove_cleaned();
        return fail(cleaned.error());
    }
    auto swapped = [&]() -> Status {
        MOLDAU_CHECK(write_group(group, map, transactions, now, **cleaned));
        MOLDAU_CHECK(options_.before_swap());
        return swap(group, *cleaned, now);
    }();
    if (!swapped && *cleaned != nullptr) {
        cleaned->reset();
        remove_cleaned();
    }
    return swapped;
}

Status LogCleaning::swap(const std::vector<SegmentFacts>& group, std::unique_ptr<Segment>& cleaned,
                         TimestampMs now) {
    {
        MutexLock lock(log_.mutex());
        MOLDAU_CHECK(log_.begin_swap(group, *cleaned, truncations_));
    }
    Status synced = cache_.files().sync_directory(dir_);
    FlushTask names;
    {
        MutexLock lock(log_.mutex());
        MOLDAU_CHECK(log_.replace_segments(group, cleaned, truncations_, synced, now));
        MOLDAU_TRY(names, log_.begin_flush(true));
    }
    // The next `.cleaned` must not find a `.swap` above it that is still wanted.
    Status outcome = names.run();
    MutexLock lock(log_.mutex());
    return log_.end_flush(names, outcome);
}

Status LogCleaning::write_group(const std::vector<SegmentFacts>& group, const CleanerOffsetMap& map,
                                CleanedTransactions& transactions, TimestampMs now,
                                Segment& cleaned) {
    LastOfProducers producers;
    int64_t delete_retention_ms = 0;
    {
        MutexLock lock(log_.mutex());
        producers = log_.last_of_producers();
        delete_retention_ms = log_.config().delete_retention_ms;
    }
    BatchCleaner cleaner(map, transactions, producers, delete_retention_ms, now, stats_);
    std::vector<Bytes> pieces;
    std::vector<BatchExtent> extents;
    size_t waiting = 0;
    auto write = [&]() -> Status {
        if (pieces.empty()) {
            return {};
        }
        MOLDAU_CHECK(cleaned.append(pieces, extents));
        MOLDAU_CHECK(pace(static_cast<int64_t>(waiting)));
        pieces.clear();
        extents.clear();
        waiting = 0;
        return {};
    };
    for (const SegmentFacts& segment : group) {
        {
            MutexLock lock(log_.mutex());
            MOLDAU_TRY(auto aborted, log_.aborted_between(segment.base, segment.end));
            transactions.add_aborted(aborted);
        }
        MOLDAU_LOG_INFO(logger, "Cleaning LogSegment(baseOffset={}, size={}) in log {} into {}",
                        segment.base, segment.bytes, log_.topic_partition(), group.front().base);
        MOLDAU_CHECK(for_each_batch(segment, [&](const record::BatchView& batch) -> Result<bool> {
            MOLDAU_CHECK(batch.check_crc());
            MOLDAU_TRY(auto kept, cleaner.clean(batch));
            for (const AbortedTxn& txn : transactions.take_retained()) {
                cleaned.append_aborted(txn);
            }
            if (kept) {
                auto header = record::BatchHeader::read(kept->data());
                extents.push_back({header.last_offset(), header.max_timestamp,
                                   static_cast<uint32_t>(kept->size())});
                waiting += kept->size();
                pieces.push_back(std::move(*kept));
            }
            if (waiting >= options_.io_buffer_bytes) {
                MOLDAU_CHECK(write());
            }
            return true;
        }));
        bytes_before_ += segment.bytes;
    }
    MOLDAU_CHECK(write());
    bytes_after_ += cleaned.size();
    MOLDAU_CHECK(cleaned.write_indexes(true));
    MOLDAU_CHECK(cleaned.write_transactions());
    MOLDAU_CHECK(
        cache_.files().set_modified_ms(cleaned.path(kLogSuffix), group.back().modified_ms));
    MOLDAU_TRY(auto files, cleaned.files_to_sync());
    for (const auto& file : files) {
        MOLDAU_CHECK(file->sync());
    }
    return {};
}

}  // namespace moldau::storage
