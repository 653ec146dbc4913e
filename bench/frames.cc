#include "frames.h"

#include <bit>
#include <chrono>
#include <cstring>

#include "base/crc32c.h"

namespace moldau::bench {
namespace {

constexpr size_t kBatchHeaderBytes = 61;

template <typename T>
T big_endian(T value) {
    if constexpr (sizeof(T) == 2) {
        return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
    } else if constexpr (sizeof(T) == 4) {
        return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
    } else if constexpr (sizeof(T) == 8) {
        return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
    } else {
        return value;
    }
}

template <typename T>
void append(std::string& out, T value) {
    value = big_endian(value);
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
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
T read_at(const std::vector<uint8_t>& bytes, size_t at) {
    T value{};
    if (at + sizeof(T) <= bytes.size()) {
        std::memcpy(&value, bytes.data() + at, sizeof(T));
    }
    return big_endian(value);
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
    value = big_endian(value);
    const auto* from = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof(value));
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
    auto length = big_endian(static_cast<int32_t>(bytes_.size() - sizeof(int32_t)));
    std::memcpy(bytes_.data(), &length, sizeof(length));
    return bytes_;
}

std::string record_batch(int records, int value_bytes) {
    std::string body;
    std::string value(static_cast<size_t>(value_bytes), '\0');
    uint32_t noise = 12345;
    for (int i = 0; i < records; ++i) {
        for (char& c : value) {
            noise = noise * 1664525 + 1013904223;
            c = static_cast<char>(noise >> 24);
        }
        std::string record;
        record.push_back(0);        // attributes
        append_varint(record, 0);   // timestamp delta
        append_varint(record, i);   // offset delta
        append_varint(record, -1);  // no key
        append_varint(record, value_bytes);
        record += value;
        append_varint(record, 0);  // no headers
        append_varint(body, static_cast<int64_t>(record.size()));
        body += record;
    }
    std::string tail;
    int64_t now = wall_ms();
    append<int16_t>(tail, 0);
    append<int32_t>(tail, records - 1);
    append<int64_t>(tail, now);
    append<int64_t>(tail, now);
    append<int64_t>(tail, -1);
    append<int16_t>(tail, -1);
    append<int32_t>(tail, -1);
    append<int32_t>(tail, records);
    tail += body;
    std::string batch;
    append<int64_t>(batch, 0);
    append<int32_t>(batch, static_cast<int32_t>(4 + 1 + 4 + tail.size()));
    append<int32_t>(batch, -1);
    batch.push_back(2);
    auto crc = crc32c({reinterpret_cast<const uint8_t*>(tail.data()), tail.size()});
    append<uint32_t>(batch, crc);
    return batch + tail;
}

std::vector<uint8_t> produce_frame(std::string_view topic, int32_t partition, int16_t acks,
                                   const std::string& batch) {
    Frame frame(0, 7, 1);
    frame.null_string().int16(acks).int32(30000);
    frame.int32(1).string(topic).int32(1).int32(partition);
    return frame.int32(static_cast<int32_t>(batch.size())).raw(batch).finish();
}

std::vector<uint8_t> fetch_frame(std::string_view topic, int32_t partition, int64_t offset,
                                 int32_t bytes_max, int32_t wait_max_ms) {
    Frame frame(1, 7, 1);
    frame.int32(-1).int32(wait_max_ms).int32(1).int32(bytes_max).int8(0).int32(0).int32(-1);
    frame.int32(1).string(topic).int32(1);
    frame.int32(partition).int64(offset).int64(-1).int32(bytes_max);
    return frame.int32(0).finish();
}

int16_t produce_error(const std::vector<uint8_t>& answer) {
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
    fetched.record_bytes = read_at<int32_t>(answer, at);
    at += 4;
    while (at + kBatchHeaderBytes <= answer.size()) {
        size_t batch_bytes = 12 + static_cast<size_t>(read_at<int32_t>(answer, at + 8));
        if (at + batch_bytes > answer.size()) {
            break;
        }
        fetched.next_offset = read_at<int64_t>(answer, at) + read_at<int32_t>(answer, at + 23) + 1;
        at += batch_bytes;
    }
    return fetched;
}

}  // namespace moldau::bench
