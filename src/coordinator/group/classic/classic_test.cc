#include <gtest/gtest.h>

#include "coordinator/testing/group_bench.h"

namespace moldau::coordinator {
namespace {

using Bench = GroupBench;
using Join = GroupBench::Join;
using Sync = GroupBench::Sync;
using Leave = protocol::LeaveGroupResponse;

TEST(ClassicGroup, a_dynamic_member_must_first_take_an_id) {
    Bench bench;
    std::string id = bench.member_id();
    EXPECT_EQ(id, "client-00000000-0000-0000-0000-000000000001");
    EXPECT_EQ(bench.state_text(), "Empty");
    EXPECT_TRUE(bench.state()->is_pending(id));
}

TEST(ClassicGroup, an_old_client_joins_without_an_id) {
    Bench bench;
    ReplyToken join = bench.send_join({.version = 3});
    EXPECT_TRUE(bench.is_waiting(join));
    bench.advance(milliseconds(3000));
    EXPECT_EQ(Bench::code(bench.answer<Join>(join)), ErrorCode::None);
}

TEST(ClassicGroup, the_first_rebalance_waits_for_more_members) {
    Bench bench;
    std::string a = bench.member_id();
    ReplyToken join = bench.rejoin(a);
    bench.advance(milliseconds(2999));
    EXPECT_TRUE(bench.is_waiting(join));
    bench.advance(milliseconds(1));
    Join joined = bench.answer<Join>(join);
    EXPECT_EQ(joined.generation_id, 1);
    EXPECT_EQ(joined.leader, a);
    EXPECT_EQ(joined.protocol_name, "range");
    EXPECT_EQ(joined.protocol_type, "consumer");
    ASSERT_EQ(joined.members.size(), 1u);
    EXPECT_EQ(joined.members[0].metadata, Bench::subscription({"orders"}));
}

TEST(ClassicGroup, each_newcomer_extends_the_first_delay_up_to_the_rebalance_timeout) {
    Bench bench;
    JoinOptions quick{.rebalance_ms = 7000};
    std::string a = bench.member_id(quick);
    std::string b = bench.member_id(quick);
    std::string c = bench.member_id(quick);
    std::string d = bench.member_id(quick);
    ReplyToken join_a = bench.rejoin(a, quick);
    bench.advance(milliseconds(2000));
    bench.rejoin(b, quick);
    bench.advance(milliseconds(2000));  // 4 s: extended once, to 6 s
    bench.rejoin(c, quick);
    bench.advance(milliseconds(2500));  // 6.5 s: extended again, by the second that is left
    bench.rejoin(d, quick);
    EXPECT_TRUE(bench.is_waiting(join_a));
    bench.advance(milliseconds(500));  // 7 s
    EXPECT_EQ(bench.answer<Join>(join_a).members.size(), 4u);
}

TEST(ClassicGroup, two_members_join_and_are_given_their_assignments) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    EXPECT_EQ(bench.state_text(), "Stable");
    EXPECT_EQ(bench.heartbeat(a, 1), ErrorCode::None);
    EXPECT_EQ(bench.heartbeat(b, 1), ErrorCode::None);
}

TEST(ClassicGroup, only_the_leader_sees_the_members) {
    Bench bench;
    std::string a = bench.member_id();
    std::string b = bench.member_id();
    ReplyToken join_a = bench.rejoin(a);
    ReplyToken join_b = bench.rejoin(b);
    bench.advance(milliseconds(6000));
    EXPECT_EQ(bench.answer<Join>(join_a).members.size(), 2u);
    Join follower = bench.answer<Join>(join_b);
    EXPECT_TRUE(follower.members.empty());
    EXPECT_EQ(follower.leader, a);
}

TEST(ClassicGroup, a_new_member_makes_the_others_rejoin) {
    Bench bench;
    std::string a = bench.stable_member();
    std::string b = bench.member_id();
    EXPECT_EQ(bench.heartbeat(a, 1), ErrorCode::None);  // an id alone is no member
    ReplyToken join_b = bench.rejoin(b);
    EXPECT_EQ(bench.heartbeat(a, 1), ErrorCode::RebalanceInProgress);
    EXPECT_TRUE(bench.is_waiting(join_b));
    ReplyToken join_a = bench.rejoin(a);
    EXPECT_EQ(bench.answer<Join>(join_a).generation_id, 2);
    EXPECT_EQ(bench.answer<Join>(join_b).generation_id, 2);
}

TEST(ClassicGroup, concurrent_joins_keep_every_member_id) {
    Bench bench;
    std::string a = bench.stable_member();
    std::vector<std::string> ids;
    for (int i = 0; i < 10; ++i) {
        ids.push_back(bench.member_id());
    }
    std::vector<ReplyToken> joins;
    for (const std::string& id : ids) {
        joins.push_back(bench.rejoin(id));
    }
    Join leader = bench.answer<Join>(bench.rejoin(a));
    EXPECT_EQ(leader.members.size(), 11u);
    for (size_t i = 0; i < ids.size(); ++i) {
        EXPECT_EQ(bench.answer<Join>(joins[i]).member_id, ids[i]);
    }
}

TEST(ClassicGroup, a_pending_member_holds_the_rebalance_until_its_session_ends) {
    Bench bench;
    std::string a = bench.stable_member({.session_ms = 30000});
    std::string ghost = bench.member_id({.session_ms = 6000});
    std::string b = bench.member_id({.session_ms = 30000});
    ReplyToken join_b = bench.rejoin(b, {.session_ms = 30000});
    bench.rejoin(a, {.session_ms = 30000});
    EXPECT_TRUE(bench.is_waiting(join_b));
    bench.advance(milliseconds(6000));
    EXPECT_EQ(bench.answer<Join>(join_b).generation_id, 2);
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.rejoin(ghost))), ErrorCode::UnknownMemberId);
}

TEST(ClassicGroup, a_member_that_falls_silent_is_removed_after_its_session) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    bench.advance(milliseconds(9000));
    EXPECT_EQ(bench.heartbeat(a, 1), ErrorCode::None);
    bench.advance(milliseconds(1000));
    EXPECT_FALSE(bench.state()->has_member(b));
    EXPECT_EQ(bench.heartbeat(a, 1), ErrorCode::RebalanceInProgress);
    EXPECT_EQ(bench.heartbeat(b, 1), ErrorCode::UnknownMemberId);
    EXPECT_EQ(bench.answer<Join>(bench.rejoin(a)).members.size(), 1u);
}

TEST(ClassicGroup, the_last_member_to_fall_silent_leaves_the_group_empty) {
    Bench bench;
    std::string a = bench.stable_member();
    bench.advance(milliseconds(10000));
    EXPECT_EQ(bench.state_text(), "Empty");
    auto record = std::get<GroupMetadataRecord>(bench.last_record());
    EXPECT_EQ(record.value->generation, 2);
    EXPECT_EQ(record.value->protocol, std::nullopt);
    EXPECT_EQ(record.value->leader, std::nullopt);
    EXPECT_EQ(record.value->protocol_type, "consumer");
    EXPECT_TRUE(record.value->members.empty());
}

TEST(ClassicGroup, a_leader_that_leaves_is_replaced) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    Leave left = bench.leave(a);
    EXPECT_EQ(left.members.at(0).error_code, 0);
    EXPECT_EQ(bench.heartbeat(b, 1), ErrorCode::RebalanceInProgress);
    Join joined = bench.answer<Join>(bench.rejoin(b));
    EXPECT_EQ(joined.leader, b);
    EXPECT_EQ(joined.generation_id, 2);
    EXPECT_EQ(joined.members.size(), 1u);
}

TEST(ClassicGroup, a_member_too_slow_to_rejoin_is_dropped_at_the_rebalance_timeout) {
    Bench bench;
    auto [a, b] = bench.stable_pair({.session_ms = 30000, .rebalance_ms = 20000});
    ReplyToken join_b =
        bench.rejoin(b, {.topics = {"payments"}, .session_ms = 30000, .rebalance_ms = 20000});
    bench.advance(milliseconds(19999));
    EXPECT_TRUE(bench.is_waiting(join_b));
    bench.advance(milliseconds(1));
    Join joined = bench.answer<Join>(join_b);
    EXPECT_EQ(joined.leader, b);
    EXPECT_EQ(joined.members.size(), 1u);
    EXPECT_EQ(bench.heartbeat(a, 2), ErrorCode::UnknownMemberId);
}

TEST(ClassicGroup, a_member_that_does_not_sync_is_dropped) {
    Bench bench;
    JoinOptions options{.session_ms = 60000, .rebalance_ms = 20000};
    std::string a = bench.member_id(options);
    std::string b = bench.member_id(options);
    ReplyToken join_a = bench.rejoin(a, options);
    ReplyToken join_b = bench.rejoin(b, options);
    bench.advance(milliseconds(6000));
    bench.answer<Join>(join_a);
    bench.answer<Join>(join_b);
    bench.answer<Sync>(bench.send_sync(a, 1, {{a, "x"}, {b, "y"}}));
    EXPECT_EQ(bench.state_text(), "Stable");
    bench.advance(milliseconds(20000));
    EXPECT_EQ(bench.state_text(), "PreparingRebalance");
    EXPECT_FALSE(bench.state()->has_member(b));
    EXPECT_EQ(bench.heartbeat(a, 1), ErrorCode::RebalanceInProgress);
}

TEST(ClassicGroup, members_missing_from_the_assignment_get_an_empty_one) {
    Bench bench;
    std::string a = bench.member_id();
    std::string b = bench.member_id();
    ReplyToken join_a = bench.rejoin(a);
    bench.rejoin(b);
    bench.advance(milliseconds(6000));
    bench.answer<Join>(join_a);
    ReplyToken sync_b = bench.send_sync(b, 1);
    bench.answer<Sync>(bench.send_sync(a, 1, {{a, "everything"}, {"stranger", "nothing"}}));
    Sync empty = bench.answer<Sync>(sync_b);
    EXPECT_EQ(Bench::code(empty), ErrorCode::None);
    EXPECT_TRUE(empty.assignment.empty());
    EXPECT_EQ(std::get<GroupMetadataRecord>(bench.last_record()).value->members.size(), 2u);
}

TEST(ClassicGroup, an_assignment_is_handed_out_only_when_it_is_committed) {
    Bench bench;
    std::string a = bench.member_id();
    ReplyToken join = bench.rejoin(a);
    bench.advance(milliseconds(3000));
    bench.answer<Join>(join);
    bench.auto_commit = false;
    ReplyToken sync = bench.send_sync(a, 1, {{a, "x"}});
    EXPECT_TRUE(bench.is_waiting(sync));
    EXPECT_EQ(bench.state_text(), "CompletingRebalance");
    bench.commit_log();
    bench.settle();
    EXPECT_EQ(bench.answer<Sync>(sync).assignment.view(), "x");
    EXPECT_EQ(bench.state_text(), "Stable");
}

TEST(ClassicGroup, an_assignment_that_cannot_be_written_starts_another_round) {
    Bench bench;
    std::string a = bench.member_id();
    ReplyToken join = bench.rejoin(a);
    bench.advance(milliseconds(3000));
    bench.answer<Join>(join);
    bench.refuse_writes = ErrorCode::NotEnoughReplicas;
    ReplyToken sync = bench.send_sync(a, 1, {{a, "x"}});
    EXPECT_EQ(Bench::code(bench.answer<Sync>(sync)), ErrorCode::CoordinatorNotAvailable);
    EXPECT_EQ(bench.state_text(), "PreparingRebalance");
    bench.refuse_writes.reset();
    EXPECT_EQ(bench.answer<Join>(bench.rejoin(a)).generation_id, 2);
}

TEST(ClassicGroup, an_assignment_overtaken_by_a_rebalance_is_not_handed_out) {
    Bench bench;
    std::string a = bench.member_id();
    ReplyToken join = bench.rejoin(a);
    bench.advance(milliseconds(3000));
    bench.answer<Join>(join);
    std::string b = bench.member_id();
    bench.auto_commit = false;
    ReplyToken sync = bench.send_sync(a, 1, {{a, "old"}});
    bench.rejoin(b);
    EXPECT_EQ(Bench::code(bench.answer<Sync>(sync)), ErrorCode::RebalanceInProgress);
    bench.commit_log();
    bench.settle();
    EXPECT_EQ(bench.state_text(), "PreparingRebalance");
}

TEST(ClassicGroup, the_same_join_again_is_answered_from_the_present_generation) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    Join again = bench.answer<Join>(bench.rejoin(b));
    EXPECT_EQ(again.generation_id, 1);
    EXPECT_EQ(bench.state_text(), "Stable");
    EXPECT_EQ(bench.answer<Sync>(bench.send_sync(b, 1)).assignment.view(), "for b");
}

TEST(ClassicGroup, a_leader_that_rejoins_starts_a_rebalance) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    ReplyToken join_a = bench.rejoin(a);
    EXPECT_TRUE(bench.is_waiting(join_a));
    EXPECT_EQ(bench.heartbeat(b, 1), ErrorCode::RebalanceInProgress);
    bench.rejoin(b);
    EXPECT_EQ(bench.answer<Join>(join_a).generation_id, 2);
}

TEST(ClassicGroup, a_retried_join_answers_the_request_it_replaces) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    ReplyToken first = bench.rejoin(a);
    ReplyToken second = bench.rejoin(a);
    EXPECT_EQ(Bench::code(bench.answer<Join>(first)), ErrorCode::RebalanceInProgress);
    bench.rejoin(b);
    EXPECT_EQ(Bench::code(bench.answer<Join>(second)), ErrorCode::None);
}

TEST(ClassicGroup, unknown_members_and_generations_are_told_apart) {
    Bench bench;
    std::string a = bench.stable_member();
    EXPECT_EQ(bench.heartbeat("stranger", 1), ErrorCode::UnknownMemberId);
    EXPECT_EQ(bench.heartbeat(a, 7), ErrorCode::IllegalGeneration);
    EXPECT_EQ(Bench::code(bench.answer<Sync>(bench.send_sync("stranger", 1))),
              ErrorCode::UnknownMemberId);
    EXPECT_EQ(Bench::code(bench.answer<Sync>(bench.send_sync(a, 0))), ErrorCode::IllegalGeneration);
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.rejoin("stranger"))),
              ErrorCode::UnknownMemberId);
    EXPECT_EQ(bench.leave("stranger").members.at(0).error_code,
              to_wire(ErrorCode::UnknownMemberId));
}

TEST(ClassicGroup, requests_for_a_group_that_does_not_exist) {
    Bench bench;
    EXPECT_EQ(bench.heartbeat("a", 1), ErrorCode::UnknownMemberId);
    EXPECT_EQ(Bench::code(bench.answer<Sync>(bench.send_sync("a", 1))), ErrorCode::UnknownMemberId);
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.rejoin("a"))), ErrorCode::UnknownMemberId);
    EXPECT_EQ(bench.leave("a").members.at(0).error_code, to_wire(ErrorCode::UnknownMemberId));
    EXPECT_EQ(bench.delete_group(), ErrorCode::GroupIdNotFound);
    EXPECT_EQ(bench.state(), nullptr);
}

TEST(ClassicGroup, an_empty_group_id_is_invalid) {
    Bench bench;
    bench.group = "";
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.send_join())), ErrorCode::InvalidGroupId);
    EXPECT_EQ(Bench::code(bench.answer<Sync>(bench.send_sync("a", 1))), ErrorCode::InvalidGroupId);
    EXPECT_EQ(bench.heartbeat("a", 1), ErrorCode::InvalidGroupId);
    EXPECT_EQ(Bench::code(bench.leave("a")), ErrorCode::InvalidGroupId);
}

TEST(ClassicGroup, a_session_timeout_outside_the_limits_is_refused) {
    Bench bench;
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.send_join({.session_ms = 5999}))),
              ErrorCode::InvalidSessionTimeout);
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.send_join({.session_ms = 1800001}))),
              ErrorCode::InvalidSessionTimeout);
    bench.member_id({.session_ms = 1800000});
}

TEST(ClassicGroup, a_member_without_a_common_protocol_is_refused) {
    Bench bench;
    bench.stable_member({.protocols = {"range", "sticky"}});
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.send_join({.protocols = {"mine"}}))),
              ErrorCode::InconsistentGroupProtocol);
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.send_join({.type = "connect"}))),
              ErrorCode::InconsistentGroupProtocol);
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.send_join({.protocols = {}}))),
              ErrorCode::InconsistentGroupProtocol);
}

TEST(ClassicGroup, the_protocol_with_most_votes_among_the_common_ones_is_chosen) {
    Bench bench;
    std::string a = bench.member_id();
    std::string b = bench.member_id();
    std::string c = bench.member_id();
    ReplyToken join = bench.rejoin(a, {.protocols = {"mine", "range", "sticky"}});
    bench.rejoin(b, {.protocols = {"sticky", "range"}});
    bench.rejoin(c, {.protocols = {"sticky", "range"}});
    bench.advance(milliseconds(9000));
    EXPECT_EQ(bench.answer<Join>(join).protocol_name, "sticky");
}

TEST(ClassicGroup, a_protocol_named_twice_counts_once) {
    Bench bench;
    std::string a = bench.member_id();
    ReplyToken join = bench.rejoin(a, {.protocols = {"range", "range"}});
    bench.advance(milliseconds(3000));
    EXPECT_EQ(bench.answer<Join>(join).protocol_name, "range");
}

TEST(ClassicGroup, a_full_group_refuses_newcomers) {
    Bench bench({.group_size_max = 1});
    std::string a = bench.stable_member();
    Join refused = bench.answer<Join>(bench.send_join());
    EXPECT_EQ(Bench::code(refused), ErrorCode::GroupMaxSizeReached);
    EXPECT_EQ(bench.heartbeat(a, 1), ErrorCode::None);
}

TEST(ClassicGroup, a_new_member_that_never_hears_its_answer_is_dropped_in_the_end) {
    Bench bench;
    std::string a = bench.stable_member({.session_ms = 1800000, .rebalance_ms = 1800000});
    ReplyToken join = bench.send_join({.version = 3, .rebalance_ms = 1800000});
    bench.advance(milliseconds(299999));
    EXPECT_TRUE(bench.is_waiting(join));
    bench.advance(milliseconds(1));
    EXPECT_EQ(Bench::code(bench.answer<Join>(join)), ErrorCode::UnknownMemberId);
    EXPECT_EQ(bench.state()->size(), 1u);
}

// --- static members (KIP-345)
// -----------------------------------------------------------------------

std::pair<std::string, std::string> stable_static_pair(Bench& bench) {
    ReplyToken join_a = bench.send_join({.instance = "A"});
    ReplyToken join_b = bench.send_join({.instance = "B"});
    bench.advance(milliseconds(6000));
    Join a = bench.answer<Join>(join_a);
    Join b = bench.answer<Join>(join_b);
    ReplyToken sync_b = bench.send_sync(b.member_id, 1, {}, "B");
    bench.answer<Sync>(
        bench.send_sync(a.member_id, 1, {{a.member_id, "for A"}, {b.member_id, "for B"}}, "A"));
    bench.answer<Sync>(sync_b);
    EXPECT_EQ(bench.state_text(), "Stable");
    return {a.member_id, b.member_id};
}

TEST(StaticMember, joins_without_asking_for_an_id) {
    Bench bench;
    ReplyToken join = bench.send_join({.instance = "A"});
    bench.advance(milliseconds(3000));
    Join joined = bench.answer<Join>(join);
    EXPECT_EQ(joined.member_id, "A-00000000-0000-0000-0000-000000000001");
    EXPECT_EQ(joined.members.at(0).group_instance_id, "A");
}

TEST(StaticMember, restarts_without_a_rebalance) {
    Bench bench;
    auto [a, b] = stable_static_pair(bench);
    Join again = bench.answer<Join>(bench.send_join({.instance = "B"}));
    EXPECT_EQ(Bench::code(again), ErrorCode::None);
    EXPECT_EQ(again.generation_id, 1);
    EXPECT_NE(again.member_id, b);
    EXPECT_FALSE(again.skip_assignment);
    EXPECT_EQ(bench.state_text(), "Stable");
    EXPECT_EQ(bench.answer<Sync>(bench.send_sync(again.member_id, 1, {}, "B")).assignment.view(),
              "for B");
    EXPECT_EQ(bench.heartbeat(a, 1, "A"), ErrorCode::None);
}

TEST(StaticMember, a_leader_that_restarts_keeps_the_assignment) {
    Bench bench;
    auto [a, b] = stable_static_pair(bench);
    Join again = bench.answer<Join>(bench.send_join({.instance = "A"}));
    EXPECT_TRUE(again.skip_assignment);
    EXPECT_EQ(again.leader, again.member_id);
    EXPECT_EQ(again.members.size(), 2u);
}

TEST(StaticMember, an_old_leader_client_is_shown_its_old_id) {
    Bench bench;
    auto [a, b] = stable_static_pair(bench);
    Join again = bench.answer<Join>(bench.send_join({.instance = "A", .version = 8}));
    EXPECT_FALSE(again.skip_assignment);
    EXPECT_EQ(again.leader, a);
    EXPECT_TRUE(again.members.empty());
}

TEST(StaticMember, the_process_it_replaces_is_fenced) {
    Bench bench;
    auto [a, b] = stable_static_pair(bench);
    bench.answer<Join>(bench.send_join({.instance = "B"}));
    EXPECT_EQ(bench.heartbeat(b, 1, "B"), ErrorCode::FencedInstanceId);
    EXPECT_EQ(Bench::code(bench.answer<Join>(bench.rejoin(b, {.instance = "B"}))),
              ErrorCode::FencedInstanceId);
    EXPECT_EQ(Bench::code(bench.answer<Sync>(bench.send_sync(b, 1, {}, "B"))),
              ErrorCode::FencedInstanceId);
    EXPECT_EQ(bench.leave({{b, "B"}}).members.at(0).error_code,
              to_wire(ErrorCode::FencedInstanceId));
}

TEST(StaticMember, a_parked_join_of_the_old_process_is_fenced) {
    Bench bench;
    ReplyToken first = bench.send_join({.instance = "A"});
    ReplyToken second = bench.send_join({.instance = "A"});
    EXPECT_EQ(Bench::code(bench.answer<Join>(first)), ErrorCode::FencedInstanceId);
    bench.advance(milliseconds(3000));
    EXPECT_EQ(bench.answer<Join>(second).members.size(), 1u);
}

TEST(StaticMember, that_prefers_another_protocol_causes_a_rebalance) {
    Bench bench;
    ReplyToken first = bench.send_join({.instance = "A", .protocols = {"range", "sticky"}});
    bench.advance(milliseconds(3000));
    Join a = bench.answer<Join>(first);
    bench.answer<Sync>(bench.send_sync(a.member_id, 1, {{a.member_id, "x"}}));
    Join again =
        bench.answer<Join>(bench.send_join({.instance = "A", .protocols = {"sticky", "range"}}));
    EXPECT_EQ(again.generation_id, 2);
    EXPECT_EQ(again.protocol_name, "sticky");
}

TEST(StaticMember, keeps_its_place_through_a_rebalance_it_misses) {
    Bench bench;
    auto [a, b] = stable_static_pair(bench);
    JoinOptions patient{
        .instance = "A", .topics = {"payments"}, .session_ms = 10000, .rebalance_ms = 6000};
    ReplyToken join_a = bench.rejoin(a, patient);
    bench.advance(milliseconds(9000));
    EXPECT_TRUE(bench.is_waiting(join_a));
    bench.advance(milliseconds(1000));  // the session of B ends before its rebalance timeout
    Join joined = bench.answer<Join>(join_a);
    EXPECT_EQ(joined.generation_id, 2);
    EXPECT_EQ(joined.members.size(), 1u);
}

TEST(StaticMember, is_removed_by_its_instance_alone) {
    Bench bench;
    auto [a, b] = stable_static_pair(bench);
    Leave left = bench.leave({{"", "B"}, {"", "C"}});
    EXPECT_EQ(left.members.at(0).error_code, 0);
    EXPECT_EQ(left.members.at(0).member_id, "");
    EXPECT_EQ(left.members.at(1).error_code, to_wire(ErrorCode::UnknownMemberId));
    EXPECT_EQ(bench.state()->size(), 1u);
}

TEST(StaticMember, whose_new_id_cannot_be_written_keeps_the_old_one) {
    Bench bench;
    auto [a, b] = stable_static_pair(bench);
    bench.refuse_writes = ErrorCode::NotLeaderOrFollower;
    Join refused = bench.answer<Join>(bench.send_join({.instance = "B"}));
    EXPECT_EQ(Bench::code(refused), ErrorCode::NotCoordinator);
    EXPECT_EQ(refused.member_id, "");
    EXPECT_EQ(bench.heartbeat(b, 1, "B"), ErrorCode::None);
}

TEST(StaticMember, that_replaces_one_yet_to_sync_takes_over_its_debt) {
    Bench bench;
    ReplyToken join_a = bench.send_join({.instance = "A"});
    ReplyToken join_b = bench.send_join({.instance = "B"});
    bench.advance(milliseconds(6000));
    std::string a = bench.answer<Join>(join_a).member_id;
    std::string b = bench.answer<Join>(join_b).member_id;
    bench.answer<Sync>(bench.send_sync(a, 1, {{a, "x"}, {b, "y"}}, "A"));
    std::string b2 = bench.answer<Join>(bench.send_join({.instance = "B"})).member_id;
    bench.answer<Sync>(bench.send_sync(b2, 1, {}, "B"));
    for (int i = 0; i < 10; ++i) {
        bench.advance(milliseconds(8000));
        EXPECT_EQ(bench.heartbeat(a, 1, "A"), ErrorCode::None);
        EXPECT_EQ(bench.heartbeat(b2, 1, "B"), ErrorCode::None);
    }
}

// --- the shard
// --------------------------------------------------------------------------------------

TEST(GroupShard, a_reloaded_group_is_the_group_that_was_committed) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    auto before = bench.describe();
    bench.reload();
    EXPECT_EQ(bench.describe(), before);
    EXPECT_EQ(bench.heartbeat(a, 1), ErrorCode::None);
    EXPECT_EQ(bench.answer<Sync>(bench.send_sync(b, 1)).assignment.view(), "for b");
}

TEST(GroupShard, members_of_a_reloaded_group_have_one_session_to_be_heard_of) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    bench.advance(milliseconds(9000));
    bench.reload();
    bench.advance(milliseconds(9999));
    EXPECT_EQ(bench.state()->size(), 2u);
    bench.advance(milliseconds(1));
    EXPECT_EQ(bench.state_text(), "Empty");
}

TEST(GroupShard, a_closed_shard_sends_everybody_to_the_new_coordinator) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    ReplyToken join_a = bench.rejoin(a);
    bench.close();
    EXPECT_EQ(Bench::code(bench.answer<Join>(join_a)), ErrorCode::NotCoordinator);
}

TEST(GroupShard, a_group_whose_creation_cannot_be_written_is_gone_again) {
    Bench bench;
    bench.refuse_writes = ErrorCode::NotLeaderOrFollower;
    ReplyToken join = bench.send_join({.version = 3});
    EXPECT_EQ(Bench::code(bench.answer<Join>(join)), ErrorCode::NotCoordinator);
    EXPECT_EQ(bench.state(), nullptr);
}

TEST(GroupShard, describe_tells_state_members_and_protocol) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    auto described = bench.describe();
    EXPECT_EQ(described.group_state, "Stable");
    EXPECT_EQ(described.protocol_type, "consumer");
    EXPECT_EQ(described.protocol_data, "range");
    ASSERT_EQ(described.members.size(), 2u);
    EXPECT_EQ(described.members[0].client_host, "/127.0.0.1");
    EXPECT_EQ(described.members[0].member_metadata, Bench::subscription({"orders"}));
    EXPECT_EQ(described.members[1].member_assignment.view(), "for b");
    bench.rejoin(a);
    described = bench.describe();
    EXPECT_EQ(described.group_state, "PreparingRebalance");
    EXPECT_EQ(described.protocol_data, "");
    EXPECT_TRUE(described.members[0].member_metadata.empty());
}

TEST(GroupShard, describe_of_a_missing_group_is_dead_or_not_found_by_version) {
    Bench bench;
    EXPECT_EQ(bench.describe(5).group_state, "Dead");
    EXPECT_EQ(Bench::code(bench.describe(5)), ErrorCode::None);
    EXPECT_EQ(Bench::code(bench.describe(6)), ErrorCode::GroupIdNotFound);
    EXPECT_EQ(bench.describe(6).error_message, "Group shop not found.");
}

TEST(GroupShard, list_filters_by_state_and_type) {
    Bench bench;
    bench.stable_member();
    bench.group = "simple";
    bench.commit({.offset = 1});
    using Ids = std::vector<std::string>;
    EXPECT_EQ(bench.list(), (Ids{"shop:Stable", "simple:Empty"}));
    EXPECT_EQ(bench.list({"stable"}), Ids{"shop:Stable"});
    EXPECT_EQ(bench.list({"Empty", " DEAD "}), Ids{"simple:Empty"});
    EXPECT_EQ(bench.list({}, {"Classic"}).size(), 2u);
    EXPECT_EQ(bench.list({}, {"consumer"}), Ids{});
}

TEST(GroupShard, a_group_with_members_cannot_be_deleted) {
    Bench bench;
    std::string a = bench.stable_member();
    EXPECT_EQ(bench.delete_group(), ErrorCode::NonEmptyGroup);
    bench.commit({.offset = 3, .member = a, .generation = 1});
    bench.leave(a);
    EXPECT_EQ(bench.delete_group(), ErrorCode::None);
    EXPECT_EQ(bench.state(), nullptr);
    EXPECT_EQ(bench.shard().offsets().size(), 0u);
    bench.reload();
    EXPECT_EQ(bench.state(), nullptr);
    EXPECT_EQ(bench.committed(), -1);
}

}  // namespace
}  // namespace moldau::coordinator
