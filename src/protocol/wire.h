// Reader and Writer: the primitive types of Kafka's protocol, over bounded memory.
//
// Errors are sticky: the first bad byte marks the Reader, every later read returns zeros, and the
// caller asks once, at the end. Generated code stays straight and small, and malformed input costs
// nothing but the bytes that arrived: an array is only believed as far as bytes remain for it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/endian.h"
#include "base/result.h"
#include "base/uuid.h"
#include "base/varint.h"

namespace moldau::protocol {

// Reads one message out of `input`. Bytes fields are slices that share the input's memory.
class Reader {
 public:
    explicit Reader(Bytes input)
        : input_(std::move(input)), at_(input_.begin()), end_(input_.end()) {}

    bool ok() const { return error_ == nullptr; }
    // What was wrong, in words; the position is that of the first bad byte.
    Error error() const;
    // `what` is a literal. Only the first failure is kept.
    void fail(const char* what) {
        if (error_ == nullptr) {
            error_ = what;
        }
    }
    size_t remaining() const { return static_cast<size_t>(end_ - at_); }
    size_t position() const { return static_cast<size_t>(at_ - input_.begin()); }

    bool read_bool() { return fixed<int8_t>() != 0; }
    int8_t read_int8() { return fixed<int8_t>(); }
    int16_t read_int16() { return fixed<int16_t>(); }
    uint16_t read_uint16() { return fixed<uint16_t>(); }
    int32_t read_int32() { return fixed<int32_t>(); }
    uint32_t read_uint32() { return fixed<uint32_t>(); }
    int64_t read_int64() { return fixed<int64_t>(); }
    double read_float64() { return std::bit_cast<double>(fixed<uint64_t>()); }
    Uuid read_uuid() {
        uint64_t high = fixed<uint64_t>();
        return {high, fixed<uint64_t>()};
    }
    uint32_t read_unsigned_varint();

    // Length prefixes. `flexible` selects the compact form (varint of length + 1). -1 is null.
    int32_t read_string_length(bool flexible);
    int32_t read_bytes_length(bool flexible);
    // Also refuses a count for which not even `element_bytes_min` bytes each remain.
    int32_t read_array_length(bool flexible, size_t element_bytes_min = 1);

    std::string read_string(bool flexible);
    std::optional<std::string> read_nullable_string(bool flexible);
    // A view into the input: valid as long as the input's memory.
    std::string_view read_string_view(bool flexible);
    std::optional<std::string_view> read_nullable_string_view(bool flexible);
    std::span<const uint8_t> read_bytes_view(bool flexible);
    std::optional<std::span<const uint8_t>> read_nullable_bytes_view(bool flexible);
    Bytes read_bytes(bool flexible);
    std::optional<Bytes> read_nullable_bytes(bool flexible);
    // The next `length` bytes as a slice.
    Bytes read_slice(size_t length);

    // Tagged fields of a flexible message: `known(tag, reader)` reads a field it knows and returns
    // true, or returns false to skip it. A field must fill its declared size. Unknown tags are
    // skipped and not kept; as in Kafka, tags may come in any order, the last of equal ones counts.
    template <typename Known>
    void read_tagged_fields(Known&& known) {
        uint32_t count = read_unsigned_varint();
        for (uint32_t i = 0; i < count && ok(); ++i) {
            uint32_t tag = read_unsigned_varint();
            uint32_t size = read_unsigned_varint();
            if (!ok()) {
                return;
            }
            if (size > remaining()) {
                return fail("tagged field longer than the message");
            }
            const uint8_t* field_end = at_ + size;
            const uint8_t* message_end = std::exchange(end_, field_end);
            if (!known(tag)) {
                at_ = field_end;
            }
            end_ = message_end;
            if (ok() && at_ != field_end) {
                return fail("tagged field of wrong size");
            }
        }
    }
    void skip_tagged_fields() {
        if (ok() && at_ != end_ && *at_ == 0) [[likely]] {
            ++at_;
            return;
        }
        read_tagged_fields([](uint32_t) { return false; });
    }

 private:
    template <std::integral T>
    T fixed() {
        if (!ok() || remaining() < sizeof(T)) [[unlikely]] {
            fail("cut off");
            return 0;
        }
        T value = load_big<T>(at_);
        at_ += sizeof(T);
        return value;
    }
    int32_t compact_length();
    std::optional<std::string_view> string_view_of(int32_t length, const char* null_is_wrong);
    std::optional<std::span<const uint8_t>> span_of(int32_t length, const char* null_is_wrong);
    std::optional<Bytes> bytes_of(int32_t length, const char* null_is_wrong);

    Bytes input_;
    const uint8_t* at_;
    const uint8_t* end_;
    const char* error_ = nullptr;
};

// A message as a list of slices, ready for one gather write.
using Chain = std::vector<Bytes>;
size_t chain_bytes(const Chain& chain);
Bytes join(const Chain& chain);  // one contiguous copy

// Appends one message. Large Bytes are kept as references, small ones are copied, so that a fetch
// response is written without touching its records.
class Writer {
 public:
    // Slices from this size on travel by reference.
    static constexpr size_t kReferenceBytesMin = 1024;
    // First allocation of a frame: most answers fit.
    static constexpr size_t kFrameBytesFirst = 240;

    Writer() = default;

    void write_bool(bool value) { fixed<int8_t>(value ? 1 : 0); }
    void write_int8(int8_t value) { fixed(value); }
    void write_int16(int16_t value) { fixed(value); }
    void write_uint16(uint16_t value) { fixed(value); }
    void write_int32(int32_t value) { fixed(value); }
    void write_uint32(uint32_t value) { fixed(value); }
    void write_int64(int64_t value) { fixed(value); }
    void write_float64(double value) { fixed(std::bit_cast<uint64_t>(value)); }
    void write_uuid(const Uuid& id) {
        fixed(id.high);
        fixed(id.low);
    }
    void write_unsigned_varint(uint32_t value) {
        // Most are lengths of short strings and arrays, and the mark of no tagged fields.
        value < 0x80 ? tail_.push_back(static_cast<uint8_t>(value)) : write_long_varint(value);
    }
    void write_string_length(int32_t length, bool flexible);
    void write_array_length(int32_t count, bool flexible);
    // A string longer than 32767 bytes cannot be written in the old form: the writer fails.
    void write_string(std::string_view value, bool flexible);
    void write_nullable_string(const std::optional<std::string>& value, bool flexible);
    void write_bytes(const Bytes& value, bool flexible);
    void write_nullable_bytes(const std::optional<Bytes>& value, bool flexible);
    // Bytes without a length.
    void write_raw(const Bytes& value);

    // One tagged field whose content was written apart, because its size comes first.
    void write_tagged(uint32_t tag, Writer&& content);

    // Bytes written so far.
    size_t size() const { return sealed_bytes_ + tail_.size(); }

    // A field is set that this version cannot carry and that must not be dropped silently
    // (Kafka: UnsupportedVersionException). Kept, first one wins; the bytes written are then
    // useless.
    void fail(const char* what) {
        if (error_ == nullptr) {
            error_ = what;
        }
    }
    bool ok() const { return error_ == nullptr; }
    Error error() const;

    // Starts a frame on an empty writer: room for the length that take_frame() fills in.
    void begin_frame() {
        tail_.reserve(kFrameBytesFirst);
        write_int32(0);
    }
    // Takes the frame that begin_frame() began, its length in front.
    Chain take_frame() {
        auto length = static_cast<int32_t>(size() - sizeof(int32_t));
        Chain chain = take();
        // The first slice was just frozen and nobody else has seen it.
        store_big(const_cast<uint8_t*>(chain.front().data()), length);
        return chain;
    }

    // Takes the message out and leaves the writer empty.
    Chain take() {
        seal_tail();
        sealed_bytes_ = 0;
        return std::exchange(chain_, {});
    }

 private:
    template <std::integral T>
    void fixed(T value) {
        store_big(extend(sizeof(T)), value);
    }
    uint8_t* extend(size_t bytes) {
        size_t at = tail_.size();
        tail_.resize(at + bytes);
        return tail_.data() + at;
    }
    void write_long_varint(uint32_t value);
    void seal_tail() {
        if (!tail_.empty()) {
            sealed_bytes_ += tail_.size();
            chain_.push_back(std::move(tail_).freeze());
        }
    }

    Chain chain_;
    size_t sealed_bytes_ = 0;
    Buffer tail_;
    const char* error_ = nullptr;
};

struct VersionRange {
    int16_t first = 0;
    int16_t last = -1;  // inclusive; empty when below first

    constexpr bool contains(int16_t version) const { return first <= version && version <= last; }
};

// Decodes a whole message of the type. Trailing bytes are accepted, as in Kafka.
template <typename Message>
Result<Message> decode(Bytes input, int16_t version) {
    Reader reader(std::move(input));
    Message message = Message::read(reader, version);
    if (!reader.ok()) {
        return moldau::fail(reader.error());
    }
    return message;
}

// Encodes into one contiguous slice; for records and tests. Answers to clients use a Writer.
template <typename Message>
Bytes encode(const Message& message, int16_t version) {
    Writer writer;
    message.write(writer, version);
    return join(writer.take());
}

}  // namespace moldau::protocol
