// Uuid: 16 bytes, written by Kafka as 22 characters of unpadded base64url.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/result.h"

namespace moldau {

struct Uuid {
    uint64_t high = 0;
    uint64_t low = 0;

    friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
    constexpr bool is_zero() const { return high == 0 && low == 0; }

    std::string str() const;
    // Errors: InvalidRequest unless `text` is 22 base64url characters of 16 bytes.
    static Result<Uuid> parse(std::string_view text);
    // A version 4 uuid. `draw` returns 64 random bits; it is asked again while the text would start
    // with '-', which a command line would take for an option.
    template <typename Draw>
    static Uuid random(Draw&& draw) {
        Uuid id;
        do {
            id.high = (draw() & ~0xf000ULL) | 0x4000ULL;
            id.low = (draw() & ~(3ULL << 62)) | (2ULL << 62);
        } while (id.str().front() == '-');
        return id;
    }
};

// "No topic id".
inline constexpr Uuid kZeroUuid{};
// The topic id of __cluster_metadata.
inline constexpr Uuid kMetadataTopicId{0, 1};
// Directory ids with a meaning of their own (KIP-858); all with high 0 and low < 100 are reserved.
inline constexpr Uuid kMigratingDirectory{0, 0};
inline constexpr Uuid kUnassignedDirectory{0, 1};
inline constexpr Uuid kLostDirectory{0, 2};

}  // namespace moldau

template <>
struct std::hash<moldau::Uuid> {
    size_t operator()(const moldau::Uuid& id) const noexcept {
        return std::hash<uint64_t>()(id.high ^ (id.low * 0x9e3779b97f4a7c15ULL));
    }
};

template <>
struct fmt::formatter<moldau::Uuid> : fmt::formatter<std::string_view> {
    template <typename Context>
    auto format(const moldau::Uuid& id, Context& context) const {
        return fmt::formatter<std::string_view>::format(id.str(), context);
    }
};
