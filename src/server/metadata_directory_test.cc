#include "server/metadata_directory.h"

#include "runtime/file_system.h"
#include "runtime/memory_file_system.h"
#include "storage/meta_properties.h"

namespace moldau::server {
namespace {

constexpr const char* kPath = "/meta";

class MetadataDirectoryTest : public testing::Test {
 protected:
    void format(const std::string& cluster, int32_t node) {
        storage::MetaProperties properties;
        properties.cluster_id = cluster;
        properties.node_id = BrokerId(node);
        properties.directory_id = Uuid{1, 200};
        ASSERT_TRUE(files_.create_directories(kPath).has_value());
        ASSERT_TRUE(storage::write_meta_properties(files_, kPath, properties, 0).has_value());
    }
    auto open() { return open_metadata_directory(files_, kPath, "c", BrokerId(1)); }

    runtime::MemoryFileSystem files_;
};

TEST_F(MetadataDirectoryTest, a_formatted_directory_gives_its_id_and_is_locked) {
    format("c", 1);
    auto first = open();
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->id, (Uuid{1, 200}));
    auto second = open();
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error().message, testing::HasSubstr("Failed to acquire lock"));
}

TEST_F(MetadataDirectoryTest, an_unformatted_or_foreign_directory_is_refused) {
    auto missing = open();
    ASSERT_FALSE(missing.has_value());
    EXPECT_THAT(missing.error().message, testing::HasSubstr("kafka-storage.sh"));
    format("other", 1);
    EXPECT_THAT(open().error().message, testing::HasSubstr("Expected c, but read other"));
    format("c", 2);
    EXPECT_THAT(open().error().message, testing::HasSubstr("Stored node id 2"));
}

}  // namespace
}  // namespace moldau::server
