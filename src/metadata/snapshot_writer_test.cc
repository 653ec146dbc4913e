#include "metadata/snapshot_writer.h"

#include <gtest/gtest.h>

#include "metadata/delta.h"
#include "metadata/test_records.h"

namespace moldau::metadata {
namespace {

Image rich_image(int16_t metadata_version) {
    Delta delta(empty_image());
    std::vector<protocol::MetadataRecord> records = {
        feature_record("metadata.version", metadata_version),
        broker_record(1, 10),
        topic_record("a", test_id(1)),
        partition_record(test_id(1), 0, {1, 2, 3}),
        config_record(2, "a", "retention.ms", "5"),
        config_record(4, "", "min.insync.replicas", "1")};
    auto change = partition_change(test_id(1), 0);
    change.isr = std::vector<int32_t>{1};
    if (metadata_version >= 23) {
        change.eligible_leader_replicas = std::vector<int32_t>{2};
        change.last_known_elr = std::vector<int32_t>{3};
    }
    records.push_back(change);
    protocol::ClientQuotaRecord quota;
    auto& entity = quota.entity.emplace_back();
    entity.entity_type = "user";
    entity.entity_name = std::nullopt;
    quota.key = "producer_byte_rate";
    quota.value = 1024.5;
    records.push_back(quota);
    protocol::ProducerIdsRecord ids;
    ids.next_producer_id = 2000;
    records.push_back(ids);
    protocol::AccessControlEntryRecord acl;
    acl.id = test_id(9);
    acl.resource_name = "a";
    acl.principal = "User:x";
    records.push_back(acl);
    if (metadata_version >= 11) {
        protocol::UserScramCredentialRecord scram;
        scram.name = "x";
        scram.mechanism = 1;
        scram.salt = Bytes::copy_of("salt");
        scram.iterations = 4096;
        records.push_back(scram);
    }
    if (metadata_version >= 14) {
        protocol::DelegationTokenRecord token;
        token.owner = "User:x";
        token.token_id = "t1";
        records.push_back(token);
    }
    if (metadata_version >= 15) {
        protocol::RegisterControllerRecord controller;
        controller.controller_id = 1;
        records.push_back(controller);
    }
    for (const auto& record : records) {
        EXPECT_TRUE(delta.replay(record));
    }
    return *delta.apply({50, 3, 7});
}

class SnapshotWriter : public testing::TestWithParam<int16_t> {};

TEST_P(SnapshotWriter, replay_of_the_written_bytes_gives_the_same_image) {
    Image image = rich_image(GetParam());
    Delta delta = Delta::of_snapshot(empty_image());
    for (const VersionedRecord& record : snapshot_records(image)) {
        Bytes bytes = protocol::encode_metadata_record(record.record, record.version);
        auto read = protocol::decode_metadata_record(bytes);
        ASSERT_TRUE(read) << read.error().message;
        ASSERT_TRUE(delta.replay(*read));
    }
    ImagePtr again = delta.apply({50, 3, 7});
    if (GetParam() >= 17) {
        EXPECT_TRUE(again->same_content(image));
    } else {
        // Directories cannot be written at this level, everything else can.
        EXPECT_TRUE(again->topics.partition("a", 0)->directories[0] == kMigratingDirectory);
        EXPECT_TRUE(again->configs == image.configs);
        EXPECT_TRUE(again->cluster.broker(1)->directories.empty());
    }
}

INSTANTIATE_TEST_SUITE_P(MetadataVersions, SnapshotWriter,
                         testing::Values(7, 8, 12, 15, 17, 22, 23, 29, 30));

TEST(SnapshotWriterOrder, metadata_version_comes_first) {
    Records records = snapshot_records(rich_image(30));
    const auto& first = std::get<protocol::FeatureLevelRecord>(records.front().record);
    EXPECT_EQ(first.name, "metadata.version");
    EXPECT_EQ(first.feature_level, 30);
    EXPECT_EQ(records[1].version, 4);  // RegisterBrokerRecord
}

}  // namespace
}  // namespace moldau::metadata
