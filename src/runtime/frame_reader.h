// FrameReader: cuts a byte stream into frames of a 4-byte big-endian length and that many bytes.
// Frames that arrive whole are slices of the receive block; only a frame cut off by the end of a
// read is gathered in a buffer of its own, which grows with the bytes that arrived and never with
// the length that was announced.
// ReceiveBlock: the memory one loop's sockets read into; idle connections hold none of it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace moldau::runtime {

class ReceiveBlock {
 public:
    static constexpr size_t kBytes = 256 * 1024;
    static constexpr size_t kSpaceMin = 64 * 1024;
    // Blocks that are kept for when no slice of them is left alive.
    static constexpr size_t kBlocksKept = 8;

    // Free space of at least kSpaceMin. Starts over in memory of which no slice is left alive,
    // takes new memory when there is none.
    std::span<uint8_t> space();
    // The first `length` bytes of what space() returned, now filled.
    Bytes take(size_t length);

 private:
    void change_block();

    Bytes block_;
    uint8_t* memory_ = nullptr;
    size_t used_ = 0;
    std::vector<Bytes> full_;  // of which slices were alive
};

class FrameReader {
 public:
    explicit FrameReader(int32_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

    // Where the next bytes of the stream belong, in order: up to two spans.
    struct Space {
        std::array<std::span<uint8_t>, 2> spans;
        size_t count = 0;
        size_t bytes() const { return spans[0].size() + (count > 1 ? spans[1].size() : 0); }
    };
    Space prepare(ReceiveBlock& block);
    // `length` bytes arrived in that space: appends the frames completed by them.
    // Errors: InvalidRequest when a length is negative or above the limit; the stream is then
    // beyond repair. Frames completed before the bad one are still delivered.
    Status commit(ReceiveBlock& block, size_t length, std::vector<Bytes>& frames);

    // A frame has begun and is not complete.
    bool mid_frame() const { return !partial_.empty(); }
    size_t buffered_bytes() const { return partial_.size(); }
    // Of the frame that has begun, with its prefix; 0 while its length is not known.
    size_t frame_bytes() const { return partial_target_; }
    void set_frame_bytes_max(int32_t limit) { frame_bytes_max_ = limit; }

 private:
    Status cut(Bytes data, std::vector<Bytes>& frames);
    Status keep(std::span<const uint8_t> data);
    Result<size_t> frame_length(const uint8_t* prefix) const;
    size_t missing() const;

    int32_t frame_bytes_max_;
    Buffer partial_;             // prefix and the body so far of the frame that is being gathered
    size_t partial_target_ = 0;  // prefix + body bytes; 0 while the prefix is incomplete
};

}  // namespace moldau::runtime
