#include "quorum/storage_formatter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quorum/bootstrap_metadata.h"
#include "quorum/scram_argument.h"
#include "quorum/snapshot_file.h"
#include "runtime/entropy.h"
#include "runtime/memory_file_system.h"
#include "storage/meta_properties.h"

namespace moldau::quorum {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class StorageFormatter : public testing::Test {
 protected:
    StorageFormatter() {
        options.cluster_id = "5L6g3nShT-eMCtK--X86sw";
        options.node_id = BrokerId(1);
        options.directories = {"/a", "/b"};
        options.metadata_log_dir = "/a";
        options.initial_voters =
            *parse_initial_controllers("1@localhost:9093:AAAAAAAAAAEAAAAAAAAAAQ", "CONTROLLER");
    }

    bool format() {
        out.clear();
        Status status = format_storage(files, options, entropy, 1000, out);
        error = status ? "" : status.error().message;
        return status.has_value();
    }

    runtime::MemoryFileSystem files;
    runtime::SeededEntropy entropy{1};
    FormatOptions options;
    std::string out;
    std::string error;
};

TEST_F(StorageFormatter, writes_each_directory_and_says_so) {
    ASSERT_TRUE(format()) << error;
    EXPECT_THAT(out, StartsWith("Bootstrap metadata: BootstrapMetadata(records="
                                "[ApiMessageAndVersion(FeatureLevelRecord(name='metadata.version', "
                                "featureLevel=30) at version 0)"));
    EXPECT_THAT(out, HasSubstr("metadataVersionLevel=30, source=format command)\n"
                               "Formatting dynamic metadata voter directory /a with "
                               "metadata.version 4.3-IV0.\n"
                               "Formatting data directory /b with metadata.version 4.3-IV0.\n"));
    auto properties = storage::read_meta_properties(files, "/a");
    ASSERT_TRUE(properties && *properties);
    EXPECT_EQ((*properties)->directory_id->str(), "AAAAAAAAAAEAAAAAAAAAAQ");
    EXPECT_EQ(read_bootstrap_metadata(files, "/b")->metadata_version, 30);

    auto voters = SnapshotFileReader::open(
        files, "/a/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
        consensus::kBootstrapSnapshotId);
    ASSERT_TRUE(voters);
    EXPECT_EQ((*voters)->kraft_version(), 1);
    EXPECT_EQ((*voters)->voters(), options.initial_voters);
    EXPECT_FALSE(files.exists("/b/__cluster_metadata-0"));
}

TEST_F(StorageFormatter, formats_once) {
    ASSERT_TRUE(format());
    EXPECT_FALSE(format());
    EXPECT_EQ(error,
              "Log directory /a is already formatted. Use --ignore-formatted to ignore this "
              "directory and format the others.");
    options.ignore_formatted = true;
    EXPECT_TRUE(format());
    EXPECT_EQ(out, "All of the log directories are already formatted.\n");
    options.directories.insert("/c");
    EXPECT_TRUE(format());
    EXPECT_THAT(out, HasSubstr("Formatting data directory /c"));
    options.cluster_id = "other";
    EXPECT_FALSE(format());
    EXPECT_EQ(error,
              "Invalid cluster.id in: /a/meta.properties. Expected other, but read "
              "5L6g3nShT-eMCtK--X86sw");
}

TEST_F(StorageFormatter, static_quorum_has_no_voters_on_disk) {
    options.initial_voters.reset();
    options.has_static_voters = true;
    ASSERT_TRUE(format());
    EXPECT_THAT(out, HasSubstr("Formatting metadata directory /a with"));
    EXPECT_FALSE(files.exists("/a/__cluster_metadata-0"));
}

TEST_F(StorageFormatter, levels_that_are_not_there_are_refused) {
    options.feature_levels = {{"nosuch.version", 1}};
    EXPECT_FALSE(format());
    EXPECT_EQ(error,
              "Unsupported feature: nosuch.version. Supported features are: "
              "eligible.leader.replicas.version, group.version, kraft.version, share.version, "
              "streams.version, transaction.version");
    options.feature_levels = {{"share.version", 1}};
    EXPECT_FALSE(format());
    EXPECT_EQ(error,
              "share.version level 1 is not available in this version of Moldau: the highest "
              "level is 0.");
    options.feature_levels = {{"kraft.version", 0}};
    EXPECT_FALSE(format());
    EXPECT_THAT(error, StartsWith("Cannot set kraft.version to 0 if"));
    options.feature_levels = {{"metadata.version", 99}};
    EXPECT_FALSE(format());
    EXPECT_FALSE(files.exists("/a")) << "a refusal leaves nothing";
}

TEST_F(StorageFormatter, older_release_has_its_own_levels) {
    options.metadata_version = 21;
    ASSERT_TRUE(format());
    EXPECT_THAT(out,
                StartsWith("Bootstrap metadata: BootstrapMetadata(records=[ApiMessageAndVersion("
                           "FeatureLevelRecord(name='metadata.version', featureLevel=21) at "
                           "version 0)], metadataVersionLevel=21"));
}

TEST_F(StorageFormatter, a_crash_leaves_a_directory_blank_or_whole) {
    for (uint64_t operation = 1; operation < 60; ++operation) {
        runtime::MemoryFileSystem disk;
        disk.fail_at(operation, runtime::MemoryFileSystem::Fault::Crash);
        (void)format_storage(disk, options, entropy, 1000, out);
        uint64_t seed = operation;
        disk.crash([&] { return (seed = seed * 6364136223846793005ULL + 1) >> 33; });
        for (const std::string& dir : options.directories) {
            auto properties = storage::read_meta_properties(disk, dir);
            ASSERT_TRUE(properties);
            if (*properties) {
                EXPECT_EQ(read_bootstrap_metadata(disk, dir)->source,
                          "the binary bootstrap metadata file: " + dir + "/bootstrap.checkpoint")
                    << operation;
            }
        }
        options.ignore_formatted = true;
        EXPECT_TRUE(format_storage(disk, options, entropy, 1000, out)) << operation;
        EXPECT_TRUE(*storage::read_meta_properties(disk, "/a"));
    }
}

TEST_F(StorageFormatter, info_tells_what_is_there) {
    std::string text;
    EXPECT_FALSE(describe_storage(files, {"/a"}, text));
    EXPECT_EQ(text, "Found problem:\n  /a does not exist\n\n");
    ASSERT_TRUE(format());
    text.clear();
    EXPECT_TRUE(describe_storage(files, {"/a"}, text));
    EXPECT_EQ(text,
              "Found log directory:\n  /a\n\nFound metadata: "
              "{cluster.id=5L6g3nShT-eMCtK--X86sw, directory.id=AAAAAAAAAAEAAAAAAAAAAQ, "
              "node.id=1, version=1}\n\n");
}

TEST(InitialControllers, are_parsed_as_kafka_does) {
    auto error = [](std::string_view text) {
        return parse_initial_controllers(text, "CONTROLLER").error().message;
    };
    EXPECT_EQ(error(""), "No voters given.");
    EXPECT_EQ(error("1"), "No @ found in dynamic voter string.");
    EXPECT_EQ(error("@h"), "Invalid @ at beginning of dynamic voter string.");
    EXPECT_EQ(error("x@h:1:AAAAAAAAAAEAAAAAAAAAAQ"),
              "Failed to parse node id in dynamic voter string.");
    EXPECT_EQ(error("1@h"), "No colon following hostname could be found.");
    EXPECT_EQ(error("1@h:99999:AAAAAAAAAAEAAAAAAAAAAQ"),
              "Invalid port 99999 in dynamic voter string.");
    EXPECT_EQ(error("1@h:1:zz"), "Failed to parse directory ID in dynamic voter string.");
    auto voters = parse_initial_controllers(
        "1@[::1]:9093:AAAAAAAAAAEAAAAAAAAAAQ,2@h:9094:AAAAAAAAAAEAAAAAAAAAAg", "C");
    ASSERT_TRUE(voters);
    EXPECT_EQ(voters->find(BrokerId(1))->endpoints[0], (consensus::Endpoint{"C", "::1", 9093}));
}

// RFC 5802's derivation, with the vector of RFC 7677.
TEST(ScramArgument, derives_the_keys_of_rfc_7677) {
    runtime::SeededEntropy entropy(1);
    auto record = parse_scram_argument(
        "SCRAM-SHA-256=[name=user,password=pencil,salt=\"W22ZaJ0SNY7soEsUEjb6gQ==\","
        "iterations=4096]",
        entropy);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->mechanism, 1);
    // ServerKey as base64: wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=
    EXPECT_EQ(record->server_key[0], 0xc1);
    EXPECT_EQ(record->server_key[31], 0xd5);
    // StoredKey: WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=
    EXPECT_EQ(record->stored_key[0], 0x58);
    EXPECT_EQ(record->stored_key[31], 0xa6);
    auto again = parse_scram_argument(
        "SCRAM-SHA-256=[name=user,password=pencil,salt=\"W22ZaJ0SNY7soEsUEjb6gQ==\"]", entropy);
    EXPECT_EQ(record->stored_key, again->stored_key) << "4096 is the default";
    EXPECT_EQ(parse_scram_argument("SCRAM-SHA-1=[name=a]", entropy).error().message,
              "The add-scram mechanism SCRAM-SHA-1 is not supported.");
    EXPECT_EQ(parse_scram_argument("SCRAM-SHA-256=[password=a]", entropy).error().message,
              "You must supply 'name' to add-scram");
    EXPECT_EQ(parse_scram_argument("SCRAM-SHA-256=[name=a,password=b,iterations=1]", entropy)
                  .error()
                  .message,
              "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256");
}

}  // namespace
}  // namespace moldau::quorum
