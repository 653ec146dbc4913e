#include "base/uuid.h"

#include <array>

namespace moldau {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kTextLength = 22;

constexpr std::array<int8_t, 256> make_values() {
    std::array<int8_t, 256> values{};
    values.fill(-1);
    for (size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
    }
    return values;
}
constexpr auto kValues = make_values();

}  // namespace

std::string Uuid::str() const {
    // 128 bits are 21 characters of 6 bits and one of 2.
    std::string text(kTextLength, 'A');
    unsigned __int128 bits = (static_cast<unsigned __int128>(high) << 64) | low;
    text[kTextLength - 1] = kAlphabet[static_cast<size_t>(bits & 3) << 4];
    bits >>= 2;
    for (size_t i = kTextLength - 1; i-- > 0;) {
        text[i] = kAlphabet[static_cast<size_t>(bits & 63)];
        bits >>= 6;
    }
    return text;
}

Result<Uuid> Uuid::parse(std::string_view text) {
    // Padding is tolerated, as in Java's decoder.
    std::string_view stem = text;
    while (!stem.empty() && stem.back() == '=') {
        stem.remove_suffix(1);
    }
    if (stem.size() != kTextLength) {
        return fail(ErrorCode::InvalidRequest, "not a uuid of 22 base64url characters: {}", text);
    }
    unsigned __int128 bits = 0;
    for (size_t i = 0; i < kTextLength; ++i) {
        int8_t value = kValues[static_cast<uint8_t>(stem[i])];
        if (value < 0) {
            return fail(ErrorCode::InvalidRequest, "not a uuid, bad character at {}: {}", i, text);
        }
        bits = i + 1 < kTextLength ? (bits << 6) | static_cast<uint8_t>(value)
                                   : (bits << 2) | (static_cast<uint8_t>(value) >> 4);
    }
    return Uuid{static_cast<uint64_t>(bits >> 64), static_cast<uint64_t>(bits)};
}

}  // namespace moldau
