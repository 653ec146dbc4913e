// What generated code shares: arrays of elements, and tagged fields of variable length.
// Only generated .cc files include this.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "protocol/wire.h"

namespace moldau::protocol {

template <typename T>
T read_element(Reader& reader, int16_t version, bool flexible) {
    if constexpr (std::is_same_v<T, int8_t>) {
        return reader.read_int8();
    } else if constexpr (std::is_same_v<T, int16_t>) {
        return reader.read_int16();
    } else if constexpr (std::is_same_v<T, int32_t>) {
        return reader.read_int32();
    } else if constexpr (std::is_same_v<T, int64_t>) {
        return reader.read_int64();
    } else if constexpr (std::is_same_v<T, Uuid>) {
        return reader.read_uuid();
    } else if constexpr (std::is_same_v<T, std::string>) {
        return reader.read_string(flexible);
    } else {
        return T::read(reader, version);
    }
}

template <typename T>
void write_element(Writer& writer, int16_t version, bool flexible, const T& value) {
    if constexpr (std::is_same_v<T, int8_t>) {
        writer.write_int8(value);
    } else if constexpr (std::is_same_v<T, int16_t>) {
        writer.write_int16(value);
    } else if constexpr (std::is_same_v<T, int32_t>) {
        writer.write_int32(value);
    } else if constexpr (std::is_same_v<T, int64_t>) {
        writer.write_int64(value);
    } else if constexpr (std::is_same_v<T, Uuid>) {
        writer.write_uuid(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
        writer.write_string(value, flexible);
    } else {
        value.write(writer, version);
    }
}

// Memory set aside before the first element has been read. Beyond it the vector grows with what
// really arrives, so that a count alone cannot claim memory.
inline constexpr size_t kArrayReserveBytesMax = 64 * 1024;

template <typename T>
void read_elements(Reader& reader, int16_t version, bool flexible, int32_t count,
                   std::vector<T>& out) {
    out.clear();
    out.reserve(std::min(static_cast<size_t>(count), kArrayReserveBytesMax / sizeof(T)));
    for (int32_t i = 0; i < count && reader.ok(); ++i) {
        out.push_back(read_element<T>(reader, version, flexible));
    }
}

template <typename T>
void read_array(Reader& reader, int16_t version, bool flexible, size_t element_bytes_min,
                std::vector<T>& out) {
    int32_t count = reader.read_array_length(flexible, element_bytes_min);
    if (count < 0) {
        return reader.fail("null array");
    }
    read_elements(reader, version, flexible, count, out);
}

// `nullable` tells whether this version may carry null; the member can in any case.
template <typename T>
void read_array(Reader& reader, int16_t version, bool flexible, size_t element_bytes_min,
                bool nullable, std::optional<std::vector<T>>& out) {
    int32_t count = reader.read_array_length(flexible, element_bytes_min);
    if (count < 0) {
        out.reset();
        return nullable ? void() : reader.fail("null array");
    }
    read_elements(reader, version, flexible, count, out.emplace());
}

template <typename T>
void write_array(Writer& writer, int16_t version, bool flexible, const std::vector<T>& values) {
    writer.write_array_length(static_cast<int32_t>(values.size()), flexible);
    for (const T& value : values) {
        write_element(writer, version, flexible, value);
    }
}

template <typename T>
void write_array(Writer& writer, int16_t version, bool flexible, bool nullable,
                 const std::optional<std::vector<T>>& values) {
    if (values) {
        return write_array(writer, version, flexible, *values);
    }
    if (!nullable) {
        return writer.fail("null array in a version without it");
    }
    writer.write_array_length(-1, flexible);
}

// Optional members in the versions where they may not be null.
inline void write_string_not_null(Writer& writer, const std::optional<std::string>& value,
                                  bool flexible) {
    value ? writer.write_string(*value, flexible)
          : writer.fail("null string in a version without it");
}
inline void write_bytes_not_null(Writer& writer, const std::optional<Bytes>& value, bool flexible) {
    value ? writer.write_bytes(*value, flexible)
          : writer.fail("null bytes in a version without it");
}

}  // namespace moldau::protocol
