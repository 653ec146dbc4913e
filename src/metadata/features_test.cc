#include "metadata/features.h"

#include <gtest/gtest.h>

namespace moldau::metadata {
namespace {

TEST(Features, release_names_mean_their_latest_production_level) {
    EXPECT_EQ(parse_metadata_version("4.3"), 30);
    EXPECT_EQ(parse_metadata_version("4.3.1"), 30);
    EXPECT_EQ(parse_metadata_version("4.0-IV1"), 23);
    EXPECT_EQ(parse_metadata_version("3.9-IV0"), 21);
    EXPECT_EQ(parse_metadata_version("4.0"), 25);
}

TEST(Features, unknown_and_unreleased_versions_are_refused_with_the_list) {
    auto unknown = parse_metadata_version("9.9-IV0");
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().message.starts_with(
        "Unknown metadata.version '9.9-IV0'. Supported metadata.version are: 3.3-IV3, 3.4-IV0, "));
    EXPECT_TRUE(unknown.error().message.ends_with("4.2-IV1, 4.3-IV0"));
    EXPECT_FALSE(parse_metadata_version("4.4"));
}

TEST(Features, defaults_follow_the_release_and_stop_at_what_is_supported) {
    const FeatureInfo* elr = find_feature(kElrVersionFeature);
    EXPECT_EQ(default_feature_level(*elr, 25), 0);
    EXPECT_EQ(default_feature_level(*elr, 30), 1);
    const FeatureInfo* transactions = find_feature(kTransactionVersionFeature);
    EXPECT_EQ(kafka_default_feature_level(*transactions, 30), 2);
    EXPECT_EQ(default_feature_level(*transactions, 30), transactions->supported_max);
    EXPECT_EQ(kafka_default_feature_level(*transactions, 21), 0);
}

TEST(Features, record_versions_follow_the_metadata_version) {
    EXPECT_EQ(register_broker_record_version(7), 1);
    EXPECT_EQ(register_broker_record_version(29), 3);
    EXPECT_EQ(register_broker_record_version(30), 4);
    EXPECT_EQ(partition_record_version(16), 0);
    EXPECT_EQ(partition_record_version(17), 1);
    EXPECT_EQ(partition_record_version(23), 2);
    EXPECT_EQ(broker_registration_change_record_version(30), 3);
}

TEST(Features, only_features_with_levels_above_zero_are_advertised) {
    for (const auto& [name, range] : supported_features()) {
        EXPECT_GT(range.max, 0) << name;
    }
    EXPECT_TRUE(supported_features().contains("metadata.version"));
}

}  // namespace
}  // namespace moldau::metadata
