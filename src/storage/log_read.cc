// The reading half of Log: fetches and look-ups by time.
#include <algorithm>
#include <limits>

#include "runtime/file_system.h"
#include "storage/log.h"

namespace moldau::storage {

namespace {

// Read at once when nothing but the page cache wants it.
constexpr size_t kWarmBytes = 256 * 1024;
constexpr Offset kUnbounded{std::numeric_limits<int64_t>::max()};

}  // namespace

Offset Log::bound_offset(ReadBound bound) const {
    switch (bound) {
        case ReadBound::LogEnd:
            return log_end_offset_;
        case ReadBound::HighWatermark:
            return high_watermark_;
        case ReadBound::LastStable:
            return last_stable_offset();
    }
    return log_start_offset_;
}

Result<LogRead> Log::read(Offset start, int64_t bytes_max, ReadBound bound, bool min_one_batch,
                          bool may_wait) {
    MOLDAU_CHECK(check_usable());
    LogRead result;
    result.log_start_offset = log_start_offset_;
    result.high_watermark = high_watermark_;
    result.last_stable_offset = last_stable_offset();
    result.log_end_offset = log_end_offset_;
    if (start < log_start_offset_ || start > log_end_offset_) {
        return fail(
            ErrorCode::OffsetOutOfRange,
            "Received request for offset {} for partition {}, but we only have log segments "
            "upto {} in the range {} to {}.",
            start, name_, log_end_offset_, log_start_offset_, log_end_offset_);
    }
    Offset end = bound_offset(bound);
    if (start >= end) {
        return result;
    }
    // Compaction may have left nothing of a segment at or after `start`: go on with the next.
    for (size_t i = segment_index_for(start); i < segments_.size(); ++i) {
        Segment& segment = *segments_[i];
        if (segment.base_offset() >= end) {
            break;
        }
        Offset segment_end =
            i + 1 < segments_.size() ? segments_[i + 1]->base_offset() : log_end_offset_;
        auto read = segment.read(start, end >= segment_end ? kUnbounded : end, bytes_max,
                                 min_one_batch, may_wait);
        if (segment.indexes_in_memory()) {
            keep_warm(segment);
        }
        if (!read) {
            if (read.error().code == ErrorCode::CorruptMessage || is_would_wait(read.error())) {
                return fail(read.error());
            }
            return fail(refused(read.error(), "segment cannot be read"));
        }
        if (!read->found) {
            continue;
        }
        if (bound == ReadBound::LastStable) {
            MOLDAU_CHECK(collect_aborted(start, *read, i, may_wait, result));
        }
        result.first_too_large = read->too_large;
        result.records = std::move(read->records);
        break;
    }
    return result;
}

Status Log::collect_aborted(Offset start, const Segment::ReadResult& read, size_t segment,
                            bool may_wait, LogRead& result) {
    if (!may_wait && !segments_[segment]->indexes_in_memory()) {
        return fail(would_wait());
    }
    auto upper = segments_[segment]->upper_bound_offset(read.position,
                                                        static_cast<int64_t>(read.records.size()));
    if (!upper) {
        return fail(refused(upper.error(), "index cannot be read"));
    }
    Offset end = *upper ? **upper
                        : (segment + 1 < segments_.size() ? segments_[segment + 1]->base_offset()
                                                          : log_end_offset_);
    for (size_t i = segment; i < segments_.size(); ++i) {
        if (!may_wait && !segments_[i]->transactions_in_memory()) {
            return fail(would_wait());
        }
        auto transactions = transactions_of(i);
        if (!transactions) {
            return fail(refused(transactions.error(), "transaction index cannot be read"));
        }
        if ((*transactions)->collect(start, end, result.aborted)) {
            break;
        }
    }
    std::sort(
        result.aborted.begin(), result.aborted.end(),
        [](const AbortedTxn& a, const AbortedTxn& b) { return a.first_offset < b.first_offset; });
    return {};
}

Status Log::warm_up(Offset start, int64_t bytes_max, ReadBound bound) {
    runtime::FileSystem& files = context_.cache->files();
    std::vector<std::string> cold;
    {
        MutexLock lock(mutex_);
        MOLDAU_CHECK(check_usable());
        size_t first = segment_index_for(start);
        if (!segments_[first]->indexes_in_memory()) {
            cold.push_back(segments_[first]->path(kOffsetIndexSuffix));
            cold.push_back(segments_[first]->path(kTimeIndexSuffix));
        }
        for (size_t i = first; bound == ReadBound::LastStable && i < segments_.size(); ++i) {
            if (!segments_[i]->transactions_in_memory()) {
                cold.push_back(segments_[i]->path(kTransactionIndexSuffix));
            }
        }
    }
    for (const std::string& path : cold) {
        (void)files.read_file(path);  // what is missing or damaged is found again below
    }
    std::shared_ptr<runtime::File> data;
    int64_t from = 0;
    int64_t end = 0;
    {
        MutexLock lock(mutex_);
        MOLDAU_CHECK(check_usable());
        size_t first = segment_index_for(start);
        Segment& segment = *segments_[first];
        MOLDAU_TRY(from, segment.position_hint(start));
        MOLDAU_CHECK(segment.load_indexes());
        keep_warm(segment);
        for (size_t i = first; bound == ReadBound::LastStable && i < segments_.size(); ++i) {
            MOLDAU_TRY([[maybe_unused]] auto known, transactions_of(i));
        }
        MOLDAU_TRY(data, segment.data_file());
        end = std::min(segment.size(), from + bytes_max + config_->index_interval_bytes);
    }
    Buffer window;
    window.resize(kWarmBytes);
    // A batch may be larger than the limit: then its rest is waited for.
    while (from < end) {
        MOLDAU_TRY(size_t got, data->read(window.span(), static_cast<uint64_t>(from)));
        if (got == 0) {
            break;
        }
        from += static_cast<int64_t>(got);
    }
    return {};
}

int64_t Log::bytes_available(Offset from, ReadBound bound) {
    Offset end = bound_offset(bound);
    if (failed() || closed_ || from >= end || from < log_start_offset_) {
        return 0;
    }
    size_t first = segment_index_for(from);
    size_t last = segment_index_for(end - 1);
    auto begin_at = segments_[first]->position_hint(from);
    if (!begin_at) {
        return 0;
    }
    int64_t end_at = segments_[last]->size();
    if (end < log_end_offset_ && last + 1 == segments_.size()) {
        auto hint = segments_[last]->position_hint(end);
        end_at = hint ? *hint : end_at;
    }
    int64_t bytes = end_at - *begin_at;
    for (size_t i = first; i < last; ++i) {
        bytes += segments_[i]->size();
    }
    // There is a record below `end`, whatever the sparse index knows.
    return std::max<int64_t>(bytes, 1);
}

Result<std::optional<TimestampMatch>> Log::find_timestamp(TimestampMs timestamp) {
    MOLDAU_CHECK(check_usable());
    switch (timestamp) {
        case kEarliestTimestamp:
        case kEarliestLocalTimestamp: {
            // The epoch of the record itself; the first entry may begin below the log start.
            auto epoch = epochs_.epoch_for_offset(log_start_offset_);
            return TimestampMatch{kNoTimestamp, log_start_offset_, epoch.value_or(kNoLeaderEpoch)};
        }
        case kLatestTimestamp: {
            auto latest = epochs_.latest();
            return TimestampMatch{kNoTimestamp, log_end_offset_,
                                  latest ? latest->epoch : kNoLeaderEpoch};
        }
        case kMaxTimestamp:
            return find_max_timestamp();
        case kLatestTieredTimestamp:
        case kEarliestPendingUploadTimestamp:
            // Nothing is tiered.
            return TimestampMatch{kNoTimestamp, kNoOffset, kNoLeaderEpoch};
        default:
            break;
    }
    for (auto& segment : segments_) {
        auto match = [&]() -> Result<std::optional<Segment::TimeMatch>> {
            MOLDAU_TRY(TimestampOffset largest, segment->max_timestamp());
            if (largest.timestamp < timestamp) {
                return std::nullopt;
            }
            return segment->find_timestamp(timestamp, log_start_offset_);
        }();
        keep_warm(*segment);
        if (!match) {
            return fail(match.error().code == ErrorCode::KafkaStorageError
                            ? refused(match.error(), "segment cannot be read")
                            : match.error());
        }
        if (*match) {
            return TimestampMatch{(*match)->timestamp, (*match)->offset, (*match)->leader_epoch};
        }
    }
    return std::nullopt;
}

Result<std::optional<TimestampMatch>> Log::find_max_timestamp() {
    Segment* holder = nullptr;
    TimestampMs largest = kNoTimestamp;
    for (auto& segment : segments_) {
        auto of_segment = segment->max_timestamp();
        keep_warm(*segment);
        if (!of_segment) {
            return fail(of_segment.error());
        }
        if (of_segment->timestamp > largest) {
            largest = of_segment->timestamp;
            holder = segment.get();
        }
    }
    if (holder == nullptr) {
        return std::nullopt;
    }
    MOLDAU_TRY(auto match, holder->find_timestamp(largest, log_start_offset_));
    if (!match) {
        return std::nullopt;
    }
    return TimestampMatch{match->timestamp, match->offset, match->leader_epoch};
}

}  // namespace moldau::storage
