#include "broker/handlers/02_list_offsets.h"

#include <gtest/gtest.h>

namespace moldau::broker {
namespace {

constexpr OffsetReader kConsumer{};
constexpr OffsetReader kCommittedConsumer{.read_committed = true};
constexpr OffsetReader kReplica{.is_consumer = false};

Partition::Offsets offsets() {
    return {.log_start_offset = Offset(5),
            .high_watermark = Offset(80),
            .last_stable_offset = Offset(60),
            .log_end_offset = Offset(100),
            .leader_epoch = LeaderEpoch(7)};
}

storage::TimestampMatch at(int64_t offset) {
    return {1000, Offset(offset), LeaderEpoch(6)};
}

int64_t latest(OffsetReader reader) {
    return choose_offset(storage::kLatestTimestamp, reader, offsets(), std::nullopt)
        ->offset.value();
}

TEST(ListOffsets, latest_is_the_end_that_the_reader_sees) {
    EXPECT_EQ(latest(kConsumer), 80);
    EXPECT_EQ(latest(kCommittedConsumer), 60);
    EXPECT_EQ(latest(kReplica), 100);
    auto match = choose_offset(storage::kLatestTimestamp, kConsumer, offsets(), std::nullopt);
    EXPECT_EQ(match->timestamp, kNoTimestamp);
    EXPECT_EQ(match->leader_epoch, LeaderEpoch(7));
}

TEST(ListOffsets, a_record_beyond_what_the_reader_sees_is_none) {
    EXPECT_EQ(choose_offset(1000, kConsumer, offsets(), at(79))->offset, Offset(79));
    EXPECT_EQ(choose_offset(1000, kConsumer, offsets(), at(80))->offset, kNoOffset);
    EXPECT_EQ(choose_offset(1000, kCommittedConsumer, offsets(), at(79))->offset, kNoOffset);
    EXPECT_EQ(choose_offset(1000, kReplica, offsets(), at(99))->offset, Offset(99));
    EXPECT_EQ(choose_offset(1000, kConsumer, offsets(), std::nullopt)->offset, kNoOffset);
}

// The start of an empty log lies at its end, where nothing else would be told.
TEST(ListOffsets, earliest_is_told_even_at_the_end) {
    EXPECT_EQ(choose_offset(storage::kEarliestTimestamp, kConsumer, offsets(), at(80))->offset,
              Offset(80));
    EXPECT_EQ(choose_offset(storage::kEarliestLocalTimestamp, kConsumer, offsets(), at(80))->offset,
              Offset(80));
}

// A new leader does not know yet how far the old one's watermark was: a consumer must not see the
// end go back (KIP-207).
TEST(ListOffsets, nothing_is_told_while_the_watermark_is_behind_the_epoch) {
    Partition::Offsets lagging = offsets();
    lagging.watermark_reached_epoch_start = false;
    EXPECT_EQ(choose_offset(storage::kLatestTimestamp, kConsumer, lagging, {}).error().code,
              ErrorCode::OffsetNotAvailable);
    EXPECT_EQ(choose_offset(1000, kConsumer, lagging, at(90)).error().code,
              ErrorCode::OffsetNotAvailable);
    EXPECT_EQ(choose_offset(1000, kConsumer, lagging, at(10))->offset, Offset(10));
    EXPECT_EQ(choose_offset(storage::kLatestTimestamp, kReplica, lagging, {})->offset, Offset(100));
}

TEST(ListOffsets, special_timestamps_came_with_versions) {
    EXPECT_TRUE(is_timestamp_supported(storage::kLatestTimestamp, 1));
    EXPECT_TRUE(is_timestamp_supported(0, 1));
    EXPECT_FALSE(is_timestamp_supported(storage::kMaxTimestamp, 6));
    EXPECT_TRUE(is_timestamp_supported(storage::kMaxTimestamp, 7));
    EXPECT_FALSE(is_timestamp_supported(storage::kEarliestLocalTimestamp, 7));
    EXPECT_FALSE(is_timestamp_supported(storage::kLatestTieredTimestamp, 8));
    EXPECT_FALSE(is_timestamp_supported(storage::kEarliestPendingUploadTimestamp, 10));
    EXPECT_TRUE(is_timestamp_supported(storage::kEarliestPendingUploadTimestamp, 11));
    EXPECT_FALSE(is_timestamp_supported(-7, 11));
}

}  // namespace
}  // namespace moldau::broker
