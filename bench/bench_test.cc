// What the numbers rest on: the histogram, the schedule, and frames that patch right.
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "frames.h"
#include "histogram.h"
#include "schedule.h"

namespace moldau::bench {
namespace {

TEST(Histogram, keeps_three_digits_at_any_size) {
    for (uint64_t value : {1ULL, 999ULL, 1023ULL, 1024ULL, 123'456ULL, 98'765'432'100ULL}) {
        Histogram histogram;
        histogram.record(value);
        histogram.record(Histogram::kValueMax);
        double off = static_cast<double>(histogram.at(0.5)) / static_cast<double>(value) - 1;
        EXPECT_GE(off, 0) << value;
        EXPECT_LE(off, 0.002) << value;
    }
}

TEST(Histogram, buckets_follow_one_another_without_gap) {
    Histogram histogram;
    for (uint64_t value = 0; value < 5000; ++value) {
        histogram.record(value);
    }
    uint64_t before = 0;
    for (int i = 1; i <= 5000; ++i) {
        uint64_t here = histogram.at(i / 5000.0);
        EXPECT_GE(here, before);
        EXPECT_GE(here, static_cast<uint64_t>(i - 1));
        EXPECT_LE(static_cast<double>(here), (i - 1) * 1.002 + 1);
        before = here;
    }
}

TEST(Histogram, quantiles_and_mean_of_a_known_series) {
    Histogram histogram;
    EXPECT_EQ(histogram.at(0.5), 0u);
    for (uint64_t value = 1; value <= 1000; ++value) {
        histogram.record(value);
    }
    EXPECT_EQ(histogram.at(0.5), 500u);
    EXPECT_EQ(histogram.at(0.99), 990u);
    EXPECT_EQ(histogram.at(1), 1000u);
    EXPECT_DOUBLE_EQ(histogram.mean(), 500.5);
}

TEST(Histogram, adding_another_is_recording_its_values) {
    Histogram a;
    Histogram b;
    a.record(10);
    b.record(30);
    b.record(1ULL << 60);
    a.add(b);
    EXPECT_EQ(a.count(), 3u);
    EXPECT_EQ(a.at(0.5), 30u);
    EXPECT_EQ(a.max(), Histogram::kValueMax);
}

TEST(Schedule, intended_times_do_not_wait_for_anybody) {
    Schedule schedule(1000, 5'000'000);
    EXPECT_TRUE(schedule.is_open_loop());
    EXPECT_FALSE(schedule.is_due(4'999'999));
    EXPECT_EQ(schedule.take(), 5'000'000);
    // A stall of ten milliseconds: ten requests are due at once, each with its own time.
    for (int i = 1; i <= 10; ++i) {
        EXPECT_TRUE(schedule.is_due(15'000'000));
        EXPECT_EQ(schedule.take(), 5'000'000 + i * 1'000'000);
    }
    EXPECT_FALSE(schedule.is_due(15'000'000));
}

TEST(Schedule, rounding_does_not_add_up) {
    Schedule schedule(30'000, 0);  // 33333.3 ns apart
    for (int i = 0; i < 3'000'000; ++i) {
        schedule.take();
    }
    EXPECT_EQ(schedule.next_ns(), 100'000'000'000);
}

TEST(ProduceFrame, patches_leave_a_sound_batch) {
    std::string batch = record_batch({.records = 3, .value_bytes = 40});
    ProduceFrame frame("topic", 2, -1, batch);
    std::vector<uint8_t> bytes = frame.bytes();
    frame.patch_correlation(bytes.data(), 77);
    frame.patch_batch(bytes.data(), {.producer_id = 9, .sequence = 1234, .stamp_ns = 55});
    BatchCheck check = check_batches({bytes.data() + frame.batch_at(), batch.size()}, 0);
    EXPECT_EQ(check.error, "");
    EXPECT_EQ(check.records, 3);
    EXPECT_EQ(check.first_stamp_ns, 55);
    bytes.back() ^= 1;
    check = check_batches({bytes.data() + frame.batch_at(), batch.size()}, 0);
    EXPECT_NE(check.error, "");
}

TEST(ListOffsets, tells_the_first_error_of_any_partition) {
    auto answer = [](std::initializer_list<int16_t> errors) {
        Frame frame(0, 0, 0);
        frame.int32(1).string("topic").int32(static_cast<int32_t>(errors.size()));
        for (int16_t error : errors) {
            frame.int32(0).int16(error).int64(-1).int64(17);
        }
        // Of a request's head of 19 bytes, the 4 that stand for an answer's correlation id.
        const std::vector<uint8_t>& request = frame.finish();
        return std::vector<uint8_t>(request.begin() + 15, request.end());
    };
    EXPECT_EQ(list_offsets_error(answer({0, 0, 0})), 0);
    EXPECT_EQ(list_offsets_error(answer({0, 6, 3})), 6);
    EXPECT_EQ(list_offsets_error(answer({3})), 3);
}

TEST(CheckBatches, sees_an_offset_that_is_missing) {
    std::string batch = record_batch({.records = 3, .value_bytes = 40});
    std::span bytes(reinterpret_cast<const uint8_t*>(batch.data()), batch.size());
    EXPECT_EQ(check_batches(bytes, 0).next_offset, 3);
    EXPECT_NE(check_batches(bytes, 7).error, "");
}

}  // namespace
}  // namespace moldau::bench
