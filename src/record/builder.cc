#include "record/builder.h"

#include "base/crc32c.h"
#include "base/endian.h"
#include "base/varint.h"

namespace moldau::record {
namespace {

size_t signed_bytes(int32_t n) {
    return varint_bytes(zigzag(n));
}
size_t signed_bytes(int64_t n) {
    return varint_bytes(zigzag(n));
}

size_t field_bytes(std::optional<std::string_view> field) {
    if (!field) {
        return 1;
    }
    return signed_bytes(static_cast<int32_t>(field->size())) + field->size();
}

size_t body_bytes(int64_t timestamp_delta, int32_t offset_delta,
                  std::optional<std::string_view> key, std::optional<std::string_view> value,
                  std::span<const RecordHeader> headers) {
    size_t bytes = 1 + signed_bytes(timestamp_delta) + signed_bytes(offset_delta) +
                   field_bytes(key) + field_bytes(value) +
                   signed_bytes(static_cast<int32_t>(headers.size()));
    for (const RecordHeader& header : headers) {
        bytes += field_bytes(header.key) + field_bytes(header.value);
    }
    return bytes;
}

uint8_t* put_signed(uint8_t* to, int32_t n) {
    return put_varint(to, zigzag(n));
}
uint8_t* put_signed(uint8_t* to, int64_t n) {
    return put_varint(to, zigzag(n));
}

uint8_t* put_field(uint8_t* to, std::optional<std::string_view> field) {
    if (!field) {
        return put_signed(to, int32_t{-1});
    }
    to = put_signed(to, static_cast<int32_t>(field->size()));
    return std::copy(field->begin(), field->end(), to);
}

}  // namespace

size_t BatchBuilder::record_bytes_max(std::optional<std::string_view> key,
                                      std::optional<std::string_view> value,
                                      std::span<const RecordHeader> headers) {
    constexpr size_t kLengthBytesMax = 5;
    constexpr size_t kDeltaBytesMax = 15;
    return kLengthBytesMax + kDeltaBytesMax + body_bytes(0, 0, key, value, headers);
}

void BatchBuilder::append(TimestampMs timestamp, std::optional<std::string_view> key,
                          std::optional<std::string_view> value,
                          std::span<const RecordHeader> headers) {
    append_at(options_.base_offset + (last_offset_delta_ + 1), timestamp, key, value, headers);
}

void BatchBuilder::append_at(Offset offset, TimestampMs timestamp,
                             std::optional<std::string_view> key,
                             std::optional<std::string_view> value,
                             std::span<const RecordHeader> headers) {
    auto offset_delta = static_cast<int32_t>(offset - options_.base_offset);
    MOLDAU_ASSERT(offset_delta > last_offset_delta_);
    if (record_count_ == 0) {
        base_timestamp_ = options_.delete_horizon.value_or(timestamp);
    }
    int64_t timestamp_delta = timestamp - base_timestamp_;
    size_t body = body_bytes(timestamp_delta, offset_delta, key, value, headers);
    size_t at = payload_.size();
    payload_.resize(at + signed_bytes(static_cast<int32_t>(body)) + body);
    uint8_t* to = payload_.data() + at;
    to = put_signed(to, static_cast<int32_t>(body));
    *to++ = 0;  // attributes
    to = put_signed(to, timestamp_delta);
    to = put_signed(to, offset_delta);
    to = put_field(to, key);
    to = put_field(to, value);
    to = put_signed(to, static_cast<int32_t>(headers.size()));
    for (const RecordHeader& header : headers) {
        to = put_field(to, header.key);
        to = put_field(to, header.value);
    }
    MOLDAU_ASSERT(to == payload_.data() + payload_.size());
    last_offset_delta_ = offset_delta;
    max_timestamp_ = std::max(max_timestamp_, timestamp);
    ++record_count_;
}

Bytes BatchBuilder::build() {
    MOLDAU_ASSERT(record_count_ > 0);
    Bytes payload = options_.compression.codec == Codec::None
                        ? std::move(payload_).freeze()
                        : compress(options_.compression, payload_.span());
    BatchHeader header;
    header.base_offset = options_.base_offset.value();
    header.batch_length =
        static_cast<int32_t>(kBatchHeaderBytes - kBatchPrefixBytes + payload.size());
    header.leader_epoch = options_.leader_epoch;
    header.set_codec(options_.compression.codec);
    header.set_timestamp_type(options_.timestamp_type);
    header.attributes =
        static_cast<int16_t>(header.attributes | (options_.transactional ? 0x10 : 0) |
                             (options_.control ? 0x20 : 0) | (options_.delete_horizon ? 0x40 : 0));
    header.last_offset_delta =
        options_.last_offset ? static_cast<int32_t>(*options_.last_offset - options_.base_offset)
                             : last_offset_delta_;
    header.base_timestamp = base_timestamp_;
    header.max_timestamp = options_.timestamp_type == TimestampType::LogAppendTime
                               ? options_.log_append_time
                               : max_timestamp_;
    header.producer_id = options_.producer_id;
    header.producer_epoch = options_.producer_epoch;
    header.base_sequence = options_.base_sequence;
    header.record_count = record_count_;

    Buffer batch(kBatchHeaderBytes + payload.size());
    batch.resize(kBatchHeaderBytes);
    header.write(batch.data());
    header.crc = batch_crc(batch.data(), payload);
    header.write(batch.data());
    batch.append(payload.span());

    payload_ = Buffer();
    record_count_ = 0;
    last_offset_delta_ = -1;
    base_timestamp_ = kNoTimestamp;
    max_timestamp_ = kNoTimestamp;
    return std::move(batch).freeze();
}

Bytes empty_batch(const BatchHeader& header) {
    BatchHeader kept = header;
    kept.batch_length = static_cast<int32_t>(kBatchHeaderBytes - kBatchPrefixBytes);
    kept.set_codec(Codec::None);
    kept.attributes = static_cast<int16_t>(kept.attributes & ~0x40);
    kept.base_timestamp = kNoTimestamp;
    kept.record_count = 0;
    Buffer batch(kBatchHeaderBytes);
    batch.resize(kBatchHeaderBytes);
    kept.write(batch.data());
    kept.crc = batch_crc(batch.data(), {});
    kept.write(batch.data());
    return std::move(batch).freeze();
}

std::array<uint8_t, 4> control_key(ControlType type) {
    std::array<uint8_t, 4> key{};
    store_big(key.data() + 2, static_cast<int16_t>(type));
    return key;
}

std::optional<int16_t> control_type_of_key(std::optional<std::string_view> key) {
    if (!key || key->size() < 4) {
        return std::nullopt;
    }
    return load_big<int16_t>(reinterpret_cast<const uint8_t*>(key->data()) + 2);
}

}  // namespace moldau::record
