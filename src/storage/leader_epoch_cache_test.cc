#include "storage/leader_epoch_cache.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "runtime/file_system.h"

namespace moldau::storage {
namespace {

class LeaderEpochCacheTest : public ::testing::Test {
 protected:
    LeaderEpochCacheTest() {
        char name[] = "/tmp/moldau_epochs_XXXXXX";
        root_ = ::mkdtemp(name);
        path_ = root_ + "/leader-epoch-checkpoint";
    }
    ~LeaderEpochCacheTest() override { (void)files_.remove_all(root_); }

    LeaderEpochCache load() { return *LeaderEpochCache::load(files_, path_); }
    static void assign(LeaderEpochCache& cache, int32_t epoch, int64_t start) {
        ASSERT_TRUE(cache.assign(LeaderEpoch(epoch), Offset(start)));
    }
    static std::string text(const LeaderEpochCache& cache) {
        std::string all;
        for (const EpochEntry& entry : cache.entries()) {
            all += fmt::format("{}@{} ", entry.epoch, entry.start_offset);
        }
        return all;
    }
    static std::string end(const LeaderEpochCache& cache, int32_t epoch) {
        auto found = cache.end_offset_for(LeaderEpoch(epoch), Offset(100));
        return found ? fmt::format("{}:{}", found->epoch, found->end_offset) : "none";
    }

    runtime::FileSystem& files_ = runtime::real_file_system();
    std::string root_;
    std::string path_;
};

TEST_F(LeaderEpochCacheTest, end_of_an_epoch_is_where_the_next_one_begins) {
    auto cache = load();
    EXPECT_EQ(end(cache, 0), "none");
    assign(cache, 2, 10);
    assign(cache, 3, 20);
    assign(cache, 6, 40);
    EXPECT_EQ(end(cache, -1), "none");
    EXPECT_EQ(end(cache, 0), "0:10");
    EXPECT_EQ(end(cache, 2), "2:20");
    EXPECT_EQ(end(cache, 3), "3:40");
    EXPECT_EQ(end(cache, 5), "3:40");
    EXPECT_EQ(end(cache, 6), "6:100");
    EXPECT_EQ(end(cache, 7), "none");
}

TEST_F(LeaderEpochCacheTest, an_assignment_removes_what_contradicts_it) {
    auto cache = load();
    assign(cache, 1, 10);
    assign(cache, 1, 15);  // goes on
    EXPECT_EQ(text(cache), "1@10 ");
    assign(cache, 2, 20);
    assign(cache, 4, 30);
    assign(cache, 3, 25);
    EXPECT_EQ(text(cache), "1@10 2@20 3@25 ");
    assign(cache, 5, 20);
    EXPECT_EQ(text(cache), "1@10 5@20 ");
    assign(cache, 0, 0);
    EXPECT_EQ(text(cache), "0@0 ");
    EXPECT_FALSE(cache.assign(LeaderEpoch(-1), Offset(0)));
}

TEST_F(LeaderEpochCacheTest, truncation_from_both_ends) {
    auto cache = load();
    assign(cache, 1, 10);
    assign(cache, 2, 20);
    assign(cache, 3, 30);
    cache.truncate_from_start(Offset(25));
    EXPECT_EQ(text(cache), "2@25 3@30 ");
    cache.truncate_from_start(Offset(25));
    EXPECT_EQ(text(cache), "2@25 3@30 ");
    cache.truncate_from_end(Offset(30));
    EXPECT_EQ(text(cache), "2@25 ");
    cache.truncate_from_start(Offset(90));
    EXPECT_EQ(text(cache), "2@90 ");
    cache.truncate_from_end(Offset(90));
    EXPECT_EQ(text(cache), "");
}

TEST_F(LeaderEpochCacheTest, the_file_follows_assignments_at_once_and_truncations_at_the_flush) {
    auto cache = load();
    assign(cache, 1, 10);
    assign(cache, 2, 20);
    EXPECT_EQ(files_.read_file(path_)->str(), "0\n2\n1 10\n2 20\n");
    cache.truncate_from_end(Offset(20));
    EXPECT_EQ(text(load()), "1@10 2@20 ");
    ASSERT_TRUE(cache.flush());
    EXPECT_EQ(text(load()), "1@10 ");
}

TEST_F(LeaderEpochCacheTest, offsets_tell_their_epoch) {
    auto cache = load();
    assign(cache, 1, 10);
    assign(cache, 4, 20);
    EXPECT_EQ(cache.epoch_for_offset(Offset(9)), std::nullopt);
    EXPECT_EQ(cache.epoch_for_offset(Offset(10)), LeaderEpoch(1));
    EXPECT_EQ(cache.epoch_for_offset(Offset(19)), LeaderEpoch(1));
    EXPECT_EQ(cache.epoch_for_offset(Offset(20)), LeaderEpoch(4));
    EXPECT_EQ(cache.previous_epoch(LeaderEpoch(4)), LeaderEpoch(1));
    EXPECT_EQ(cache.previous_epoch(LeaderEpoch(1)), std::nullopt);
}

TEST_F(LeaderEpochCacheTest, a_damaged_file_is_an_error) {
    for (std::string_view content :
         {"1\n0\n", "0\n2\n1 10\n", "0\n1\n1\n", "0\n1\nx 10\n", "0\n1\n1 10 5\n", "x\n"}) {
        ASSERT_TRUE(files_.replace_file(path_, content));
        EXPECT_FALSE(LeaderEpochCache::load(files_, path_)) << content;
    }
    ASSERT_TRUE(files_.replace_file(path_, std::string_view()));
    EXPECT_TRUE(LeaderEpochCache::load(files_, path_));
}

}  // namespace
}  // namespace moldau::storage
