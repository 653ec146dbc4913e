#include "quorum/metadata_log.h"

#include <gtest/gtest.h>

#include "runtime/logging.h"
#include "runtime/memory_file_system.h"

namespace moldau::quorum {
namespace {

consensus::LogEntry leader_change(int64_t offset) {
    auto control = std::make_shared<consensus::ControlRecords>();
    control->leader_change = consensus::ControlRecords::LeaderChange{BrokerId(1), {}, {}};
    return {Offset(offset), Offset(offset + 1), LeaderEpoch(1), Bytes(), std::move(control)};
}

// 1. A follower writes a batch and is killed before the sync; the batch stays in the page cache.
// 2. It comes back, finds the batch, and its first Fetch acknowledges it: the leader commits.
// 3. The power fails. Without a sync in between the committed batch is gone.
TEST(MetadataLog, what_is_found_when_opened_is_durable_before_anybody_hears_of_it) {
    runtime::set_log_level("root", runtime::LogLevel::Off);
    runtime::MemoryFileSystem disk;
    ASSERT_TRUE(disk.create_directories("/data/__cluster_metadata-0"));  // as formatted
    ASSERT_TRUE(disk.sync_directory("/"));
    ASSERT_TRUE(disk.sync_directory("/data"));
    MetadataLogOptions options;
    options.metadata_log_dir = "/data";
    {
        auto log = MetadataLog::open(options, disk, 1000);
        ASSERT_TRUE(log) << log.error().message;
        ASSERT_TRUE((*log)->append({leader_change(0)}, LeaderEpoch(1), 1000));
        ASSERT_TRUE((*log)->sync());
        ASSERT_TRUE((*log)->append({leader_change(1)}, LeaderEpoch(1), 1000));
    }
    {
        auto log = MetadataLog::open(options, disk, 2000);
        ASSERT_TRUE(log) << log.error().message;
        ASSERT_EQ((*log)->take_index().end_offset(), Offset(2));
    }
    disk.crash_losing_all();
    auto log = MetadataLog::open(options, disk, 3000);
    ASSERT_TRUE(log) << log.error().message;
    EXPECT_EQ((*log)->take_index().end_offset(), Offset(2));
}

}  // namespace
}  // namespace moldau::quorum
