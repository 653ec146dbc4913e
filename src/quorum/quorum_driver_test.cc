#include "quorum/quorum_driver.h"

#include <gtest/gtest.h>

#include "quorum/snapshot_file.h"
#include "runtime/clock.h"
#include "runtime/event_loop.h"
#include "runtime/logging.h"
#include "runtime/memory_file_system.h"

namespace moldau::quorum {
namespace {

metadata::VersionedRecord topic(int number) {
    protocol::TopicRecord record;
    record.name = fmt::format("topic-{}", number);
    record.topic_id = Uuid{1, static_cast<uint64_t>(number)};
    return {record, 0};
}

// Remembers what it hears.
class Witness final : public RaftListener {
 public:
    void on_commit(const CommittedBatch& batch) override {
        EXPECT_EQ(batch.base_offset, next) << "batches arrive in order, each once";
        next = batch.last_offset + 1;
        add(batch);
    }
    void on_load_snapshot(SnapshotReader& snapshot) override {
        names.clear();
        ++snapshots;
        while (true) {
            auto batch = snapshot.next();
            ASSERT_TRUE(batch);
            if (!*batch) {
                break;
            }
            add(**batch);
        }
        next = snapshot.id().offset;
    }
    void on_leader_change(const consensus::LeaderAndEpoch& change) override {
        leader = change;
        next_when_leading = next;
    }
    void on_fault(const Error& error) override { fault = error; }

    std::vector<std::string> names;
    Offset next{0};
    Offset next_when_leading{0};
    int snapshots = 0;
    consensus::LeaderAndEpoch leader;
    std::optional<Error> fault;

 private:
    void add(const CommittedBatch& batch) {
        for (const metadata::VersionedRecord& record : batch.records) {
            names.push_back(std::get<protocol::TopicRecord>(record.record).name);
        }
    }
};

class QuorumDriverTest : public testing::Test {
 protected:
    QuorumDriverTest() {
        runtime::set_log_level("root", runtime::LogLevel::Off);  // faults are expected here
        options.node_id = BrokerId(1);
        options.directory_id = Uuid{0, 77};
        options.cluster_id = "cluster";
        options.metadata_log_dir = "/data";
        options.endpoints = {{"CONTROLLER", "localhost", 9093}};
        options.static_voters = {self(false)};
        EXPECT_TRUE(disk->create_directories("/data"));
        EXPECT_TRUE(disk->sync_directory("/"));
    }

    consensus::Voter self(bool with_directory) const {
        return {{BrokerId(1), with_directory ? Uuid{0, 77} : Uuid()}, options.endpoints, 0, 1};
    }

    // What `kafka-storage format --standalone` leaves.
    void format_dynamic() {
        options.static_voters.clear();
        ASSERT_TRUE(disk->create_directories("/data/__cluster_metadata-0"));
        SnapshotFileOptions snapshot;
        snapshot.dir = "/data/__cluster_metadata-0";
        snapshot.name = snapshot_file_name(consensus::kBootstrapSnapshotId);
        snapshot.kraft_version = 1;
        snapshot.voters = consensus::VoterSet({self(true)});
        auto writer = SnapshotFileWriter::create(*disk, snapshot);
        ASSERT_TRUE(writer);
        ASSERT_TRUE((*writer)->freeze());
        ASSERT_TRUE(disk->sync_directory("/data"));
    }

    // False when the directory could not be opened.
    bool start() {
        auto opened = QuorumDriver::open(options, *disk, loop, clock);
        if (!opened) {
            open_error = opened.error();
            return false;
        }
        driver = std::move(*opened);
        witness = Witness();
        driver->register_listener(&witness);
        driver->start();
        loop.run();
        return true;
    }

    bool append(std::vector<metadata::VersionedRecord> records) {
        auto last = driver->prepare_append(driver->leader_and_epoch().epoch, std::move(records));
        if (last) {
            driver->schedule_append();
        }
        return last.has_value();
    }

    void stop() {
        ASSERT_TRUE(driver->shutdown());
        driver.reset();
    }

    bool snapshot_now(const std::vector<metadata::VersionedRecord>& records) {
        auto writer = driver->create_snapshot({witness.next, driver->leader_and_epoch().epoch},
                                              clock.wall_ms());
        return writer && *writer && (*writer)->append(records) && (*writer)->freeze();
    }

    std::unique_ptr<runtime::MemoryFileSystem> disk = std::make_unique<runtime::MemoryFileSystem>();
    runtime::ManualLoop loop;
    runtime::ManualClock clock;
    QuorumOptions options;
    Witness witness;
    std::unique_ptr<QuorumDriver> driver;
    std::optional<Error> open_error;
};

TEST_F(QuorumDriverTest, lone_static_voter_leads_at_once) {
    ASSERT_TRUE(start());
    EXPECT_EQ(driver->leader_and_epoch(), (consensus::LeaderAndEpoch{BrokerId(1), LeaderEpoch(1)}));
    EXPECT_EQ(driver->high_watermark(), Offset(1));
    EXPECT_EQ(driver->kraft_version(), 0);
    EXPECT_TRUE(witness.leader.is_leader(BrokerId(1)));
    EXPECT_EQ(witness.next_when_leading, Offset(1)) << "told after its first batch";
}

TEST_F(QuorumDriverTest, lone_dynamic_voter_moves_its_voters_into_the_log) {
    format_dynamic();
    ASSERT_TRUE(start());
    EXPECT_EQ(driver->kraft_version(), 1);
    EXPECT_EQ(driver->log_end_offset(), Offset(3));
    EXPECT_EQ(driver->voters(), consensus::VoterSet({self(true)}));
    stop();
    ASSERT_TRUE(start());
    EXPECT_EQ(driver->log_end_offset(), Offset(4)) << "only the leader change is new";
    EXPECT_EQ(driver->leader_and_epoch().epoch, LeaderEpoch(2));
}

TEST_F(QuorumDriverTest, blank_dynamic_node_waits) {
    options.static_voters.clear();
    ASSERT_TRUE(start());
    loop.advance(seconds(10));
    EXPECT_FALSE(driver->leader_and_epoch().leader);
    EXPECT_FALSE(append({topic(1)}));
}

TEST_F(QuorumDriverTest, appends_commit_and_come_back_after_a_restart) {
    ASSERT_TRUE(start());
    auto last = driver->prepare_append(LeaderEpoch(1), {topic(1), topic(2)});
    ASSERT_TRUE(last);
    EXPECT_EQ(*last, Offset(2));
    EXPECT_EQ(*driver->prepare_append(LeaderEpoch(1), {topic(3)}), Offset(3));
    loop.run();
    EXPECT_EQ(driver->log_end_offset(), Offset(1)) << "nothing is written before schedule_append()";
    driver->schedule_append();
    EXPECT_TRUE(witness.names.empty()) << "commits never come from inside the call";
    loop.run();
    std::vector<std::string> expected{"topic-1", "topic-2", "topic-3"};
    EXPECT_EQ(witness.names, expected);
    EXPECT_EQ(driver->high_watermark(), Offset(4));

    stop();
    ASSERT_TRUE(start());
    EXPECT_EQ(witness.names, expected);
    EXPECT_EQ(witness.leader.epoch, LeaderEpoch(2));
}

TEST_F(QuorumDriverTest, append_names_its_epoch) {
    ASSERT_TRUE(start());
    EXPECT_EQ(driver->prepare_append(LeaderEpoch(2), {topic(1)}).error().code,
              ErrorCode::NotLeaderOrFollower);
    EXPECT_EQ(driver->prepare_append(LeaderEpoch(1), {}).error().code,
              ErrorCode::RecordListTooLarge);
    std::vector<metadata::VersionedRecord> many(QuorumDriver::kRecordsPerAppendMax + 1, topic(1));
    EXPECT_EQ(driver->prepare_append(LeaderEpoch(1), many).error().code,
              ErrorCode::RecordListTooLarge);
    options.batch_bytes_max = 100;
}

TEST_F(QuorumDriverTest, resigned_leader_leads_again_in_a_later_epoch) {
    ASSERT_TRUE(start());
    driver->resign(LeaderEpoch(1));
    loop.run();
    EXPECT_FALSE(append({topic(1)}));
    EXPECT_FALSE(witness.leader.leader);
    loop.advance(seconds(5));
    loop.run();
    EXPECT_TRUE(witness.leader.is_leader(BrokerId(1)));
    EXPECT_GT(witness.leader.epoch, LeaderEpoch(1));
    EXPECT_TRUE(append({topic(1)}));
}

TEST_F(QuorumDriverTest, late_listener_hears_everything) {
    ASSERT_TRUE(start());
    ASSERT_TRUE(append({topic(1)}));
    loop.run();
    Witness late;
    driver->register_listener(&late);
    loop.run();
    EXPECT_EQ(late.names, witness.names);
    EXPECT_EQ(late.leader, witness.leader);
    driver->unregister_listener(&late);
}

TEST_F(QuorumDriverTest, snapshot_replaces_what_precedes_it_for_new_listeners) {
    format_dynamic();
    ASSERT_TRUE(start());
    ASSERT_TRUE(append({topic(1), topic(2)}));
    loop.run();
    ASSERT_TRUE(snapshot_now({topic(2)}));
    EXPECT_EQ(driver->latest_snapshot_id()->offset, Offset(5));
    ASSERT_TRUE(append({topic(3)}));
    loop.run();
    stop();
    ASSERT_TRUE(start());
    EXPECT_EQ(witness.snapshots, 1);
    EXPECT_EQ(witness.names, (std::vector<std::string>{"topic-2", "topic-3"}));
    EXPECT_EQ(driver->kraft_version(), 1);
    EXPECT_EQ(driver->voters(), consensus::VoterSet({self(true)}));
}

TEST_F(QuorumDriverTest, snapshot_ids_are_checked) {
    ASSERT_TRUE(start());
    ASSERT_TRUE(append({topic(1), topic(2)}));
    loop.run();
    auto code = [&](int64_t offset, int32_t epoch) {
        auto writer = driver->create_snapshot({Offset(offset), LeaderEpoch(epoch)}, 0);
        return writer ? ErrorCode::None : writer.error().code;
    };
    EXPECT_EQ(code(2, 1), ErrorCode::InvalidRequest) << "inside a batch";
    EXPECT_EQ(code(4, 1), ErrorCode::InvalidRequest) << "not committed";
    EXPECT_EQ(code(3, 2), ErrorCode::InvalidRequest) << "another epoch";
    EXPECT_EQ(code(1, 1), ErrorCode::None);
    ASSERT_TRUE(snapshot_now({topic(1)}));
    auto again = driver->create_snapshot(*driver->latest_snapshot_id(), 0);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, nullptr) << "it exists";
}

TEST_F(QuorumDriverTest, retention_keeps_the_latest_snapshot_and_what_follows) {
    options.retention_bytes = 1;
    options.segment_bytes = 300;
    format_dynamic();
    ASSERT_TRUE(start());
    std::vector<metadata::VersionedRecord> all;
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < 5; ++i) {
            all.push_back(topic(round * 5 + i));
            ASSERT_TRUE(append({all.back()}));
            loop.run();
        }
        ASSERT_TRUE(snapshot_now(all));
    }
    EXPECT_EQ(driver->log_start_offset(), driver->latest_snapshot_id()->offset);
    ASSERT_TRUE(append({topic(99)}));
    all.push_back(topic(99));
    loop.run();
    clock.advance(seconds(120));
    loop.advance(seconds(120));
    int checkpoints = 0;
    const auto entries = *disk->list("/data/__cluster_metadata-0");
    for (const auto& entry : entries) {
        checkpoints += entry.name.ends_with(".checkpoint") ? 1 : 0;
    }
    EXPECT_EQ(checkpoints, 1);
    stop();
    ASSERT_TRUE(start());
    EXPECT_EQ(witness.names.size(), all.size());
    EXPECT_EQ(witness.names.back(), "topic-99");
}

TEST_F(QuorumDriverTest, refused_sync_stops_the_node) {
    ASSERT_TRUE(start());
    disk->fail_syncs(true);
    ASSERT_TRUE(append({topic(1)}));
    loop.run();
    ASSERT_TRUE(witness.fault);
    EXPECT_EQ(witness.fault->code, ErrorCode::KafkaStorageError);
    EXPECT_TRUE(witness.names.empty()) << "nothing undurable is committed";
    EXPECT_EQ(driver->prepare_append(LeaderEpoch(1), {topic(2)}).error().code,
              ErrorCode::KafkaStorageError);
}

TEST_F(QuorumDriverTest, describes_the_quorum) {
    format_dynamic();
    ASSERT_TRUE(start());
    auto info = driver->describe();
    ASSERT_TRUE(info);
    EXPECT_EQ(info->leader, BrokerId(1));
    EXPECT_EQ(info->high_watermark, Offset(3));
    ASSERT_EQ(info->voters.size(), 1u);
    EXPECT_EQ(info->voters[0].log_end_offset, Offset(3));
    EXPECT_EQ(info->voters[0].key.directory, (Uuid{0, 77}));
    EXPECT_TRUE(info->observers.empty());
    EXPECT_EQ(info->nodes[0].endpoints[0].port, 9093);
}

TEST_F(QuorumDriverTest, serves_an_observer) {
    ASSERT_TRUE(start());
    ASSERT_TRUE(append({topic(1)}));
    loop.run();
    consensus::FetchRequest fetch;
    fetch.replica = {BrokerId(9), Uuid{0, 9}};
    fetch.epoch = LeaderEpoch(1);
    fetch.max_bytes = 1 << 20;
    std::optional<consensus::FetchResponse> answer;
    driver->handle(fetch, [&](consensus::Response response) {
        answer = std::get<consensus::FetchResponse>(std::move(response));
    });
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->high_watermark, Offset(2));
    ASSERT_EQ(answer->entries.size(), 1u);
    auto first = record::BatchView::parse(answer->entries[0].batch);
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->header().is_control());
    EXPECT_EQ(driver->describe()->observers.size(), 1u);
}

// kill -9 and power cuts at every single operation on the disk: whatever was committed before is
// there afterwards, in order, and the node leads again in a higher epoch.
class CrashEverywhere : public QuorumDriverTest, public testing::WithParamInterface<bool> {};

TEST_P(CrashEverywhere, nothing_committed_is_lost) {
    bool power_cut = GetParam();
    for (uint64_t operation = 1; operation < 400; ++operation) {
        driver.reset();
        disk = std::make_unique<runtime::MemoryFileSystem>();
        ASSERT_TRUE(disk->create_directories("/data"));
        ASSERT_TRUE(disk->sync_directory("/"));
        options.segment_bytes = 400;
        options.retention_bytes = 1000;
        format_dynamic();
        disk->fail_at(disk->operations() + operation, runtime::MemoryFileSystem::Fault::Crash);

        std::vector<metadata::VersionedRecord> all;
        std::vector<std::string> committed;
        LeaderEpoch epoch{0};
        if (start()) {
            for (int i = 0; i < 12 && !witness.fault; ++i) {
                all.push_back(topic(i));
                (void)append({topic(i)});
                loop.run();
                if (i % 4 == 3 && !witness.fault) {
                    (void)snapshot_now(all);
                }
            }
            committed = witness.names;
            epoch = witness.leader.epoch;
        }
        driver.reset();
        uint64_t seed = operation;
        if (power_cut) {
            disk->crash([&] { return seed = seed * 6364136223846793005ULL + 1; });
        } else {
            disk->crash([] { return ~uint64_t{0}; });
        }
        open_error.reset();

        ASSERT_TRUE(start()) << operation << " " << open_error->message;
        ASSERT_GE(witness.names.size(), committed.size()) << operation;
        EXPECT_TRUE(std::equal(committed.begin(), committed.end(), witness.names.begin()))
            << operation;
        EXPECT_TRUE(witness.leader.is_leader(BrokerId(1))) << operation;
        EXPECT_GT(witness.leader.epoch, epoch) << operation;
        ASSERT_TRUE(append({topic(1000)}));
        loop.run();
        EXPECT_EQ(witness.names.back(), "topic-1000") << operation;
        driver.reset();
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CrashEverywhere, testing::Values(false, true),
                         [](const auto& kind) {
                             return kind.param ? std::string("power_cut") : std::string("kill");
                         });

}  // namespace
}  // namespace moldau::quorum
