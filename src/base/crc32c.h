// CRC-32C (Castagnoli), the checksum of record batches, snapshots and producer-state files.
#pragma once

#include <cstdint>
#include <span>

namespace moldau {

// `seed` continues a checksum over bytes that precede `bytes`.
uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t seed = 0);

}  // namespace moldau
