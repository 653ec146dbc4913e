#include "storage/segment.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "runtime/file_system.h"

namespace moldau::storage {

namespace {

constexpr size_t kOffsetDigits = 20;
// Enough for an index interval of small batches: one read finds most batches.
constexpr size_t kWalkBytes = 8192;
constexpr int64_t kRecoveryReadBytes = 1 << 20;

}  // namespace

std::string segment_path(std::string_view dir, Offset base, std::string_view suffix) {
    return fmt::format("{}/{:020}{}", dir, base.value(), suffix);
}

std::optional<Offset> offset_of_file_name(std::string_view name) {
    int64_t offset = 0;
    if (name.size() < kOffsetDigits) {
        return std::nullopt;
    }
    const char* end = name.data() + kOffsetDigits;
    auto [stop, error] = std::from_chars(name.data(), end, offset);
    if (error != std::errc() || stop != end || offset < 0) {
        return std::nullopt;
    }
    return Offset(offset);
}

Segment::Segment(FileCache& cache, std::string dir, Offset base, int64_t size, SegmentLimits limits)
    : cache_(cache),
      dir_(std::move(dir)),
      base_(base),
      size_(size),
      limits_(limits),
      data_(cache, segment_path(dir_, base, kLogSuffix)) {}

Result<std::unique_ptr<Segment>> Segment::create(FileCache& cache, std::string dir, Offset base,
                                                 SegmentLimits limits, int64_t preallocated_bytes,
                                                 std::string file_suffix) {
    std::unique_ptr<Segment> segment(new Segment(cache, std::move(dir), base, 0, limits));
    segment->file_suffix_ = std::move(file_suffix);
    segment->data_.set_path(segment->path(kLogSuffix));
    MOLDAU_CHECK(segment->data_.create());
    if (preallocated_bytes > 0) {
        MOLDAU_TRY(auto file, segment->data_.get());
        MOLDAU_CHECK(file->truncate(static_cast<uint64_t>(preallocated_bytes)));
        segment->preallocated_ = true;
    }
    segment->offset_index_.emplace(base, limits.index_bytes_max);
    segment->time_index_.emplace(base, limits.index_bytes_max);
    segment->txn_index_.emplace();
    segment->max_timestamp_ = TimestampOffset{};
    segment->indexes_dirty_ = true;
    return segment;
}

std::unique_ptr<Segment> Segment::existing(FileCache& cache, std::string dir, Offset base,
                                           int64_t size, SegmentLimits limits) {
    return std::unique_ptr<Segment>(new Segment(cache, std::move(dir), base, size, limits));
}

std::string Segment::path(std::string_view suffix) const {
    return segment_path(dir_, base_, suffix) + file_suffix_;
}

void Segment::set_limits(SegmentLimits limits) {
    limits_ = limits;
    if (offset_index_) {
        offset_index_->set_bytes_max(limits.index_bytes_max);
        time_index_->set_bytes_max(limits.index_bytes_max);
    }
}

Error Segment::malformed(int64_t position) const {
    return {ErrorCode::CorruptMessage,
            fmt::format("malformed batch in a segment: path={} position={} size={}", data_.path(),
                        position, size_)};
}

bool Segment::plausible(const record::BatchHeader& header, int64_t position) const {
    return header.batch_length >=
               static_cast<int32_t>(record::kBatchHeaderBytes - record::kBatchPrefixBytes) &&
           header.magic == record::kMagicV2 && header.last_offset_delta >= 0 &&
           header.first_offset() >= base_ &&
           static_cast<int64_t>(header.size_in_bytes()) <= size_ - position;
}

Status Segment::append(std::span<const Bytes> pieces, std::span<const BatchExtent> batches) {
    MOLDAU_ASSERT(offset_index_.has_value());
    MOLDAU_TRY(auto file, data_.get());
    if (auto written = file->write(pieces, static_cast<uint64_t>(size_)); !written) {
        // Part of it may be there. What follows the last whole batch must never be taken for data.
        if (auto cut = file->truncate(static_cast<uint64_t>(size_)); !cut) {
            intact_ = false;
        }
        return written;
    }
    for (const BatchExtent& batch : batches) {
        index_batch(batch, size_);
        size_ += batch.size_in_bytes;
        recent_[recent_written_++ % kRecentBatches] = {batch.last_offset, size_};
    }
    return {};
}

void Segment::index_batch(const BatchExtent& batch, int64_t position) {
    if (!max_timestamp_ || batch.max_timestamp > max_timestamp_->timestamp) {
        max_timestamp_ = {batch.max_timestamp, batch.last_offset};
    }
    if (!first_timestamp_ && position == 0) {
        first_timestamp_ = batch.max_timestamp;
    }
    if (bytes_since_index_entry_ > limits_.index_interval_bytes) {
        offset_index_->append(batch.last_offset, static_cast<int32_t>(position));
        time_index_->maybe_append(max_timestamp_->timestamp, max_timestamp_->offset);
        bytes_since_index_entry_ = 0;
    }
    bytes_since_index_entry_ += batch.size_in_bytes;
    indexes_dirty_ = true;
}

std::optional<std::pair<int64_t, int64_t>> Segment::recent_extent(Offset first_offset) const {
    size_t kept = std::min(recent_written_, kRecentBatches);
    // From the newest back: entry i ends where entry i + 1 begins.
    for (size_t back = 1; back < kept; ++back) {
        const Recent& batch = recent_[(recent_written_ - back) % kRecentBatches];
        const Recent& before = recent_[(recent_written_ - back - 1) % kRecentBatches];
        if (before.last_offset < first_offset) {
            if (batch.last_offset < first_offset) {
                return std::nullopt;
            }
            return std::pair(before.end, batch.end);
        }
    }
    return std::nullopt;
}

Status Segment::for_each_header(
    int64_t position, const std::function<bool(const record::BatchHeader&, int64_t)>& visit,
    bool may_wait) {
    if (position >= size_) {
        return {};
    }
    MOLDAU_TRY(auto file, data_.get());
    std::array<uint8_t, kWalkBytes> window;
    int64_t window_at = position;
    int64_t window_bytes = 0;
    while (position < size_) {
        if (position + static_cast<int64_t>(record::kBatchHeaderBytes) > window_at + window_bytes ||
            position < window_at) {
            auto want = static_cast<size_t>(
                std::min<int64_t>(static_cast<int64_t>(window.size()), size_ - position));
            auto target = std::span(window).first(want);
            auto at = static_cast<uint64_t>(position);
            MOLDAU_TRY(size_t got,
                       may_wait ? file->read(target, at) : file->read_cached(target, at));
            window_at = position;
            window_bytes = static_cast<int64_t>(got);
            if (got < record::kBatchHeaderBytes) {
                return fail(may_wait || got == want ? malformed(position) : would_wait());
            }
        }
        auto header = record::BatchHeader::read(window.data() + (position - window_at));
        if (!plausible(header, position)) {
            return fail(malformed(position));
        }
        if (!visit(header, position)) {
            return {};
        }
        position += static_cast<int64_t>(header.size_in_bytes());
    }
    return {};
}

Result<std::optional<Segment::Located>> Segment::locate(Offset target, bool may_wait) {
    if (!may_wait && !indexes_in_memory()) {
        return fail(would_wait());
    }
    MOLDAU_CHECK(load_indexes());
    std::optional<Located> found;
    MOLDAU_CHECK(for_each_header(
        offset_index_->lookup(target).position,
        [&](const record::BatchHeader& header, int64_t position) {
            if (header.last_offset() < target) {
                return true;
            }
            found = Located{position, header};
            return false;
        },
        may_wait));
    return found;
}

Result<int64_t> Segment::position_hint(Offset target) {
    if (auto extent = recent_extent(target)) {
        return extent->first;
    }
    MOLDAU_CHECK(load_indexes());
    return offset_index_->lookup(target).position;
}

Result<std::optional<Offset>> Segment::upper_bound_offset(int64_t position, int64_t bytes) {
    MOLDAU_CHECK(load_indexes());
    int64_t end = std::min<int64_t>(position + bytes, std::numeric_limits<int32_t>::max());
    auto entry = offset_index_->first_at_or_after_position(static_cast<int32_t>(end));
    return entry ? std::optional(entry->offset) : std::nullopt;
}

Result<Buffer> Segment::read_exactly(int64_t position, int64_t bytes) {
    MOLDAU_TRY(auto file, data_.get());
    Buffer buffer;
    buffer.resize(static_cast<size_t>(bytes));
    MOLDAU_TRY(size_t got, file->read(buffer.span(), static_cast<uint64_t>(position)));
    if (static_cast<int64_t>(got) != bytes) {
        return fail(
            ErrorCode::KafkaStorageError,
            "segment is shorter than what was written: path={} position={} wanted={} got={}",
            data_.path(), position, bytes, got);
    }
    return buffer;
}

Result<Buffer> Segment::read_cached(int64_t position, int64_t bytes, int64_t bytes_min) {
    MOLDAU_TRY(auto file, data_.get());
    Buffer buffer;
    buffer.resize(static_cast<size_t>(bytes));
    MOLDAU_TRY(size_t got, file->read_cached(buffer.span(), static_cast<uint64_t>(position)));
    if (static_cast<int64_t>(got) < bytes_min) {
        return fail(would_wait());
    }
    buffer.resize(got);
    return buffer;
}

Result<Segment::ReadResult> Segment::read(Offset start, Offset offset_end, int64_t bytes_max,
                                          bool min_one, bool may_wait) {
    ReadResult result;
    int64_t first_end = 0;
    if (auto extent = recent_extent(start)) {
        result.position = extent->first;
        first_end = extent->second;
    } else {
        MOLDAU_TRY(auto located, locate(start, may_wait));
        if (!located) {
            return result;
        }
        result.position = located->position;
        first_end = located->end();
    }
    result.found = true;
    int64_t limit = bytes_max;
    if (first_end - result.position > bytes_max) {
        if (!min_one) {
            result.too_large = true;
            return result;
        }
        limit = first_end - result.position;
    }
    int64_t length = std::min(limit, size_ - result.position);
    MOLDAU_TRY(Buffer buffer, may_wait
                                  ? read_exactly(result.position, length)
                                  : read_cached(result.position, length,
                                                std::min(length, first_end - result.position)));
    Bytes records = std::move(buffer).freeze();

    // Cut before the first batch that must not be seen yet.
    size_t at = 0;
    bool bounded = offset_end.value() != std::numeric_limits<int64_t>::max();
    while (bounded && at + record::kBatchHeaderBytes <= records.size()) {
        auto header = record::BatchHeader::read(records.data() + at);
        if (!plausible(header, result.position + static_cast<int64_t>(at))) {
            return fail(malformed(result.position + static_cast<int64_t>(at)));
        }
        if (header.first_offset() >= offset_end) {
            records = records.slice(0, at);
            break;
        }
        at += header.size_in_bytes();
    }
    if (bounded && at < records.size() && at + record::kBatchHeaderBytes > records.size()) {
        // A piece of a header cannot be judged: leave it out.
        records = records.slice(0, at);
    }
    result.records = std::move(records);
    return result;
}

Result<record::BatchView> Segment::read_batch(const Located& located) {
    MOLDAU_TRY(Buffer buffer, read_exactly(located.position,
                                           static_cast<int64_t>(located.header.size_in_bytes())));
    return record::BatchView::parse(std::move(buffer).freeze());
}

Result<std::optional<Segment::TimeMatch>> Segment::find_timestamp(TimestampMs target,
                                                                  Offset start) {
    MOLDAU_CHECK(load_indexes());
    Offset from = std::max(time_index_->lookup(target).offset, start);
    std::optional<TimeMatch> match;
    Status inner;
    MOLDAU_CHECK(
        for_each_header(offset_index_->lookup(from).position,
                        [&](const record::BatchHeader& header, int64_t position) {
                            if (header.max_timestamp < target || header.last_offset() < start) {
                                return true;
                            }
                            inner = [&]() -> Status {
                                MOLDAU_TRY(auto batch, read_batch({position, header}));
                                MOLDAU_TRY(auto payload, batch.uncompressed_payload());
                                record::RecordReader reader(header, payload);
                                while (reader.next()) {
                                    const record::RecordView& record = reader.record();
                                    if (record.timestamp >= target && record.offset >= start) {
                                        match = TimeMatch{record.timestamp, record.offset,
                                                          LeaderEpoch(header.leader_epoch)};
                                        return {};
                                    }
                                }
                                return reader.status();
                            }();
                            return inner.has_value() && !match;
                        }));
    MOLDAU_CHECK(inner);
    return match;
}

Result<Offset> Segment::read_next_offset() {
    MOLDAU_CHECK(load_indexes());
    Offset next = base_;
    int64_t from = 0;
    recent_written_ = 0;
    if (auto last = offset_index_->last()) {
        from = last->position;
        next = last->offset + 1;
    }
    MOLDAU_CHECK(for_each_header(from, [&](const record::BatchHeader& header, int64_t position) {
        next = header.next_offset();
        if (header.max_timestamp > max_timestamp_->timestamp) {
            max_timestamp_ = {header.max_timestamp, header.last_offset()};
        }
        recent_[recent_written_++ % kRecentBatches] = {
            header.last_offset(), position + static_cast<int64_t>(header.size_in_bytes())};
        return true;
    }));
    bytes_since_index_entry_ = size_ - from;
    return next;
}

Result<TimestampOffset> Segment::max_timestamp() {
    MOLDAU_CHECK(load_indexes());
    return *max_timestamp_;
}

Result<TimestampMs> Segment::largest_timestamp() {
    MOLDAU_TRY(TimestampOffset largest, max_timestamp());
    if (largest.timestamp >= 0) {
        return largest.timestamp;
    }
    MOLDAU_TRY(auto info, cache_.files().stat(data_.path()));
    return info.modified_ms;
}

Result<std::optional<TimestampMs>> Segment::first_batch_timestamp() {
    if (!first_timestamp_ && size_ > 0) {
        MOLDAU_CHECK(for_each_header(0, [&](const record::BatchHeader& header, int64_t) {
            first_timestamp_ = header.max_timestamp;
            return false;
        }));
    }
    return first_timestamp_;
}

Status Segment::trim() {
    if (!preallocated_) {
        return {};
    }
    MOLDAU_TRY(auto file, data_.get());
    MOLDAU_CHECK(file->truncate(static_cast<uint64_t>(size_)));
    preallocated_ = false;
    return {};
}

Result<bool> Segment::ends_whole() {
    auto end = read_next_offset();
    if (!end && end.error().code == ErrorCode::CorruptMessage) {
        return false;
    }
    MOLDAU_CHECK(end);
    return true;
}

Result<int64_t> Segment::recover(const std::function<Status(const record::BatchView&)>& visit) {
    MOLDAU_TRY(auto file, data_.get());
    MOLDAU_TRY(uint64_t file_bytes, file->size());
    offset_index_.emplace(base_, limits_.index_bytes_max);
    time_index_.emplace(base_, limits_.index_bytes_max);
    txn_index_.emplace();
    transactions_lost_ = false;
    MOLDAU_CHECK(write_index_file(kTransactionIndexSuffix, {}));
    transactions_written_ = 0;
    max_timestamp_ = TimestampOffset{};
    first_timestamp_.reset();
    recent_written_ = 0;
    bytes_since_index_entry_ = 0;
    indexes_dirty_ = true;
    size_ = static_cast<int64_t>(file_bytes);

    int64_t position = 0;
    Offset next = base_;
    Bytes window;
    int64_t window_at = 0;
    // Brings [position, position + bytes) into the window; false when the file ends before.
    auto bring = [&](int64_t bytes) -> Result<bool> {
        if (position + bytes > size_) {
            return false;
        }
        if (position + bytes > window_at + static_cast<int64_t>(window.size())) {
            int64_t want = std::min(std::max(bytes, kRecoveryReadBytes), size_ - position);
            MOLDAU_TRY(Buffer buffer, read_exactly(position, want));
            window = std::move(buffer).freeze();
            window_at = position;
        }
        return true;
    };
    while (position < size_) {
        MOLDAU_TRY(bool has_header, bring(static_cast<int64_t>(record::kBatchHeaderBytes)));
        if (!has_header) {
            break;
        }
        auto header =
            record::BatchHeader::read(window.data() + static_cast<size_t>(position - window_at));
        if (position == 0 && header.batch_length >= 14 && header.batch_length <= size_ &&
            (header.magic == 0 || header.magic == 1)) {
            // Old data that is whole must not be cut away only because we cannot read it.
            return fail(ErrorCode::UnsupportedForMessageFormat,
                        "segment holds messages of an old format: path={} magic={}", data_.path(),
                        header.magic);
        }
        if (!plausible(header, position) || header.first_offset() < next ||
            !can_hold(header.last_offset())) {
            break;
        }
        MOLDAU_TRY(bool whole, bring(static_cast<int64_t>(header.size_in_bytes())));
        if (!whole) {
            break;
        }
        auto batch = record::BatchView::parse(
            window.slice(static_cast<size_t>(position - window_at), header.size_in_bytes()));
        if (!batch || !batch->check_crc()) {
            break;
        }
        MOLDAU_CHECK(visit(*batch));
        index_batch({header.last_offset(), header.max_timestamp,
                     static_cast<uint32_t>(header.size_in_bytes())},
                    position);
        position += static_cast<int64_t>(header.size_in_bytes());
        recent_[recent_written_++ % kRecentBatches] = {header.last_offset(), position};
        next = header.next_offset();
    }
    int64_t cut = size_ - position;
    if (cut > 0) {
        MOLDAU_CHECK(file->truncate(static_cast<uint64_t>(position)));
        size_ = position;
    }
    MOLDAU_CHECK(write_transactions());
    return cut;
}

Result<int64_t> Segment::truncate_to(Offset offset) {
    MOLDAU_CHECK(transactions());
    MOLDAU_TRY(auto located, locate(offset));
    if (!located) {
        return 0;
    }
    MOLDAU_TRY(auto file, data_.get());
    MOLDAU_CHECK(file->truncate(static_cast<uint64_t>(located->position)));
    int64_t dropped = size_ - located->position;
    size_ = located->position;
    offset_index_->truncate_to(located->header.first_offset());
    time_index_->truncate_to(located->header.first_offset());
    txn_index_->truncate_to(located->header.first_offset());
    MOLDAU_CHECK(set_transactions(std::move(*txn_index_)));
    recent_written_ = 0;
    indexes_dirty_ = true;
    TimestampOffset last = time_index_->last();
    max_timestamp_ = last.timestamp >= 0 ? last : TimestampOffset{};
    if (size_ == 0) {
        first_timestamp_.reset();
    }
    // Finds the true maximum of what is left behind the last index entry.
    MOLDAU_CHECK(read_next_offset());
    return dropped;
}

}  // namespace moldau::storage
