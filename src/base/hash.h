// The two hashes that decide placement in Kafka: both sides must agree on them for ever.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace moldau {

// Kafka's murmur2 (seed 0x9747b28c): partition = (murmur2(key) & 0x7fffffff) % partitions.
uint32_t murmur2(std::span<const uint8_t> data);

// Java's String.hashCode over the UTF-16 code units of `utf8`.
int32_t java_string_hash(std::string_view utf8);

// Partition of a coordinator topic that owns `id`: |hash| mod count, with |MIN_VALUE| = 0.
int32_t coordinator_partition(std::string_view id, int32_t partition_count);

}  // namespace moldau
