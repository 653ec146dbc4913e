#include "broker/coordinator_host.h"

#include <map>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "broker/group_requests.h"
#include "record/builder.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"

namespace moldau::broker {
namespace {

// Partitions of __consumer_offsets in memory.
class MemoryLog final : public CoordinatorLog {
 public:
    struct Partition {
        std::vector<Bytes> batches;
        Offset end{0};
        Offset high_watermark{0};
        std::function<void(Offset)> listener;
    };

    Result<Bounds> bounds(int32_t partition) override {
        Partition& log = partitions[partition];
        return Bounds{Offset(0), log.high_watermark, log.end};
    }
    Result<Bytes> read(int32_t partition, Offset from, int32_t bytes_max) override {
        Buffer records;
        for (const Bytes& batch : partitions[partition].batches) {
            auto view = record::BatchView::parse(batch);
            if (view->header().first_offset() >= from &&
                (records.empty() || records.size() + batch.size() <= size_t(bytes_max))) {
                records.append(batch.span());
            }
        }
        return std::move(records).freeze();
    }
    Result<Appended> append(int32_t partition, LeaderEpoch, const Bytes& batch) override {
        if (refuse) {
            return fail(*refuse, "refused by the test");
        }
        Partition& log = partitions[partition];
        add(log, batch);
        if (replicated) {
            log.high_watermark = log.end;
            if (log.listener) {
                log.listener(log.end);
            }
        }
        return Appended{log.end, replicated};
    }
    void watch(int32_t partition, std::function<void(Offset)> listener) override {
        partitions[partition].listener = std::move(listener);
    }
    int32_t batch_bytes_max() const override { return 1'000'000; }

    void add(Partition& log, const Bytes& batch) {
        auto header = record::BatchHeader::read(batch.data());
        header.base_offset = log.end.value();
        Buffer stamped;
        stamped.append(batch.span());
        header.write(stamped.data());
        log.batches.push_back(std::move(stamped).freeze());
        log.end = header.next_offset();
    }
    // Followers have caught up.
    void replicate(int32_t partition) {
        Partition& log = partitions[partition];
        log.high_watermark = log.end;
        log.listener(log.end);
    }

    std::map<int32_t, Partition> partitions;
    bool replicated = true;
    std::optional<ErrorCode> refuse;
};

class CoordinatorHostTest : public ::testing::Test {
 protected:
    static constexpr int32_t kPartitions = 3;
    static constexpr int32_t kNode = 1;

    CoordinatorHostTest() { start(); }
    ~CoordinatorHostTest() override {
        host_->stop();
        loop_.run();
    }

    void start() {
        CoordinatorHost::Settings settings;
        settings.partition_count = kPartitions;
        settings.groups.initial_rebalance_delay = milliseconds(0);
        host_ = std::make_unique<CoordinatorHost>(
            BrokerId(kNode), settings, loop_,
            [this](runtime::Task task) { offloaded_.push_back(std::move(task)); }, clock_, entropy_,
            log_);
    }
    void load() {
        loop_.run();
        for (runtime::Task& task : std::exchange(offloaded_, {})) {
            task();
        }
        loop_.run();
    }
    // The metadata log says who leads the partitions.
    void elect(int32_t leader, int32_t epoch = 0) {
        metadata::Delta delta(image_);
        if (epoch == 0) {
            protocol::TopicRecord topic;
            topic.name = "__consumer_offsets";
            topic.topic_id = Uuid{1, 1};
            ASSERT_TRUE(delta.replay(protocol::MetadataRecord(topic)).has_value());
        }
        for (int32_t index = 0; index < kPartitions; ++index) {
            if (epoch == 0) {
                protocol::PartitionRecord partition;
                partition.partition_id = index;
                partition.topic_id = Uuid{1, 1};
                partition.replicas = {1, 2};
                partition.isr = {1, 2};
                partition.leader = leader;
                ASSERT_TRUE(delta.replay(protocol::MetadataRecord(partition)).has_value());
            } else {
                protocol::PartitionChangeRecord change;
                change.partition_id = index;
                change.topic_id = Uuid{1, 1};
                change.leader = leader;
                ASSERT_TRUE(delta.replay(protocol::MetadataRecord(change)).has_value());
            }
        }
        image_ = delta.apply({});
        host_->publish(delta, image_);
        load();
    }

    protocol::OffsetCommitRequest commit_of(std::string group, int64_t offset) {
        protocol::OffsetCommitRequest request;
        request.group_id = std::move(group);
        auto& topic = request.topics.emplace_back();
        topic.name = "orders";
        topic.partitions.emplace_back().committed_offset = offset;
        return request;
    }
    std::optional<ErrorCode> commit(std::string group, int64_t offset) {
        auto result = std::make_shared<std::optional<ErrorCode>>();
        host_->commit_offsets(10, commit_of(std::move(group), offset), [result](auto response) {
            *result = error_code_from_wire(response.topics[0].partitions[0].error_code);
        });
        loop_.run();
        return *result;
    }
    std::pair<ErrorCode, int64_t> committed(std::string group) {
        coordinator::OffsetFetchGroup request;
        request.group_id = std::move(group);
        std::pair<ErrorCode, int64_t> result{ErrorCode::UnknownServerError, -2};
        host_->fetch_offsets(request, false, [&](coordinator::FetchedOffsets response) {
            result.first = error_code_from_wire(response.error_code);
            if (!response.topics.empty()) {
                result.second = response.topics[0].partitions[0].committed_offset;
            }
        });
        request.topics->emplace_back().name = "orders";
        loop_.run();
        return result;
    }
    int64_t all_committed(std::string group) {
        coordinator::OffsetFetchGroup request;
        request.group_id = std::move(group);
        request.topics.reset();
        int64_t offset = -1;
        host_->fetch_offsets(request, false, [&](coordinator::FetchedOffsets response) {
            EXPECT_EQ(response.error_code, 0);
            offset =
                response.topics.empty() ? -1 : response.topics[0].partitions[0].committed_offset;
        });
        loop_.run();
        return offset;
    }
    size_t batch_count() const {
        size_t count = 0;
        for (const auto& [index, partition] : log_->partitions) {
            count += partition.batches.size();
        }
        return count;
    }

    runtime::ManualLoop loop_;
    runtime::ManualClock clock_;
    runtime::SeededEntropy entropy_{42};
    std::shared_ptr<MemoryLog> log_ = std::make_shared<MemoryLog>();
    std::vector<runtime::Task> offloaded_;
    metadata::ImagePtr image_ = metadata::empty_image();
    std::unique_ptr<CoordinatorHost> host_;
};

TEST_F(CoordinatorHostTest, refuses_groups_of_partitions_that_it_does_not_lead) {
    EXPECT_EQ(commit("g", 1), ErrorCode::NotCoordinator);
    elect(2);
    EXPECT_EQ(commit("g", 1), ErrorCode::NotCoordinator);
    EXPECT_EQ(committed("g").first, ErrorCode::NotCoordinator);
}

TEST_F(CoordinatorHostTest, stores_offsets_in_the_partition_of_the_group) {
    elect(kNode);
    EXPECT_EQ(commit("g", 7), ErrorCode::None);
    EXPECT_EQ(all_committed("g"), 7);
    EXPECT_EQ(log_->partitions[coordinator_partition("g", kPartitions)].batches.size(), 1u);
}

TEST_F(CoordinatorHostTest, requests_that_wait_together_are_written_in_one_batch) {
    elect(kNode);
    int answered = 0;
    for (int i = 0; i < 20; ++i) {
        host_->commit_offsets(10, commit_of("g", i), [&](auto) { ++answered; });
    }
    loop_.run();
    EXPECT_EQ(answered, 20);
    EXPECT_EQ(batch_count(), 1u);
    EXPECT_EQ(all_committed("g"), 19);
}

TEST_F(CoordinatorHostTest, answers_when_the_high_watermark_covers_the_records) {
    elect(kNode);
    log_->replicated = false;
    std::optional<ErrorCode> result;
    host_->commit_offsets(10, commit_of("g", 1), [&](auto response) {
        result = error_code_from_wire(response.topics[0].partitions[0].error_code);
    });
    loop_.run();
    EXPECT_EQ(result, std::nullopt);
    log_->replicate(coordinator_partition("g", kPartitions));
    loop_.run();
    EXPECT_EQ(result, ErrorCode::None);
}

TEST_F(CoordinatorHostTest, an_answer_that_waits_too_long_is_given_up) {
    elect(kNode);
    log_->replicated = false;
    std::optional<ErrorCode> result;
    host_->commit_offsets(10, commit_of("g", 1), [&](auto response) {
        result = error_code_from_wire(response.topics[0].partitions[0].error_code);
    });
    loop_.run();
    loop_.advance(seconds(5));
    EXPECT_EQ(result, ErrorCode::CoordinatorNotAvailable);
}

TEST_F(CoordinatorHostTest, loads_what_an_earlier_leader_wrote) {
    elect(kNode);
    for (int i = 0; i < 10; ++i) {
        commit("g" + std::to_string(i), i);
    }
    start();  // a new process over the same log
    image_ = metadata::empty_image();
    elect(kNode);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(all_committed("g" + std::to_string(i)), i);
    }
}

TEST_F(CoordinatorHostTest, tells_clients_to_wait_while_it_loads) {
    elect(kNode);
    commit("g", 1);
    start();
    image_ = metadata::empty_image();
    auto& held = offloaded_;
    metadata::Delta nothing(image_);
    elect(2);
    elect(kNode, 1);
    EXPECT_EQ(all_committed("g"), 1);
    // Leadership comes back, and the disk takes its time.
    metadata::Delta delta(image_);
    for (int32_t index = 0; index < kPartitions; ++index) {
        protocol::PartitionChangeRecord change;
        change.partition_id = index;
        change.topic_id = Uuid{1, 1};
        change.leader = kNode;
        ASSERT_TRUE(delta.replay(protocol::MetadataRecord(change)).has_value());
    }
    image_ = delta.apply({});
    host_->publish(delta, image_);
    loop_.run();
    ASSERT_FALSE(held.empty());
    EXPECT_EQ(commit("g", 2), ErrorCode::CoordinatorLoadInProgress);
    std::optional<int16_t> heartbeat;
    protocol::HeartbeatRequestView beat;
    beat.group_id = "g";
    host_->heartbeat(beat, [&](auto response) { heartbeat = response.error_code; });
    loop_.run();
    EXPECT_EQ(heartbeat, 0);
    load();
    EXPECT_EQ(commit("g", 2), ErrorCode::None);
}

TEST_F(CoordinatorHostTest, a_log_that_cannot_be_read_is_not_served) {
    record::BatchBuilder builder;
    builder.append(0, std::string_view("\0\2\0\1g", 5), std::string_view("\0\x63", 2));
    auto& partition = log_->partitions[coordinator_partition("g", kPartitions)];
    log_->add(partition, builder.build());
    elect(kNode);
    EXPECT_EQ(commit("g", 1), ErrorCode::NotCoordinator);
}

TEST_F(CoordinatorHostTest, a_failed_write_is_told_and_taken_back) {
    elect(kNode);
    commit("g", 1);
    log_->refuse = ErrorCode::NotEnoughReplicas;
    EXPECT_EQ(commit("g", 2), ErrorCode::CoordinatorNotAvailable);
    log_->refuse.reset();
    EXPECT_EQ(all_committed("g"), 1);
    EXPECT_EQ(commit("g", 3), ErrorCode::None);
}

TEST_F(CoordinatorHostTest, a_strange_record_in_its_log_makes_it_load_again) {
    elect(kNode);
    commit("g", 1);
    auto& partition = log_->partitions[coordinator_partition("g", kPartitions)];
    log_->add(partition, partition.batches.front());
    EXPECT_EQ(commit("g", 2), ErrorCode::NotCoordinator);
    load();
    EXPECT_EQ(all_committed("g"), 2);
    EXPECT_EQ(commit("g", 3), ErrorCode::None);
}

TEST_F(CoordinatorHostTest, resigning_sends_parked_members_away) {
    elect(kNode);
    protocol::JoinGroupRequest join;
    join.group_id = "g";
    join.session_timeout_ms = 10000;
    join.rebalance_timeout_ms = 10000;
    join.protocol_type = "consumer";
    join.protocols.emplace_back().name = "range";
    std::optional<ErrorCode> result;
    auto on_joined = [&](auto response) { result = error_code_from_wire(response.error_code); };
    host_->join({.api_version = 3, .client_id = "c", .client_host = "/h"}, join, on_joined);
    loop_.run();
    loop_.advance(milliseconds(1));
    EXPECT_EQ(result, ErrorCode::None);
    result.reset();
    host_->join({.api_version = 3, .client_id = "c", .client_host = "/h"}, join, on_joined);
    loop_.run();
    EXPECT_EQ(result, std::nullopt);
    elect(2, 1);
    EXPECT_EQ(result, ErrorCode::NotCoordinator);
    EXPECT_EQ(commit("g", 1), ErrorCode::NotCoordinator);
}

TEST_F(CoordinatorHostTest, lists_describes_and_deletes_over_all_shards) {
    elect(kNode);
    std::vector<std::string> names;
    for (int i = 0; i < 10; ++i) {
        names.push_back("g" + std::to_string(i));
        commit(names.back(), i);
    }
    size_t listed = 0;
    host_->list({}, [&](auto response) { listed = response.groups.size(); });
    size_t described = 0;
    host_->describe(6, names, [&](auto response) {
        for (const auto& group : response.groups) {
            described += group.group_state == "Empty" ? 1 : 0;
        }
    });
    loop_.run();
    EXPECT_EQ(listed, 10u);
    EXPECT_EQ(described, 10u);
    names.push_back("nobody");
    std::map<std::string, ErrorCode> deleted;
    host_->delete_groups(names, [&](auto response) {
        for (const auto& result : response.results) {
            deleted[result.group_id] = error_code_from_wire(result.error_code);
        }
    });
    loop_.run();
    EXPECT_EQ(deleted.size(), 11u);
    EXPECT_EQ(deleted["g3"], ErrorCode::None);
    EXPECT_EQ(deleted["nobody"], ErrorCode::GroupIdNotFound);
    host_->list({}, [&](auto response) { listed = response.groups.size(); });
    loop_.run();
    EXPECT_EQ(listed, 0u);
}

TEST_F(CoordinatorHostTest, offsets_of_a_deleted_topic_are_forgotten) {
    metadata::Delta created(image_);
    protocol::TopicRecord topic;
    topic.name = "orders";
    topic.topic_id = Uuid{2, 2};
    ASSERT_TRUE(created.replay(protocol::MetadataRecord(topic)).has_value());
    image_ = created.apply({});
    host_->publish(created, image_);
    elect(kNode);
    commit("g", 1);
    metadata::Delta deleted(image_);
    protocol::RemoveTopicRecord remove;
    remove.topic_id = Uuid{2, 2};
    ASSERT_TRUE(deleted.replay(protocol::MetadataRecord(remove)).has_value());
    image_ = deleted.apply({});
    host_->publish(deleted, image_);
    loop_.run();
    EXPECT_EQ(all_committed("g"), -1);
}

TEST_F(CoordinatorHostTest, after_stop_nothing_is_served) {
    elect(kNode);
    host_->stop();
    loop_.run();
    EXPECT_EQ(commit("g", 1), ErrorCode::CoordinatorNotAvailable);
}

TEST(JavaAddress, is_written_as_java_prints_it) {
    EXPECT_EQ(java_address("127.0.0.1"), "/127.0.0.1");
    EXPECT_EQ(java_address("::1"), "/0:0:0:0:0:0:0:1");
    EXPECT_EQ(java_address("::ffff:10.0.0.7"), "/10.0.0.7");
    EXPECT_EQ(java_address("fe80::1%eth0"), "/fe80:0:0:0:0:0:0:1%eth0");
    EXPECT_EQ(java_address("2001:db8::ff00:42"), "/2001:db8:0:0:0:0:ff00:42");
}

}  // namespace
}  // namespace moldau::broker
