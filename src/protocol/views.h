// What the generated views of the hot requests share (schema attribute `view`).
//
// A view is a request read in place: strings and bytes point into the body, arrays are walked where
// they lie, and nothing is allocated. parse() has checked the whole message, so walking cannot
// fail. Views hold no reference to the body, which must stay alive: they are used and dropped
// within a handler, or go where their Request goes. share() turns a part of the body into Bytes
// that keep it alive.
#pragma once

#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "protocol/wire.h"

namespace moldau::protocol {

using ByteView = std::span<const uint8_t>;

// A slice that shares the memory of `body`, of which `part` is a part.
inline Bytes share(const Bytes& body, ByteView part) {
    return part.empty() ? Bytes()
                        : body.slice(static_cast<size_t>(part.data() - body.data()), part.size());
}

template <typename T>
T read_view_element(Reader& reader, int16_t version, bool flexible) {
    if constexpr (std::is_same_v<T, int32_t>) {
        return reader.read_int32();
    } else if constexpr (std::is_same_v<T, std::string_view>) {
        return reader.read_string_view(flexible);
    } else {
        return T::read(reader, version);
    }
}

// An array that is decoded while it is walked: for (const auto& topic : request.topic_data).
template <typename T>
class ArrayView {
 public:
    class Iterator {
     public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;

        explicit Iterator(const ArrayView& array)
            : reader_(array.reader_),
              left_(array.count_),
              version_(array.version_),
              flexible_(array.flexible_) {
            read();
        }

        const T& operator*() const { return value_; }
        const T* operator->() const { return &value_; }
        Iterator& operator++() {
            --left_;
            read();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& i, std::default_sentinel_t) { return i.left_ == 0; }

     private:
        void read() {
            if (left_ > 0) {
                value_ = read_view_element<T>(reader_, version_, flexible_);
            }
        }

        Reader reader_;
        int32_t left_;
        int16_t version_;
        bool flexible_;
        T value_{};
    };

    ArrayView() = default;
    // `reader` stands at the first of `count` elements and is moved behind the last.
    ArrayView(Reader& reader, int16_t version, bool flexible, int32_t count)
        : reader_(reader), count_(count), version_(version), flexible_(flexible) {
        for (int32_t i = 0; i < count && reader.ok(); ++i) {
            (void)read_view_element<T>(reader, version, flexible);
        }
    }

    size_t size() const { return static_cast<size_t>(count_); }
    bool empty() const { return count_ == 0; }
    Iterator begin() const { return Iterator(*this); }
    std::default_sentinel_t end() const { return {}; }
    T front() const { return *begin(); }

 private:
    Reader reader_{Bytes()};
    int32_t count_ = 0;
    int16_t version_ = 0;
    bool flexible_ = false;
};

template <typename T>
void read_array_view(Reader& reader, int16_t version, bool flexible, size_t element_bytes_min,
                     ArrayView<T>& out) {
    int32_t count = reader.read_array_length(flexible, element_bytes_min);
    if (count < 0) {
        return reader.fail("null array");
    }
    out = ArrayView<T>(reader, version, flexible, count);
}

template <typename T>
void read_array_view(Reader& reader, int16_t version, bool flexible, size_t element_bytes_min,
                     bool nullable, std::optional<ArrayView<T>>& out) {
    int32_t count = reader.read_array_length(flexible, element_bytes_min);
    if (count < 0) {
        out.reset();
        return nullable ? void() : reader.fail("null array");
    }
    out = ArrayView<T>(reader, version, flexible, count);
}

// Copies out of a view, for what must outlive the body.
inline std::string copy_view(std::string_view text) {
    return std::string(text);
}
inline Bytes copy_view(ByteView bytes) {
    return Bytes::copy_of(bytes);
}
template <typename T>
    requires std::is_arithmetic_v<T>
T copy_view(T value) {
    return value;
}
inline Uuid copy_view(const Uuid& id) {
    return id;
}
template <typename T>
auto copy_view(const T& view) -> decltype(view.copy()) {
    return view.copy();
}
template <typename T>
auto copy_view(const ArrayView<T>& array) {
    std::vector<decltype(copy_view(std::declval<const T&>()))> copies;
    for (const T& element : array) {
        copies.push_back(copy_view(element));
    }
    return copies;
}
template <typename T>
auto copy_view(const std::optional<T>& view) {
    return view ? std::optional(copy_view(*view)) : std::nullopt;
}

}  // namespace moldau::protocol
