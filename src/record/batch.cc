#include "record/batch.h"

#include <array>
#include <limits>

#include "base/crc32c.h"
#include "base/endian.h"
#include "base/varint.h"
#include "record/compression.h"

namespace moldau::record {
namespace {

constexpr std::array<std::string_view, 5> kCodecNames = {"none", "gzip", "snappy", "lz4", "zstd"};

// Smallest record: a length byte, attributes, two deltas, two null lengths, no headers.
constexpr size_t kRecordBytesMin = 7;

// Reads a signed varint; nullptr when it is not there.
const uint8_t* get_signed(const uint8_t* at, const uint8_t* end, int32_t& n) {
    uint32_t raw = 0;
    at = get_varint(at, end, raw);
    n = unzigzag(raw);
    return at;
}

const uint8_t* get_signed(const uint8_t* at, const uint8_t* end, int64_t& n) {
    uint64_t raw = 0;
    at = get_varlong(at, end, raw);
    n = unzigzag(raw);
    return at;
}

// A length-prefixed field; -1 is null.
const uint8_t* get_field(const uint8_t* at, const uint8_t* end,
                         std::optional<std::string_view>& field) {
    int32_t length = 0;
    at = get_signed(at, end, length);
    if (at == nullptr || length < -1 || length > end - at) {
        return nullptr;
    }
    if (length < 0) {
        field.reset();
        return at;
    }
    field = std::string_view(reinterpret_cast<const char*>(at), static_cast<size_t>(length));
    return at + length;
}

const uint8_t* get_header(const uint8_t* at, const uint8_t* end, RecordHeader& header) {
    std::optional<std::string_view> key;
    at = get_field(at, end, key);
    if (at == nullptr || !key) {
        return nullptr;
    }
    header.key = *key;
    return get_field(at, end, header.value);
}

}  // namespace

std::string_view codec_name(Codec codec) {
    return kCodecNames[static_cast<size_t>(codec)];
}

std::optional<Codec> codec_of_name(std::string_view name) {
    for (size_t i = 0; i < kCodecNames.size(); ++i) {
        if (kCodecNames[i] == name) {
            return static_cast<Codec>(i);
        }
    }
    return std::nullopt;
}

BatchHeader BatchHeader::read(const uint8_t* from) {
    BatchHeader header;
    header.base_offset = load_big<int64_t>(from);
    header.batch_length = load_big<int32_t>(from + 8);
    header.leader_epoch = load_big<int32_t>(from + 12);
    header.magic = static_cast<int8_t>(from[kMagicPosition]);
    header.crc = load_big<uint32_t>(from + 17);
    header.attributes = load_big<int16_t>(from + kCrcFromPosition);
    header.last_offset_delta = load_big<int32_t>(from + 23);
    header.base_timestamp = load_big<int64_t>(from + 27);
    header.max_timestamp = load_big<int64_t>(from + 35);
    header.producer_id = load_big<int64_t>(from + 43);
    header.producer_epoch = load_big<int16_t>(from + 51);
    header.base_sequence = load_big<int32_t>(from + 53);
    header.record_count = load_big<int32_t>(from + 57);
    return header;
}

void BatchHeader::write(uint8_t* to) const {
    store_big(to, base_offset);
    store_big(to + 8, batch_length);
    store_big(to + 12, leader_epoch);
    to[kMagicPosition] = static_cast<uint8_t>(magic);
    store_big(to + 17, crc);
    store_big(to + kCrcFromPosition, attributes);
    store_big(to + 23, last_offset_delta);
    store_big(to + 27, base_timestamp);
    store_big(to + 35, max_timestamp);
    store_big(to + 43, producer_id);
    store_big(to + 51, producer_epoch);
    store_big(to + 53, base_sequence);
    store_big(to + 57, record_count);
}

int32_t BatchHeader::last_sequence() const {
    return base_sequence == kNoSequence ? kNoSequence
                                        : advance_sequence(base_sequence, last_offset_delta);
}

int32_t advance_sequence(int32_t sequence, int32_t increment) {
    int64_t sum = static_cast<int64_t>(sequence) + increment;
    return static_cast<int32_t>(sum & std::numeric_limits<int32_t>::max());
}

uint32_t batch_crc(const uint8_t* header, std::span<const uint8_t> payload) {
    uint32_t crc = crc32c({header + kCrcFromPosition, kBatchHeaderBytes - kCrcFromPosition});
    return crc32c(payload, crc);
}

std::vector<RecordHeader> RecordView::headers() const {
    std::vector<RecordHeader> headers;
    headers.reserve(static_cast<size_t>(header_count));
    const auto* at = reinterpret_cast<const uint8_t*>(header_bytes.data());
    const uint8_t* end = at + header_bytes.size();
    for (int32_t i = 0; i < header_count; ++i) {
        at = get_header(at, end, headers.emplace_back());
        MOLDAU_ASSERT(at != nullptr);  // RecordReader has walked them
    }
    return headers;
}

Result<BatchView> BatchView::parse(const Bytes& bytes) {
    if (bytes.size() < kBatchPrefixBytes) {
        return fail(ErrorCode::CorruptMessage, "record batch cut off: bytes={}", bytes.size());
    }
    auto length = load_big<int32_t>(bytes.data() + 8);
    size_t size = kBatchPrefixBytes + static_cast<size_t>(std::max(length, 0));
    if (length < 0 || size > bytes.size() || size <= kMagicPosition) {
        return fail(ErrorCode::CorruptMessage, "record batch cut off: batch_length={} bytes={}",
                    length, bytes.size());
    }
    auto magic = static_cast<int8_t>(bytes[kMagicPosition]);
    if (magic != kMagicV2) {
        return fail(ErrorCode::UnsupportedForMessageFormat,
                    "record batch of another format: magic={}", magic);
    }
    if (size < kBatchHeaderBytes) {
        return fail(ErrorCode::CorruptMessage,
                    "record batch shorter than its header: batch_length={}", length);
    }
    BatchView view;
    view.header_ = BatchHeader::read(bytes.data());
    view.bytes_ = bytes.slice(0, size);
    return view;
}

Status BatchView::check_crc() const {
    uint32_t computed = batch_crc(bytes_.data(), bytes_.span().subspan(kBatchHeaderBytes));
    if (computed != header_.crc) {
        return fail(ErrorCode::CorruptMessage,
                    "record batch checksum differs: base_offset={} stored={:08x} computed={:08x}",
                    header_.base_offset, header_.crc, computed);
    }
    return {};
}

Result<Bytes> BatchView::uncompressed_payload(size_t bytes_max) const {
    if (header_.codec_number() == 0) {
        return payload();
    }
    return decompress(header_.codec_number(), payload(), bytes_max);
}

RecordReader::RecordReader(const BatchHeader& header, std::span<const uint8_t> payload)
    : header_(header),
      at_(payload.data()),
      begin_(payload.data()),
      end_(payload.data() + payload.size()),
      error_(header.record_count < 0 ? "negative record count" : nullptr) {}

bool RecordReader::next() {
    if (error_ != nullptr || index_ >= header_.record_count) {
        return false;
    }
    const uint8_t* start = at_;
    int32_t length = 0;
    const uint8_t* at = get_signed(at_, end_, length);
    if (at == nullptr || length < static_cast<int32_t>(kRecordBytesMin) - 1 || length > end_ - at) {
        return malformed("bad record length");
    }
    const uint8_t* record_end = at + length;
    ++at;  // attributes, unused
    int64_t timestamp_delta = 0;
    int32_t offset_delta = 0;
    at = get_signed(at, record_end, timestamp_delta);
    at = at == nullptr ? nullptr : get_signed(at, record_end, offset_delta);
    at = at == nullptr ? nullptr : get_field(at, record_end, record_.key);
    at = at == nullptr ? nullptr : get_field(at, record_end, record_.value);
    at = at == nullptr ? nullptr : get_signed(at, record_end, record_.header_count);
    // A header takes two bytes at least, so a count that could not fit is refused before any walk.
    if (at == nullptr || record_.header_count < 0 || record_.header_count > (record_end - at) / 2) {
        return malformed("bad record field");
    }
    const uint8_t* headers = at;
    RecordHeader header;
    for (int32_t i = 0; i < record_.header_count; ++i) {
        at = get_header(at, record_end, header);
        if (at == nullptr) {
            return malformed("bad record header");
        }
    }
    if (at != record_end) {
        return malformed("record longer than its fields");
    }
    record_.header_bytes = {reinterpret_cast<const char*>(headers),
                            static_cast<size_t>(at - headers)};
    // Both numbers are the client's: a sum that wraps is for the validator to refuse.
    record_.offset = Offset(static_cast<int64_t>(static_cast<uint64_t>(header_.base_offset) +
                                                 static_cast<uint64_t>(offset_delta)));
    record_.timestamp = header_.timestamp_type() == TimestampType::LogAppendTime
                            ? header_.max_timestamp
                            : static_cast<int64_t>(static_cast<uint64_t>(header_.base_timestamp) +
                                                   static_cast<uint64_t>(timestamp_delta));
    record_.size_in_bytes = static_cast<size_t>(at - start);
    at_ = at;
    ++index_;
    return true;
}

bool RecordReader::malformed(const char* what) {
    error_ = what;
    return false;
}

Status RecordReader::status() const {
    if (error_ != nullptr) {
        return fail(ErrorCode::InvalidRecord,
                    "malformed record: {} index={} position={} base_offset={}", error_, index_,
                    at_ - begin_, header_.base_offset);
    }
    if (index_ >= header_.record_count && at_ != end_) {
        return fail(ErrorCode::InvalidRecord,
                    "bytes left after the last record of a batch: count={} left={} base_offset={}",
                    header_.record_count, end_ - at_, header_.base_offset);
    }
    return {};
}

Result<std::optional<BatchView>> BatchIterator::next() {
    if (rest_.size() < kBatchPrefixBytes) {
        return std::optional<BatchView>();
    }
    auto length = load_big<int32_t>(rest_.data() + 8);
    if (length >= 0 && kBatchPrefixBytes + static_cast<size_t>(length) > rest_.size()) {
        return std::optional<BatchView>();
    }
    MOLDAU_TRY(BatchView view, BatchView::parse(rest_));
    rest_ = rest_.slice(view.size_in_bytes());
    return std::optional<BatchView>(std::move(view));
}

}  // namespace moldau::record
