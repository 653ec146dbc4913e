// A byte stream in pieces through the framer: the same frames come out however it is cut.
// Input: piece length (1 byte), stream.
#include <algorithm>

#include "fuzz.h"
#include "runtime/frame_reader.h"

using namespace moldau;

namespace {

constexpr int32_t kFrameBytesMax = 1 << 20;

struct Outcome {
    std::vector<Bytes> frames;
    bool failed = false;
};

Outcome run(std::span<const uint8_t> stream, size_t piece) {
    runtime::ReceiveBlock block;
    runtime::FrameReader reader(kFrameBytesMax);
    Outcome outcome;
    while (!stream.empty() && !outcome.failed) {
        auto space = reader.prepare(block);
        size_t length = std::min({piece, stream.size(), space.bytes()});
        MOLDAU_ASSERT(length > 0);
        size_t first = std::min(length, space.spans[0].size());
        std::copy_n(stream.data(), first, space.spans[0].data());
        if (length > first) {
            std::copy_n(stream.data() + first, length - first, space.spans[1].data());
        }
        stream = stream.subspan(length);
        outcome.failed = !reader.commit(block, length, outcome.frames).has_value();
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    size_t piece = size_t{1} + input.byte();
    Outcome whole = run(input.span(), size + 1);
    Outcome pieces = run(input.span(), piece);
    MOLDAU_ASSERT(whole.failed == pieces.failed);
    MOLDAU_ASSERT(whole.frames == pieces.frames);
    return 0;
}
