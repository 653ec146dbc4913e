#include "controller/configs.h"

#include <gtest/gtest.h>

#include "controller/features.h"
#include "controller/test_cluster.h"

namespace moldau::controller {
namespace {

using Response = protocol::IncrementalAlterConfigsResponse;

struct Change {
    std::string key;
    int8_t operation;
    std::optional<std::string> value;
};

protocol::IncrementalAlterConfigsRequest change_of(int8_t type, const std::string& name,
                                                   const std::vector<Change>& changes) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    for (const Change& change : changes) {
        auto& config = resource.configs.emplace_back();
        config.name = change.key;
        config.config_operation = change.operation;
        config.value = change.value;
    }
    return request;
}

Response::AlterConfigsResourceResponse alter(TestCluster& cluster, int8_t type,
                                             const std::string& name,
                                             const std::vector<Change>& changes) {
    auto decision = incremental_alter_configs(cluster.view(), change_of(type, name, changes), true);
    cluster.replay(decision.records);
    return decision.response.responses[0];
}

class AlterConfigs : public testing::Test {
 protected:
    AlterConfigs() {
        cluster.add_brokers(1);
        cluster.create("t", 1, 1);
    }
    const metadata::ConfigMap& topic() { return cluster.state().image().configs.of_topic("t"); }
    TestCluster cluster;
};

TEST_F(AlterConfigs, set_and_delete_change_single_keys) {
    EXPECT_EQ(
        alter(cluster, 2, "t", {{"retention.ms", 0, "1000"}, {"segment.ms", 0, "2000"}}).error_code,
        0);
    EXPECT_EQ(topic().size(), 2u);
    EXPECT_EQ(alter(cluster, 2, "t", {{"retention.ms", 1, std::nullopt}}).error_code, 0);
    EXPECT_EQ(topic().size(), 1u);
    EXPECT_EQ(alter(cluster, 2, "t", {{"retention.ms", 1, std::nullopt}}).error_code, 0);
}

TEST_F(AlterConfigs, append_starts_from_the_default_and_knows_lists_only) {
    EXPECT_EQ(alter(cluster, 2, "t", {{"cleanup.policy", 2, "compact"}}).error_code, 0);
    EXPECT_EQ(topic().at("cleanup.policy"), "delete,compact");
    EXPECT_EQ(alter(cluster, 2, "t", {{"cleanup.policy", 3, "delete"}}).error_code, 0);
    EXPECT_EQ(topic().at("cleanup.policy"), "compact");
    EXPECT_EQ(alter(cluster, 2, "t", {{"retention.ms", 2, "1"}}).error_message,
              "Can't APPEND to key retention.ms because its type is not LIST.");
    EXPECT_EQ(alter(cluster, 2, "t", {{"cleanup.policy", 2, ""}}).error_message,
              "Configuration 'cleanup.policy' values must not be empty.");
    EXPECT_EQ(alter(cluster, 2, "t", {{"cleanup.policy", 2, "compact,,"}}).error_code, 0);
}

TEST_F(AlterConfigs, errors_name_the_resource_and_change_nothing) {
    auto unknown_topic = alter(cluster, 2, "nosuch", {{"retention.ms", 0, "1"}});
    EXPECT_EQ(unknown_topic.error_message, "The topic 'nosuch' does not exist.");
    EXPECT_EQ(error_code_from_wire(unknown_topic.error_code), ErrorCode::UnknownTopicOrPartition);
    auto bad = alter(cluster, 2, "t", {{"retention.ms", 0, "abc"}, {"segment.ms", 0, "5"}});
    EXPECT_EQ(error_code_from_wire(bad.error_code), ErrorCode::InvalidConfig);
    EXPECT_TRUE(topic().empty());
    EXPECT_EQ(alter(cluster, 4, "7", {{"log.cleaner.threads", 0, "2"}}).error_message,
              "No node with id 7 found.");
    EXPECT_EQ(alter(cluster, 4, "x", {{"log.cleaner.threads", 0, "2"}}).error_message,
              "Unable to parse broker name as a base 10 number.");
    EXPECT_EQ(alter(cluster, 2, "", {{"retention.ms", 0, "1"}}).error_message,
              "Default topic resources are not allowed.");
    EXPECT_EQ(alter(cluster, 99, "t", {}).error_message, "Unknown resource type 99.");
    EXPECT_EQ(alter(cluster, 32, "", {}).error_message, "Default group resources are not allowed.");
    EXPECT_EQ(alter(cluster, 16, "", {}).error_message, "Subscription name can't be empty");
    std::string huge(40'000, 'x');
    EXPECT_EQ(alter(cluster, 4, "0", {{"advertised.listeners", 0, huge}}).error_message,
              "The configuration value cannot be added because it exceeds the maximum value size "
              "of 32767 bytes.");
}

TEST_F(AlterConfigs, a_broker_value_set_again_is_written_again) {
    alter(cluster, 4, "0", {{"log.cleaner.threads", 0, "2"}});
    auto again = incremental_alter_configs(
        cluster.view(), change_of(4, "0", {{"log.cleaner.threads", 0, "2"}}), true);
    EXPECT_EQ(again.records.size(), 1u);
    alter(cluster, 2, "t", {{"retention.ms", 0, "7"}});
    auto topic_again = incremental_alter_configs(
        cluster.view(), change_of(2, "t", {{"retention.ms", 0, "7"}}), true);
    EXPECT_TRUE(topic_again.records.empty());
}

TEST_F(AlterConfigs, min_insync_replicas_is_guarded_while_elr_is_on) {
    EXPECT_EQ(alter(cluster, 4, "0", {{"min.insync.replicas", 0, "2"}}).error_message,
              "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
    EXPECT_EQ(alter(cluster, 4, "", {{"min.insync.replicas", 1, std::nullopt}}).error_message,
              "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
    auto decision = incremental_alter_configs(
        cluster.view(), change_of(2, "t", {{"min.insync.replicas", 0, "1"}}), true);
    ASSERT_EQ(decision.records.size(), 2u);
    EXPECT_EQ(std::get<protocol::ClearElrRecord>(decision.records[1].record).topic_name, "t");
}

TEST_F(AlterConfigs, effective_values_look_at_topic_then_broker_then_cluster) {
    EXPECT_EQ(min_insync_replicas(cluster.view(), "t"), 1);
    cluster.replay(metadata::config_record(4, "", "min.insync.replicas", "2"));
    EXPECT_EQ(min_insync_replicas(cluster.view(), "t"), 2);
    EXPECT_EQ(effective_min_isr(cluster.view(), cluster.key("t").topic_id), 1);
    cluster.replay(metadata::config_record(2, "t", "min.insync.replicas", "3"));
    EXPECT_EQ(min_insync_replicas(cluster.view(), "t"), 3);
}

TEST_F(AlterConfigs, the_legacy_form_replaces_all_keys) {
    alter(cluster, 2, "t", {{"retention.ms", 0, "1000"}, {"segment.ms", 0, "2000"}});
    protocol::AlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = "t";
    auto& config = resource.configs.emplace_back();
    config.name = "retention.ms";
    config.value = "5";
    auto decision = alter_configs(cluster.view(), request, true);
    EXPECT_EQ(decision.response.responses[0].error_code, 0);
    cluster.replay(decision.records);
    EXPECT_EQ(topic().size(), 1u);
    EXPECT_EQ(topic().at("retention.ms"), "5");
}

TEST_F(AlterConfigs, a_resource_named_twice_is_refused_once) {
    auto request = change_of(2, "t", {{"retention.ms", 0, "1000"}});
    request.resources.push_back(request.resources[0]);
    auto decision = incremental_alter_configs(cluster.view(), request, true);
    ASSERT_EQ(decision.response.responses.size(), 1u);
    EXPECT_EQ(decision.response.responses[0].error_message, "Duplicate resource.");
    EXPECT_TRUE(decision.records.empty());
}

TEST_F(AlterConfigs, validate_only_writes_nothing) {
    auto request = change_of(2, "t", {{"retention.ms", 0, "1000"}});
    request.validate_only = true;
    EXPECT_TRUE(incremental_alter_configs(cluster.view(), request, true).records.empty());
}

protocol::UpdateFeaturesResponse update(TestCluster& cluster, const std::string& feature,
                                        int16_t level, int8_t type = 1) {
    protocol::UpdateFeaturesRequest request;
    auto& entry = request.feature_updates.emplace_back();
    entry.feature = feature;
    entry.max_version_level = level;
    entry.upgrade_type = type;
    auto decision = update_features(cluster.view(), request, 2, 1, {0});
    cluster.replay(decision.records);
    return decision.response;
}

TEST(UpdateFeatures, raises_levels_that_everybody_supports) {
    TestCluster cluster(29, false);
    auto record = metadata::broker_record(0, 1);
    auto& elr = record.features.emplace_back();
    elr.name = "eligible.leader.replicas.version";
    elr.max_supported_version = 1;
    cluster.replay(protocol::MetadataRecord(record));
    EXPECT_EQ(update(cluster, "metadata.version", 30).error_code, 0);
    EXPECT_EQ(cluster.state().metadata_version(), 30);
    EXPECT_EQ(update(cluster, "eligible.leader.replicas.version", 1).error_code, 0);
    EXPECT_TRUE(cluster.state().elr_enabled());
    EXPECT_EQ(cluster.state().image().configs.cluster_default().at("min.insync.replicas"), "1");
}

TEST(UpdateFeatures, refuses_in_kafkas_words) {
    TestCluster cluster(30, false);
    cluster.add_brokers(1);
    const std::string prefix =
        "The update failed for all features since the following feature had an error: ";
    // Level 0 of a feature that nobody knows is supported by everybody; it once ended the process.
    EXPECT_EQ(update(cluster, "nosuch", 0).error_message,
              prefix + "Invalid update version 0 for feature nosuch. Feature nosuch not found.");
    EXPECT_EQ(update(cluster, "group.version", 1).error_message,
              prefix +
                  "Invalid update version 1 for feature group.version. Local controller 0 does "
                  "not support this feature.");
    EXPECT_EQ(update(cluster, "metadata.version", 31).error_message,
              prefix +
                  "Invalid update version 31 for feature metadata.version. Local controller 0 "
                  "only supports versions 7-30");
    EXPECT_EQ(update(cluster, "eligible.leader.replicas.version", 1).error_message,
              prefix +
                  "Invalid update version 1 for feature eligible.leader.replicas.version. "
                  "Broker 0 does not support this feature.");
    EXPECT_EQ(update(cluster, "metadata.version", 25).error_message,
              prefix +
                  "Invalid update version 25 for feature metadata.version. Can't downgrade the "
                  "version of this feature without setting the upgrade type to either safe or "
                  "unsafe downgrade.");
    EXPECT_EQ(update(cluster, "metadata.version", 25, 2).error_message,
              prefix +
                  "Unsupported metadata.version downgrade from 30 to 25. Refusing to perform "
                  "the requested downgrade because it might delete metadata information.");
    EXPECT_EQ(cluster.state().metadata_version(), 30);
}

TEST(UpdateFeatures, allows_a_downgrade_that_loses_nothing) {
    TestCluster cluster(29, false);
    EXPECT_EQ(update(cluster, "metadata.version", 25, 2).error_code, 0);
    EXPECT_EQ(cluster.state().metadata_version(), 25);
}

}  // namespace
}  // namespace moldau::controller
