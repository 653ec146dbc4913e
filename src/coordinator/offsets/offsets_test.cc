#include <gtest/gtest.h>

#include "coordinator/testing/group_bench.h"

namespace moldau::coordinator {
namespace {

using Bench = GroupBench;
using std::chrono::hours;
using std::chrono::minutes;

TEST(Offsets, of_a_simple_consumer_need_no_membership) {
    Bench bench;
    EXPECT_EQ(bench.commit({.offset = 42, .metadata = "note"}), ErrorCode::None);
    auto partition = bench.fetch("orders").topics.at(0).partitions.at(0);
    EXPECT_EQ(partition.committed_offset, 42);
    EXPECT_EQ(partition.committed_leader_epoch, 5);
    EXPECT_EQ(partition.metadata, "note");
    EXPECT_EQ(bench.state_text(), "Empty");
}

TEST(Offsets, that_were_never_committed_are_minus_one_without_error) {
    Bench bench;
    auto partition = bench.fetch("orders").topics.at(0).partitions.at(0);
    EXPECT_EQ(partition.committed_offset, -1);
    EXPECT_EQ(partition.committed_leader_epoch, -1);
    EXPECT_EQ(partition.metadata, "");
    EXPECT_EQ(partition.error_code, 0);
    EXPECT_TRUE(bench.fetch().topics.empty());
}

TEST(Offsets, commits_are_checked_against_member_and_generation) {
    Bench bench;
    std::string a = bench.stable_member();
    EXPECT_EQ(bench.commit({.offset = 1, .member = a, .generation = 1}), ErrorCode::None);
    EXPECT_EQ(bench.commit({.offset = 2, .member = a, .generation = 0}),
              ErrorCode::IllegalGeneration);
    EXPECT_EQ(bench.commit({.offset = 2, .member = a, .generation = 2}),
              ErrorCode::IllegalGeneration);
    EXPECT_EQ(bench.commit({.offset = 2, .member = "b", .generation = 1}),
              ErrorCode::UnknownMemberId);
    EXPECT_EQ(bench.commit({.offset = 2}), ErrorCode::UnknownMemberId);
    EXPECT_EQ(bench.committed(), 1);
}

TEST(Offsets, commits_with_a_generation_of_no_group_fail_by_version) {
    Bench bench;
    EXPECT_EQ(bench.commit({.member = "a", .generation = 1, .version = 8}),
              ErrorCode::IllegalGeneration);
    EXPECT_EQ(bench.commit({.member = "a", .generation = 1, .version = 9}),
              ErrorCode::GroupIdNotFound);
}

TEST(Offsets, commits_during_a_rebalance_are_accepted_until_the_new_generation) {
    Bench bench;
    auto [a, b] = bench.stable_pair();
    ReplyToken join_a = bench.rejoin(a);
    EXPECT_EQ(bench.commit({.offset = 5, .member = b, .generation = 1}), ErrorCode::None);
    bench.rejoin(b);
    bench.answer<Bench::Join>(join_a);
    EXPECT_EQ(bench.commit({.offset = 6, .member = b, .generation = 1}),
              ErrorCode::IllegalGeneration);
    EXPECT_EQ(bench.commit({.offset = 6, .member = b, .generation = 2}),
              ErrorCode::RebalanceInProgress);
}

TEST(Offsets, a_commit_keeps_the_session_alive) {
    Bench bench;
    std::string a = bench.stable_member();
    for (int i = 0; i < 5; ++i) {
        bench.advance(milliseconds(9000));
        EXPECT_EQ(bench.commit({.offset = i, .member = a, .generation = 1}), ErrorCode::None);
    }
}

TEST(Offsets, metadata_beyond_the_limit_is_refused_alone) {
    Bench bench({.offset_metadata_length_max = 4});
    EXPECT_EQ(bench.commit({.metadata = "12345"}), ErrorCode::OffsetMetadataTooLarge);
    EXPECT_EQ(bench.commit({.metadata = "\u00e4\u00f6\u00fc\u00df"}), ErrorCode::None);
    EXPECT_EQ(bench.fetch("orders").topics.at(0).partitions.at(0).metadata,
              "\u00e4\u00f6\u00fc\u00df");
}

TEST(Offsets, of_all_topics_come_in_order) {
    Bench bench;
    bench.commit({.topic = "b", .partition = 1, .offset = 3});
    bench.commit({.topic = "b", .partition = 0, .offset = 2});
    bench.commit({.topic = "a", .partition = 7, .offset = 1});
    auto all = bench.fetch();
    ASSERT_EQ(all.topics.size(), 2u);
    EXPECT_EQ(all.topics[0].name, "a");
    ASSERT_EQ(all.topics[1].partitions.size(), 2u);
    EXPECT_EQ(all.topics[1].partitions[1].committed_offset, 3);
}

TEST(Offsets, of_an_older_topic_of_the_same_name_are_not_shown) {
    Bench bench;
    bench.commit({.offset = 9, .topic_id = {1, 1}});
    EXPECT_EQ(bench.fetch("orders", 0, false, {1, 1}).topics[0].partitions[0].committed_offset, 9);
    EXPECT_EQ(bench.fetch("orders", 0, false, {2, 2}).topics[0].partitions[0].committed_offset, -1);
    EXPECT_EQ(bench.fetch("orders").topics[0].partitions[0].committed_offset, 9);
}

TEST(Offsets, are_acknowledged_only_when_committed) {
    Bench bench;
    bench.auto_commit = false;
    ReplyToken commit = bench.send_commit({.offset = 1});
    EXPECT_TRUE(bench.is_waiting(commit));
    bench.commit_log();
    bench.settle();
    EXPECT_EQ(bench.commit_code(commit), ErrorCode::None);
}

TEST(Offsets, that_wait_too_long_for_their_commit_are_answered) {
    Bench bench;
    bench.auto_commit = false;
    ReplyToken commit = bench.send_commit({.offset = 1});
    bench.advance(seconds(5));
    EXPECT_EQ(bench.commit_code(commit), ErrorCode::CoordinatorNotAvailable);
}

TEST(Offsets, whose_write_fails_are_taken_back) {
    Bench bench;
    bench.commit({.offset = 1});
    bench.refuse_writes = ErrorCode::NotLeaderOrFollower;
    EXPECT_EQ(bench.commit({.offset = 2}), ErrorCode::NotCoordinator);
    bench.refuse_writes.reset();
    EXPECT_EQ(bench.committed(), 1);
    bench.group = "other";
    bench.refuse_writes = ErrorCode::KafkaStorageError;
    EXPECT_EQ(bench.commit({.offset = 2}), ErrorCode::NotCoordinator);
    EXPECT_EQ(bench.state(), nullptr);
}

TEST(Offsets, a_failed_write_takes_back_only_what_came_with_and_after_it) {
    Bench bench;
    bench.auto_write = false;
    ReplyToken first = bench.send_commit({.offset = 1});
    bench.write();
    bench.commit_log();
    bench.settle();
    EXPECT_EQ(bench.commit_code(first), ErrorCode::None);
    ReplyToken second = bench.send_commit({.offset = 2});
    bench.runtime().seal();
    ReplyToken third = bench.send_commit({.offset = 3});
    bench.refuse_writes = ErrorCode::NotEnoughReplicas;
    bench.write();
    bench.settle();
    EXPECT_EQ(bench.commit_code(second), ErrorCode::CoordinatorNotAvailable);
    EXPECT_EQ(bench.commit_code(third), ErrorCode::CoordinatorNotAvailable);
    bench.auto_write = true;
    EXPECT_EQ(bench.committed(), 1);
}

TEST(Offsets, of_requests_at_the_same_time_share_a_batch) {
    Bench bench;
    bench.auto_write = false;
    ReplyToken first = bench.send_commit({.partition = 0, .offset = 1});
    ReplyToken second = bench.send_commit({.partition = 1, .offset = 1});
    bench.write();
    bench.commit_log();
    bench.settle();
    EXPECT_EQ(bench.batches, std::vector<size_t>{2});
    EXPECT_EQ(bench.commit_code(first), ErrorCode::None);
    EXPECT_EQ(bench.commit_code(second), ErrorCode::None);
}

TEST(Offsets, a_batch_that_would_grow_too_large_is_split_between_requests) {
    Bench bench;
    bench.auto_write = false;
    for (int i = 0; i < 40; ++i) {
        bench.send_commit({.partition = i, .offset = 1, .metadata = std::string(4000, 'x')});
    }
    bench.write();
    ASSERT_EQ(bench.batches.size(), 2u);
    EXPECT_EQ(bench.batches[0] + bench.batches[1], 40u);
    bench.commit_log();
    bench.settle();
    EXPECT_EQ(bench.shard().offsets().size(), 40u);
}

TEST(Offsets, are_the_same_after_a_reload) {
    Bench bench;
    std::string a = bench.stable_member();
    bench.commit({.offset = 7, .metadata = "m", .member = a, .generation = 1});
    bench.commit({.topic = "x", .partition = 3, .offset = 8, .member = a, .generation = 1});
    auto before = bench.fetch();
    bench.reload();
    EXPECT_EQ(bench.fetch(), before);
}

TEST(Offsets, records_are_written_as_kafka_4_3_does) {
    Bench bench;
    bench.commit({.offset = 7, .topic_id = {3, 4}});
    const EncodedRecord& record = bench.log.back();
    EXPECT_EQ(record.key.view(), std::string_view("\0\1\0\4shop\0\6orders\0\0\0\0", 20));
    EXPECT_EQ((*record.value)[1], 4);
    auto decoded = std::get<OffsetCommitRecord>(bench.last_record());
    EXPECT_EQ(decoded.value->topic_id, (Uuid{3, 4}));
    bench.commit({.offset = 7, .retention_ms = 1000});
    EXPECT_EQ((*bench.log.back().value)[1], 1);
}

TEST(Offsets, of_a_simple_consumer_expire_after_their_last_commit) {
    Bench bench;
    bench.commit({.offset = 1});
    bench.advance(hours(168) - minutes(10));
    EXPECT_EQ(bench.committed(), 1);
    bench.advance(minutes(10));
    EXPECT_EQ(bench.committed(), -1);
    EXPECT_EQ(bench.state(), nullptr);  // and the empty group with them
}

TEST(Offsets, of_a_group_expire_a_retention_after_the_last_member_left) {
    Bench bench;
    std::string a = bench.stable_member();
    bench.commit({.offset = 1, .member = a, .generation = 1});
    for (int i = 0; i < 80000; ++i) {  // longer than the retention, with a member
        bench.advance(milliseconds(8000));
        bench.heartbeat(a, 1);
    }
    EXPECT_EQ(bench.committed(), 1);
    bench.leave(a);
    bench.advance(hours(167));
    EXPECT_EQ(bench.committed(), 1);
    bench.advance(hours(2));
    EXPECT_EQ(bench.committed(), -1);
    EXPECT_EQ(bench.state(), nullptr);
}

TEST(Offsets, of_topics_that_members_no_longer_want_expire_under_a_stable_group) {
    Bench bench({.offsets_retention = minutes(20)});
    std::string a = bench.stable_member();
    bench.commit({.topic = "orders", .offset = 1, .member = a, .generation = 1});
    bench.commit({.topic = "past", .offset = 2, .member = a, .generation = 1});
    for (int i = 0; i < 250; ++i) {
        bench.advance(milliseconds(8000));
        bench.heartbeat(a, 1);
    }
    EXPECT_EQ(bench.committed("orders"), 1);
    EXPECT_EQ(bench.committed("past"), -1);
}

TEST(Offsets, with_a_retention_of_their_own_expire_by_it) {
    Bench bench;
    bench.commit({.offset = 1, .retention_ms = 60000, .version = 4});
    bench.advance(minutes(10));
    EXPECT_EQ(bench.committed(), -1);
}

TEST(Offsets, in_use_by_a_subscription_cannot_be_deleted) {
    Bench bench;
    std::string a = bench.stable_member();
    bench.commit({.topic = "orders", .offset = 1, .member = a, .generation = 1});
    bench.commit({.topic = "past", .offset = 2, .member = a, .generation = 1});
    EXPECT_EQ(bench.delete_offset("orders").topics[0].partitions[0].error_code,
              to_wire(ErrorCode::GroupSubscribedToTopic));
    EXPECT_EQ(bench.delete_offset("past").topics[0].partitions[0].error_code, 0);
    EXPECT_EQ(bench.committed("orders"), 1);
    EXPECT_EQ(bench.committed("past"), -1);
}

TEST(Offsets, deletion_asks_for_a_group_that_may_be_judged) {
    Bench bench;
    EXPECT_EQ(Bench::code(bench.delete_offset("orders")), ErrorCode::GroupIdNotFound);
    bench.stable_member({.type = "connect", .protocols = {"default"}});
    EXPECT_EQ(Bench::code(bench.delete_offset("orders")), ErrorCode::NonEmptyGroup);
}

TEST(Offsets, of_a_deleted_topic_go_with_it) {
    Bench bench;
    bench.commit({.topic = "orders", .offset = 1, .topic_id = {1, 1}});
    bench.commit({.topic = "stays", .offset = 2});
    bench.runtime().run(bench.now(), [](GroupShard& shard, GroupOutcome& out) {
        shard.on_topics_deleted({{"orders", {1, 1}}, {"stays", {9, 9}}}, out);
    });
    bench.settle();
    EXPECT_EQ(bench.committed("orders"), -1);
    EXPECT_EQ(bench.committed("stays"), 2);
}

// --- the store: transactions found in a log
// -------------------------------------------------------------

OffsetCommitRecord commit_record(int64_t offset) {
    OffsetCommitRecord record = offset_tombstone("g", "t", 0);
    record.value.emplace().offset = offset;
    return record;
}

TEST(OffsetStore, transactional_commits_count_from_their_marker_on) {
    SnapshotRegistry registry;
    OffsetStore store(registry);
    store.replay(0, 100, commit_record(5));
    EXPECT_EQ(store.find("g", "t", 0), nullptr);
    EXPECT_TRUE(store.has_open_transaction("g", "t", 0));
    store.replay_end_transaction(100, true);
    EXPECT_EQ(store.find("g", "t", 0)->offset, 5);
    EXPECT_FALSE(store.has_open_transaction("g"));
}

TEST(OffsetStore, aborted_commits_leave_nothing) {
    SnapshotRegistry registry;
    OffsetStore store(registry);
    store.replay(0, 100, commit_record(5));
    store.replay_end_transaction(100, false);
    EXPECT_EQ(store.find("g", "t", 0), nullptr);
    EXPECT_FALSE(store.has_open_transaction("g"));
}

TEST(OffsetStore, a_later_plain_commit_outlives_an_earlier_transactional_one) {
    SnapshotRegistry registry;
    OffsetStore store(registry);
    store.replay(0, 100, commit_record(5));
    store.replay(1, -1, commit_record(6));
    store.replay_end_transaction(100, true);
    EXPECT_EQ(store.find("g", "t", 0)->offset, 6);
}

TEST(OffsetStore, a_tombstone_takes_open_commits_too) {
    SnapshotRegistry registry;
    OffsetStore store(registry);
    store.replay(0, 100, commit_record(5));
    store.replay(1, -1, offset_tombstone("g", "t", 0));
    store.replay_end_transaction(100, true);
    EXPECT_EQ(store.find("g", "t", 0), nullptr);
}

TEST(OffsetStore, open_transactions_make_offsets_unstable) {
    SnapshotRegistry registry;
    OffsetStore store(registry);
    GroupConfig config;
    OffsetRules rules(store, config);
    ClassicGroup group("g", 0);
    store.replay(0, -1, commit_record(5));
    store.replay(1, 100, commit_record(6));
    OffsetFetchGroup request;
    request.group_id = "g";
    request.topics.emplace().emplace_back().name = "t";
    request.topics->at(0).partition_indexes = {0};
    EXPECT_EQ(rules.fetch(&group, request, false).topics[0].partitions[0].committed_offset, 5);
    EXPECT_EQ(rules.fetch(&group, request, true).topics[0].partitions[0].error_code,
              to_wire(ErrorCode::UnstableOffsetCommit));
}

// --- records
// ------------------------------------------------------------------------------------------

TEST(GroupRecords, of_other_kinds_are_passed_over_and_broken_ones_refused) {
    auto key = [](int16_t type) {
        Buffer buffer;
        buffer.push_back(static_cast<uint8_t>(type >> 8));
        buffer.push_back(static_cast<uint8_t>(type));
        return std::move(buffer).freeze();
    };
    EXPECT_FALSE(decode_group_record(key(3), std::nullopt)->has_value());
    EXPECT_FALSE(decode_group_record(key(999), std::nullopt)->has_value());
    EXPECT_FALSE(decode_group_record(Bytes(), std::nullopt).has_value());
    EncodedRecord good = encode_group_record(commit_record(1));
    EXPECT_TRUE(decode_group_record(good.key, good.value).has_value());
    EXPECT_FALSE(decode_group_record(good.key.slice(0, 5), good.value).has_value());
    EXPECT_FALSE(
        decode_group_record(good.key, Bytes::copy_of(std::string_view("\0\x63", 2))).has_value());
    EXPECT_FALSE(
        decode_group_record(good.key, Bytes::copy_of(std::string_view("\0", 1))).has_value());
}

TEST(GroupRecords, every_version_of_group_metadata_is_read) {
    GroupMetadataRecord record;
    record.key.group = "g";
    auto& value = record.value.emplace();
    value.protocol_type = "consumer";
    value.protocol = "range";
    value.generation = 4;
    auto& member = value.members.emplace_back();
    member.member_id = "m";
    member.session_timeout = 9;
    for (int16_t version = 0; version <= 4; ++version) {
        protocol::Writer writer;
        writer.write_int16(version);
        value.write(writer, version);
        auto decoded =
            decode_group_record(encode_group_record(record).key, protocol::join(writer.take()));
        ASSERT_TRUE(decoded.has_value()) << version;
        ClassicGroup group("g", *std::get<GroupMetadataRecord>(**decoded).value);
        EXPECT_EQ(group.find("m")->rebalance_timeout_ms, version == 0 ? 9 : 9);
        EXPECT_EQ(group.leader(), "m");
    }
}

}  // namespace
}  // namespace moldau::coordinator
