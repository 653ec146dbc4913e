#include "base/bytes.h"

#include <algorithm>
#include <new>

namespace moldau {

namespace internal {

Block* Block::create(size_t capacity) {
    void* memory = ::operator new(sizeof(Block) + capacity);
    auto* block = new (memory) Block;
    block->references.store(1, std::memory_order_relaxed);
    block->capacity = capacity;
    return block;
}

void Block::destroy(Block* block) {
    block->~Block();
    ::operator delete(block);
}

}  // namespace internal

Bytes Bytes::copy_of(std::span<const uint8_t> source) {
    Buffer buffer(source.size());
    buffer.append(source);
    return std::move(buffer).freeze();
}

void Buffer::reserve(size_t capacity) {
    if (capacity <= this->capacity()) {
        return;
    }
    internal::Block* bigger = internal::Block::create(capacity);
    if (block_ != nullptr) {
        std::memcpy(bigger->data(), block_->data(), size_);
        block_->release();
    }
    block_ = bigger;
}

void Buffer::grow(size_t size_min) {
    constexpr size_t kSmallest = 64;
    reserve(std::max({size_min, capacity() * 2, kSmallest}));
}

}  // namespace moldau
