#include "record/validator.h"

#include <algorithm>

#include "base/endian.h"
#include "base/varint.h"
#include "record/builder.h"

namespace moldau::record {
namespace {

std::unexpected<Rejection> reject(std::unexpected<Error> error) {
    return std::unexpected(Rejection{std::move(error).error(), {}});
}

// A window over bytes that are either in memory or still being decompressed. Never holds more than
// kWindowBytes beyond what it was asked for.
class ByteWindow {
 public:
    ByteWindow(int8_t codec_number, std::span<const uint8_t> payload) {
        if (codec_number == 0) {
            window_ = payload;
            return;
        }
        auto source = Decompressor::open(codec_number, payload);
        if (!source) {
            error_ = std::move(source).error();
            return;
        }
        source_ = *std::move(source);
    }

    // Makes at least `count` bytes visible if the stream has them; returns what is visible.
    std::span<const uint8_t> peek(size_t count) {
        if (window_.size() < count && source_ != nullptr) {
            refill(count);
        }
        return window_;
    }
    // Drops `count` bytes; false when the stream ends before.
    bool skip(size_t count) {
        while (count > window_.size()) {
            count -= window_.size();
            window_ = {};
            if (source_ == nullptr) {
                return false;
            }
            refill(1);
            if (window_.empty()) {
                return false;
            }
        }
        window_ = window_.subspan(count);
        return true;
    }
    const std::optional<Error>& error() const { return error_; }

 private:
    static constexpr size_t kWindowBytes = 64 * 1024;

    void refill(size_t count_min) {
        size_t have = window_.size();
        storage_.resize(std::max(storage_.size(), kWindowBytes + count_min));
        std::copy(window_.begin(), window_.end(), storage_.begin());
        while (have < count_min && !error_) {
            auto got = source_->read(std::span(storage_).subspan(have));
            if (!got) {
                error_ = std::move(got).error();
                break;
            }
            if (*got == 0) {
                source_.reset();
                break;
            }
            have += *got;
        }
        window_ = std::span<const uint8_t>(storage_).first(have);
    }

    std::unique_ptr<Decompressor> source_;
    std::vector<uint8_t> storage_;
    std::span<const uint8_t> window_;
    std::optional<Error> error_;
};

// What validation needs of a record: its key and value are passed over unread.
struct RecordShape {
    int64_t timestamp_delta = 0;
    int32_t offset_delta = 0;
    bool has_key = false;
};

// Walks records in the window, structure checked as RecordReader does.
class ShapeReader {
 public:
    explicit ShapeReader(ByteWindow& window) : window_(window) {}

    // nullptr, or what is wrong.
    const char* next(RecordShape& shape) {
        left_ = kVarlongBytesMax;
        int32_t length = 0;
        if (!get(length) || length < 0) {
            return "bad record length";
        }
        left_ = static_cast<size_t>(length);
        int32_t header_count = 0;
        if (!skip(1) || !get(shape.timestamp_delta) || !get(shape.offset_delta) ||
            !skip_field(true, &shape.has_key) || !skip_field(true, nullptr) || !get(header_count) ||
            header_count < 0) {
            return "bad record field";
        }
        for (int32_t i = 0; i < header_count; ++i) {
            if (!skip_field(false, nullptr) || !skip_field(true, nullptr)) {
                return "bad record header";
            }
        }
        return left_ == 0 ? nullptr : "record longer than its fields";
    }

 private:
    template <typename T>
    bool get(T& n) {
        auto visible = window_.peek(kVarlongBytesMax);
        visible = visible.first(std::min(visible.size(), left_));
        const uint8_t* after = nullptr;
        if constexpr (sizeof(T) == 4) {
            uint32_t raw = 0;
            after = get_varint(visible.data(), visible.data() + visible.size(), raw);
            n = unzigzag(raw);
        } else {
            uint64_t raw = 0;
            after = get_varlong(visible.data(), visible.data() + visible.size(), raw);
            n = unzigzag(raw);
        }
        return after != nullptr && skip(static_cast<size_t>(after - visible.data()));
    }
    bool skip(size_t count) {
        if (count > left_) {
            return false;
        }
        left_ -= count;
        return window_.skip(count);
    }
    bool skip_field(bool nullable, bool* present) {
        int32_t length = 0;
        if (!get(length) || length < (nullable ? -1 : 0)) {
            return false;
        }
        if (present != nullptr) {
            *present = length >= 0;
        }
        return length <= 0 || skip(static_cast<size_t>(length));
    }

    ByteWindow& window_;
    size_t left_ = 0;  // bytes of the current record not read yet
};

// What the walk over the records found.
struct Walk {
    TimestampMs max_timestamp = kNoTimestamp;
    bool dense = true;  // offset deltas are 0, 1, 2 ...
    std::vector<RecordError> errors;
    bool timestamp_error = false;
};

Status check_client_batch(const BatchHeader& header, std::string_view topic_partition) {
    int64_t range = int64_t{header.last_offset_delta} + 1;
    if (range <= 0) {
        return fail(ErrorCode::InvalidRecord,
                    "Batch has an invalid offset range: [{}, {}] in topic partition {}",
                    header.base_offset, header.last_offset(), topic_partition);
    }
    if (header.record_count <= 0) {
        return fail(ErrorCode::InvalidRecord,
                    "Invalid reported count for record batch: {} in topic partition {}",
                    header.record_count, topic_partition);
    }
    if (range != header.record_count) {
        return fail(ErrorCode::InvalidRecord,
                    "Inconsistent batch offset range [{}, {}] and count of records {} in topic "
                    "partition {}",
                    header.base_offset, header.last_offset(), header.record_count, topic_partition);
    }
    if (header.is_control()) {
        return fail(ErrorCode::InvalidRecord,
                    "Clients are not allowed to write control records in topic partition {}",
                    topic_partition);
    }
    if (header.has_producer_id() && header.base_sequence < 0) {
        return fail(ErrorCode::InvalidRecord,
                    "Invalid sequence number {} in record batch with producerId {} in topic "
                    "partition {}",
                    header.base_sequence, header.producer_id, topic_partition);
    }
    return {};
}

// The complaint about one record, if any.
std::optional<std::string> check_record(const BatchHeader& header, const RecordShape& shape,
                                        TimestampMs timestamp, TimestampMs now,
                                        const AppendRules& rules, std::string_view topic_partition,
                                        bool& about_timestamp) {
    if (rules.compacted && !shape.has_key) {
        return fmt::format(
            "Compacted topic cannot accept message without key in topic partition {}",
            topic_partition);
    }
    about_timestamp = true;
    if (rules.timestamp_type == TimestampType::CreateTime && timestamp != kNoTimestamp) {
        // Differences wrap as Java's do: a timestamp far enough away is out of range either way.
        auto age =
            static_cast<int64_t>(static_cast<uint64_t>(now) - static_cast<uint64_t>(timestamp));
        auto lead = static_cast<int64_t>(0 - static_cast<uint64_t>(age));
        if (age > rules.timestamp_before_ms_max || lead > rules.timestamp_after_ms_max) {
            auto bound = [&](uint64_t distance) {
                return static_cast<int64_t>(static_cast<uint64_t>(now) + distance);
            };
            return fmt::format(
                "Timestamp {} of message with offset {} is out of range. The timestamp should be "
                "within [{}, {}]",
                timestamp, header.base_offset + shape.offset_delta,
                bound(0 - static_cast<uint64_t>(rules.timestamp_before_ms_max)),
                bound(static_cast<uint64_t>(rules.timestamp_after_ms_max)));
        }
    } else if (header.timestamp_type() == TimestampType::LogAppendTime) {
        return fmt::format(
            "Invalid timestamp type in message with offset {}. Producer should not set timestamp "
            "type "
            "to LogAppendTime.",
            header.base_offset + shape.offset_delta);
    }
    return std::nullopt;
}

std::expected<Walk, Rejection> walk_records(const BatchView& batch, const Bytes& payload,
                                            TimestampMs now, const AppendRules& rules,
                                            std::string_view topic_partition) {
    constexpr size_t kErrorsKept = 10'000;
    const BatchHeader& header = batch.header();
    ByteWindow window(header.codec_number(), payload);
    ShapeReader reader(window);
    Walk walk;
    RecordShape shape;
    for (int32_t index = 0; index < header.record_count; ++index) {
        const char* wrong = reader.next(shape);
        if (window.error()) {
            // Not CorruptMessage: producers would send the same bytes again and again.
            return reject(fail(ErrorCode::UnknownServerError, "{}", window.error()->message));
        }
        if (wrong != nullptr) {
            return reject(fail(ErrorCode::InvalidRecord,
                               "malformed record in batch: {} index={} count={} partition={}",
                               wrong, index, header.record_count, topic_partition));
        }
        TimestampMs timestamp =
            header.timestamp_type() == TimestampType::LogAppendTime
                ? header.max_timestamp
                : static_cast<int64_t>(static_cast<uint64_t>(header.base_timestamp) +
                                       static_cast<uint64_t>(shape.timestamp_delta));
        bool about_timestamp = false;
        auto complaint =
            check_record(header, shape, timestamp, now, rules, topic_partition, about_timestamp);
        if (complaint && walk.errors.size() < kErrorsKept) {
            walk.errors.push_back({index, *std::move(complaint)});
            walk.timestamp_error |= about_timestamp;
        }
        walk.max_timestamp = std::max(walk.max_timestamp, timestamp);
        walk.dense &= shape.offset_delta == index;
    }
    if (!window.peek(1).empty()) {
        return reject(fail(ErrorCode::InvalidRecord,
                           "bytes left after the last record of a batch: count={} partition={}",
                           header.record_count, topic_partition));
    }
    return walk;
}

Rejection rejection_of(Walk walk) {
    if (walk.timestamp_error) {
        return {{ErrorCode::InvalidTimestamp,
                 "One or more records have been rejected due to invalid timestamp"},
                std::move(walk.errors)};
    }
    std::string shown;
    for (size_t i = 0; i < std::min<size_t>(walk.errors.size(), 3); ++i) {
        shown += fmt::format("{}RecordError(batchIndex={}, message='{}')", i == 0 ? "" : ", ",
                             walk.errors[i].index, walk.errors[i].message);
    }
    std::string message = fmt::format(
        "One or more records have been rejected due to {} record errors in total, and only "
        "showing the first three errors at most: [{}]",
        walk.errors.size(), shown);
    return {{ErrorCode::InvalidRecord, std::move(message)}, std::move(walk.errors)};
}

Rejection too_large(size_t bytes, size_t bytes_max, std::string_view topic_partition) {
    return {{ErrorCode::MessageTooLarge,
             fmt::format("The record batch size in the append to {} is {} bytes which exceeds the "
                         "maximum configured value of {}.",
                         topic_partition, bytes, bytes_max)},
            {}};
}

// The records with offset deltas 0, 1, 2 ...: some old clients number them badly, and Kafka has
// always rewritten rather than refused.
Bytes renumber(const BatchHeader& header, const Bytes& payload) {
    BatchBuilder builder;
    RecordReader reader(header, payload);
    while (reader.next()) {
        const RecordView& record = reader.record();
        auto headers = record.headers();
        builder.append(record.timestamp, record.key, record.value, headers);
    }
    return builder.build();
}

}  // namespace

std::expected<AppendableBatch, Rejection> validate_for_append(const Bytes& records,
                                                              Offset base_offset, TimestampMs now,
                                                              const AppendRules& rules,
                                                              std::string_view topic_partition) {
    auto parsed = BatchView::parse(records);
    if (!parsed) {
        return std::unexpected(Rejection{std::move(parsed).error(), {}});
    }
    const BatchView& batch = *parsed;
    if (batch.size_in_bytes() != records.size()) {
        return reject(fail(ErrorCode::InvalidRecord,
                           "more than one record batch, or bytes after it: batch_bytes={} bytes={} "
                           "partition={}",
                           batch.size_in_bytes(), records.size(), topic_partition));
    }
    if (rules.origin == AppendOrigin::Client && batch.header().base_offset != 0) {
        return reject(fail(ErrorCode::InvalidRecord,
                           "The baseOffset of the record batch in the append to {} should be 0, "
                           "but it is {}",
                           topic_partition, batch.header().base_offset));
    }
    if (batch.size_in_bytes() > rules.batch_bytes_max) {
        return std::unexpected(
            too_large(batch.size_in_bytes(), rules.batch_bytes_max, topic_partition));
    }
    if (auto intact = batch.check_crc(); !intact) {
        return std::unexpected(Rejection{std::move(intact).error(), {}});
    }
    if (rules.origin == AppendOrigin::Client) {
        if (auto lawful = check_client_batch(batch.header(), topic_partition); !lawful) {
            return std::unexpected(Rejection{std::move(lawful).error(), {}});
        }
    }
    Bytes payload = batch.payload();
    auto walk = walk_records(batch, payload, now, rules, topic_partition);
    if (!walk) {
        return std::unexpected(std::move(walk).error());
    }
    if (!walk->errors.empty()) {
        return std::unexpected(rejection_of(*std::move(walk)));
    }

    AppendableBatch out;
    out.header = batch.header();
    BatchHeader& header = out.header;
    bool changed = false;  // of what the checksum covers
    bool recode = rules.recompress && rules.recompress->codec != header.codec() &&
                  !(header.codec() == Codec::None && header.is_control());
    bool renumbering = header.codec() != Codec::None && !walk->dense;
    if (recode || renumbering) {
        auto plain = batch.uncompressed_payload();
        if (!plain) {
            return std::unexpected(Rejection{std::move(plain).error(), {}});
        }
        payload = *std::move(plain);
        if (renumbering) {
            Bytes renumbered = renumber(header, payload);
            BatchHeader fresh = BatchHeader::read(renumbered.data());
            header.base_timestamp = fresh.base_timestamp;
            header.last_offset_delta = fresh.last_offset_delta;
            payload = renumbered.slice(kBatchHeaderBytes);
        }
        Compression target = recode ? *rules.recompress : Compression{header.codec()};
        if (target.codec != Codec::None) {
            payload = compress(target, payload);
        }
        header.set_codec(target.codec);
        header.batch_length =
            static_cast<int32_t>(kBatchHeaderBytes - kBatchPrefixBytes + payload.size());
        changed = true;
        if (header.size_in_bytes() > rules.batch_bytes_max) {
            return std::unexpected(
                too_large(header.size_in_bytes(), rules.batch_bytes_max, topic_partition));
        }
    }

    TimestampMs max_timestamp = walk->max_timestamp;
    if (rules.timestamp_type == TimestampType::LogAppendTime) {
        max_timestamp = now;
        out.log_append_time = now;
    }
    if (header.timestamp_type() != rules.timestamp_type || header.max_timestamp != max_timestamp) {
        header.set_timestamp_type(rules.timestamp_type);
        header.max_timestamp = max_timestamp;
        changed = true;
    }
    header.base_offset = base_offset.value();
    header.leader_epoch = rules.leader_epoch.value();
    header.write(out.header_bytes.data());
    if (changed) {
        header.crc = batch_crc(out.header_bytes.data(), payload);
        header.write(out.header_bytes.data());
    }
    out.payload = std::move(payload);
    return out;
}

}  // namespace moldau::record
