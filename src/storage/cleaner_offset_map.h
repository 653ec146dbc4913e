// CleanerOffsetMap: the last offset of every key in the part of a log that is being compacted, in
// Kafka's 24 bytes per key: a 128-bit hash stands for the key. The hash has a secret seed, so that
// nobody can choose keys that collide. Memory grows with the keys, up to a limit. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace moldau::storage {

class CleanerOffsetMap {
 public:
    using Seed = std::array<uint64_t, 2>;

    // At most `bytes_max` bytes, filled up to `load_factor`.
    CleanerOffsetMap(int64_t bytes_max, double load_factor, const Seed& seed);

    // No further put() is possible.
    bool full() const { return size_ >= entries_max_; }
    void put(std::string_view key, Offset offset);
    // kNoOffset: no such key.
    Offset find(std::string_view key) const;
    size_t size() const { return size_; }
    double utilization() const {
        return static_cast<double>(size_) / static_cast<double>(slots_max_);
    }

    // Everything up to here has been put.
    Offset latest_offset() const { return latest_offset_; }
    void set_latest_offset(Offset offset) { latest_offset_ = offset; }

 private:
    struct Slot {
        uint64_t high = 0;
        uint64_t low = 0;
        Offset offset = kNoOffset;  // none: free
    };

    size_t slot_of(uint64_t high, uint64_t low) const;
    void grow();

    const Seed seed_;
    const size_t slots_max_;
    const size_t entries_max_;
    const double load_factor_;
    size_t size_ = 0;
    std::vector<Slot> slots_;
    Offset latest_offset_ = kNoOffset;
};

// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein).
std::array<uint64_t, 2> siphash_128(std::array<uint64_t, 2> key, std::string_view data);

}  // namespace moldau::storage
