#include "frames.h"

#include <array>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "record/compression.h"

namespace moldau::bench {
namespace {

using record::kBatchHeaderBytes;
using record::kBatchPrefixBytes;
using record::kCrcFromPosition;

constexpr size_t kCrcPosition = 17;
constexpr size_t kProducerPosition = 43;
// Within a frame: length, api key, version, correlation id.
constexpr size_t kCorrelationPosition = 8;
constexpr int32_t kAnswerTimeoutMs = 30'000;

uint32_t checksum(const uint8_t* batch, size_t bytes) {
    return crc32c({batch + kCrcFromPosition, bytes - kCrcFromPosition});
}

// Where the first value of an uncompressed batch begins.
size_t first_value_at(std::span<const uint8_t> batch) {
    size_t at = kBatchHeaderBytes;
    auto skip_varint = [&] {
        while (at < batch.size() && (batch[at] & 0x80) != 0) {
            ++at;
        }
        ++at;
    };
    skip_varint();  // length
    ++at;           // attributes
    skip_varint();  // timestamp delta
    skip_varint();  // offset delta
    skip_varint();  // no key
    skip_varint();  // value length
    return at;
}

void append_varint(std::string& out, int64_t value) {
    auto zigzag = static_cast<uint64_t>(value << 1) ^ static_cast<uint64_t>(value >> 63);
    while (zigzag >= 0x80) {
        out.push_back(static_cast<char>(zigzag | 0x80));
        zigzag >>= 7;
    }
    out.push_back(static_cast<char>(zigzag));
}

template <typename T>
T read_at(std::span<const uint8_t> bytes, size_t at) {
    return at + sizeof(T) <= bytes.size() ? load_big<T>(bytes.data() + at) : T{};
}

std::string record_value(int bytes, bool text, uint32_t& noise) {
    static constexpr std::string_view kWords[] = {"\"level\":\"info\",", "\"path\":\"/orders\",",
                                                  "\"status\":200,", "\"user\":"};
    std::string value;
    while (std::ssize(value) < bytes) {
        noise = noise * 1664525 + 1013904223;
        if (text) {
            value += kWords[noise >> 30];
            value += fmt::format("{},", (noise >> 8) % 100'000);
        } else {
            value.push_back(static_cast<char>(noise >> 24));
        }
    }
    value.resize(static_cast<size_t>(bytes));
    return value;
}

int64_t wall_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

Frame::Frame(int16_t api_key, int16_t version, int32_t correlation_id) {
    int32(0).int16(api_key).int16(version).int32(correlation_id).string("bench");
}

template <typename T>
void Frame::put(T value) {
    bytes_.resize(bytes_.size() + sizeof(T));
    store_big<T>(bytes_.data() + bytes_.size() - sizeof(T), value);
}

Frame& Frame::int8(int8_t value) {
    put(value);
    return *this;
}

Frame& Frame::int16(int16_t value) {
    put(value);
    return *this;
}

Frame& Frame::int32(int32_t value) {
    put(value);
    return *this;
}

Frame& Frame::int64(int64_t value) {
    put(value);
    return *this;
}

Frame& Frame::string(std::string_view text) {
    int16(static_cast<int16_t>(text.size()));
    return raw(text);
}

Frame& Frame::null_string() {
    return int16(-1);
}

Frame& Frame::raw(std::string_view bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
}

const std::vector<uint8_t>& Frame::finish() {
    store_big<int32_t>(bytes_.data(), static_cast<int32_t>(bytes_.size() - sizeof(int32_t)));
    return bytes_;
}

std::string record_batch(const BatchSpec& spec) {
    std::string payload;
    uint32_t noise = 12345;
    for (int i = 0; i < spec.records; ++i) {
        std::string record;
        record.push_back(0);        // attributes
        append_varint(record, 0);   // timestamp delta
        append_varint(record, i);   // offset delta
        append_varint(record, -1);  // no key
        append_varint(record, spec.value_bytes);
        record += record_value(spec.value_bytes, spec.codec != record::Codec::None, noise);
        append_varint(record, 0);  // no headers
        append_varint(payload, static_cast<int64_t>(record.size()));
        payload += record;
    }
    if (spec.codec != record::Codec::None) {
        payload =
            record::compress({.codec = spec.codec},
                             {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()})
                .str();
    }
    record::BatchHeader header;
    header.batch_length =
        static_cast<int32_t>(kBatchHeaderBytes - kBatchPrefixBytes + payload.size());
    header.set_codec(spec.codec);
    header.last_offset_delta = spec.records - 1;
    header.base_timestamp = wall_ms();
    header.max_timestamp = header.base_timestamp;
    header.record_count = spec.records;
    std::string batch(kBatchHeaderBytes, '\0');
    auto* bytes = reinterpret_cast<uint8_t*>(batch.data());
    header.write(bytes);
    batch += payload;
    bytes = reinterpret_cast<uint8_t*>(batch.data());
    store_big<uint32_t>(bytes + kCrcPosition, checksum(bytes, batch.size()));
    return batch;
}

ProduceFrame::ProduceFrame(std::string_view topic, int32_t partition, int16_t acks,
                           const std::string& batch) {
    Frame frame(0, 7, 1);
    frame.null_string().int16(acks).int32(kAnswerTimeoutMs);
    frame.int32(1).string(topic).int32(1).int32(partition);
    frame.int32(static_cast<int32_t>(batch.size()));
    batch_at_ = frame.size();
    bytes_ = frame.raw(batch).finish();
}

void ProduceFrame::patch_correlation(uint8_t* frame, int32_t correlation_id) {
    store_big<int32_t>(frame + kCorrelationPosition, correlation_id);
}

void ProduceFrame::patch_batch(uint8_t* frame, const BatchPatch& patch) const {
    uint8_t* batch = frame + batch_at_;
    size_t size = bytes_.size() - batch_at_;
    store_big<int64_t>(batch + kProducerPosition, patch.producer_id);
    store_big<int16_t>(batch + kProducerPosition + 8, patch.producer_epoch);
    store_big<int32_t>(batch + kProducerPosition + 10, patch.sequence);
    if (patch.stamp_ns >= 0) {
        store_big<int64_t>(batch + first_value_at({batch, size}), patch.stamp_ns);
    }
    store_big<uint32_t>(batch + kCrcPosition, checksum(batch, size));
}

std::vector<uint8_t> fetch_frame(std::string_view topic, int32_t partition, int64_t offset,
                                 int32_t bytes_max, int32_t wait_max_ms) {
    Frame frame(1, 7, 1);
    frame.int32(-1).int32(wait_max_ms).int32(1).int32(bytes_max).int8(0).int32(0).int32(-1);
    frame.int32(1).string(topic).int32(1);
    frame.int32(partition).int64(offset).int64(-1).int32(bytes_max);
    return frame.int32(0).finish();
}

std::vector<uint8_t> init_producer_frame() {
    return Frame(22, 0, 1).null_string().int32(kAnswerTimeoutMs).finish();
}

ProducerIdentity parse_init_producer(const std::vector<uint8_t>& answer) {
    // correlation id, throttle time
    return {read_at<int16_t>(answer, 8), read_at<int64_t>(answer, 10),
            read_at<int16_t>(answer, 18)};
}

std::vector<uint8_t> create_topics_frame(std::string_view prefix, int first, int topics,
                                         int partitions) {
    Frame frame(19, 4, 1);
    frame.int32(topics);
    for (int i = first; i < first + topics; ++i) {
        frame.string(fmt::format("{}{}", prefix, i)).int32(partitions).int16(1).int32(0).int32(0);
    }
    return frame.int32(10 * kAnswerTimeoutMs).int8(0).finish();
}

int16_t create_topics_error(const std::vector<uint8_t>& answer) {
    // correlation id, throttle time
    int32_t topics = read_at<int32_t>(answer, 8);
    size_t at = 12;
    for (int32_t i = 0; i < topics; ++i) {
        at += 2 + static_cast<size_t>(read_at<int16_t>(answer, at));
        if (auto error = read_at<int16_t>(answer, at); error != 0) {
            return error;
        }
        auto message_bytes = read_at<int16_t>(answer, at + 2);
        at += 4 + static_cast<size_t>(std::max<int16_t>(message_bytes, 0));
    }
    return 0;
}

std::vector<uint8_t> list_offsets_frame(std::string_view topic, int partitions) {
    Frame frame(2, 1, 1);
    frame.int32(-1).int32(1).string(topic).int32(partitions);
    for (int32_t i = 0; i < partitions; ++i) {
        frame.int32(i).int64(-1);
    }
    return frame.finish();
}

int16_t list_offsets_error(const std::vector<uint8_t>& answer) {
    // correlation id, one topic, its name
    size_t at = 4 + 4;
    at += 2 + static_cast<size_t>(read_at<int16_t>(answer, at));
    int32_t partitions = read_at<int32_t>(answer, at);
    at += 4;
    for (int32_t i = 0; i < partitions; ++i, at += 4 + 2 + 8 + 8) {
        if (auto error = read_at<int16_t>(answer, at + 4); error != 0) {
            return error;
        }
    }
    return 0;
}

std::vector<uint8_t> metadata_frame() {
    return Frame(3, 1, 1).int32(-1).finish();
}

int32_t correlation_of(std::span<const uint8_t> answer) {
    return read_at<int32_t>(answer, 0);
}

int16_t produce_error(std::span<const uint8_t> answer) {
    // correlation id, one topic, its name, one partition, its number
    size_t at = 4 + 4;
    at += 2 + static_cast<size_t>(read_at<int16_t>(answer, at));
    return read_at<int16_t>(answer, at + 4 + 4);
}

Fetched parse_fetched(const std::vector<uint8_t>& answer) {
    Fetched fetched;
    // correlation id, throttle time, error, session id, one topic
    fetched.error = read_at<int16_t>(answer, 8);
    size_t at = 4 + 4 + 2 + 4;
    if (read_at<int32_t>(answer, at) == 0) {
        return fetched;
    }
    at += 4;
    at += 2 + static_cast<size_t>(read_at<int16_t>(answer, at));
    at += 4 + 4;  // one partition, its number
    fetched.error = read_at<int16_t>(answer, at);
    fetched.high_watermark = read_at<int64_t>(answer, at + 2);
    at += 2 + 8 + 8 + 8;
    int32_t aborted = read_at<int32_t>(answer, at);
    at += 4 + (aborted > 0 ? 16 * static_cast<size_t>(aborted) : 0);
    auto bytes = static_cast<size_t>(std::max(0, read_at<int32_t>(answer, at)));
    at += 4;
    if (at + bytes <= answer.size()) {
        fetched.records = {answer.data() + at, bytes};
    }
    return fetched;
}

BatchCheck check_batches(std::span<const uint8_t> records, int64_t expected_offset) {
    BatchCheck check;
    size_t at = 0;
    while (at + kBatchHeaderBytes <= records.size()) {
        auto header = record::BatchHeader::read(records.data() + at);
        if (header.batch_length < static_cast<int32_t>(kBatchHeaderBytes - kBatchPrefixBytes)) {
            check.error = fmt::format("batch length {} at offset {}", header.batch_length,
                                      header.base_offset);
            return check;
        }
        if (at + header.size_in_bytes() > records.size()) {
            break;  // cut off, as the broker may
        }
        std::span batch = records.subspan(at, header.size_in_bytes());
        bool may_begin_before = check.next_offset < 0 && header.base_offset < expected_offset &&
                                header.next_offset().value() > expected_offset;
        int64_t expected = check.next_offset < 0 ? expected_offset : check.next_offset;
        if (header.base_offset != expected && !may_begin_before) {
            check.error = fmt::format("batch begins at offset {} instead of {}", header.base_offset,
                                      expected);
            return check;
        }
        if (header.crc != checksum(batch.data(), batch.size())) {
            check.error = fmt::format("wrong checksum at offset {}", header.base_offset);
            return check;
        }
        if (header.codec() == record::Codec::None) {
            check.stamps_ns.push_back(read_at<int64_t>(batch, first_value_at(batch)));
        }
        check.records += header.record_count;
        check.next_offset = header.next_offset().value();
        at += batch.size();
    }
    check.first_stamp_ns = check.stamps_ns.empty() ? -1 : check.stamps_ns.front();
    return check;
}

}  // namespace moldau::bench
