// What the targets share: taking selectors off the front of an input, and stating what must hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "base/bytes.h"

namespace moldau::fuzz {

// Takes numbers off the front; zeros when nothing is left. The rest is the payload.
class Input {
 public:
    Input(const uint8_t* data, size_t size) : rest_(data, size) {}

    uint8_t byte() {
        if (rest_.empty()) {
            return 0;
        }
        uint8_t value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    uint16_t word() {
        auto high = static_cast<uint16_t>(byte() << 8);
        return high | byte();
    }
    // A block of its own, so that the sanitizer sees a read beyond the end.
    Bytes rest() const { return Bytes::copy_of(rest_); }
    std::span<const uint8_t> span() const { return rest_; }

 private:
    std::span<const uint8_t> rest_;
};

}  // namespace moldau::fuzz
