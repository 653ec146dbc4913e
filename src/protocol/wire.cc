#include "protocol/wire.h"

namespace moldau::protocol {

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
