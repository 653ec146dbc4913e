#include "broker/partition.h"

#include <future>
#include <thread>

#include "broker/partition_fixture.h"

namespace moldau::broker {
namespace {

class PartitionTest : public PartitionFixture {
 protected:
    // Leads alone, after an election outside the in-sync set.
    void lead_recovering() {
        partition_->metadata_changed(kLocal,
                                     {.replicas = {kLocal},
                                      .isr = {kLocal},
                                      .leader_epoch = LeaderEpoch(3),
                                      .partition_epoch = 7,
                                      .recovering = true},
                                     kUnassignedDirectory);
    }
};

TEST_F(PartitionTest, an_append_with_one_replica_is_committed_and_readable_at_once) {
    ASSERT_TRUE(lead(0));
    auto appended = append("a");
    ASSERT_TRUE(appended) << appended.error().error.message;
    EXPECT_EQ(appended->log.base_offset, Offset(0));
    EXPECT_TRUE(appended->committed);
    auto got = read(0);
    ASSERT_TRUE(got);
    EXPECT_FALSE(got->log.records.empty());
    EXPECT_EQ(got->log.high_watermark, Offset(1));
}

TEST_F(PartitionTest, a_partition_opens_on_first_use) {
    partition_->metadata_changed(kLocal, {.replicas = {kLocal}, .isr = {kLocal}},
                                 kUnassignedDirectory);
    EXPECT_FALSE(files_.exists("/logs/orders-0"));
    ASSERT_TRUE(append("a"));
    EXPECT_TRUE(files_.exists("/logs/orders-0"));
}

TEST_F(PartitionTest, a_directory_made_in_advance_is_the_one_that_is_used) {
    partition_->metadata_changed(kLocal, {.replicas = {kLocal}, .isr = {kLocal}},
                                 kUnassignedDirectory);
    ASSERT_TRUE(logs_->place({"orders", 0}, kTopic));
    ASSERT_TRUE(partition_->make_directory());
    EXPECT_TRUE(files_.exists("/logs/orders-0/partition.metadata"));
    ASSERT_TRUE(append("a"));
    ASSERT_TRUE(partition_->make_directory());
    EXPECT_FALSE(read(0)->log.records.empty());
}

TEST_F(PartitionTest, readers_of_another_epoch_are_told_which_way) {
    ASSERT_TRUE(lead(5));
    EXPECT_EQ(read(0, 4).error().code, ErrorCode::FencedLeaderEpoch);
    EXPECT_EQ(read(0, 6).error().code, ErrorCode::UnknownLeaderEpoch);
    EXPECT_TRUE(read(0, 5));
    EXPECT_EQ(read(1, 5).error().code, ErrorCode::OffsetOutOfRange);
}

TEST_F(PartitionTest, a_partition_led_elsewhere_refuses_everything) {
    partition_->metadata_changed(kOther, {.replicas = {kOther, kLocal}, .isr = {kOther}},
                                 kUnassignedDirectory);
    EXPECT_EQ(append("a").error().error.code, ErrorCode::NotLeaderOrFollower);
    EXPECT_EQ(read(0).error().code, ErrorCode::NotLeaderOrFollower);
    EXPECT_FALSE(partition_->is_leader());
}

TEST_F(PartitionTest, only_the_append_that_satisfies_a_parked_fetch_wakes_it) {
    ASSERT_TRUE(lead(0));
    ASSERT_TRUE(append("a"));
    auto impatient = std::make_shared<CountingWaiter>(1);
    auto patient = std::make_shared<CountingWaiter>(100);
    auto bound = storage::ReadBound::HighWatermark;
    ASSERT_TRUE(partition_->add_fetch_waiter(impatient, bound, Offset(1)));
    ASSERT_TRUE(partition_->add_fetch_waiter(patient, bound, Offset(1)));
    ASSERT_TRUE(append("b"));
    EXPECT_EQ(impatient->fired, 1);
    EXPECT_EQ(patient->fired, 0);
    ASSERT_TRUE(append("c"));
    EXPECT_EQ(impatient->fired, 1);
    EXPECT_EQ(patient->fired, 1);
}

TEST_F(PartitionTest, a_fetch_cannot_park_behind_an_append_that_it_missed) {
    ASSERT_TRUE(lead(0));
    ASSERT_TRUE(append("a"));
    auto waiter = std::make_shared<CountingWaiter>(1);
    EXPECT_FALSE(
        partition_->add_fetch_waiter(waiter, storage::ReadBound::HighWatermark, Offset(0)));
}

TEST_F(PartitionTest, stopping_wakes_who_waits) {
    ASSERT_TRUE(lead(0, {kLocal, kOther}, {kLocal, kOther}));
    auto appended = append("a");
    ASSERT_TRUE(appended);
    EXPECT_FALSE(appended->committed);
    std::optional<Status> outcome;
    partition_->when_committed(Offset(1), [&](Status status) { outcome = std::move(status); });
    auto waiter = std::make_shared<CountingWaiter>(1);
    ASSERT_TRUE(partition_->add_fetch_waiter(waiter, storage::ReadBound::HighWatermark, Offset(0)));
    EXPECT_FALSE(outcome);
    partition_->stop();
    EXPECT_EQ(waiter->fired, 1);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error().code, ErrorCode::NotLeaderOrFollower);
}

TEST_F(PartitionTest, a_followers_fetch_moves_the_watermark_and_releases_the_producer) {
    ASSERT_TRUE(lead(0, {kLocal, kOther}, {kLocal, kOther}));
    ASSERT_TRUE(append("a"));
    std::optional<Status> outcome;
    partition_->when_committed(Offset(1), [&](Status status) { outcome = std::move(status); });
    Offset heard{-1};
    partition_->on_high_watermark([&](Offset watermark) { heard = watermark; });
    for (int64_t at : {0, 1}) {
        ReadRequest request;
        request.fetch_offset = Offset(at);
        request.bytes_max = 1 << 20;
        request.bound = storage::ReadBound::LogEnd;
        ASSERT_TRUE(partition_->read_as_follower(
            request, {.replica = kOther, .fetch_offset = Offset(at), .eligible = true}));
    }
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(*outcome);
    EXPECT_EQ(heard, Offset(1));
    EXPECT_EQ(partition_->offsets(std::nullopt)->high_watermark, Offset(1));
}

TEST_F(PartitionTest, who_writes_under_another_epoch_is_told_which_way) {
    ASSERT_TRUE(lead(5));
    auto append_as = [&](int32_t epoch) {
        return partition_->append(batch_of("a"), {.current_leader_epoch = LeaderEpoch(epoch)});
    };
    EXPECT_EQ(append_as(4).error().error.code, ErrorCode::FencedLeaderEpoch);
    EXPECT_EQ(append_as(6).error().error.code, ErrorCode::UnknownLeaderEpoch);
    ASSERT_TRUE(append_as(5));
    EXPECT_EQ(partition_->offsets(std::nullopt)->log_end_offset, Offset(1));
}

// A forged fetch: with its epoch the stranger may be one of a coming assignment, without one it is
// told to look for the leader.
TEST_F(PartitionTest, strangers_who_fetch_as_followers_are_refused) {
    ASSERT_TRUE(lead(5));
    for (BrokerId stranger : {kLocal, kOther}) {
        ReadRequest request;
        request.bytes_max = 1 << 20;
        request.bound = storage::ReadBound::LogEnd;
        EXPECT_EQ(partition_->read_as_follower(request, {.replica = stranger}).error().code,
                  ErrorCode::NotLeaderOrFollower);
        request.current_leader_epoch = LeaderEpoch(5);
        EXPECT_EQ(partition_->read_as_follower(request, {.replica = stranger}).error().code,
                  ErrorCode::UnknownLeaderEpoch);
    }
}

TEST_F(PartitionTest, recovery_is_proposed_until_the_controller_has_taken_it) {
    lead_recovering();
    EXPECT_EQ(proposals_, 1);
    EXPECT_FALSE(files_.exists("/logs/orders-0"));  // nothing was opened for that
    partition_->proposal_accepted(LeaderEpoch(3), {kLocal}, 8, false);
    ASSERT_TRUE(append("a"));
    EXPECT_EQ(proposals_, 1);
}

TEST_F(PartitionTest, a_recovery_whose_proposal_was_lost_is_proposed_by_the_first_use) {
    lead_recovering();
    partition_->proposal_rejected();
    ASSERT_TRUE(append("a"));
    EXPECT_EQ(proposals_, 2);
}

TEST_F(PartitionTest, flush_messages_holds_the_acknowledgement_until_the_device_has_it) {
    config_.flush_messages = 1;
    ASSERT_TRUE(lead(0));
    auto appended = append("a");
    ASSERT_TRUE(appended);
    std::promise<Status> done;
    partition_->when_committed(Offset(1), [&](Status status) { done.set_value(status); });
    EXPECT_TRUE(done.get_future().get());
    files_.crash_losing_all();
    EXPECT_GT(files_.stat("/logs/orders-0/00000000000000000000.log")->size, 0u);
}

TEST_F(PartitionTest, a_failed_flush_is_told_to_the_producer) {
    config_.flush_messages = 1;
    ASSERT_TRUE(lead(0));
    files_.fail_syncs(true);
    auto appended = append("a");
    ASSERT_TRUE(appended);
    std::promise<Status> done;
    partition_->when_committed(Offset(1), [&](Status status) { done.set_value(status); });
    Status outcome = done.get_future().get();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::KafkaStorageError);
}

TEST_F(PartitionTest, a_full_disk_is_a_storage_error_and_reading_goes_on) {
    ASSERT_TRUE(lead(0));
    ASSERT_TRUE(append("a"));
    files_.fill_disk(true);
    EXPECT_EQ(append("b").error().error.code, ErrorCode::KafkaStorageError);
    EXPECT_TRUE(read(0));
    files_.fill_disk(false);
    auto appended = append("c");
    ASSERT_TRUE(appended) << appended.error().error.message;
    EXPECT_EQ(appended->log.base_offset, Offset(1));
}

// What a reader asks after an election, to find where its history parts from the leader's
// (KIP-320).
TEST_F(PartitionTest, an_epoch_ends_where_the_next_begins) {
    ASSERT_TRUE(lead(5));
    ASSERT_TRUE(append("a"));
    ASSERT_TRUE(append("b"));
    ASSERT_TRUE(lead(7));
    ASSERT_TRUE(append("c"));
    auto end_of = [&](int32_t epoch) {
        auto end = partition_->epoch_end(LeaderEpoch(7), LeaderEpoch(epoch));
        return end->value_or(storage::EpochEnd{});
    };
    EXPECT_EQ(end_of(7), (storage::EpochEnd{LeaderEpoch(7), Offset(3)}));
    EXPECT_EQ(end_of(6), (storage::EpochEnd{LeaderEpoch(5), Offset(2)}));
    EXPECT_EQ(end_of(5), (storage::EpochEnd{LeaderEpoch(5), Offset(2)}));
    EXPECT_EQ(end_of(4), (storage::EpochEnd{LeaderEpoch(4), Offset(0)}));
    EXPECT_EQ(end_of(8), storage::EpochEnd{});
    EXPECT_EQ(partition_->epoch_end(LeaderEpoch(5), LeaderEpoch(5)).error().code,
              ErrorCode::FencedLeaderEpoch);
    EXPECT_EQ(partition_->epoch_end(LeaderEpoch(8), LeaderEpoch(5)).error().code,
              ErrorCode::UnknownLeaderEpoch);
}

TEST_F(PartitionTest, records_are_deleted_up_to_the_watermark_and_not_beyond) {
    ASSERT_TRUE(lead(0));
    ASSERT_TRUE(append("a"));
    ASSERT_TRUE(append("b"));
    EXPECT_EQ(*partition_->delete_records(Offset(1)), Offset(1));
    EXPECT_EQ(read(0).error().code, ErrorCode::OffsetOutOfRange);
    EXPECT_EQ(partition_->delete_records(Offset(3)).error().code, ErrorCode::OffsetOutOfRange);
    EXPECT_EQ(*partition_->delete_records(kNoOffset), Offset(2));
}

TEST_F(PartitionTest, who_must_not_wait_is_told_that_the_log_is_not_open) {
    partition_->metadata_changed(
        kLocal, {.replicas = {kLocal}, .isr = {kLocal}, .leader_epoch = LeaderEpoch(0)},
        kUnassignedDirectory);
    EXPECT_FALSE(partition_->is_open());
    Bytes batch = batch_of("a");
    auto appended = partition_->append(batch, {.may_wait = false});
    ASSERT_FALSE(appended);
    EXPECT_TRUE(storage::is_would_wait(appended.error().error));
    auto got = partition_->read({.fetch_offset = Offset(0), .bytes_max = 100, .may_wait = false});
    ASSERT_FALSE(got);
    EXPECT_TRUE(storage::is_would_wait(got.error()));
    // Many open it at once; one log is what they get.
    {
        std::vector<std::jthread> openers;
        for (int i = 0; i < 4; ++i) {
            openers.emplace_back([this] { partition_->open(); });
        }
    }
    EXPECT_TRUE(partition_->is_open());
    EXPECT_TRUE(partition_->append(batch, {.may_wait = false}));
    EXPECT_TRUE(partition_->read({.fetch_offset = Offset(0), .bytes_max = 100, .may_wait = false}));
}

TEST_F(PartitionTest, a_partition_that_ends_while_it_opens_stays_ended) {
    for (int round = 0; round < 20; ++round) {
        auto partition =
            std::make_shared<Partition>(context_, TopicPartition{"ending", round}, kTopic);
        partition->metadata_changed(
            kLocal, {.replicas = {kLocal}, .isr = {kLocal}, .leader_epoch = LeaderEpoch(0)},
            kUnassignedDirectory);
        std::jthread opener([&] { partition->open(); });
        partition->stop();
        ASSERT_TRUE(logs_->remove(partition->topic_partition()));
        opener.join();
        auto left = logs_->get(partition->topic_partition());
        ASSERT_TRUE(left);
        EXPECT_EQ(*left, nullptr) << round;
    }
}

TEST_F(PartitionTest, records_of_a_compacted_topic_are_not_deleted_by_hand) {
    config_.cleanup_compact = true;
    config_.cleanup_delete = false;
    ASSERT_TRUE(lead(0));
    record::BatchBuilder builder;
    builder.append(clock_.wall_ms(), "key", "value");
    ASSERT_TRUE(partition_->append(builder.build(), {}));
    EXPECT_EQ(partition_->delete_records(Offset(1)).error().code, ErrorCode::PolicyViolation);
}

}  // namespace
}  // namespace moldau::broker
