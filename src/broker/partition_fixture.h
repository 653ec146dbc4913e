// One Partition over a file system in memory, whose leadership and clock a test moves.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "broker/partition.h"
#include "record/builder.h"
#include "runtime/clock.h"
#include "runtime/disk_pool.h"
#include "runtime/logging.h"
#include "runtime/memory_file_system.h"
#include "storage/log_manager.h"

namespace moldau::broker {

inline const Uuid kTopic{11, 22};
constexpr BrokerId kLocal{1};
constexpr BrokerId kOther{2};

class CountingWaiter final : public FetchWaiter {
 public:
    using FetchWaiter::FetchWaiter;
    int fired = 0;

 private:
    void fire() override { ++fired; }
};

class PartitionFixture : public testing::Test {
 protected:
    explicit PartitionFixture(std::optional<storage::JournalSettings> journal = {}) {
        runtime::set_log_level("root", runtime::LogLevel::Off);
        EXPECT_TRUE(files_.create_directories("/logs"));
        storage::MetaProperties properties;
        properties.cluster_id = "cluster";
        properties.node_id = kLocal;
        properties.directory_id = Uuid{1, 200};
        EXPECT_TRUE(storage::write_meta_properties(files_, "/logs", properties, 0));
        storage::LogManagerOptions options;
        options.dirs = {"/logs"};
        options.node_id = kLocal;
        options.config_of = [this](std::string_view) {
            return std::make_shared<const config::LogConfig>(config_);
        };
        options.journal = journal;
        auto opened = storage::LogManager::open(files_, clock_, std::move(options));
        EXPECT_TRUE(opened) << opened.error().message;
        logs_ = std::move(*opened);
        EXPECT_TRUE(logs_->load());
        context_ = {
            .local = kLocal,
            .logs = logs_.get(),
            .clock = &clock_,
            .disk = &disk_,
            .propose = [this](std::shared_ptr<Partition>,
                              replication::IsrProposal) { ++proposals_; },
        };
        partition_ = std::make_shared<Partition>(context_, TopicPartition{"orders", 0}, kTopic);
    }

    // A flush under way holds its partition, and a partition needs its log manager.
    ~PartitionFixture() override { disk_.stop(); }

    // Leads and is open.
    Status lead(int32_t epoch, std::vector<BrokerId> replicas = {kLocal},
                std::vector<BrokerId> isr = {kLocal}) {
        partition_->metadata_changed(kLocal,
                                     {.replicas = std::move(replicas),
                                      .isr = std::move(isr),
                                      .leader_epoch = LeaderEpoch(epoch),
                                      .partition_epoch = ++partition_epoch_},
                                     kUnassignedDirectory);
        auto opened = partition_->offsets(std::nullopt);
        return opened ? Status() : fail(opened.error());
    }
    Bytes batch_of(std::string_view value) {
        record::BatchBuilder builder;
        builder.append(clock_.wall_ms(), std::nullopt, value);
        return builder.build();
    }
    auto append(std::string_view value) { return partition_->append(batch_of(value), {}); }
    auto read(int64_t from, std::optional<int32_t> epoch = std::nullopt) {
        ReadRequest request;
        request.fetch_offset = Offset(from);
        request.bytes_max = 1 << 20;
        if (epoch) {
            request.current_leader_epoch = LeaderEpoch(*epoch);
        }
        return partition_->read(request);
    }

    runtime::MemoryFileSystem files_;
    runtime::ManualClock clock_;
    runtime::DiskPool disk_{1};
    config::LogConfig config_;
    std::unique_ptr<storage::LogManager> logs_;
    PartitionContext context_;
    std::shared_ptr<Partition> partition_;
    int32_t partition_epoch_ = 0;
    int proposals_ = 0;
};

}  // namespace moldau::broker
