#include "broker/coordinator_log.h"

#include "broker/partition_fixture.h"
#include "broker/replica_manager.h"

namespace moldau::broker {
namespace {

class CoordinatorLogTest : public PartitionFixture {
 protected:
    CoordinatorLogTest() {
        protocol::TopicRecord topic;
        topic.name = "__consumer_offsets";
        topic.topic_id = kTopic;
        protocol::PartitionRecord partition;
        partition.partition_id = 0;
        partition.topic_id = kTopic;
        partition.replicas = {kLocal.value()};
        partition.isr = {kLocal.value()};
        partition.leader = kLocal.value();
        partition.leader_epoch = 5;
        metadata::Delta delta(image_);
        EXPECT_TRUE(delta.replay(protocol::MetadataRecord(topic)));
        EXPECT_TRUE(delta.replay(protocol::MetadataRecord(partition)));
        image_ = delta.apply({});
        replicas_.apply(delta, *image_);
    }
    ~CoordinatorLogTest() override { disk_.stop(); }

    metadata::ImagePtr image_ = metadata::empty_image();
    ReplicaManager replicas_{context_};
    PartitionLog log_{replicas_, "__consumer_offsets", [] { return 1 << 20; }};
};

// The epoch was compared first and the batch appended afterwards, under another lock: a coordinator
// whose leadership had moved between the two wrote under the new epoch what its successor, who had
// read the log by then, did not know of. And the partition's own words for a wrong epoch are for
// readers: clients of a coordinator would not look for it elsewhere.
TEST_F(CoordinatorLogTest, a_coordinator_of_another_epoch_writes_nothing) {
    EXPECT_EQ(log_.append(0, LeaderEpoch(4), batch_of("old")).error().code,
              ErrorCode::NotLeaderOrFollower);
    EXPECT_EQ(log_.append(0, LeaderEpoch(6), batch_of("ahead")).error().code,
              ErrorCode::NotLeaderOrFollower);
    EXPECT_EQ(log_.bounds(0)->end, Offset(0));
    auto appended = log_.append(0, LeaderEpoch(5), batch_of("ours"));
    ASSERT_TRUE(appended) << appended.error().message;
    EXPECT_EQ(appended->end, Offset(1));
    EXPECT_TRUE(appended->committed);
}

TEST_F(CoordinatorLogTest, a_partition_that_is_not_here_has_no_leader) {
    EXPECT_EQ(log_.append(1, LeaderEpoch(5), batch_of("lost")).error().code,
              ErrorCode::NotLeaderOrFollower);
    EXPECT_EQ(log_.bounds(1).error().code, ErrorCode::NotLeaderOrFollower);
}

}  // namespace
}  // namespace moldau::broker
