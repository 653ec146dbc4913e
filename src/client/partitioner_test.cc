#include "client/partitioner.h"

#include <gtest/gtest.h>

namespace moldau::client {
namespace {

// Numbers of Kafka's own Utils.murmur2 (DefaultPartitioner) for a topic of 6 partitions.
TEST(Partitioner, keys_go_where_java_sends_them) {
    EXPECT_EQ(partition_of_key("21", 1'000'000'000), (-973932308 & 0x7fffffff) % 1'000'000'000);
    EXPECT_EQ(partition_of_key("foobar", 1'000'000'000), (-790332482 & 0x7fffffff) % 1'000'000'000);
    EXPECT_EQ(partition_of_key("k1", 1), 0);
}

TEST(Partitioner, keyless_records_stick_until_a_batch_of_bytes_went_there) {
    StickyPartitioner sticky;
    std::vector<int32_t> available{0, 1, 2};
    int32_t first = sticky.next(available, 3, 1);
    EXPECT_EQ(first, 1);
    sticky.used(100, 1000);
    EXPECT_EQ(sticky.next(available, 3, 2), 1);
    sticky.used(900, 1000);
    EXPECT_EQ(sticky.next(available, 3, 2), 2);
}

TEST(Partitioner, a_partition_that_lost_its_leader_is_left) {
    StickyPartitioner sticky;
    std::vector<int32_t> both{0, 1};
    EXPECT_EQ(sticky.next(both, 2, 0), 0);
    std::vector<int32_t> only_one{1};
    EXPECT_EQ(sticky.next(only_one, 2, 0), 1);
}

TEST(Partitioner, without_any_leader_every_partition_may_be_taken) {
    StickyPartitioner sticky;
    EXPECT_EQ(sticky.next({}, 4, 7), 3);
}

}  // namespace
}  // namespace moldau::client
