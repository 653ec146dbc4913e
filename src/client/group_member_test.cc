#include "client/group_member.h"

#include <gtest/gtest.h>

namespace moldau::client {
namespace {

AssignorMember subscriber(std::string topic) {
    AssignorMember member;
    member.topics = {std::move(topic)};
    return member;
}

class GroupMemberTest : public testing::Test {
 protected:
    explicit GroupMemberTest(std::vector<const Assignor*> assignors = {find_assignor("range")}) {
        GroupMemberConfig config;
        config.group_id = "g";
        config.assignors = std::move(assignors);
        member_ = std::make_unique<GroupMember>(config);
        member_->subscribe(now_, {"orders"});
        member_->on_partition_counts(now_, {{"orders", 3}});
    }

    GroupMember::Ready ready() { return member_->take_ready(); }
    void answer_join(ErrorCode error, std::string member_id, std::string leader = "other",
                     int32_t generation = 1) {
        protocol::JoinGroupResponse answer;
        answer.error_code = to_wire(error);
        answer.member_id = member_id;
        answer.leader = leader;
        answer.generation_id = generation;
        answer.protocol_name = "range";
        if (leader == member_id && error == ErrorCode::None) {
            for (std::string id : {std::string("a"), std::string("m")}) {
                protocol::JoinGroupResponse::JoinGroupResponseMember joined;
                joined.member_id = id;
                joined.metadata = encode_subscription(subscriber("orders"), "");
                answer.members.push_back(std::move(joined));
            }
        }
        member_->on_join(now_, answer);
    }
    void answer_sync(ErrorCode error, std::vector<TopicPartition> partitions = {}) {
        protocol::SyncGroupResponse answer;
        answer.error_code = to_wire(error);
        answer.assignment = encode_assignment(partitions);
        member_->on_sync(now_, answer);
    }
    void answer_heartbeat(ErrorCode error) {
        protocol::HeartbeatResponse answer;
        answer.error_code = to_wire(error);
        member_->on_heartbeat(now_, answer);
    }
    // A member of generation 1 that owns orders-0.
    void become_stable() {
        member_->on_poll(now_);
        EXPECT_TRUE(ready().find_coordinator);
        member_->on_coordinator(now_, true);
        EXPECT_TRUE(ready().join.has_value());
        answer_join(ErrorCode::MemberIdRequired, "m");
        EXPECT_EQ(ready().join->member_id, "m");
        answer_join(ErrorCode::None, "m");
        EXPECT_TRUE(ready().sync.has_value());
        answer_sync(ErrorCode::None, {{"orders", 0}});
        EXPECT_EQ(ready().assigned->size(), 1u);
    }
    void wait(Duration time) {
        now_ += time;
        member_->tick(now_);
    }

    MonotonicTime now_{seconds(100)};
    std::unique_ptr<GroupMember> member_;
};

TEST_F(GroupMemberTest, joins_when_the_application_polls_and_is_assigned_partitions) {
    EXPECT_FALSE(ready().find_coordinator);
    become_stable();
    EXPECT_TRUE(member_->is_stable());
    EXPECT_EQ(member_->generation(), 1);
}

TEST_F(GroupMemberTest, the_leader_shares_out_by_the_chosen_assignor) {
    member_->on_poll(now_);
    ready();
    member_->on_coordinator(now_, true);
    ready();
    answer_join(ErrorCode::None, "m", "m");
    auto sync = ready().sync;
    ASSERT_EQ(sync->assignments.size(), 2u);
    EXPECT_EQ(sync->assignments[0].member_id, "a");
    EXPECT_EQ(decode_assignment(sync->assignments[0].assignment)->size(), 2u);
    EXPECT_EQ(*decode_assignment(sync->assignments[1].assignment),
              (std::vector<TopicPartition>{{"orders", 2}}));
}

TEST_F(GroupMemberTest, heartbeats_leave_at_their_interval_one_at_a_time) {
    become_stable();
    wait(seconds(3));
    EXPECT_TRUE(ready().heartbeat.has_value());
    wait(seconds(3));
    EXPECT_FALSE(ready().heartbeat.has_value());
    answer_heartbeat(ErrorCode::None);
    wait(Duration(0));
    EXPECT_TRUE(ready().heartbeat.has_value());
}

TEST_F(GroupMemberTest, a_rebalance_gives_partitions_back_before_joining_again) {
    become_stable();
    wait(seconds(3));
    ready();
    answer_heartbeat(ErrorCode::RebalanceInProgress);
    auto effects = ready();
    EXPECT_EQ(effects.revoke->size(), 1u);
    EXPECT_FALSE(effects.join.has_value());
    member_->revoked(now_);
    EXPECT_EQ(ready().join->member_id, "m");
}

TEST_F(GroupMemberTest, a_member_the_group_forgot_loses_its_partitions_and_starts_anew) {
    become_stable();
    wait(seconds(3));
    ready();
    answer_heartbeat(ErrorCode::UnknownMemberId);
    EXPECT_EQ(ready().lost->size(), 1u);
    wait(Duration(0));
    EXPECT_EQ(ready().join->member_id, "");
}

TEST_F(GroupMemberTest, an_old_generation_keeps_the_member_id) {
    become_stable();
    wait(seconds(3));
    ready();
    answer_heartbeat(ErrorCode::IllegalGeneration);
    EXPECT_TRUE(ready().lost.has_value());
    wait(Duration(0));
    EXPECT_EQ(ready().join->member_id, "m");
}

TEST_F(GroupMemberTest, a_moved_coordinator_is_looked_up_and_the_place_is_kept) {
    become_stable();
    wait(seconds(3));
    ready();
    answer_heartbeat(ErrorCode::NotCoordinator);
    auto effects = ready();
    EXPECT_TRUE(effects.find_coordinator);
    EXPECT_FALSE(effects.lost.has_value());
    member_->on_coordinator(now_, false);
    EXPECT_FALSE(ready().find_coordinator);
    wait(milliseconds(100));
    EXPECT_TRUE(ready().find_coordinator);
    // The member goes on where it was: joining again would make it read records twice.
    member_->on_coordinator(now_, true);
    wait(Duration(0));
    effects = ready();
    EXPECT_FALSE(effects.revoke.has_value());
    EXPECT_FALSE(effects.join.has_value());
    EXPECT_TRUE(effects.heartbeat.has_value());
    EXPECT_EQ(member_->owned().size(), 1u);
}

TEST_F(GroupMemberTest, a_coordinator_lost_while_joining_is_joined_again) {
    member_->on_poll(now_);
    ready();
    member_->on_coordinator(now_, true);
    ready();
    answer_join(ErrorCode::NotCoordinator, "");
    EXPECT_TRUE(ready().find_coordinator);
    member_->on_coordinator(now_, true);
    EXPECT_TRUE(ready().join.has_value());
}

TEST_F(GroupMemberTest, a_leader_rejoins_when_a_topic_grew) {
    member_->on_poll(now_);
    member_->on_coordinator(now_, true);
    answer_join(ErrorCode::None, "m", "m");
    answer_sync(ErrorCode::None, {{"orders", 0}});
    ready();
    member_->on_partition_counts(now_, {{"orders", 4}});
    EXPECT_TRUE(ready().revoke.has_value());
}

TEST_F(GroupMemberTest, an_application_that_stops_polling_leaves_and_comes_back) {
    become_stable();
    wait(seconds(301));
    auto effects = ready();
    EXPECT_TRUE(effects.leave.has_value());
    EXPECT_EQ(effects.lost->size(), 1u);
    member_->on_poll(now_);
    EXPECT_TRUE(ready().find_coordinator);
}

TEST_F(GroupMemberTest, errors_nothing_can_mend_reach_the_application) {
    member_->on_poll(now_);
    member_->on_coordinator(now_, true);
    answer_join(ErrorCode::GroupAuthorizationFailed, "");
    EXPECT_EQ(ready().failed->code, ErrorCode::GroupAuthorizationFailed);
}

class CooperativeMemberTest : public GroupMemberTest {
 protected:
    CooperativeMemberTest() : GroupMemberTest({find_assignor("cooperative-sticky")}) {}

    AssignorMember told_in(const protocol::JoinGroupRequest& join) {
        return *decode_subscription(join.protocols.at(0).metadata);
    }
    // Another rebalance, which gives this member `partitions`.
    void rebalance(std::vector<TopicPartition> partitions, int32_t generation) {
        wait(seconds(3));
        ready();
        answer_heartbeat(ErrorCode::RebalanceInProgress);
        ASSERT_TRUE(ready().join.has_value());
        answer_join(ErrorCode::None, "m", "other", generation);
        ASSERT_TRUE(ready().sync.has_value());
        answer_sync(ErrorCode::None, std::move(partitions));
    }
};

TEST_F(CooperativeMemberTest, keeps_its_partitions_while_it_joins_and_tells_the_leader) {
    become_stable();
    wait(seconds(3));
    ready();
    answer_heartbeat(ErrorCode::RebalanceInProgress);
    auto effects = ready();
    EXPECT_FALSE(effects.revoke.has_value());
    ASSERT_TRUE(effects.join.has_value());
    EXPECT_EQ(told_in(*effects.join).owned, (std::vector<TopicPartition>{{"orders", 0}}));
    EXPECT_EQ(told_in(*effects.join).generation, 1);
}

TEST_F(CooperativeMemberTest, gives_back_what_the_assignment_leaves_out_and_joins_once_more) {
    become_stable();
    rebalance({{"orders", 1}}, 2);
    auto effects = ready();
    EXPECT_EQ(effects.assigned, (std::set<TopicPartition>{{"orders", 1}}));
    EXPECT_EQ(effects.revoke, (std::set<TopicPartition>{{"orders", 0}}));
    EXPECT_FALSE(effects.join.has_value());
    member_->revoked(now_);
    effects = ready();
    ASSERT_TRUE(effects.join.has_value());
    EXPECT_EQ(told_in(*effects.join).owned, (std::vector<TopicPartition>{{"orders", 1}}));
    EXPECT_EQ(told_in(*effects.join).generation, 2);
}

TEST_F(CooperativeMemberTest, only_adds_what_is_new_when_nothing_is_left_out) {
    become_stable();
    rebalance({{"orders", 0}, {"orders", 2}}, 2);
    auto effects = ready();
    EXPECT_EQ(effects.assigned, (std::set<TopicPartition>{{"orders", 2}}));
    EXPECT_FALSE(effects.revoke.has_value());
    EXPECT_FALSE(effects.join.has_value());
    EXPECT_TRUE(member_->is_stable());
    EXPECT_EQ(member_->owned().size(), 2u);
}

TEST_F(CooperativeMemberTest, gives_back_a_topic_it_no_longer_wants_before_it_joins) {
    become_stable();
    member_->subscribe(now_, {"payments"});
    auto effects = ready();
    EXPECT_EQ(effects.revoke, (std::set<TopicPartition>{{"orders", 0}}));
    member_->revoked(now_);
    effects = ready();
    ASSERT_TRUE(effects.join.has_value());
    EXPECT_TRUE(told_in(*effects.join).owned.empty());
}

// A member whose sync was overtaken by the next rebalance claims its partitions by the generation
// in which it got them: with the newer one it would outbid the member they were given to meanwhile.
TEST_F(CooperativeMemberTest, claims_by_the_generation_of_its_latest_assignment) {
    become_stable();
    wait(seconds(3));
    ready();
    answer_heartbeat(ErrorCode::RebalanceInProgress);
    ready();
    answer_join(ErrorCode::None, "m", "other", 2);
    ready();
    answer_sync(ErrorCode::RebalanceInProgress);
    auto effects = ready();
    ASSERT_TRUE(effects.join.has_value());
    EXPECT_EQ(told_in(*effects.join).generation, 1);
}

TEST_F(CooperativeMemberTest, loses_its_partitions_when_the_group_forgot_it) {
    become_stable();
    wait(seconds(3));
    ready();
    answer_heartbeat(ErrorCode::UnknownMemberId);
    EXPECT_EQ(ready().lost->size(), 1u);
    wait(Duration(0));
    auto effects = ready();
    ASSERT_TRUE(effects.join.has_value());
    EXPECT_TRUE(told_in(*effects.join).owned.empty());
    EXPECT_EQ(told_in(*effects.join).generation, -1);
}

TEST_F(CooperativeMemberTest, a_late_error_of_a_commit_in_an_older_generation_is_ignored) {
    become_stable();
    rebalance({{"orders", 0}}, 2);
    ready();
    member_->on_commit_error(now_, ErrorCode::IllegalGeneration, 1);
    EXPECT_TRUE(member_->is_stable());
    member_->on_commit_error(now_, ErrorCode::IllegalGeneration, 2);
    EXPECT_FALSE(member_->is_stable());
}

class MixedStrategiesTest : public GroupMemberTest {
 protected:
    MixedStrategiesTest()
        : GroupMemberTest({find_assignor("range"), find_assignor("cooperative-sticky")}) {}
};

TEST_F(MixedStrategiesTest, gives_all_back_as_long_as_one_strategy_is_eager) {
    become_stable();
    wait(seconds(3));
    ready();
    answer_heartbeat(ErrorCode::RebalanceInProgress);
    EXPECT_EQ(ready().revoke->size(), 1u);
    member_->revoked(now_);
    auto join = ready().join;
    ASSERT_TRUE(join.has_value());
    EXPECT_EQ(join->protocols.at(0).name, "range");
    EXPECT_EQ(join->protocols.at(1).name, "cooperative-sticky");
}

TEST(GroupBlobs, subscription_and_assignment_survive_the_wire) {
    AssignorMember member = subscriber("a");
    member.owned = {{"a", 1}};
    member.generation = 4;
    member.user_data = Bytes::copy_of("x");
    auto decoded = decode_subscription(encode_subscription(member, "rack"));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(decoded->topics, member.topics);
    EXPECT_EQ(decoded->owned, member.owned);
    EXPECT_EQ(decoded->generation, 4);
    EXPECT_EQ(decoded->user_data->view(), "x");
    std::vector<TopicPartition> partitions{{"a", 0}, {"a", 1}, {"b", 5}};
    EXPECT_EQ(*decode_assignment(encode_assignment(partitions)), partitions);
    EXPECT_FALSE(decode_subscription(Bytes::copy_of(std::string_view("\0", 1))).has_value());
    EXPECT_TRUE(decode_assignment(Bytes())->empty());
}

}  // namespace
}  // namespace moldau::client
