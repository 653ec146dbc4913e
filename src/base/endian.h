// Big-endian loads and stores: every fixed-width integer of Kafka's wire and files.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace moldau {

template <std::integral T>
T load_big(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return std::byteswap(value);
}

template <std::integral T>
void store_big(uint8_t* to, T value) {
    value = std::byteswap(value);
    std::memcpy(to, &value, sizeof(T));
}

}  // namespace moldau
