#include "base/crc32c.h"

#include <cstring>

#include <isa-l/crc.h>
#include <nmmintrin.h>

namespace moldau {
namespace {

// Below this, the plain instruction beats ISA-L's set-up (measured: 128 B 10.7 against 4.7 GB/s).
constexpr size_t kSmallBytesMax = 256;

uint32_t crc32c_small(const uint8_t* data, size_t size, uint32_t crc) {
    uint64_t state = crc;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        std::memcpy(&word, data, 8);
        state = _mm_crc32_u64(state, word);
    }
    crc = static_cast<uint32_t>(state);
    for (; size > 0; ++data, --size) {
        crc = _mm_crc32_u8(crc, *data);
    }
    return crc;
}

}  // namespace

uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t seed) {
    if (bytes.size() <= kSmallBytesMax) {
        return ~crc32c_small(bytes.data(), bytes.size(), ~seed);
    }
    return ~crc32_iscsi(const_cast<uint8_t*>(bytes.data()), static_cast<int>(bytes.size()), ~seed);
}

}  // namespace moldau
