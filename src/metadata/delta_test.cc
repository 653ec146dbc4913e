#include "metadata/delta.h"

#include <gtest/gtest.h>

#include "metadata/test_records.h"

namespace moldau::metadata {
namespace {

using protocol::MetadataRecord;

ImagePtr after(const ImagePtr& before, const std::vector<MetadataRecord>& records) {
    Delta delta(before);
    for (const MetadataRecord& record : records) {
        EXPECT_TRUE(delta.replay(record));
    }
    return delta.apply({static_cast<int64_t>(records.size()), 1, 1});
}

TEST(Delta, a_created_topic_is_found_by_name_and_id_and_told_as_created) {
    Delta delta(empty_image());
    ASSERT_TRUE(delta.replay(topic_record("orders", test_id(1))));
    ASSERT_TRUE(delta.replay(partition_record(test_id(1), 0, {1, 2})));
    ASSERT_TRUE(delta.replay(partition_record(test_id(1), 1, {2, 1})));
    ImagePtr image = delta.apply({2, 1, 77});
    EXPECT_EQ(image->topics.find("orders")->id, test_id(1));
    EXPECT_EQ(image->topics.partition("orders", 1)->leader, 2);
    EXPECT_EQ(image->provenance.offset, 2);
    const TopicChange& change = delta.changed_topics().at(test_id(1));
    EXPECT_TRUE(change.created);
    EXPECT_EQ(change.name, "orders");
    EXPECT_EQ(change.partitions, (std::set<int32_t>{0, 1}));
    EXPECT_EQ(empty_image()->topics.find("orders"), nullptr);
}

TEST(Delta, naming_the_leader_bumps_the_leader_epoch_even_if_it_is_the_same) {
    ImagePtr image = after(
        empty_image(), {topic_record("t", test_id(1)), partition_record(test_id(1), 0, {1, 2})});
    auto shrink = partition_change(test_id(1), 0);
    shrink.isr = std::vector<int32_t>{1};
    image = after(image, {shrink});
    EXPECT_EQ(image->topics.partition("t", 0)->leader_epoch, 0);
    EXPECT_EQ(image->topics.partition("t", 0)->partition_epoch, 1);
    auto same_leader = partition_change(test_id(1), 0);
    same_leader.leader = 1;
    image = after(image, {same_leader});
    EXPECT_EQ(image->topics.partition("t", 0)->leader_epoch, 1);
    EXPECT_EQ(image->topics.partition("t", 0)->partition_epoch, 2);
}

TEST(Delta, removing_a_topic_drops_its_configs) {
    ImagePtr image = after(
        empty_image(), {topic_record("t", test_id(1)), config_record(2, "t", "retention.ms", "5"),
                        config_record(2, "u", "retention.ms", "6")});
    Delta delta(image);
    ASSERT_TRUE(delta.replay(remove_topic_record(test_id(1))));
    ImagePtr next = delta.apply({9, 1, 1});
    EXPECT_EQ(next->topics.find("t"), nullptr);
    EXPECT_TRUE(next->configs.of_topic("t").empty());
    EXPECT_EQ(next->configs.of_topic("u").at("retention.ms"), "6");
    EXPECT_EQ(delta.deleted_topics().at(test_id(1)), "t");
    EXPECT_TRUE(delta.changed_topics().empty());
    EXPECT_EQ(delta.changed_configs().size(), 1u);
}

TEST(Delta, a_topic_made_again_keeps_both_ids_apart) {
    ImagePtr image = after(empty_image(), {topic_record("t", test_id(1))});
    Delta delta(image);
    ASSERT_TRUE(delta.replay(remove_topic_record(test_id(1))));
    ASSERT_TRUE(delta.replay(topic_record("t", test_id(2))));
    ImagePtr next = delta.apply({9, 1, 1});
    EXPECT_EQ(next->topics.find("t")->id, test_id(2));
    EXPECT_TRUE(delta.deleted_topics().contains(test_id(1)));
    EXPECT_TRUE(delta.changed_topics().at(test_id(2)).created);
}

TEST(Delta, a_topic_that_came_and_went_is_not_mentioned) {
    Delta delta(empty_image());
    ASSERT_TRUE(delta.replay(topic_record("t", test_id(1))));
    ASSERT_TRUE(delta.replay(remove_topic_record(test_id(1))));
    delta.apply({9, 1, 1});
    EXPECT_FALSE(delta.topics_changed());
}

TEST(Delta, deleting_the_last_config_drops_the_resource) {
    ImagePtr image = after(empty_image(), {config_record(4, "", "log.retention.ms", "5")});
    EXPECT_EQ(image->configs.cluster_default().size(), 1u);
    image = after(image, {config_record(4, "", "log.retention.ms", std::nullopt)});
    EXPECT_TRUE(image->configs.by_resource.empty());
}

TEST(Delta, contradictions_are_errors_and_change_nothing) {
    Delta delta(empty_image());
    EXPECT_FALSE(delta.replay(partition_record(test_id(1), 0, {1})));
    EXPECT_FALSE(delta.replay(partition_change(test_id(1), 0)));
    EXPECT_FALSE(delta.replay(remove_topic_record(test_id(1))));
    protocol::BrokerRegistrationChangeRecord fence;
    fence.broker_id = 1;
    EXPECT_FALSE(delta.replay(fence));
    EXPECT_FALSE(delta.topics_changed());
    EXPECT_TRUE(delta.changed_brokers().empty());
}

TEST(Delta, a_feature_level_beyond_support_is_refused) {
    Delta delta(empty_image());
    EXPECT_FALSE(delta.replay(feature_record("metadata.version", 31)));
    auto refused = delta.replay(feature_record("nosuch.version", 1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::UnsupportedVersion);
    EXPECT_TRUE(delta.replay(feature_record("kraft.version", 1)));
    EXPECT_EQ(delta.next().features.level("kraft.version"), 0);
    EXPECT_TRUE(delta.replay(feature_record("metadata.version", 30)));
    EXPECT_EQ(delta.next().features.metadata_version(), 30);
}

TEST(Delta, a_snapshot_tells_what_differs_from_before) {
    ImagePtr before = after(
        empty_image(), {topic_record("gone", test_id(1)), topic_record("kept", test_id(2)),
                        partition_record(test_id(2), 0, {1}), partition_record(test_id(2), 1, {1}),
                        config_record(2, "kept", "retention.ms", "5")});
    Delta delta = Delta::of_snapshot(before);
    ASSERT_TRUE(delta.replay(topic_record("kept", test_id(2))));
    ASSERT_TRUE(delta.replay(partition_record(test_id(2), 0, {1})));
    ASSERT_TRUE(delta.replay(partition_record(test_id(2), 1, {2})));
    ASSERT_TRUE(delta.replay(topic_record("new", test_id(3))));
    ImagePtr image = delta.apply({20, 2, 1});
    EXPECT_EQ(image->topics.by_id.size(), 2u);
    EXPECT_EQ(delta.deleted_topics().at(test_id(1)), "gone");
    EXPECT_EQ(delta.changed_topics().at(test_id(2)).partitions, std::set<int32_t>{1});
    EXPECT_TRUE(delta.changed_topics().at(test_id(3)).created);
    EXPECT_EQ(delta.changed_configs().size(), 1u);
}

TEST(Delta, an_image_shares_untouched_topics_with_its_successor) {
    ImagePtr before =
        after(empty_image(), {topic_record("a", test_id(1)), topic_record("b", test_id(2))});
    ImagePtr next = after(before, {partition_record(test_id(2), 0, {1})});
    EXPECT_EQ(before->topics.find("a"), next->topics.find("a"));
    EXPECT_NE(before->topics.find("b"), next->topics.find("b"));
}

}  // namespace
}  // namespace moldau::metadata
