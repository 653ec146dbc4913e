#include "base/hash.h"

#include <cstring>
#include <limits>

namespace moldau {

uint32_t murmur2(std::span<const uint8_t> data) {
    constexpr uint32_t kMix = 0x5bd1e995;
    constexpr int kShift = 24;
    const uint8_t* at = data.data();
    size_t left = data.size();
    uint32_t hash = 0x9747b28c ^ static_cast<uint32_t>(left);
    for (; left >= 4; at += 4, left -= 4) {
        uint32_t word;
        std::memcpy(&word, at, 4);
        word *= kMix;
        word ^= word >> kShift;
        word *= kMix;
        hash = hash * kMix ^ word;
    }
    switch (left) {
        case 3:
            hash ^= static_cast<uint32_t>(at[2]) << 16;
            [[fallthrough]];
        case 2:
            hash ^= static_cast<uint32_t>(at[1]) << 8;
            [[fallthrough]];
        case 1:
            hash ^= at[0];
            hash *= kMix;
            break;
        default:
            break;
    }
    hash ^= hash >> 13;
    hash *= kMix;
    return hash ^ (hash >> 15);
}

int32_t java_string_hash(std::string_view utf8) {
    uint32_t hash = 0;
    auto add = [&](uint32_t unit) { hash = hash * 31 + unit; };
    for (size_t i = 0; i < utf8.size();) {
        auto lead = static_cast<uint8_t>(utf8[i]);
        int more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        uint32_t point = more == 0 ? lead : lead & (0x3f >> more);
        for (int k = 1; k <= more && i + k < utf8.size(); ++k) {
            point = (point << 6) | (static_cast<uint8_t>(utf8[i + k]) & 0x3f);
        }
        i += more + 1;
        if (point >= 0x10000) {
            point -= 0x10000;
            add(0xd800 + (point >> 10));
            add(0xdc00 + (point & 0x3ff));
        } else {
            add(point);
        }
    }
    return static_cast<int32_t>(hash);
}

int32_t coordinator_partition(std::string_view id, int32_t partition_count) {
    int32_t hash = java_string_hash(id);
    int32_t magnitude = hash == std::numeric_limits<int32_t>::min() ? 0 : hash < 0 ? -hash : hash;
    return magnitude % partition_count;
}

}  // namespace moldau
