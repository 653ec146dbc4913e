#include "controller/leaders.h"

#include <gtest/gtest.h>

#include "controller/partition_change.h"
#include "controller/test_cluster.h"

namespace moldau::controller {
namespace {

using Ids = std::vector<int32_t>;
using metadata::LeaderRecoveryState;

protocol::AlterPartitionRequest alteration(const TestCluster& cluster, const std::string& topic,
                                           Ids isr) {
    const auto& partition = cluster.partition(topic);
    protocol::AlterPartitionRequest request;
    request.broker_id = partition.leader;
    request.broker_epoch = cluster.state().broker(partition.leader)->epoch;
    auto& topic_data = request.topics.emplace_back();
    topic_data.topic_id = cluster.key(topic).topic_id;
    auto& data = topic_data.partitions.emplace_back();
    data.leader_epoch = partition.leader_epoch;
    data.partition_epoch = partition.partition_epoch;
    for (int32_t member : isr) {
        auto& entry = data.new_isr_with_epochs.emplace_back();
        entry.broker_id = member;
    }
    return request;
}

protocol::AlterPartitionResponse::PartitionData apply(TestCluster& cluster,
                                                      const protocol::AlterPartitionRequest& r) {
    auto decision = alter_partition(cluster.view(), r, 3);
    EXPECT_TRUE(decision);
    cluster.replay(decision->records);
    return decision->response.topics[0].partitions[0];
}

ErrorCode code_of(const protocol::AlterPartitionResponse::PartitionData& data) {
    return error_code_from_wire(data.error_code);
}

TEST(AlterPartition, shrinks_and_grows_the_isr_without_touching_the_leader_epoch) {
    TestCluster cluster;
    cluster.add_brokers(3);
    cluster.create_on("t", {0, 1, 2});
    auto shrunk = apply(cluster, alteration(cluster, "t", {0}));
    EXPECT_EQ(code_of(shrunk), ErrorCode::None);
    EXPECT_EQ(shrunk.partition_epoch, 1);
    EXPECT_EQ(shrunk.leader_epoch, 0);
    EXPECT_EQ(cluster.partition("t").isr, Ids{0});
    EXPECT_EQ(code_of(apply(cluster, alteration(cluster, "t", {0, 2}))), ErrorCode::None);
    EXPECT_EQ(cluster.partition("t").isr, (Ids{0, 2}));
    EXPECT_EQ(cluster.partition("t").leader_epoch, 0);
}

TEST(AlterPartition, below_metadata_version_12_a_shrink_bumps_the_leader_epoch) {
    TestCluster cluster(11, false);
    cluster.add_brokers(2);
    cluster.create_on("t", {0, 1});
    apply(cluster, alteration(cluster, "t", {0}));
    EXPECT_EQ(cluster.partition("t").leader_epoch, 1);
}

TEST(AlterPartition, answers_each_contradiction_with_its_code) {
    TestCluster cluster;
    cluster.add_brokers(4);
    cluster.create_on("t", {0, 1, 2});
    auto with = [&](auto change) {
        auto request = alteration(cluster, "t", {0, 1});
        change(request, request.topics[0].partitions[0]);
        return code_of(apply(cluster, request));
    };
    EXPECT_EQ(with([](auto& r, auto&) { r.topics[0].topic_id = metadata::test_id(9); }),
              ErrorCode::UnknownTopicId);
    EXPECT_EQ(with([](auto&, auto& p) { p.partition_index = 7; }),
              ErrorCode::UnknownTopicOrPartition);
    EXPECT_EQ(with([](auto&, auto& p) { p.leader_epoch = 5; }), ErrorCode::NotController);
    EXPECT_EQ(with([](auto&, auto& p) { p.partition_epoch = 5; }), ErrorCode::NotController);
    EXPECT_EQ(with([](auto&, auto& p) { p.leader_epoch = -1; }), ErrorCode::FencedLeaderEpoch);
    EXPECT_EQ(with([&](auto& r, auto&) {
                  r.broker_id = 1;
                  r.broker_epoch = cluster.state().broker(1)->epoch;
              }),
              ErrorCode::InvalidRequest);
    EXPECT_EQ(with([](auto&, auto& p) { p.partition_epoch = -1; }),
              ErrorCode::InvalidUpdateVersion);
    EXPECT_EQ(with([](auto&, auto& p) { p.new_isr_with_epochs[1].broker_id = 3; }),
              ErrorCode::InvalidRequest);
    EXPECT_EQ(with([](auto&, auto& p) { p.new_isr_with_epochs[0].broker_id = 2; }),
              ErrorCode::InvalidRequest);
    EXPECT_EQ(with([](auto&, auto& p) { p.leader_recovery_state = 1; }), ErrorCode::InvalidRequest);
    EXPECT_EQ(with([](auto&, auto& p) { p.new_isr_with_epochs[1].broker_epoch = 12345; }),
              ErrorCode::IneligibleReplica);
    auto stale = alteration(cluster, "t", {0});
    stale.broker_epoch = 77777;
    EXPECT_EQ(alter_partition(cluster.view(), stale, 3).error().code, ErrorCode::StaleBrokerEpoch);
}

TEST(AlterPartition, completes_a_reassignment_when_the_target_is_in_sync) {
    TestCluster cluster;
    cluster.add_brokers(3);
    cluster.create_on("t", {0, 1});
    protocol::AlterPartitionReassignmentsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    auto& partition = topic.partitions.emplace_back();
    partition.replicas = Ids{2, 1};
    cluster.replay(alter_partition_reassignments(cluster.view(), request).records);
    EXPECT_EQ(cluster.partition("t").replicas, (Ids{2, 1, 0}));
    EXPECT_EQ(cluster.partition("t").adding_replicas, Ids{2});
    EXPECT_EQ(cluster.partition("t").removing_replicas, Ids{0});
    EXPECT_EQ(cluster.state().partitions_being_reassigned().size(), 1u);
    auto listed = list_partition_reassignments(cluster.state(), {});
    ASSERT_EQ(listed.topics.size(), 1u);
    EXPECT_EQ(listed.topics[0].partitions[0].adding_replicas, Ids{2});

    auto answer = apply(cluster, alteration(cluster, "t", {0, 1, 2}));
    EXPECT_EQ(code_of(answer), ErrorCode::NewLeaderElected);
    EXPECT_EQ(cluster.partition("t").replicas, (Ids{2, 1}));
    EXPECT_EQ(cluster.partition("t").leader, 2);
    EXPECT_FALSE(cluster.partition("t").is_reassigning());
    EXPECT_TRUE(cluster.state().partitions_being_reassigned().empty());
}

TEST(Reassignment, can_be_cancelled) {
    TestCluster cluster;
    cluster.add_brokers(3);
    cluster.create_on("t", {0, 1});
    protocol::AlterPartitionReassignmentsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    auto& partition = topic.partitions.emplace_back();
    partition.replicas = std::nullopt;
    auto nothing = alter_partition_reassignments(cluster.view(), request);
    EXPECT_EQ(error_code_from_wire(nothing.response.responses[0].partitions[0].error_code),
              ErrorCode::NoReassignmentInProgress);
    partition.replicas = Ids{2, 1};
    cluster.replay(alter_partition_reassignments(cluster.view(), request).records);
    partition.replicas = std::nullopt;
    cluster.replay(alter_partition_reassignments(cluster.view(), request).records);
    EXPECT_EQ(std::set<int32_t>(cluster.partition("t").replicas.begin(),
                                cluster.partition("t").replicas.end()),
              (std::set<int32_t>{0, 1}));
    EXPECT_FALSE(cluster.partition("t").is_reassigning());
}

TEST(Fencing, moves_leadership_and_shrinks_the_isr) {
    TestCluster cluster;
    cluster.add_brokers(3);
    cluster.create_on("t", {0, 1, 2});
    cluster.fence(0);
    EXPECT_EQ(cluster.partition("t").leader, 1);
    EXPECT_EQ(cluster.partition("t").leader_epoch, 1);
    EXPECT_EQ(cluster.partition("t").isr, (Ids{1, 2}));
    EXPECT_TRUE(cluster.state().has_imbalance());
    EXPECT_FALSE(cluster.state().has_leaderships(0));
    EXPECT_TRUE(cluster.state().broker(0)->fenced);
}

TEST(Fencing, without_elr_the_last_member_stays_in_the_isr_of_a_leaderless_partition) {
    TestCluster cluster(22, false);
    cluster.add_brokers(2);
    cluster.create_on("t", {0, 1});
    cluster.fence(0);
    cluster.fence(1);
    EXPECT_EQ(cluster.partition("t").leader, -1);
    EXPECT_EQ(cluster.partition("t").isr, Ids{1});
    EXPECT_EQ(cluster.state().partitions_without_leader().size(), 1u);
    cluster.unfence(0);
    EXPECT_EQ(cluster.partition("t").leader, -1);
    cluster.unfence(1);
    EXPECT_EQ(cluster.partition("t").leader, 1);
    EXPECT_TRUE(cluster.state().partitions_without_leader().empty());
}

TEST(Elr, members_that_leave_a_small_isr_stay_eligible_and_are_elected_cleanly) {
    TestCluster cluster;
    cluster.add_brokers(3);
    cluster.create_on("t", {0, 1, 2});
    cluster.set_topic_config("t", "min.insync.replicas", "2");
    cluster.fence(2);
    EXPECT_TRUE(cluster.partition("t").elr.empty());
    cluster.fence(1);
    EXPECT_EQ(cluster.partition("t").isr, Ids{0});
    EXPECT_EQ(cluster.partition("t").elr, Ids{1});
    cluster.fence(0);
    EXPECT_EQ(cluster.partition("t").leader, -1);
    EXPECT_TRUE(cluster.partition("t").isr.empty());
    EXPECT_EQ(cluster.partition("t").elr, (Ids{0, 1}));
    EXPECT_EQ(cluster.partition("t").last_known_elr, Ids{0});
    cluster.unfence(2);
    EXPECT_EQ(cluster.partition("t").leader, -1);  // never was eligible
    cluster.unfence(1);
    EXPECT_EQ(cluster.partition("t").leader, 1);
    EXPECT_EQ(cluster.partition("t").isr, Ids{1});
    EXPECT_EQ(cluster.partition("t").elr, Ids{0});
    EXPECT_EQ(cluster.partition("t").leader_recovery_state, LeaderRecoveryState::Recovered);
    EXPECT_TRUE(cluster.partition("t").last_known_elr.empty());
}

TEST(Elr, the_last_known_leader_comes_back_uncleanly_after_a_crash) {
    TestCluster cluster;
    cluster.add_brokers(1);
    cluster.create_on("t", {0});
    // The broker dies and registers again without proof of a clean shutdown.
    protocol::BrokerRegistrationRequest request;
    request.broker_id = 0;
    request.cluster_id = "cluster";
    request.incarnation_id = metadata::test_id(5000);
    request.log_dirs = {metadata::test_id(2000)};
    request.rack = std::nullopt;
    auto& feature = request.features.emplace_back();
    feature.name = "metadata.version";
    feature.min_supported_version = 7;
    feature.max_supported_version = 30;
    auto& elr = request.features.emplace_back();
    elr.name = "eligible.leader.replicas.version";
    elr.max_supported_version = 1;
    auto decision = register_broker(cluster.view(), cluster.sessions(), request, 4, 0,
                                    cluster.offset() + 1, MonotonicTime());
    ASSERT_TRUE(decision) << decision.error().message;
    cluster.replay(decision->records);
    EXPECT_EQ(cluster.partition("t").leader, -1);
    EXPECT_TRUE(cluster.partition("t").elr.empty());
    cluster.unfence(0);
    EXPECT_EQ(cluster.partition("t").leader, 0);
    EXPECT_EQ(cluster.partition("t").isr, Ids{0});
    EXPECT_EQ(cluster.partition("t").leader_recovery_state, LeaderRecoveryState::Recovering);
    // The leader reports that it has recovered.
    EXPECT_EQ(code_of(apply(cluster, alteration(cluster, "t", {0}))), ErrorCode::None);
    EXPECT_EQ(cluster.partition("t").leader_recovery_state, LeaderRecoveryState::Recovered);
}

TEST(ElectLeaders, prefers_the_first_replica_and_tells_why_not) {
    TestCluster cluster;
    cluster.add_brokers(2);
    cluster.create_on("t", {0, 1});
    cluster.fence(0);
    protocol::ElectLeadersRequest request;
    request.topic_partitions.emplace();
    auto& topic = request.topic_partitions->emplace_back();
    topic.topic = "t";
    topic.partitions = {0, 7};
    auto unavailable = elect_leaders(cluster.view(), request);
    const auto& results = unavailable->response.replica_election_results[0].partition_result;
    EXPECT_EQ(error_code_from_wire(results[0].error_code), ErrorCode::PreferredLeaderNotAvailable);
    EXPECT_EQ(results[1].error_message, "No such partition as t-7");
    cluster.unfence(0);
    apply(cluster, alteration(cluster, "t", {1, 0}));
    cluster.replay(elect_leaders(cluster.view(), request)->records);
    EXPECT_EQ(cluster.partition("t").leader, 0);
    auto needless = elect_leaders(cluster.view(), request);
    EXPECT_EQ(error_code_from_wire(
                  needless->response.replica_election_results[0].partition_result[0].error_code),
              ErrorCode::ElectionNotNeeded);
    request.election_type = 9;
    EXPECT_EQ(elect_leaders(cluster.view(), request).error().message, "Unknown election type 9");
}

TEST(UncleanElection, happens_only_where_the_topic_allows_it) {
    TestCluster cluster(22, false);
    cluster.add_brokers(2);
    cluster.create_on("safe", {0, 1});
    cluster.create_on("loose", {0, 1});
    cluster.set_topic_config("loose", "unclean.leader.election.enable", "true");
    cluster.fence(1);
    cluster.fence(0);
    EXPECT_EQ(cluster.state().partitions_without_leader().size(), 2u);
    cluster.unfence(1);
    EXPECT_EQ(cluster.partition("safe").leader, -1);
    EXPECT_EQ(cluster.partition("loose").leader, 1);
    EXPECT_EQ(cluster.partition("loose").isr, Ids{1});
    EXPECT_EQ(cluster.partition("loose").leader_recovery_state, LeaderRecoveryState::Recovering);
}

TEST(Rebalance, moves_leadership_back_to_preferred_replicas) {
    TestCluster cluster;
    cluster.add_brokers(2);
    cluster.create_on("t", {0, 1});
    cluster.fence(0);
    cluster.unfence(0);
    EXPECT_TRUE(rebalance_leaders(cluster.view(), 10).empty());  // 0 is not in sync yet
    apply(cluster, alteration(cluster, "t", {1, 0}));
    cluster.replay(rebalance_leaders(cluster.view(), 10));
    EXPECT_EQ(cluster.partition("t").leader, 0);
    EXPECT_FALSE(cluster.state().has_imbalance());
}

TEST(AssignReplicasToDirs, records_directories_and_treats_offline_ones_as_lost) {
    TestCluster cluster;
    cluster.add_brokers(2);
    cluster.create_on("t", {0, 1});
    protocol::AssignReplicasToDirsRequest request;
    request.broker_id = 0;
    request.broker_epoch = cluster.state().broker(0)->epoch;
    auto& directory = request.directories.emplace_back();
    directory.id = kLostDirectory;
    auto& topic = directory.topics.emplace_back();
    topic.topic_id = cluster.key("t").topic_id;
    topic.partitions.emplace_back().partition_index = 0;
    auto decision = assign_replicas_to_directories(cluster.view(), request);
    ASSERT_TRUE(decision);
    cluster.replay(decision->records);
    EXPECT_EQ(cluster.partition("t").directory(0), kLostDirectory);
    EXPECT_EQ(cluster.partition("t").leader, 1);
}

}  // namespace
}  // namespace moldau::controller
