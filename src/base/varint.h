// Variable-length integers: seven bits a byte, least significant first, high bit = more follows.
// The signed forms are zigzag coded, as in records; the unsigned ones are lengths and tags.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moldau {

inline constexpr size_t kVarintBytesMax = 5;
inline constexpr size_t kVarlongBytesMax = 10;

constexpr uint32_t zigzag(int32_t n) {
    return (static_cast<uint32_t>(n) << 1) ^ static_cast<uint32_t>(n >> 31);
}
constexpr uint64_t zigzag(int64_t n) {
    return (static_cast<uint64_t>(n) << 1) ^ static_cast<uint64_t>(n >> 63);
}
constexpr int32_t unzigzag(uint32_t n) {
    return static_cast<int32_t>(n >> 1) ^ -static_cast<int32_t>(n & 1);
}
constexpr int64_t unzigzag(uint64_t n) {
    return static_cast<int64_t>(n >> 1) ^ -static_cast<int64_t>(n & 1);
}

constexpr size_t varint_bytes(uint64_t n) {
    size_t bytes = 1;
    while (n >= 0x80) {
        n >>= 7;
        ++bytes;
    }
    return bytes;
}

// Writes at most kVarlongBytesMax bytes; returns the position after them.
inline uint8_t* put_varint(uint8_t* to, uint64_t n) {
    while (n >= 0x80) {
        *to++ = static_cast<uint8_t>(n) | 0x80;
        n >>= 7;
    }
    *to++ = static_cast<uint8_t>(n);
    return to;
}

// Reads from [from, end). Returns the position after the number, or nullptr when it is cut off, is
// longer than its type allows, or has bits beyond it.
inline const uint8_t* get_varint(const uint8_t* from, const uint8_t* end, uint32_t& n) {
    uint32_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        if (from == end) {
            return nullptr;
        }
        uint8_t byte = *from++;
        if (shift == 28 && (byte & 0xf0) != 0) {
            return nullptr;
        }
        value |= static_cast<uint32_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            n = value;
            return from;
        }
    }
    return nullptr;
}
inline const uint8_t* get_varlong(const uint8_t* from, const uint8_t* end, uint64_t& n) {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (from == end) {
            return nullptr;
        }
        uint8_t byte = *from++;
        if (shift == 63 && byte > 1) {
            return nullptr;
        }
        value |= static_cast<uint64_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            n = value;
            return from;
        }
    }
    return nullptr;
}

}  // namespace moldau
