#include "quorum/snapshot_file.h"

#include <gtest/gtest.h>

#include "quorum/bootstrap_metadata.h"
#include "runtime/memory_file_system.h"

namespace moldau::quorum {
namespace {

metadata::VersionedRecord topic(int number) {
    protocol::TopicRecord record;
    record.name = fmt::format("topic-{}", number);
    record.topic_id = Uuid{1, static_cast<uint64_t>(number)};
    return {record, 0};
}

SnapshotFileOptions options_at(const consensus::SnapshotId& id) {
    SnapshotFileOptions options;
    options.dir = "/d";
    options.name = snapshot_file_name(id);
    options.id = id;
    options.last_contained_log_timestamp = 123;
    options.kraft_version = 1;
    options.voters = consensus::VoterSet(
        {{{BrokerId(1), Uuid{0, 9}}, {{"CONTROLLER", "localhost", 9093}}, 0, 1}});
    options.now = 1000;
    return options;
}

std::vector<metadata::VersionedRecord> read_all(SnapshotReader& reader) {
    std::vector<metadata::VersionedRecord> records;
    while (true) {
        auto batch = reader.next();
        EXPECT_TRUE(batch) << (batch ? "" : batch.error().message);
        if (!batch || !*batch) {
            return records;
        }
        records.insert(records.end(), (*batch)->records.begin(), (*batch)->records.end());
    }
}

class SnapshotFile : public testing::Test {
 protected:
    SnapshotFile() { EXPECT_TRUE(files.create_directories("/d")); }

    runtime::MemoryFileSystem files;
    const consensus::SnapshotId id{Offset(42), LeaderEpoch(3)};
};

TEST_F(SnapshotFile, name_holds_end_offset_and_epoch) {
    EXPECT_EQ(snapshot_file_name(id), "00000000000000000042-0000000003.checkpoint");
    EXPECT_EQ(parse_snapshot_file_name("00000000000000000042-0000000003.checkpoint"), id);
    EXPECT_EQ(parse_snapshot_file_name("00000000000000000042-0000000003.checkpoint.part"),
              std::nullopt);
    EXPECT_EQ(parse_snapshot_file_name("00000000000000000042.snapshot"), std::nullopt);
    EXPECT_EQ(parse_snapshot_file_name("0000000000000000004x-0000000003.checkpoint"), std::nullopt);
}

TEST_F(SnapshotFile, is_read_as_it_was_written) {
    auto writer = SnapshotFileWriter::create(files, options_at(id));
    ASSERT_TRUE(writer);
    std::vector<metadata::VersionedRecord> records;
    for (int i = 0; i < 50'000; ++i) {  // several batches
        records.push_back(topic(i));
    }
    ASSERT_TRUE((*writer)->append(records));
    ASSERT_TRUE((*writer)->freeze());

    auto reader = SnapshotFileReader::open(files, "/d/" + snapshot_file_name(id), id);
    ASSERT_TRUE(reader);
    EXPECT_EQ((*reader)->last_contained_log_timestamp(), 123);
    EXPECT_EQ((*reader)->kraft_version(), 1);
    EXPECT_EQ((*reader)->voters(), options_at(id).voters);
    EXPECT_EQ(read_all(**reader), records);
    EXPECT_TRUE((*reader)->is_complete());
}

TEST_F(SnapshotFile, appears_only_when_frozen) {
    {
        auto writer = SnapshotFileWriter::create(files, options_at(id));
        ASSERT_TRUE(writer);
        ASSERT_TRUE((*writer)->append({topic(1)}));
        EXPECT_FALSE(files.exists("/d/" + snapshot_file_name(id)));
        EXPECT_TRUE(files.exists("/d/" + snapshot_file_name(id) + ".part"));
    }
    EXPECT_TRUE(files.list("/d")->empty());
}

TEST_F(SnapshotFile, damage_is_noticed) {
    auto writer = SnapshotFileWriter::create(files, options_at(id));
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append({topic(1), topic(2)}));
    ASSERT_TRUE((*writer)->freeze());
    std::string path = "/d/" + snapshot_file_name(id);
    Bytes whole = *files.read_file(path);
    auto reads = [&](std::span<const uint8_t> content) {
        EXPECT_TRUE(files.replace_file(path, content));
        auto reader = SnapshotFileReader::open(files, path, id);
        while (reader) {
            auto batch = (*reader)->next();
            if (!batch) {
                return false;
            }
            if (!*batch) {
                return true;
            }
        }
        return false;
    };
    EXPECT_TRUE(reads(whole.span()));
    for (size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(reads(whole.span().first(size))) << size;
    }
    for (size_t at = 17; at < whole.size(); at += 7) {
        std::vector<uint8_t> bent(whole.begin(), whole.end());
        bent[at] ^= 0x10;
        (void)reads(bent);  // offsets and epochs lie outside the checksum; nothing may crash
    }
}

TEST_F(SnapshotFile, bootstrap_records_come_back) {
    EXPECT_EQ(read_bootstrap_metadata(files, "/d")->metadata_version, 30);
    protocol::FeatureLevelRecord feature;
    feature.name = "metadata.version";
    feature.feature_level = 21;
    ASSERT_TRUE(write_bootstrap_metadata(files, "/d", {{feature, 0}, topic(1)}, 5));
    auto bootstrap = read_bootstrap_metadata(files, "/d");
    ASSERT_TRUE(bootstrap);
    EXPECT_EQ(bootstrap->metadata_version, 21);
    EXPECT_EQ(bootstrap->records.size(), 2u);
}

}  // namespace
}  // namespace moldau::quorum
