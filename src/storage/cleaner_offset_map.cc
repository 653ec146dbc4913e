#include "storage/cleaner_offset_map.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"

namespace moldau::storage {

namespace {

constexpr size_t kFirstSlots = 1024;

struct SipState {
    uint64_t v0, v1, v2, v3;

    void rounds(int count) {
        for (int i = 0; i < count; ++i) {
            v0 += v1;
            v1 = std::rotl(v1, 13) ^ v0;
            v0 = std::rotl(v0, 32);
            v2 += v3;
            v3 = std::rotl(v3, 16) ^ v2;
            v0 += v3;
            v3 = std::rotl(v3, 21) ^ v0;
            v2 += v1;
            v1 = std::rotl(v1, 17) ^ v2;
            v2 = std::rotl(v2, 32);
        }
    }
    void take(uint64_t word) {
        v3 ^= word;
        rounds(2);
        v0 ^= word;
    }
    uint64_t fold() const { return v0 ^ v1 ^ v2 ^ v3; }
};

}  // namespace

std::array<uint64_t, 2> siphash_128(std::array<uint64_t, 2> key, std::string_view data) {
    SipState state{key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL ^ 0xee,
                   key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};
    uint64_t last = static_cast<uint64_t>(data.size()) << 56;
    while (data.size() >= 8) {
        uint64_t word = 0;
        std::memcpy(&word, data.data(), sizeof(word));
        state.take(word);
        data.remove_prefix(8);
    }
    uint64_t tail = 0;
    std::memcpy(&tail, data.data(), data.size());
    state.take(last | tail);
    state.v2 ^= 0xee;
    state.rounds(4);
    uint64_t first = state.fold();
    state.v1 ^= 0xdd;
    state.rounds(4);
    return {first, state.fold()};
}

CleanerOffsetMap::CleanerOffsetMap(int64_t bytes_max, double load_factor, const Seed& seed)
    : seed_(seed),
      slots_max_(std::max<size_t>(2, static_cast<size_t>(bytes_max) / sizeof(Slot))),
      entries_max_(std::clamp<size_t>(
          static_cast<size_t>(static_cast<double>(slots_max_) * load_factor), 1, slots_max_ - 1)),
      load_factor_(load_factor),
      slots_(std::min(kFirstSlots, slots_max_)) {}

// The slot that holds the key, or the free one where it belongs.
size_t CleanerOffsetMap::slot_of(uint64_t high, uint64_t low) const {
    size_t at = low % slots_.size();
    while (slots_[at].offset != kNoOffset && (slots_[at].high != high || slots_[at].low != low)) {
        at = at + 1 == slots_.size() ? 0 : at + 1;
    }
    return at;
}

void CleanerOffsetMap::grow() {
    std::vector<Slot> old(std::min(slots_.size() * 2, slots_max_));
    old.swap(slots_);
    for (const Slot& slot : old) {
        if (slot.offset != kNoOffset) {
            slots_[slot_of(slot.high, slot.low)] = slot;
        }
    }
}

void CleanerOffsetMap::put(std::string_view key, Offset offset) {
    MOLDAU_ASSERT(!full());
    if (slots_.size() < slots_max_ &&
        static_cast<double>(size_ + 1) > static_cast<double>(slots_.size()) * load_factor_) {
        grow();
    }
    auto [high, low] = siphash_128(seed_, key);
    Slot& slot = slots_[slot_of(high, low)];
    size_ += slot.offset == kNoOffset ? 1 : 0;
    slot = {high, low, offset};
}

Offset CleanerOffsetMap::find(std::string_view key) const {
    auto [high, low] = siphash_128(seed_, key);
    return slots_[slot_of(high, low)].offset;
}

}  // namespace moldau::storage
