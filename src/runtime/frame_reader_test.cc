#include "runtime/frame_reader.h"

#include <gtest/gtest.h>

#include "base/endian.h"
#include "runtime/entropy.h"

namespace moldau::runtime {
namespace {

std::string frame_of(std::string_view body) {
    std::string frame(4, '\0');
    store_big(reinterpret_cast<uint8_t*>(frame.data()), static_cast<int32_t>(body.size()));
    return frame + std::string(body);
}

// Feeds `stream` in pieces of at most `step` bytes and collects the frames.
struct Feed {
    explicit Feed(int32_t limit = 1 << 20) : reader(limit) {}

    Status push(std::string_view stream, size_t step) {
        while (!stream.empty()) {
            FrameReader::Space space = reader.prepare(block);
            size_t want = std::min({step, stream.size(), space.bytes()});
            size_t first = std::min(want, space.spans[0].size());
            std::memcpy(space.spans[0].data(), stream.data(), first);
            if (want > first) {
                std::memcpy(space.spans[1].data(), stream.data() + first, want - first);
            }
            stream.remove_prefix(want);
            std::vector<Bytes> got;
            Status cut = reader.commit(block, want, got);
            for (Bytes& frame : got) {
                frames.push_back(frame.str());
            }
            MOLDAU_CHECK(cut);
        }
        return {};
    }

    ReceiveBlock block;
    FrameReader reader;
    std::vector<std::string> frames;
};

TEST(FrameReader, pipelined_frames_of_one_read_come_out_in_order) {
    Feed feed;
    ASSERT_TRUE(feed.push(frame_of("one") + frame_of("") + frame_of("three"), 1 << 20));
    EXPECT_EQ(feed.frames, (std::vector<std::string>{"one", "", "three"}));
    EXPECT_FALSE(feed.reader.mid_frame());
}

TEST(FrameReader, every_cut_of_the_stream_gives_the_same_frames) {
    SeededEntropy random(7);
    std::string stream;
    std::vector<std::string> expected;
    for (int i = 0; i < 30; ++i) {
        std::string body(random.below(i % 5 == 0 ? 300'000 : 40), static_cast<char>('a' + i % 26));
        expected.push_back(body);
        stream += frame_of(body);
    }
    for (size_t step : {1ul, 3ul, 4ul, 5ul, 4096ul, 65'537ul, 1ul << 20}) {
        Feed feed;
        ASSERT_TRUE(feed.push(stream, step));
        EXPECT_EQ(feed.frames, expected) << "step=" << step;
    }
}

TEST(FrameReader, announced_length_costs_no_memory) {
    Feed feed(100 << 20);
    std::string prefix(4, '\0');
    store_big(reinterpret_cast<uint8_t*>(prefix.data()), int32_t{100 << 20});
    ASSERT_TRUE(feed.push(prefix + "x", 5));
    FrameReader::Space space = feed.reader.prepare(feed.block);
    EXPECT_EQ(space.count, 1u);
    EXPECT_LE(space.bytes(), 8192u);
}

TEST(FrameReader, negative_and_oversize_lengths_are_refused_after_the_good_frames) {
    for (int32_t length : {-1, INT32_MIN, 1001}) {
        for (size_t step : {1ul, 2ul, 1000ul}) {
            Feed feed(1000);
            std::string bad(4, '\0');
            store_big(reinterpret_cast<uint8_t*>(bad.data()), length);
            Status cut = feed.push(frame_of("good") + bad, step);
            ASSERT_FALSE(cut);
            EXPECT_EQ(cut.error().code, ErrorCode::InvalidRequest);
            EXPECT_EQ(feed.frames, std::vector<std::string>{"good"});
        }
    }
}

TEST(ReceiveBlock, memory_is_used_again_only_when_no_slice_is_alive) {
    ReceiveBlock block;
    uint8_t* first = block.space().data();
    Bytes kept = block.take(10);
    EXPECT_EQ(block.space().data(), first + 10);
    kept = Bytes();
    EXPECT_EQ(block.space().data(), first);
}

TEST(ReceiveBlock, full_blocks_are_used_again_once_their_slices_are_gone) {
    ReceiveBlock block;
    uint8_t* first = block.space().data();
    Bytes kept = block.take(ReceiveBlock::kBytes - 1);
    uint8_t* second = block.space().data();
    ASSERT_NE(second, first);
    Bytes other = block.take(ReceiveBlock::kBytes - 1);
    kept = Bytes();
    EXPECT_EQ(block.space().data(), first);
}

}  // namespace
}  // namespace moldau::runtime
