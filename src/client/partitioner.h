// Which partition a record goes to. Records with a key: Kafka's murmur2, so that the same key means
// the same partition in every client. Records without one stick to a partition until it got about
// a batch of bytes, then move to another that has a leader (KIP-480, KIP-794).
// Pure: randomness is handed in.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace moldau::client {

int32_t partition_of_key(std::string_view key, int32_t partition_count);

// Of one topic.
class StickyPartitioner {
 public:
    // `available`: partitions with a leader, ascending; when none has one, any of the count is
    // used. `random` decides when a new partition is due.
    int32_t next(std::span<const int32_t> available, int32_t partition_count, uint64_t random);
    // A record of so many bytes went to the partition that next() gave.
    void used(size_t bytes, size_t batch_bytes);
    // The partition's batch was sealed: take another one.
    void move_on() { current_ = -1; }

 private:
    int32_t current_ = -1;
    size_t bytes_ = 0;
};

}  // namespace moldau::client
