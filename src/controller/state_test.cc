#include "controller/state.h"

#include <gtest/gtest.h>

#include "controller/activation.h"
#include "controller/producer_ids.h"
#include "controller/test_cluster.h"
#include "metadata/delta.h"
#include "metadata/snapshot_writer.h"

namespace moldau::controller {
namespace {

void live_a_little(TestCluster& cluster) {
    cluster.add_brokers(4, {"a", "b"});
    cluster.create("orders", 6, 3);
    cluster.create("a.b", 2, 2);
    cluster.set_topic_config("orders", "min.insync.replicas", "2");
    cluster.fence(1);
    cluster.fence(2);
    cluster.unfence(1);
    protocol::DeleteTopicsRequest request;
    request.topics.emplace_back().name = "a.b";
    cluster.replay(delete_topics(cluster.view(), request, 6)->records);
    cluster.create("later", 3, 2);
}

TEST(State, a_snapshot_of_the_image_equals_the_replay_of_the_records) {
    TestCluster cluster;
    live_a_little(cluster);
    metadata::Delta from_log(metadata::empty_image());
    for (const auto& record : cluster.log()) {
        ASSERT_TRUE(from_log.replay(record));
    }
    metadata::ImagePtr by_log = from_log.apply({cluster.offset(), 1, 1});
    EXPECT_TRUE(by_log->same_content(cluster.state().image()));

    State from_snapshot;
    for (const auto& record : metadata::snapshot_records(*by_log)) {
        ASSERT_TRUE(from_snapshot.replay(record.record, cluster.offset()));
    }
    EXPECT_TRUE(from_snapshot.image().same_content(*by_log));
    for (int32_t broker = 0; broker < 4; ++broker) {
        EXPECT_EQ(from_snapshot.partitions_with_isr_member(broker),
                  cluster.state().partitions_with_isr_member(broker));
        EXPECT_EQ(from_snapshot.partitions_with_elr_member(broker),
                  cluster.state().partitions_with_elr_member(broker));
        EXPECT_EQ(from_snapshot.has_leaderships(broker), cluster.state().has_leaderships(broker));
    }
    EXPECT_EQ(from_snapshot.has_imbalance(), cluster.state().has_imbalance());
}

TEST(State, a_copy_is_the_way_back) {
    TestCluster cluster;
    cluster.add_brokers(2);
    cluster.create("kept", 1, 2);
    State before = cluster.state();
    cluster.create("a.b", 1, 1);
    cluster.fence(0);
    EXPECT_EQ(before.image().topics.find("a.b"), nullptr);
    EXPECT_EQ(before.colliding_topic("a_b"), nullptr);
    EXPECT_TRUE(before.is_active(0));
    EXPECT_EQ(before.partitions_with_isr_member(0).size(), 1u);
    EXPECT_EQ(*cluster.state().colliding_topic("a_b"), "a.b");
}

TEST(State, a_contradicting_record_changes_nothing) {
    TestCluster cluster;
    State state = cluster.state();
    EXPECT_FALSE(state.replay(metadata::partition_record(metadata::test_id(1), 0, {1}), 9));
    EXPECT_FALSE(state.replay(metadata::partition_change(metadata::test_id(1), 0), 9));
    EXPECT_EQ(state.offset(), cluster.state().offset());
}

metadata::Records bootstrap(int16_t metadata_version, int16_t elr) {
    metadata::Records records{{metadata::feature_record("metadata.version", metadata_version), 0}};
    if (elr > 0) {
        records.push_back({metadata::feature_record("eligible.leader.replicas.version", elr), 0});
    }
    return records;
}

TEST(Activation, an_empty_log_gets_the_bootstrap_records_in_a_transaction) {
    State empty;
    auto config = config::ServerConfig::for_tests();
    auto activation = activation_records({empty, config, "c"}, bootstrap(30, 1), "test", -1);
    ASSERT_EQ(activation.records.size(), 5u);
    EXPECT_TRUE(
        std::holds_alternative<protocol::BeginTransactionRecord>(activation.records[0].record));
    const auto& min_isr = std::get<protocol::ConfigRecord>(activation.records[3].record);
    EXPECT_EQ(min_isr.name, "min.insync.replicas");
    EXPECT_EQ(min_isr.value, "1");
    EXPECT_TRUE(
        std::holds_alternative<protocol::EndTransactionRecord>(activation.records[4].record));
    EXPECT_EQ(activation.message,
              "Performing controller activation. The metadata log appears to be empty. Appending 2 "
              "bootstrap record(s) in metadata transaction at metadata.version 4.3-IV0 from "
              "bootstrap source 'test'.");
}

TEST(Activation, an_old_metadata_version_gets_one_plain_batch) {
    State empty;
    auto config = config::ServerConfig::for_tests();
    auto activation = activation_records({empty, config, "c"}, bootstrap(12, 0), "test", -1);
    EXPECT_EQ(activation.records.size(), 1u);
    EXPECT_TRUE(activation.atomic);
}

TEST(Activation, a_log_in_use_gets_nothing_or_an_abort) {
    TestCluster cluster;
    EXPECT_TRUE(activation_records(cluster.view(), {}, "test", -1).records.empty());
    auto abort = activation_records(cluster.view(), {}, "test", 17);
    ASSERT_EQ(abort.records.size(), 1u);
    EXPECT_TRUE(std::holds_alternative<protocol::AbortTransactionRecord>(abort.records[0].record));
}

TEST(ProducerIds, blocks_never_overlap) {
    TestCluster cluster;
    cluster.add_brokers(1);
    protocol::AllocateProducerIdsRequest request;
    request.broker_id = 0;
    request.broker_epoch = cluster.state().broker(0)->epoch;
    for (int64_t expected : {0, 1000, 2000}) {
        auto decision = allocate_producer_ids(cluster.view(), request);
        ASSERT_TRUE(decision);
        EXPECT_EQ(decision->response.producer_id_start, expected);
        EXPECT_EQ(decision->response.producer_id_len, 1000);
        cluster.replay(decision->records);
    }
    request.broker_epoch = 99;
    EXPECT_EQ(allocate_producer_ids(cluster.view(), request).error().code,
              ErrorCode::StaleBrokerEpoch);
}

}  // namespace
}  // namespace moldau::controller
