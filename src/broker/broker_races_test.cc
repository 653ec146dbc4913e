// A whole BrokerServer over a file system in memory, with clients on real sockets that try to hit
// the gaps between its threads: an append between a fetch's reading and its parking, a deadline
// between an append and its flush, leaderships that move under commits, a stop under everything
// that waits. The promise is always the same: each request is answered once, or its connection
// closed; nothing acknowledged is lost.
#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "broker/broker_server.h"
#include "broker/raw_client.h"
#include "broker/replica_manager.h"
#include "broker/request_queue.h"
#include "broker/socket_server.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/messages/produce.h"
#include "quorum/controller_channel.h"
#include "record/builder.h"
#include "runtime/clock.h"
#include "runtime/disk_pool.h"
#include "runtime/entropy.h"
#include "runtime/logging.h"
#include "runtime/memory_file_system.h"
#include "storage/meta_properties.h"

namespace moldau::broker {
namespace {

constexpr int32_t kNode = 1;
constexpr int32_t kElsewhere = 2;
constexpr int16_t kProduceVersion = 8;
constexpr int16_t kFetchVersion = 11;
constexpr int16_t kCommitVersion = 7;
constexpr int16_t kOffsetFetchVersion = 5;
constexpr int16_t kJoinVersion = 5;
constexpr int32_t kMany = 200;  // partitions
// Longer than any client waits: who is answered by this deadline was forgotten.
constexpr int32_t kForeverMs = 1'000'000;

// No controller answers.
class SilentController final : public quorum::ControllerChannel {
 public:
    void send(quorum::ControllerRequest, quorum::ControllerReply) override {}
};

class RunningBroker : public testing::Test {
 protected:
    explicit RunningBroker(const config::ConfigMap& extra = {}) {
        runtime::set_log_level("root", runtime::LogLevel::Off);
        EXPECT_TRUE(files_.create_directories("/logs"));
        storage::MetaProperties properties;
        properties.cluster_id = "cluster";
        properties.node_id = BrokerId(kNode);
        properties.directory_id = Uuid{1, 200};
        EXPECT_TRUE(storage::write_meta_properties(files_, "/logs", properties, 0));
        config::ConfigMap settings = {
            {"node.id", "1"}, {"log.dirs", "/logs"}, {"group.initial.rebalance.delay.ms", "0"}};
        for (const auto& [name, value] : extra) {
            settings.insert_or_assign(name, value);
        }
        auto config = config::ServerConfig::for_tests(settings);
        control_.start();
        auto opened = BrokerServer::open({.config = config,
                                          .files = &files_,
                                          .clock = &runtime::system_clock(),
                                          .entropy = &entropy_,
                                          .control_loop = &control_,
                                          .on_fatal = [](const Error&) {}});
        EXPECT_TRUE(opened) << opened.error().message;
        server_ = std::move(*opened);
        server_->set_controller(controller_);
        config::Endpoint endpoint{"PLAINTEXT", config::SecurityProtocol::Plaintext, "127.0.0.1", 0};
        auto port = sockets_.bind(endpoint, false, config, server_->sink(), server_->data_loops());
        EXPECT_TRUE(port) << port.error().message;
        port_ = *port;
        sockets_.start_accepting(false);
    }
    ~RunningBroker() override { stop(); }

    void stop() {
        sockets_.stop_accepting();
        sockets_.close_connections();
        server_->stop();
        control_.stop();
        control_.join();
    }

    // The metadata log says something; returns when it is in force.
    void publish(const std::vector<protocol::MetadataRecord>& records) {
        std::promise<void> done;
        control_.post([&] {
            metadata::Delta delta(image_);
            for (const protocol::MetadataRecord& record : records) {
                EXPECT_TRUE(delta.replay(record));
            }
            image_ = delta.apply({});
            server_->publish(delta, image_);
            done.set_value();
        });
        done.get_future().wait();
    }
    void create_topic(const std::string& name, const Uuid& id, int32_t partitions) {
        std::vector<protocol::MetadataRecord> records;
        protocol::TopicRecord topic;
        topic.name = name;
        topic.topic_id = id;
        records.emplace_back(topic);
        for (int32_t index = 0; index < partitions; ++index) {
            protocol::PartitionRecord partition;
            partition.partition_id = index;
            partition.topic_id = id;
            partition.replicas = {kNode, kElsewhere};
            partition.isr = {kNode};
            partition.leader = kNode;
            partition.leader_epoch = 0;
            partition.partition_epoch = 0;
            records.emplace_back(partition);
        }
        publish(records);
    }
    void move_leader(const Uuid& id, int32_t partition, int32_t leader) {
        protocol::PartitionChangeRecord change;
        change.topic_id = id;
        change.partition_id = partition;
        change.leader = leader;
        change.isr = std::vector<int32_t>{leader};
        publish({protocol::MetadataRecord(change)});
    }

    static protocol::ProduceRequest produce_of(int32_t partition, int16_t acks = -1,
                                               int32_t timeout_ms = kForeverMs) {
        record::BatchBuilder builder;
        builder.append(1000, std::nullopt, "value");
        protocol::ProduceRequest request;
        request.acks = acks;
        request.timeout_ms = timeout_ms;
        auto& topic = request.topic_data.emplace_back();
        topic.name = "orders";
        auto& data = topic.partition_data.emplace_back();
        data.index = partition;
        data.records = builder.build();
        return request;
    }
    static protocol::DeleteRecordsRequest deletion_of(int32_t partition) {
        protocol::DeleteRecordsRequest request;
        request.timeout_ms = kForeverMs;
        request.topics.emplace_back().name = "orders";
        request.topics[0].partitions.emplace_back().partition_index = partition;
        request.topics[0].partitions[0].offset = 0;
        return request;
    }
    // Every thread of the disk pool waits for what is returned.
    std::promise<void> occupy_disk_pool() {
        std::promise<void> released;
        std::shared_future<void> release = released.get_future().share();
        for (int i = 0; i < 64; ++i) {
            server_->broker().disk->submit([release] { release.wait(); });
        }
        return released;
    }
    static protocol::FetchRequest fetch_of(const std::vector<int64_t>& offsets) {
        protocol::FetchRequest request;
        request.max_wait_ms = kForeverMs;
        request.min_bytes = 1;
        request.max_bytes = 1 << 20;
        request.session_epoch = -1;
        auto& topic = request.topics.emplace_back();
        topic.topic = "orders";
        for (size_t i = 0; i < offsets.size(); ++i) {
            auto& partition = topic.partitions.emplace_back();
            partition.partition = static_cast<int32_t>(i);
            partition.current_leader_epoch = -1;
            partition.fetch_offset = offsets[i];
            partition.log_start_offset = -1;
            partition.partition_max_bytes = 1 << 20;
        }
        return request;
    }
    static protocol::OffsetCommitRequest commit_of(const std::string& group, int64_t offset) {
        protocol::OffsetCommitRequest request;
        request.group_id = group;
        auto& topic = request.topics.emplace_back();
        topic.name = "orders";
        topic.partitions.emplace_back().committed_offset = offset;
        return request;
    }
    static protocol::OffsetFetchRequest committed_of(const std::string& group) {
        protocol::OffsetFetchRequest request;
        request.group_id = group;
        auto& topic = request.topics->emplace_back();
        topic.name = "orders";
        topic.partition_indexes = {0};
        return request;
    }

    static constexpr Uuid kOrders{11, 22};
    static constexpr Uuid kOffsets{33, 44};

    runtime::MemoryFileSystem files_;
    runtime::SeededEntropy entropy_{42};
    runtime::LoopThread control_{"control"};
    SilentController controller_;
    std::unique_ptr<BrokerServer> server_;
    SocketServer sockets_{ConnectionLimits{}};
    uint16_t port_ = 0;
    metadata::ImagePtr image_ = metadata::empty_image();  // control loop
};

// A fetch reads all its partitions before it parks at the first, so with many the gap is wide. The
// producer sends the next record to the first only when the consumer has the one before: one that
// slips in between would leave the fetch parked for good.
TEST_F(RunningBroker, an_append_between_reading_and_parking_is_not_missed) {
    create_topic("orders", kOrders, kMany);
    constexpr int kRounds = 1000;
    std::atomic<int64_t> consumed{0};
    std::atomic<bool> stuck{false};
    std::thread producer([&] {
        RawClient client(port_);
        for (int64_t i = 0; i < kRounds && !stuck; ++i) {
            while (consumed < i && !stuck) {
                std::this_thread::yield();
            }
            auto answer = client.ask<protocol::ProduceResponse>(produce_of(0), kProduceVersion);
            ASSERT_TRUE(answer);
            ASSERT_EQ(answer->responses[0].partition_responses[0].error_code, 0);
        }
    });
    RawClient client(port_);
    while (consumed < kRounds) {
        std::vector<int64_t> offsets(kMany, 0);
        offsets[0] = consumed;
        auto answer = client.ask<protocol::FetchResponse>(fetch_of(offsets), kFetchVersion);
        if (!answer) {
            stuck = true;
            ADD_FAILURE() << "the fetch of offset " << consumed << " was forgotten";
            break;
        }
        if (!answer->responses[0].partitions[0].records->empty()) {
            ++consumed;
        }
    }
    producer.join();
}

// A fetch is fired by the first partition while it is still leaving waiters at the others, and
// finds at the last that it has missed something there.
TEST_F(RunningBroker, a_fetch_that_fires_while_it_parks_at_other_partitions_is_answered) {
    constexpr int64_t kRecords = 1000;  // of either end
    create_topic("orders", kOrders, kMany);
    std::atomic<bool> stuck{false};
    std::vector<std::thread> producers;
    for (int32_t partition : {0, kMany - 1}) {
        producers.emplace_back([&, partition] {
            RawClient client(port_);
            for (int64_t i = 0; i < kRecords && !stuck; ++i) {
                ASSERT_TRUE(
                    client.ask<protocol::ProduceResponse>(produce_of(partition), kProduceVersion));
            }
        });
    }
    RawClient client(port_);
    std::vector<int64_t> offsets(kMany, 0);
    int64_t consumed = 0;
    while (consumed < 2 * kRecords) {
        auto answer = client.ask<protocol::FetchResponse>(fetch_of(offsets), kFetchVersion);
        if (!answer) {
            stuck = true;
            ADD_FAILURE() << "a fetch was forgotten after " << consumed << " records";
            break;
        }
        for (const auto& partition : answer->responses[0].partitions) {
            int64_t before = offsets[static_cast<size_t>(partition.partition_index)];
            int64_t after = before;
            record::BatchIterator batches(*partition.records);
            while (auto batch = batches.next().value_or(std::nullopt)) {
                after = batch->header().next_offset().value();
            }
            offsets[static_cast<size_t>(partition.partition_index)] = after;
            consumed += after - before;
        }
    }
    for (std::thread& producer : producers) {
        producer.join();
    }
}

// What one turn of the loop brings is appended at its end: too late for a request that was sent
// right behind and asks for it.
TEST_F(RunningBroker, a_request_behind_others_sees_what_they_appended) {
    create_topic("orders", kOrders, 1);
    RawClient client(port_);
    constexpr int kProduced = 5;
    std::string frames;
    for (int i = 0; i < kProduced; ++i) {
        frames += frame_of(produce_of(0, 1), kProduceVersion, i).str();
    }
    protocol::OffsetForLeaderEpochRequest end;
    end.replica_id = -1;
    end.topics.emplace_back().topic = "orders";
    end.topics[0].partitions.emplace_back().current_leader_epoch = -1;
    frames += frame_of(end, 3, kProduced).str();
    ASSERT_TRUE(client.send(Bytes::copy_of(frames)));
    for (int i = 0; i < kProduced; ++i) {
        auto answer = client.answer<protocol::ProduceResponse>(kProduceVersion);
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->responses[0].partition_responses[0].base_offset, i);
    }
    auto answer = client.answer<protocol::OffsetForLeaderEpochResponse>(3);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->topics[0].partitions[0].end_offset, kProduced);
}

// Clients leave with fetches parked, while appends fire the very same waiters.
TEST_F(RunningBroker, clients_that_leave_while_their_fetch_is_fired_leave_nothing_behind) {
    create_topic("orders", kOrders, 1);
    std::atomic<bool> done{false};
    std::thread producer([&] {
        RawClient client(port_);
        while (!done) {
            ASSERT_TRUE(client.ask<protocol::ProduceResponse>(produce_of(0, 1), kProduceVersion));
        }
    });
    RawClient reader(port_);
    for (int64_t i = 0; i < 500; ++i) {
        RawClient leaving(port_);
        // The end of the log, or so: parked, fired or refused, as it comes.
        auto at = reader.ask<protocol::FetchResponse>(fetch_of({0}), kFetchVersion);
        ASSERT_TRUE(at);
        int64_t end = at->responses[0].partitions[0].high_watermark;
        leaving.send(frame_of(fetch_of({end}), kFetchVersion, 1).span());
        if (i % 2 == 0) {
            leaving.reset();
        }
    }
    done = true;
    producer.join();
    stop();
    EXPECT_EQ(sockets_.connection_count(), 0u);
}

// The first of them finds the log closed and goes to the disk pool; the others must not overtake
// it.
TEST_F(RunningBroker, produces_of_one_connection_keep_their_order_while_the_log_opens) {
    constexpr int32_t kRequests = 50;
    create_topic("orders", kOrders, 1);  // as if it were there at start: not open yet
    RawClient client(port_);
    Buffer all;
    for (int32_t i = 0; i < kRequests; ++i) {
        protocol::ProduceRequest request = produce_of(0);
        record::BatchBuilder builder;
        builder.append(1000, std::nullopt, std::to_string(i));
        request.topic_data[0].partition_data[0].records = builder.build();
        all.append(frame_of(request, kProduceVersion, i).span());
    }
    ASSERT_TRUE(client.send(all.span()));
    for (int32_t i = 0; i < kRequests; ++i) {
        ASSERT_EQ(client.next_answer(), i);
    }
    auto fetched = client.ask<protocol::FetchResponse>(fetch_of({0}), kFetchVersion);
    ASSERT_TRUE(fetched);
    record::BatchIterator batches(*fetched->responses[0].partitions[0].records);
    int32_t next = 0;
    while (auto batch = batches.next().value_or(std::nullopt)) {
        Bytes payload = *batch->uncompressed_payload();
        record::RecordReader reader(batch->header(), payload);
        ASSERT_TRUE(reader.next());
        EXPECT_EQ(reader.record().value, std::to_string(next++));
    }
    EXPECT_EQ(next, kRequests);
}

// It was asked to open, again and again.
TEST_F(RunningBroker, a_log_that_cannot_be_opened_is_told_to_who_asks) {
    ASSERT_TRUE(files_.open("/logs/orders-0", runtime::OpenMode::Create));
    create_topic("orders", kOrders, 1);
    RawClient client(port_);
    auto produced = client.ask<protocol::ProduceResponse>(produce_of(0), kProduceVersion);
    ASSERT_TRUE(produced);
    EXPECT_EQ(produced->responses[0].partition_responses[0].error_code,
              to_wire(ErrorCode::KafkaStorageError));
    auto fetched = client.ask<protocol::FetchResponse>(fetch_of({0}), kFetchVersion);
    ASSERT_TRUE(fetched);
    EXPECT_EQ(fetched->responses[0].partitions[0].error_code,
              to_wire(ErrorCode::KafkaStorageError));
}

// While every thread of the disk pool is busy, the loop passes such requests on and serves the
// next, which shows in the log of another partition; theirs is still closed.
TEST_F(RunningBroker, no_loop_opens_a_log_for_requests_that_come_seldom) {
    constexpr int32_t kBefore = 4;
    create_topic("orders", kOrders, 2);
    RawClient client(port_);
    ASSERT_TRUE(client.ask<protocol::ProduceResponse>(produce_of(1), kProduceVersion));
    std::promise<void> released = occupy_disk_pool();
    protocol::OffsetForLeaderEpochRequest epochs;
    epochs.replica_id = -1;
    epochs.topics.emplace_back().topic = "orders";
    epochs.topics[0].partitions.emplace_back().current_leader_epoch = -1;
    protocol::DescribeProducersRequest producers;
    producers.topics.emplace_back().name = "orders";
    producers.topics[0].partition_indexes = {0};
    Buffer all;
    all.append(frame_of(deletion_of(0), 1, kBefore + 0).span());
    all.append(frame_of(epochs, 3, kBefore + 1).span());
    all.append(frame_of(producers, 0, kBefore + 2, true).span());
    all.append(frame_of(produce_of(1, 1), kProduceVersion, kBefore + 3).span());
    ASSERT_TRUE(client.send(all.span()));
    auto partition = [&](int32_t index) {
        return server_->broker().replicas->find("orders", index);
    };
    while (partition(1)->offsets(std::nullopt)->log_end_offset < Offset(2)) {
        std::this_thread::yield();
    }
    EXPECT_FALSE(partition(0)->is_open());
    released.set_value();
    for (int32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(client.next_answer(), kBefore + i);
    }
    EXPECT_TRUE(partition(0)->is_open());
}

class BusyBroker : public RunningBroker {
 protected:
    BusyBroker() : RunningBroker({{"queued.max.requests", "2"}}) {}
};

TEST_F(BusyBroker, requests_beyond_the_queue_wait_in_order_and_are_answered) {
    constexpr int32_t kRequests = 20;
    create_topic("orders", kOrders, 1);
    std::promise<void> released = occupy_disk_pool();
    RawClient client(port_);
    Buffer all;
    for (int32_t i = 0; i < kRequests; ++i) {
        all.append(frame_of(deletion_of(0), 1, i).span());
    }
    ASSERT_TRUE(client.send(all.span()));
    while (!server_->sink().is_full()) {
        std::this_thread::yield();
    }
    // Others are served meanwhile, one request at a time.
    RawClient other(port_);
    ASSERT_TRUE(other.ask<protocol::FetchResponse>(fetch_of({}), kFetchVersion));
    EXPECT_EQ(server_->broker().request_queue->length(), 2);
    released.set_value();
    for (int32_t i = 0; i < kRequests; ++i) {
        EXPECT_EQ(client.next_answer(), i);
    }
}

// Each append waits for a sync of its segment.
class FlushingBroker : public RunningBroker {
 protected:
    FlushingBroker()
        : RunningBroker({{"log.flush.interval.messages", "1"}, {"moldau.ack", "memory"}}) {
        server_->broker().device_wait_min = Duration(0);
    }
};

// 1. A produce waits for its flush. 2. Its deadline answers it. 3. The flush ends and tells it.
TEST_F(FlushingBroker, a_flush_that_ends_after_the_deadline_finds_the_produce_answered) {
    create_topic("orders", kOrders, 1);
    RawClient client(port_);
    // The first produce opens the log, on the disk pool.
    ASSERT_TRUE(client.ask<protocol::ProduceResponse>(produce_of(0), kProduceVersion));
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    for (int i = 0; i < 8; ++i) {  // every thread of the disk pool
        server_->broker().disk->submit([released] { released.wait(); });
    }
    for (int16_t acks : {int16_t{1}, int16_t{-1}}) {
        auto late = client.ask<protocol::ProduceResponse>(produce_of(0, acks, 1), kProduceVersion);
        ASSERT_TRUE(late);
        EXPECT_EQ(late->responses[0].partition_responses[0].error_code,
                  to_wire(ErrorCode::RequestTimedOut));
    }
    release.set_value();
    auto next = client.ask<protocol::ProduceResponse>(produce_of(0), kProduceVersion);
    ASSERT_TRUE(next);
    EXPECT_EQ(next->responses[0].partition_responses[0].error_code, 0);
    EXPECT_EQ(next->responses[0].partition_responses[0].base_offset, 3);
}

// Kafka's limit does not count the leader's own write: a produce without time to wait was refused
// with RequestTimedOut although its records were there.
TEST_F(FlushingBroker, a_produce_without_time_to_wait_is_told_of_its_own_write) {
    create_topic("orders", kOrders, 1);
    server_->broker().device_wait_min = std::chrono::hours(1);
    RawClient client(port_);
    for (int16_t acks : {int16_t{1}, int16_t{-1}}) {
        auto told = client.ask<protocol::ProduceResponse>(produce_of(0, acks, 0), kProduceVersion);
        ASSERT_TRUE(told);
        EXPECT_EQ(told->responses[0].partition_responses[0].error_code, 0);
    }
}

// Deadlines of a millisecond against flushes that take about as long: every produce is answered
// once and in its turn, whoever comes first.
TEST_F(FlushingBroker, deadlines_and_flushes_race_to_one_answer) {
    create_topic("orders", kOrders, 1);
    constexpr int kRounds = 300;
    std::vector<std::thread> clients;
    for (int c = 0; c < 3; ++c) {
        clients.emplace_back([&, c] {
            RawClient client(port_);
            constexpr int32_t kAtOnce = 5;
            for (int round = 0; round < kRounds; ++round) {
                for (int32_t i = 0; i < kAtOnce; ++i) {
                    auto acks = static_cast<int16_t>((round + i) % 2 == 0 ? 1 : -1);
                    auto request = produce_of(0, acks, (round + c) % 3);
                    ASSERT_TRUE(client.send(frame_of(request, kProduceVersion, i).span()));
                }
                for (int32_t i = 0; i < kAtOnce; ++i) {
                    ASSERT_EQ(client.next_answer(), i) << "round " << round;
                }
            }
        });
    }
    for (std::thread& client : clients) {
        client.join();
    }
}

// The coordinator comes and goes under commits: what was acknowledged is there when it is back.
TEST_F(RunningBroker, commits_acknowledged_before_a_hand_over_are_there_after_it) {
    create_topic("orders", kOrders, 1);
    create_topic("__consumer_offsets", kOffsets, 1);
    std::atomic<bool> done{false};
    std::vector<std::thread> clients;
    std::atomic<int> acknowledged_in_all{0};
    for (int c = 0; c < 3; ++c) {
        clients.emplace_back([&, c] {
            RawClient client(port_);
            std::string group = fmt::format("group-{}", c);
            int64_t acknowledged = -1;
            for (int64_t offset = 0; !done; ++offset) {
                auto committed = client.ask<protocol::OffsetCommitResponse>(
                    commit_of(group, offset), kCommitVersion);
                ASSERT_TRUE(committed) << "a commit was forgotten";
                if (committed->topics[0].partitions[0].error_code == 0) {
                    acknowledged = offset;
                    ++acknowledged_in_all;
                }
                auto found = client.ask<protocol::OffsetFetchResponse>(committed_of(group),
                                                                       kOffsetFetchVersion);
                ASSERT_TRUE(found) << "a look at the offsets was forgotten";
                if (found->error_code == 0) {
                    ASSERT_GE(found->topics[0].partitions[0].committed_offset, acknowledged);
                }
            }
        });
    }
    for (int i = 0; i < 200; ++i) {
        move_leader(kOffsets, 0, i % 2 == 0 ? kElsewhere : kNode);
        if (i % 2 == 1) {
            // Until the coordinator works again, so that there is something to hand over.
            int before = acknowledged_in_all;
            for (int turn = 0; turn < 10'000 && acknowledged_in_all == before; ++turn) {
                std::this_thread::yield();
            }
        }
    }
    done = true;
    for (std::thread& client : clients) {
        client.join();
    }
    EXPECT_GT(acknowledged_in_all, 0);
}

// Everything that can wait waits, in good number, while requests still come in; then the broker
// stops. It must end, and every connection with it.
TEST_F(FlushingBroker, a_stop_ends_everything_that_waits) {
    create_topic("orders", kOrders, 2);
    create_topic("__consumer_offsets", kOffsets, 1);
    std::vector<std::unique_ptr<RawClient>> parked;
    for (int i = 0; i < 20; ++i) {
        auto& client = *parked.emplace_back(std::make_unique<RawClient>(port_));
        if (i % 2 == 0) {
            // Both ends of the log: nobody writes to partition 1, so it waits at both.
            auto fetch = fetch_of({0, 0});
            fetch.topics[0].partitions.erase(fetch.topics[0].partitions.begin());
            client.send(frame_of(fetch, kFetchVersion, i).span());
        } else {
            // Members that wait for one another: the first round ends when all have come.
            protocol::JoinGroupRequest join;
            join.group_id = fmt::format("group-{}", i % 3);
            join.session_timeout_ms = 30'000;
            join.rebalance_timeout_ms = kForeverMs;
            join.protocol_type = "consumer";
            join.protocols.emplace_back().name = "range";
            client.send(frame_of(join, kJoinVersion, i).span());
        }
    }
    std::atomic<int> answered{0};
    std::vector<std::thread> busy;
    for (int c = 0; c < 3; ++c) {
        busy.emplace_back([&, c] {
            RawClient client(port_);
            for (int64_t i = 0;; ++i) {
                bool alive =
                    c == 0 ? client
                                 .ask<protocol::OffsetCommitResponse>(commit_of("busy", i),
                                                                      kCommitVersion)
                                 .has_value()
                           : client.ask<protocol::ProduceResponse>(produce_of(0), kProduceVersion)
                                 .has_value();
                if (!alive) {
                    return;  // the broker went away
                }
                ++answered;
            }
        });
    }
    while (answered < 300) {
        std::this_thread::yield();
    }
    stop();
    for (std::thread& client : busy) {
        client.join();
    }
    for (auto& client : parked) {
        while (client->next_answer() >= 0) {  // what came before the end
        }
    }
    EXPECT_EQ(sockets_.connection_count(), 0u);
}

// The quorum runs on while the broker is taken apart, and may commit more.
TEST_F(RunningBroker, metadata_committed_after_the_stop_finds_nobody_to_tell) {
    create_topic("__consumer_offsets", kOffsets, 1);
    server_->stop();
    move_leader(kOffsets, 0, kElsewhere);
    create_topic("orders", kOrders, 1);
}

}  // namespace
}  // namespace moldau::broker
