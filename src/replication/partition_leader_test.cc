#include "replication/partition_leader.h"

#include <gtest/gtest.h>

namespace moldau::replication {
namespace {

MonotonicTime at(int64_t ms) {
    return MonotonicTime(milliseconds(ms));
}

Registration registration(std::vector<int32_t> replicas, std::vector<int32_t> isr,
                          int32_t epoch = 1) {
    Registration made;
    for (int32_t id : replicas) {
        made.replicas.emplace_back(id);
    }
    for (int32_t id : isr) {
        made.isr.emplace_back(id);
    }
    made.leader_epoch = LeaderEpoch(3);
    made.partition_epoch = epoch;
    return made;
}

class PartitionLeaderTest : public testing::Test {
 protected:
    void lead(Registration with, int64_t log_end = 10, int64_t high_watermark = 10,
              int min_isr = 1) {
        leader_.emplace(LeaderSettings{.local = BrokerId(1),
                                       .lag_max = milliseconds(1000),
                                       .min_insync_replicas = min_isr},
                        std::move(with), Offset(log_end), Offset(high_watermark), at(0));
    }
    Status fetch(int32_t replica, int64_t offset, int64_t ms, int64_t broker_epoch = 5) {
        return leader_->follower_fetched({.replica = BrokerId(replica),
                                          .broker_epoch = broker_epoch,
                                          .fetch_offset = Offset(offset),
                                          .log_start_offset = Offset(0),
                                          .leader_end_offset = leader_->log_end_offset(),
                                          .eligible = true},
                                         at(ms));
    }
    int64_t watermark() const { return leader_->high_watermark().value(); }
    std::vector<int32_t> proposed() {
        auto proposal = leader_->take_proposal();
        std::vector<int32_t> ids;
        if (proposal) {
            for (auto& [id, epoch] : proposal->isr) {
                ids.push_back(id.value());
            }
        }
        return ids;
    }

    std::optional<PartitionLeader> leader_;
};

TEST_F(PartitionLeaderTest, alone_commits_what_it_appends) {
    lead(registration({1}, {1}));
    leader_->appended(Offset(12));
    EXPECT_EQ(watermark(), 12);
    EXPECT_TRUE(leader_->acknowledged(Offset(12))->has_value());
}

TEST_F(PartitionLeaderTest, waits_for_each_in_sync_follower) {
    lead(registration({1, 2, 3}, {1, 2, 3}), 10, 4);
    leader_->appended(Offset(12));
    ASSERT_TRUE(fetch(2, 12, 1));
    EXPECT_EQ(watermark(), 4);
    EXPECT_FALSE(leader_->acknowledged(Offset(12)).has_value());
    ASSERT_TRUE(fetch(3, 11, 2));
    EXPECT_EQ(watermark(), 11);
    EXPECT_TRUE(leader_->watermark_reached_epoch_start());
    ASSERT_TRUE(fetch(3, 12, 3));
    EXPECT_EQ(watermark(), 12);
}

TEST_F(PartitionLeaderTest, drops_a_member_that_lags_and_takes_it_back) {
    lead(registration({1, 2}, {1, 2}));
    leader_->appended(Offset(20));
    leader_->lag_checked(at(1000));
    EXPECT_TRUE(proposed().empty());
    leader_->lag_checked(at(1001));
    EXPECT_EQ(proposed(), (std::vector<int32_t>{1}));
    EXPECT_EQ(watermark(), 10);  // a proposed shrink does not count yet
    leader_->proposal_accepted(registration({1, 2}, {1}, 2), at(1002));
    EXPECT_EQ(watermark(), 20);
    ASSERT_TRUE(fetch(2, 19, 1100));
    EXPECT_TRUE(proposed().empty());  // below the watermark
    ASSERT_TRUE(fetch(2, 20, 1101));
    EXPECT_EQ(proposed(), (std::vector<int32_t>{1, 2}));
    leader_->appended(Offset(21));
    EXPECT_EQ(watermark(), 20);  // the larger set may be in force already
    leader_->proposal_rejected();
    ASSERT_TRUE(fetch(2, 21, 1102));
    EXPECT_EQ(watermark(), 21);
}

TEST_F(PartitionLeaderTest, a_proposal_is_sent_once_until_it_must_be_retried) {
    lead(registration({1, 2}, {1}));
    ASSERT_TRUE(fetch(2, 10, 1));
    EXPECT_FALSE(proposed().empty());
    EXPECT_TRUE(proposed().empty());
    leader_->proposal_retried();
    EXPECT_EQ(proposed(), (std::vector<int32_t>{1, 2}));
}

TEST_F(PartitionLeaderTest, below_min_isr_nothing_is_committed) {
    lead(registration({1, 2, 3}, {1}), 10, 10, 2);
    EXPECT_EQ(leader_->check_append_with_all().error().code, ErrorCode::NotEnoughReplicas);
    leader_->appended(Offset(11));
    EXPECT_EQ(watermark(), 10);
    EXPECT_EQ(leader_->acknowledged(Offset(10))->error().code,
              ErrorCode::NotEnoughReplicasAfterAppend);
    leader_->min_insync_replicas_changed(1);
    EXPECT_EQ(watermark(), 11);
}

TEST_F(PartitionLeaderTest, min_isr_above_the_replication_factor_is_capped) {
    lead(registration({1}, {1}), 10, 10, 3);
    EXPECT_TRUE(leader_->check_append_with_all().has_value());
}

TEST_F(PartitionLeaderTest, strangers_and_old_incarnations_are_refused) {
    lead(registration({1, 2}, {1, 2}));
    EXPECT_EQ(fetch(9, 10, 1).error().code, ErrorCode::UnknownLeaderEpoch);
    ASSERT_TRUE(fetch(2, 10, 1, 7));
    EXPECT_EQ(fetch(2, 10, 2, 6).error().code, ErrorCode::NotLeaderOrFollower);
}

TEST_F(PartitionLeaderTest, a_follower_before_the_epoch_start_may_not_join) {
    lead(registration({1, 2}, {1}), 10, 5, 2);  // under min isr: the watermark stays at 5
    ASSERT_TRUE(fetch(2, 7, 1));
    EXPECT_TRUE(proposed().empty());
}

TEST_F(PartitionLeaderTest, recovery_from_an_unclean_election_is_reported) {
    Registration unclean = registration({1, 2}, {1});
    unclean.recovering = true;
    lead(unclean);
    EXPECT_EQ(proposed(), (std::vector<int32_t>{1}));
}

TEST_F(PartitionLeaderTest, an_older_registration_is_ignored) {
    lead(registration({1, 2}, {1, 2}, 5));
    leader_->metadata_changed(registration({1, 2}, {1}, 4), at(1));
    EXPECT_EQ(leader_->isr().size(), 2u);
}

}  // namespace
}  // namespace moldau::replication
