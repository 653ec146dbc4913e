#include "client/partitioner.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hash.h"

namespace moldau::client {

int32_t partition_of_key(std::string_view key, int32_t partition_count) {
    MOLDAU_ASSERT(partition_count > 0);
    uint32_t hash = murmur2({reinterpret_cast<const uint8_t*>(key.data()), key.size()});
    return static_cast<int32_t>((hash & 0x7fffffffu) % static_cast<uint32_t>(partition_count));
}

int32_t StickyPartitioner::next(std::span<const int32_t> available, int32_t partition_count,
                                uint64_t random) {
    bool usable = current_ >= 0 && current_ < partition_count &&
                  (available.empty() || std::ranges::binary_search(available, current_));
    if (!usable) {
        current_ = available.empty()
                       ? static_cast<int32_t>(random % static_cast<uint64_t>(partition_count))
                       : available[random % available.size()];
        bytes_ = 0;
    }
    return current_;
}

void StickyPartitioner::used(size_t bytes, size_t batch_bytes) {
    bytes_ += bytes;
    if (bytes_ >= batch_bytes) {
        move_on();
    }
}

}  // namespace moldau::client
