#include "protocol/wire.h"

namespace moldau::protocol {

uint32_t Reader::read_unsigned_varint() {
    uint32_t n = 0;
    const uint8_t* next = ok() ? get_varint(at_, end_, n) : nullptr;
    if (next == nullptr) {
        fail("bad varint");
        return 0;
    }
    at_ = next;
    return n;
}

int32_t Reader::read_string_length(bool flexible) {
    return flexible ? compact_length() : static_cast<int32_t>(read_int16());
}

int32_t Reader::read_bytes_length(bool flexible) {
    return flexible ? compact_length() : read_int32();
}

int32_t Reader::read_array_length(bool flexible, size_t element_bytes_min) {
    int32_t count = flexible ? compact_length() : read_int32();
    if (count > 0 && static_cast<size_t>(count) > remaining() / element_bytes_min) {
        fail("array longer than the message");
        return 0;
    }
    return count;
}

std::string Reader::read_string(bool flexible) {
    auto view = string_view_of(read_string_length(flexible), "null string");
    return std::string(view.value_or(std::string_view()));
}

std::optional<std::string> Reader::read_nullable_string(bool flexible) {
    auto view = string_view_of(read_string_length(flexible), nullptr);
    return view ? std::optional<std::string>(*view) : std::nullopt;
}

std::string_view Reader::read_string_view(bool flexible) {
    return string_view_of(read_string_length(flexible), "null string").value_or(std::string_view());
}

std::optional<std::string_view> Reader::read_nullable_string_view(bool flexible) {
    return string_view_of(read_string_length(flexible), nullptr);
}

std::span<const uint8_t> Reader::read_bytes_view(bool flexible) {
    return span_of(read_bytes_length(flexible), "null bytes").value_or(std::span<const uint8_t>());
}

std::optional<std::span<const uint8_t>> Reader::read_nullable_bytes_view(bool flexible) {
    return span_of(read_bytes_length(flexible), nullptr);
}

Bytes Reader::read_bytes(bool flexible) {
    return bytes_of(read_bytes_length(flexible), "null bytes").value_or(Bytes());
}

std::optional<Bytes> Reader::read_nullable_bytes(bool flexible) {
    return bytes_of(read_bytes_length(flexible), nullptr);
}

Bytes Reader::read_slice(size_t length) {
    if (!ok() || length > remaining()) {
        fail("cut off");
        return {};
    }
    Bytes slice = input_.slice(position(), length);
    at_ += length;
    return slice;
}

Error Reader::error() const {
    return {ErrorCode::InvalidRequest,
            fmt::format("malformed message: {} at byte {} of {}",
                        error_ == nullptr ? "none" : error_, at_ - input_.begin(), input_.size())};
}

int32_t Reader::compact_length() {
    // A length of more than 31 bits comes out negative, which is null, as in Kafka.
    return static_cast<int32_t>(read_unsigned_varint() - 1u);
}

std::optional<std::string_view> Reader::string_view_of(int32_t length, const char* null_is_wrong) {
    if (length < 0 || !ok()) {
        if (null_is_wrong != nullptr) {
            fail(null_is_wrong);
        }
        return std::nullopt;
    }
    if (length > 0x7fff) {
        fail("string longer than 32767 bytes");
        return std::nullopt;
    }
    if (static_cast<size_t>(length) > remaining()) {
        fail("string longer than the message");
        return std::nullopt;
    }
    std::string_view view(reinterpret_cast<const char*>(at_), static_cast<size_t>(length));
    at_ += length;
    return view;
}

std::optional<std::span<const uint8_t>> Reader::span_of(int32_t length, const char* null_is_wrong) {
    if (length < 0 || !ok()) {
        if (null_is_wrong != nullptr) {
            fail(null_is_wrong);
        }
        return std::nullopt;
    }
    if (static_cast<size_t>(length) > remaining()) {
        fail("bytes longer than the message");
        return std::nullopt;
    }
    std::span<const uint8_t> view(at_, static_cast<size_t>(length));
    at_ += length;
    return view;
}

std::optional<Bytes> Reader::bytes_of(int32_t length, const char* null_is_wrong) {
    std::optional<std::span<const uint8_t>> view = span_of(length, null_is_wrong);
    if (!view) {
        return std::nullopt;
    }
    return input_.slice(position() - view->size(), view->size());
}

void Writer::write_long_varint(uint32_t value) {
    uint8_t* to = extend(kVarintBytesMax);
    size_t used = static_cast<size_t>(put_varint(to, value) - to);
    tail_.resize(tail_.size() - (kVarintBytesMax - used));
}

void Writer::write_array_length(int32_t count, bool flexible) {
    flexible ? write_unsigned_varint(static_cast<uint32_t>(count + 1)) : write_int32(count);
}

void Writer::write_string(std::string_view value, bool flexible) {
    if (!flexible && value.size() > 0x7fff) {
        fail("string longer than 32767 bytes");
        value = value.substr(0, 0x7fff);
    }
    write_string_length(static_cast<int32_t>(value.size()), flexible);
    tail_.append(value);
}

void Writer::write_nullable_string(const std::optional<std::string>& value, bool flexible) {
    value ? write_string(*value, flexible) : write_string_length(-1, flexible);
}

void Writer::write_bytes(const Bytes& value, bool flexible) {
    write_array_length(static_cast<int32_t>(value.size()), flexible);
    write_raw(value);
}

void Writer::write_nullable_bytes(const std::optional<Bytes>& value, bool flexible) {
    value ? write_bytes(*value, flexible) : write_array_length(-1, flexible);
}

void Writer::write_raw(const Bytes& value) {
    if (value.size() < kReferenceBytesMin) {
        tail_.append(value.span());
        return;
    }
    seal_tail();
    chain_.push_back(value);
    sealed_bytes_ += value.size();
}

Error Writer::error() const {
    return {ErrorCode::UnsupportedVersion,
            fmt::format("cannot write message: {}", error_ == nullptr ? "none" : error_)};
}

void Writer::write_string_length(int32_t length, bool flexible) {
    flexible ? write_unsigned_varint(static_cast<uint32_t>(length + 1))
             : write_int16(static_cast<int16_t>(length));
}

void Writer::write_tagged(uint32_t tag, Writer&& content) {
    if (!content.ok()) {
        fail(content.error_);
    }
    write_unsigned_varint(tag);
    write_unsigned_varint(static_cast<uint32_t>(content.size()));
    for (const Bytes& piece : content.take()) {
        write_raw(piece);
    }
}

size_t chain_bytes(const Chain& chain) {
    size_t total = 0;
    for (const Bytes& slice : chain) {
        total += slice.size();
    }
    return total;
}

Bytes join(const Chain& chain) {
    if (chain.size() == 1) {
        return chain.front();
    }
    Buffer whole(chain_bytes(chain));
    for (const Bytes& slice : chain) {
        whole.append(slice.span());
    }
    return std::move(whole).freeze();
}

}  // namespace moldau::protocol
