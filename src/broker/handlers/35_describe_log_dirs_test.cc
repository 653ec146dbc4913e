#include "broker/handlers/35_describe_log_dirs.h"

#include <gtest/gtest.h>

namespace moldau::broker {
namespace {

storage::LogManager::DirectoryUse directory() {
    storage::LogManager::DirectoryUse use;
    use.directory = {"/logs", Uuid{1, 200}, true};
    use.total_bytes = 1000;
    use.usable_bytes = 400;
    use.log_bytes = {{{"orders", 0}, 10}, {{"payments", 0}, 20}, {{"orders", 1}, 30}};
    return use;
}

TEST(DescribeLogDirs, tells_every_partition_by_topic_and_the_room_left) {
    auto told = describe_log_dir(directory(), std::nullopt, {});
    EXPECT_EQ(told.log_dir, "/logs");
    EXPECT_EQ(told.error_code, 0);
    EXPECT_EQ(told.total_bytes, 1000);
    EXPECT_EQ(told.usable_bytes, 400);
    EXPECT_FALSE(told.is_cordoned);
    ASSERT_EQ(told.topics.size(), 2u);
    EXPECT_EQ(told.topics[0].name, "orders");
    ASSERT_EQ(told.topics[0].partitions.size(), 2u);
    EXPECT_EQ(told.topics[0].partitions[1].partition_size, 30);
}

TEST(DescribeLogDirs, tells_only_the_partitions_asked_for) {
    auto told = describe_log_dir(directory(), {{{"orders", 1}, {"nosuch", 0}}}, {});
    ASSERT_EQ(told.topics.size(), 1u);
    ASSERT_EQ(told.topics[0].partitions.size(), 1u);
    EXPECT_EQ(told.topics[0].partitions[0].partition_index, 1);
    EXPECT_TRUE(describe_log_dir(directory(), {std::set<TopicPartition>()}, {}).topics.empty());
}

TEST(DescribeLogDirs, says_which_directories_are_cordoned) {
    EXPECT_TRUE(describe_log_dir(directory(), std::nullopt, {"/other", "/logs"}).is_cordoned);
}

TEST(DescribeLogDirs, an_offline_or_failing_directory_is_only_an_error) {
    auto offline = directory();
    offline.directory.online = false;
    auto failing = directory();
    failing.error = Error{ErrorCode::KafkaStorageError, "cannot be read"};
    for (const auto& use : {offline, failing}) {
        auto told = describe_log_dir(use, std::nullopt, {});
        EXPECT_EQ(told.error_code, to_wire(ErrorCode::KafkaStorageError));
        EXPECT_EQ(told.log_dir, "/logs");
        EXPECT_TRUE(told.topics.empty());
        EXPECT_EQ(told.total_bytes, -1);
    }
}

}  // namespace
}  // namespace moldau::broker
