// Record batches, format v2: the unit in which records are sent, stored and checksummed
// (layout: docs/formats/record_batch.md).
//
// BatchHeader is the 61 fixed bytes as a value. BatchView is one whole batch over shared memory; it
// has been checked for structure, not for content. RecordReader walks the records of a batch's
// decompressed payload. Everything here is a pure function of bytes; nothing trusts a length it has
// not compared with the bytes that are there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/types.h"

namespace moldau::record {

enum class Codec : int8_t { None = 0, Gzip = 1, Snappy = 2, Lz4 = 3, Zstd = 4 };
enum class TimestampType : int8_t { CreateTime = 0, LogAppendTime = 1 };

std::string_view codec_name(Codec codec);  // "none", "gzip", ...
std::optional<Codec> codec_of_name(std::string_view name);

inline constexpr int8_t kMagicV2 = 2;
inline constexpr size_t kBatchHeaderBytes = 61;
// Base offset and length: what must be read to know how long a batch is.
inline constexpr size_t kBatchPrefixBytes = 12;
inline constexpr size_t kMagicPosition = 16;
// The checksum covers everything from here to the end.
inline constexpr size_t kCrcFromPosition = 21;
inline constexpr int32_t kNoSequence = -1;
inline constexpr int16_t kNoProducerEpoch = -1;

struct BatchHeader {
    int64_t base_offset = 0;
    int32_t batch_length = 0;  // bytes after this field
    int32_t leader_epoch = -1;
    int8_t magic = kMagicV2;
    uint32_t crc = 0;
    int16_t attributes = 0;
    int32_t last_offset_delta = 0;
    TimestampMs base_timestamp = kNoTimestamp;  // the delete horizon when has_delete_horizon()
    TimestampMs max_timestamp = kNoTimestamp;
    int64_t producer_id = -1;
    int16_t producer_epoch = kNoProducerEpoch;
    int32_t base_sequence = kNoSequence;
    int32_t record_count = 0;

    // `from` has kBatchHeaderBytes.
    static BatchHeader read(const uint8_t* from);
    void write(uint8_t* to) const;

    size_t size_in_bytes() const { return kBatchPrefixBytes + static_cast<size_t>(batch_length); }
    Offset first_offset() const { return Offset(base_offset); }
    Offset last_offset() const { return Offset(base_offset + last_offset_delta); }
    Offset next_offset() const { return Offset(base_offset + last_offset_delta + 1); }
    // The raw number; 5 to 7 name no codec.
    int8_t codec_number() const { return static_cast<int8_t>(attributes & 0x07); }
    Codec codec() const { return static_cast<Codec>(codec_number()); }
    TimestampType timestamp_type() const {
        return (attributes & 0x08) != 0 ? TimestampType::LogAppendTime : TimestampType::CreateTime;
    }
    bool is_transactional() const { return (attributes & 0x10) != 0; }
    bool is_control() const { return (attributes & 0x20) != 0; }
    bool has_delete_horizon() const { return (attributes & 0x40) != 0; }
    bool has_producer_id() const { return producer_id >= 0; }
    // Sequence numbers wrap from 2^31 - 1 to 0.
    int32_t last_sequence() const;

    void set_codec(Codec codec) {
        attributes = static_cast<int16_t>((attributes & ~0x07) | static_cast<int16_t>(codec));
    }
    void set_timestamp_type(TimestampType type) {
        attributes = static_cast<int16_t>((attributes & ~0x08) | (static_cast<int16_t>(type) << 3));
    }

    friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

// sequence + increment, wrapping from 2^31 - 1 to 0.
int32_t advance_sequence(int32_t sequence, int32_t increment);

// The checksum of a batch given as header and payload: `header` is 61 encoded bytes.
uint32_t batch_crc(const uint8_t* header, std::span<const uint8_t> payload);

struct RecordHeader {
    std::string_view key;
    std::optional<std::string_view> value;

    friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};

// One record; views into the payload it was read from.
struct RecordView {
    Offset offset;
    TimestampMs timestamp = kNoTimestamp;
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
    int32_t header_count = 0;
    std::string_view header_bytes;  // already checked
    size_t size_in_bytes = 0;       // with its length prefix

    std::vector<RecordHeader> headers() const;
};

// One batch, complete and of format v2.
class BatchView {
 public:
    // The first batch in `bytes`; what follows it is left alone. Errors: CorruptMessage when the
    // batch is cut off, shorter than its header, or its record count cannot fit its bytes;
    // UnsupportedForMessageFormat for a magic other than 2.
    static Result<BatchView> parse(const Bytes& bytes);

    const BatchHeader& header() const { return header_; }
    const Bytes& bytes() const { return bytes_; }
    size_t size_in_bytes() const { return bytes_.size(); }
    // The records as stored, compressed or not.
    Bytes payload() const { return bytes_.slice(kBatchHeaderBytes); }
    // Errors: CorruptMessage.
    Status check_crc() const;
    // The records uncompressed. Errors: CorruptMessage when they do not decompress or would exceed
    // `bytes_max`; UnsupportedCompressionType.
    Result<Bytes> uncompressed_payload(size_t bytes_max = kUncompressedBytesMax) const;

    // More than a client may send in one request, and less than would hurt.
    static constexpr size_t kUncompressedBytesMax = size_t{1} << 30;

 private:
    BatchHeader header_;
    Bytes bytes_;
};

// Walks the records of an uncompressed payload:
//   RecordReader reader(header, payload);
//   while (reader.next()) { use(reader.record()); }
//   MOLDAU_CHECK(reader.status());
class RecordReader {
 public:
    // `payload` must outlive the views handed out.
    RecordReader(const BatchHeader& header, std::span<const uint8_t> payload);

    // False at the end or at the first malformed record.
    bool next();
    const RecordView& record() const { return record_; }
    // InvalidRecord when the walk met a malformed record, too few, or bytes left over.
    Status status() const;

 private:
    bool malformed(const char* what);

    const BatchHeader header_;
    const uint8_t* at_;
    const uint8_t* begin_;
    const uint8_t* end_;
    int32_t index_ = 0;
    RecordView record_;
    const char* error_ = nullptr;
};

// Splits concatenated batches. A cut-off last batch ends the walk silently: a fetch may be cut
// anywhere.
class BatchIterator {
 public:
    explicit BatchIterator(Bytes bytes) : rest_(std::move(bytes)) {}

    // The next batch; nullopt at the end. An error ends the walk.
    Result<std::optional<BatchView>> next();
    // Bytes not walked yet.
    const Bytes& rest() const { return rest_; }

 private:
    Bytes rest_;
};

}  // namespace moldau::record
