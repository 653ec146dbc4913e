// Bytes: an immutable slice of a shared, reference-counted buffer. Record bytes travel as Bytes
// from socket to segment and from segment to socket, so that no hop copies them. Buffer: the one
// mutable owner that a slice is made from. Slices may be copied, dropped and read on any thread; a
// Buffer belongs to one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace moldau {

namespace internal {

// Header of a heap block; the bytes follow it.
struct Block {
    std::atomic<uint32_t> references;
    size_t capacity;

    uint8_t* data() { return reinterpret_cast<uint8_t*>(this + 1); }

    static Block* create(size_t capacity);  // one reference, uninitialised bytes
    static void destroy(Block* block);

    void retain() { references.fetch_add(1, std::memory_order_relaxed); }
    void release() {
        if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            destroy(this);
        }
    }
};

}  // namespace internal

class Bytes {
 public:
    Bytes() = default;
    Bytes(const Bytes& other) : block_(other.block_), data_(other.data_), size_(other.size_) {
        if (block_ != nullptr) {
            block_->retain();
        }
    }
    Bytes(Bytes&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)),
          data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    Bytes& operator=(Bytes other) noexcept {
        std::swap(block_, other.block_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Bytes() {
        if (block_ != nullptr) {
            block_->release();
        }
    }

    static Bytes copy_of(std::span<const uint8_t> source);
    static Bytes copy_of(std::string_view source) {
        return copy_of({reinterpret_cast<const uint8_t*>(source.data()), source.size()});
    }
    // A slice of memory that outlives every copy, such as a literal or a static table.
    static Bytes borrowed_forever(std::span<const uint8_t> memory) {
        Bytes bytes;
        bytes.data_ = memory.data();
        bytes.size_ = memory.size();
        return bytes;
    }

    const uint8_t* data() const { return data_; }
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    uint8_t operator[](size_t i) const { return data_[i]; }
    const uint8_t* begin() const { return data_; }
    const uint8_t* end() const { return data_ + size_; }
    std::span<const uint8_t> span() const { return {data_, size_}; }
    operator std::span<const uint8_t>() const { return span(); }
    std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
    std::string str() const { return std::string(view()); }

    // No other slice shares the memory: its owner may write it again.
    bool unique() const {
        return block_ != nullptr && block_->references.load(std::memory_order_acquire) == 1;
    }

    // [from, from + length) of this slice, sharing its memory. Both must lie inside.
    Bytes slice(size_t from, size_t length) const {
        MOLDAU_ASSERT(from <= size_ && length <= size_ - from);
        Bytes part(*this);
        part.data_ += from;
        part.size_ = length;
        return part;
    }
    Bytes slice(size_t from) const {
        MOLDAU_ASSERT(from <= size_);
        return slice(from, size_ - from);
    }

    friend bool operator==(const Bytes& a, const Bytes& b) {
        return a.size_ == b.size_ && (a.size_ == 0 || std::memcmp(a.data_, b.data_, a.size_) == 0);
    }

 private:
    friend class Buffer;

    internal::Block* block_ = nullptr;
    const uint8_t* data_ = nullptr;
    size_t size_ = 0;
};

// A growable, uniquely owned byte array.
class Buffer {
 public:
    Buffer() = default;
    explicit Buffer(size_t capacity) { reserve(capacity); }
    Buffer(Buffer&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(block_, other.block_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Buffer() {
        if (block_ != nullptr) {
            block_->release();
        }
    }

    uint8_t* data() { return block_ == nullptr ? nullptr : block_->data(); }
    const uint8_t* data() const { return block_ == nullptr ? nullptr : block_->data(); }
    size_t size() const { return size_; }
    size_t capacity() const { return block_ == nullptr ? 0 : block_->capacity; }
    bool empty() const { return size_ == 0; }
    std::span<uint8_t> span() { return {data(), size_}; }
    std::span<const uint8_t> span() const { return {data(), size_}; }

    void reserve(size_t capacity);
    void clear() { size_ = 0; }
    // New bytes are uninitialised.
    void resize(size_t size) {
        if (size > capacity()) {
            grow(size);
        }
        size_ = size;
    }
    void append(const void* source, size_t length) {
        if (length == 0) {
            return;
        }
        size_t at = size_;
        resize(size_ + length);
        std::memcpy(data() + at, source, length);
    }
    void append(std::span<const uint8_t> source) { append(source.data(), source.size()); }
    void append(std::string_view source) { append(source.data(), source.size()); }
    void push_back(uint8_t byte) {
        if (size_ == capacity()) {
            grow(size_ + 1);
        }
        data()[size_++] = byte;
    }

    // Turns the content into an immutable slice and leaves this buffer empty. No copy.
    Bytes freeze() && {
        Bytes bytes;
        bytes.block_ = std::exchange(block_, nullptr);
        bytes.data_ = bytes.block_ == nullptr ? nullptr : bytes.block_->data();
        bytes.size_ = std::exchange(size_, 0);
        return bytes;
    }

 private:
    void grow(size_t size_min);

    internal::Block* block_ = nullptr;
    size_t size_ = 0;
};

}  // namespace moldau
