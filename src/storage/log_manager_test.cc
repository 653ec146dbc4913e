#include "storage/log_manager.h"

#include <thread>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "record/builder.h"
#include "runtime/clock.h"
#include "runtime/disk_pool.h"
#include "runtime/entropy.h"
#include "runtime/file_system.h"
#include "runtime/forwarding_file_system.h"
#include "runtime/logging.h"
#include "storage/log_cleaner.h"

namespace moldau::storage {
namespace {

constexpr std::string_view kClusterId = "Some-Cluster-Id-000000";
const Uuid kTopic{11, 22};
const TopicPartition kOrders{"orders", 0};

// Counts openings of data files, and all files that are open.
class CountingFileSystem final : public runtime::ForwardingFileSystem {
 public:
    CountingFileSystem() : ForwardingFileSystem(runtime::real_file_system()) {}

    Result<std::unique_ptr<runtime::File>> open(const std::string& path,
                                                runtime::OpenMode mode) override {
        data_opened_ += path.ends_with(kLogSuffix) ? 1 : 0;
        MOLDAU_TRY(auto file, ForwardingFileSystem::open(path, mode));
        return std::make_unique<CountedFile>(std::move(file), open_, synced_);
    }

    Status sync_directory(const std::string& path) override {
        {
            MutexLock lock(mutex_);
            directories_synced_.insert(path);
        }
        return ForwardingFileSystem::sync_directory(path);
    }

    std::set<std::string> directories_synced() const {
        MutexLock lock(mutex_);
        return directories_synced_;
    }

    std::atomic<int> data_opened_{0};
    std::atomic<int> open_{0};
    std::atomic<int> synced_{0};

 private:
    class CountedFile final : public runtime::ForwardingFile {
     public:
        CountedFile(std::unique_ptr<runtime::File> inner, std::atomic<int>& open,
                    std::atomic<int>& synced)
            : ForwardingFile(std::move(inner)), open_(open), synced_(synced) {
            ++open_;
        }
        ~CountedFile() override { --open_; }
        Status sync() override {
            ++synced_;
            return ForwardingFile::sync();
        }

     private:
        std::atomic<int>& open_;
        std::atomic<int>& synced_;
    };

    mutable Mutex mutex_;
    std::set<std::string> directories_synced_ GUARDED_BY(mutex_);
};

class LogManagerTest : public ::testing::Test {
 protected:
    LogManagerTest() {
        char name[] = "/tmp/moldau_manager_XXXXXX";
        root_ = ::mkdtemp(name);
        runtime::set_log_level("root", runtime::LogLevel::Off);
    }
    ~LogManagerTest() override {
        pool_->stop();
        manager_.reset();
        (void)files_.remove_all(root_);
    }

    std::string dir(int i) const { return root_ + "/d" + std::to_string(i); }
    void format(int dirs, BrokerId node = BrokerId(1)) {
        for (int i = 0; i < dirs; ++i) {
            ASSERT_TRUE(files_.create_directories(dir(i)));
            MetaProperties properties;
            properties.cluster_id = std::string(kClusterId);
            properties.node_id = node;
            properties.directory_id = Uuid{static_cast<uint64_t>(i) + 1, 5};
            ASSERT_TRUE(write_meta_properties(files_, dir(i), properties, 0));
        }
        dirs_ = dirs;
    }
    Result<std::unique_ptr<LogManager>> try_start() {
        LogManagerOptions options;
        for (int i = 0; i < dirs_; ++i) {
            options.dirs.push_back(dir(i));
        }
        options.node_id = BrokerId(1);
        options.stop = stop_.get_token();
        options.config_of = [this](std::string_view) {
            return std::make_shared<const config::LogConfig>(config_);
        };
        options.on_dir_failure = [this](const std::string& path, const Uuid&, const Error&) {
            failed_.push_back(path);
        };
        if (has_journal_) {
            options.journal = JournalSettings{
                .background = [this](auto work) { pool_->submit(std::move(work)); }};
        }
        MOLDAU_TRY(auto manager, LogManager::open(files_, clock_, std::move(options)));
        MOLDAU_CHECK(manager->load());
        return manager;
    }
    void start() {
        pool_->stop();  // what it runs belongs to the manager
        manager_.reset();
        pool_.emplace(1);
        auto started = try_start();
        ASSERT_TRUE(started) << started.error().message;
        manager_ = std::move(*started);
    }
    std::shared_ptr<Log> create(const TopicPartition& partition) {
        auto log = manager_->get_or_create(partition, kTopic);
        EXPECT_TRUE(log) << log.error().message;
        return *log;
    }
    void make_directory(const TopicPartition& partition) {
        ASSERT_TRUE(manager_->place(partition, kTopic));
        ASSERT_TRUE(manager_->make_directory(partition, kTopic));
    }
    void append(Log& log, std::string_view value) {
        record::BatchBuilder builder;
        builder.append(clock_.wall_ms(), std::nullopt, value);
        MutexLock lock(log.mutex());
        auto appended = log.append_as_leader(builder.build(), {.leader_epoch = LeaderEpoch(0)},
                                             clock_.wall_ms());
        ASSERT_TRUE(appended);
        log.set_high_watermark(log.log_end_offset());
    }
    std::string text(const std::string& path) {
        auto content = files_.read_file(path);
        return content ? content->str() : "<missing>";
    }

    CountingFileSystem files_;
    runtime::ManualClock clock_;
    config::LogConfig config_;
    std::stop_source stop_;
    std::string root_;
    int dirs_ = 0;
    bool has_journal_ = false;
    std::vector<std::string> failed_;
    std::optional<runtime::DiskPool> pool_{1};
    std::unique_ptr<LogManager> manager_;
};

TEST_F(LogManagerTest, a_directory_made_in_advance_is_opened_and_synced_by_its_first_use) {
    format(1);
    start();
    int synced = files_.synced_;
    make_directory(kOrders);
    EXPECT_EQ(files_.synced_, synced);
    EXPECT_EQ(manager_->list().front().topic_id, kTopic);
    int opened = files_.data_opened_;
    auto log = create(kOrders);
    append(*log, "a");
    EXPECT_GT(files_.data_opened_, opened);
    MutexLock lock(log->mutex());
    ASSERT_TRUE(log->flush());
    EXPECT_TRUE(files_.directories_synced().contains(dir(0)));
    EXPECT_TRUE(files_.directories_synced().contains(dir(0) + "/orders-0"));
    EXPECT_GE(files_.synced_, synced + 2);  // the data and partition.metadata
}

TEST_F(LogManagerTest, a_place_is_kept_until_the_directory_is_made_there) {
    format(2);
    start();
    auto first = manager_->place(kOrders, kTopic);
    ASSERT_TRUE(first);
    EXPECT_EQ(manager_->directory_id_of(kOrders), *first);
    EXPECT_FALSE(files_.exists(dir(0) + "/orders-0") || files_.exists(dir(1) + "/orders-0"));
    auto second = manager_->place({"orders", 1}, kTopic);
    ASSERT_TRUE(second);
    EXPECT_NE(*first, *second);
    manager_->checkpoint_high_watermarks();
    EXPECT_EQ(text(dir(0) + "/replication-offset-checkpoint"), "0\n0\n");
    make_directory(kOrders);
    EXPECT_EQ(manager_->directory_id_of(kOrders), *first);
    // A topic may go before its directory came.
    ASSERT_TRUE(manager_->remove({"orders", 1}));
    EXPECT_EQ(manager_->directory_id_of({"orders", 1}), kUnassignedDirectory);
    ASSERT_TRUE(manager_->make_directory({"orders", 1}, kTopic));
    EXPECT_FALSE(files_.exists(dir(0) + "/orders-1") || files_.exists(dir(1) + "/orders-1"));
    // Or another of its name may have come.
    ASSERT_TRUE(manager_->place({"orders", 1}, Uuid{7, 7}));
    ASSERT_TRUE(manager_->make_directory({"orders", 1}, kTopic));
    EXPECT_FALSE(files_.exists(dir(0) + "/orders-1") || files_.exists(dir(1) + "/orders-1"));
    EXPECT_TRUE(failed_.empty());
}

TEST_F(LogManagerTest, logs_without_a_record_stay_unopened_after_a_crash) {
    format(1);
    start();
    for (int i = 0; i < 20; ++i) {
        make_directory({"idle", i});
    }
    append(*create(kOrders), "a");
    manager_.reset();  // no clean stop
    files_.data_opened_ = 0;
    start();
    EXPECT_EQ(files_.data_opened_, 1);
    auto log = manager_->get({"idle", 3});
    ASSERT_TRUE(log);
    append(**log, "b");
    EXPECT_EQ((*log)->log_end_offset(), Offset(1));
}

TEST_F(LogManagerTest, a_partition_metadata_file_cut_off_by_a_crash_is_written_again) {
    format(1);
    for (std::string_view rest : {"", "vers", "version: 0\ntopic_id: AAAA"}) {
        start();
        make_directory(kOrders);
        std::string path = dir(0) + "/orders-0/partition.metadata";
        std::string whole = text(path);
        ASSERT_TRUE(files_.replace_file(path, rest));
        start();
        EXPECT_EQ(create(kOrders)->topic_id(), kTopic) << rest;
        EXPECT_EQ(text(path), whole);
        ASSERT_TRUE(manager_->remove(kOrders));
    }
}

TEST_F(LogManagerTest, a_checkpoint_is_written_only_when_something_in_it_changed) {
    format(1);
    start();
    auto log = create(kOrders);
    append(*log, "a");
    manager_->checkpoint_high_watermarks();
    EXPECT_EQ(text(dir(0) + "/replication-offset-checkpoint"), "0\n1\norders 0 1\n");
    int synced = files_.synced_;
    manager_->checkpoint_high_watermarks();
    EXPECT_EQ(files_.synced_, synced);
    append(*log, "b");
    manager_->checkpoint_high_watermarks();
    EXPECT_EQ(text(dir(0) + "/replication-offset-checkpoint"), "0\n1\norders 0 2\n");
    // Another partition in the place of one that had the same offset.
    make_directory({"idle", 0});
    manager_->checkpoint_high_watermarks();
    ASSERT_TRUE(manager_->remove({"idle", 0}));
    make_directory({"other", 0});
    manager_->checkpoint_high_watermarks();
    EXPECT_EQ(text(dir(0) + "/replication-offset-checkpoint"), "0\n2\norders 0 2\nother 0 0\n");
}

TEST_F(LogManagerTest, logs_survive_a_clean_stop_with_their_offsets_and_ids) {
    format(1);
    start();
    auto log = create(kOrders);
    append(*log, "a");
    append(*log, "b");
    log.reset();
    ASSERT_TRUE(manager_->shutdown(17));
    EXPECT_EQ(text(dir(0) + "/.kafka_cleanshutdown"), R"({"version":0,"brokerEpoch":17})");
    EXPECT_EQ(text(dir(0) + "/recovery-point-offset-checkpoint"), "0\n1\norders 0 2\n");
    EXPECT_EQ(text(dir(0) + "/replication-offset-checkpoint"), "0\n1\norders 0 2\n");
    EXPECT_EQ(text(dir(0) + "/log-start-offset-checkpoint"), "0\n0\n");
    start();
    EXPECT_EQ(manager_->previous_broker_epoch(), 17);
    EXPECT_EQ(text(dir(0) + "/.kafka_cleanshutdown"), "<missing>");
    ASSERT_EQ(manager_->list().size(), 1u);
    EXPECT_EQ(manager_->list()[0].topic_id, kTopic);
    auto again = manager_->get(kOrders);
    ASSERT_TRUE(again && *again);
    EXPECT_EQ((*again)->log_end_offset(), Offset(2));
    EXPECT_EQ((*again)->high_watermark(), Offset(2));
}

class LogCleanerTest : public LogManagerTest {
 protected:
    void SetUp() override {
        config_.internal_segment_bytes = 200;
        config_.cleanup_compact = true;
        config_.cleanup_delete = false;
        format(1);
        start();
    }
    void put(Log& log, const std::string& key, const std::string& value) {
        record::BatchBuilder builder;
        builder.append(clock_.wall_ms(), key, value);
        MutexLock lock(log.mutex());
        ASSERT_TRUE(log.append_as_leader(builder.build(), {.leader_epoch = LeaderEpoch(0)},
                                         clock_.wall_ms()));
        log.set_high_watermark(log.log_end_offset());
    }
    std::unique_ptr<LogCleaner> cleaner() {
        return std::make_unique<LogCleaner>(*manager_, files_, clock_, entropy_,
                                            [] { return CleanerConfig(); });
    }
    int64_t bytes(const TopicPartition& partition) {
        auto log = *manager_->get(partition);
        MutexLock lock(log->mutex());
        return log->size_in_bytes();
    }
    runtime::SeededEntropy entropy_{1};
};

TEST_F(LogCleanerTest, the_dirtiest_log_is_cleaned_first_and_each_only_once) {
    {
        auto first = create({"orders", 0});
        auto second = create({"orders", 1});
        for (int i = 0; i < 30; ++i) {
            put(*first, "same", "value");
            put(*second, "key-" + std::to_string(i % 3), "value");
        }
    }
    int64_t before = bytes({"orders", 0});
    auto cleaning = cleaner();
    EXPECT_TRUE(cleaning->clean_filthiest());
    EXPECT_TRUE(cleaning->clean_filthiest());
    EXPECT_FALSE(cleaning->clean_filthiest());
    EXPECT_LT(bytes({"orders", 0}), before / 3);
    std::string checkpoint = text(dir(0) + "/cleaner-offset-checkpoint");
    EXPECT_TRUE(checkpoint.starts_with("0\n2\norders 0 ")) << checkpoint;
    // The recovery point is behind the gaps.
    EXPECT_TRUE(text(dir(0) + "/recovery-point-offset-checkpoint").starts_with("0\n2\norders 0 2"));

    cleaning.reset();
    ASSERT_TRUE(manager_->shutdown(1));
    start();
    int opened_before = files_.data_opened_;
    cleaning = cleaner();
    EXPECT_FALSE(cleaning->clean_filthiest());
    EXPECT_EQ(files_.data_opened_, opened_before);
    EXPECT_EQ(text(dir(0) + "/cleaner-offset-checkpoint"), checkpoint);
}

TEST_F(LogCleanerTest, a_log_of_one_segment_is_not_opened_for_it) {
    for (int p = 0; p < 10; ++p) {
        put(*create({"orders", p}), "key", "value");
    }
    ASSERT_TRUE(manager_->shutdown(1));
    start();
    int opened_before = files_.data_opened_;
    EXPECT_FALSE(cleaner()->clean_filthiest());
    EXPECT_EQ(files_.data_opened_, opened_before);
}

TEST_F(LogCleanerTest, a_policy_of_both_compacts_and_deletes) {
    config_.cleanup_delete = true;
    auto log = create({"orders", 0});
    for (int i = 0; i < 10; ++i) {
        put(*log, "old-" + std::to_string(i), "value");
    }
    // Eight days later the first week's records are too old.
    clock_.advance(std::chrono::hours(24 * 8));
    for (int i = 0; i < 10; ++i) {
        put(*log, "new", "value");
    }
    auto cleaning = cleaner();
    EXPECT_TRUE(cleaning->clean_filthiest());
    manager_->apply_retention();
    MutexLock lock(log->mutex());
    EXPECT_GE(log->log_start_offset(), Offset(9));
    auto read = log->read(log->log_start_offset(), 10000, ReadBound::LogEnd, true);
    ASSERT_TRUE(read) << read.error().message;
}

TEST_F(LogCleanerTest, a_log_that_cannot_be_read_is_marked_and_the_others_go_on) {
    auto broken = create({"orders", 0});
    auto whole = create({"orders", 1});
    for (int i = 0; i < 30; ++i) {
        put(*broken, "same", "value");
        put(*whole, "key-" + std::to_string(i % 3), "value");
    }
    auto file =
        files_.open(dir(0) + "/orders-0/00000000000000000000.log", runtime::OpenMode::ReadWrite);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write(Bytes::copy_of("garbage").span(), 65));
    auto cleaning = cleaner();
    while (cleaning->clean_filthiest()) {
    }
    EXPECT_TRUE(cleaning->is_uncleanable({"orders", 0}));
    EXPECT_FALSE(cleaning->is_uncleanable({"orders", 1}));
    EXPECT_EQ(failed_, std::vector<std::string>{});
    MutexLock lock(whole->mutex());
    EXPECT_LT(whole->size_in_bytes(), 900);
}

TEST_F(LogCleanerTest, threads_clean_by_themselves_and_stop_when_told) {
    auto log = create({"orders", 0});
    for (int i = 0; i < 60; ++i) {
        put(*log, "same", "value");
    }
    auto cleaning = cleaner();
    cleaning->start();
    while (text(dir(0) + "/cleaner-offset-checkpoint") == "<missing>") {
        std::this_thread::sleep_for(milliseconds(1));
    }
    cleaning->stop();
}

// Tells that somebody asked for the time.
class WatchedClock final : public runtime::Clock {
 public:
    MonotonicTime monotonic() const override {
        asked.fetch_add(1);
        asked.notify_all();
        return MonotonicTime(seconds(1));
    }
    TimestampMs wall_ms() const override { return 1'700'000'000'000; }

    mutable std::atomic<int> asked{0};
};

TEST_F(LogCleanerTest, a_throttled_cleaning_rests_and_is_woken_by_the_stop) {
    auto log = create({"orders", 0});
    for (int i = 0; i < 60; ++i) {
        put(*log, "same", "value");
    }
    WatchedClock clock;
    LogCleaner cleaning(*manager_, files_, clock, entropy_,
                        [] { return CleanerConfig{.io_bytes_per_second = 1}; });
    std::atomic<bool> cleaned{true};
    std::jthread cleaner([&] { cleaned = cleaning.clean_filthiest(); });
    // When it begins, and to see how long to rest: then only the stop ends it for the next minutes.
    for (int asked = 0; asked < 2; asked = clock.asked) {
        clock.asked.wait(asked);
    }
    int64_t before = bytes({"orders", 0});
    cleaning.stop();
    cleaner.join();
    EXPECT_FALSE(cleaned);
    EXPECT_EQ(bytes({"orders", 0}), before);
    EXPECT_EQ(text(dir(0) + "/cleaner-offset-checkpoint"), "<missing>");
}

TEST_F(LogManagerTest, an_interrupted_recovery_is_done_again_by_the_next_start) {
    format(2);
    start();
    for (int p = 0; p < 6; ++p) {
        append(*create({"orders", p}), "a");
    }
    manager_.reset();
    stop_.request_stop();
    auto interrupted = try_start();
    ASSERT_FALSE(interrupted);
    EXPECT_EQ(interrupted.error().code, ErrorCode::BrokerNotAvailable);
    EXPECT_EQ(failed_, std::vector<std::string>{});
    EXPECT_EQ(text(dir(0) + "/.kafka_cleanshutdown"), "<missing>");
    stop_ = std::stop_source();
    start();
    for (int p = 0; p < 6; ++p) {
        EXPECT_EQ((*manager_->get({"orders", p}))->log_end_offset(), Offset(1));
    }
}

// Forty idle partitions were all opened by the first retention check, and stayed open.
TEST_F(LogManagerTest, retention_opens_no_log_that_has_nothing_to_delete) {
    format(1);
    start();
    for (int p = 0; p < 40; ++p) {
        append(*create({"orders", p}), "a");
    }
    ASSERT_TRUE(manager_->shutdown(1));
    start();
    int opened_before = files_.data_opened_;
    int open_before = files_.open_;
    manager_->apply_retention();
    clock_.advance(std::chrono::hours(24));
    manager_->apply_retention();
    manager_->checkpoint_recovery_points();
    manager_->remove_deleted();
    EXPECT_EQ(files_.data_opened_, opened_before);
    EXPECT_EQ(files_.open_, open_before);
}

TEST_F(LogManagerTest, retention_opens_the_log_whose_oldest_segment_is_too_old) {
    format(1);
    start();
    append(*create({"orders", 0}), "old");
    clock_.advance(std::chrono::hours(24));
    append(*create({"orders", 1}), "young");
    ASSERT_TRUE(manager_->shutdown(1));
    start();
    int opened_before = files_.data_opened_;
    // A week after the first record, six days after the second.
    clock_.advance(std::chrono::hours(24 * 6) + milliseconds(1));
    manager_->apply_retention();
    EXPECT_GT(files_.data_opened_, opened_before);
    EXPECT_EQ((*manager_->get({"orders", 0}))->log_start_offset(), Offset(1));
    EXPECT_EQ((*manager_->get({"orders", 1}))->log_start_offset(), Offset(0));
}

TEST_F(LogManagerTest, retention_opens_the_log_that_is_too_large) {
    config_.internal_segment_bytes = 100;
    format(1);
    start();
    {
        auto log = create(kOrders);
        for (int i = 0; i < 5; ++i) {
            append(*log, "0123456789");
        }
    }
    ASSERT_TRUE(manager_->shutdown(1));
    config_.retention_bytes = 1000;
    start();
    int opened_before = files_.data_opened_;
    manager_->apply_retention();
    EXPECT_EQ(files_.data_opened_, opened_before);
    config_.retention_bytes = 200;
    manager_->apply_retention();
    EXPECT_GT((*manager_->get(kOrders))->log_start_offset(), Offset(0));
}

TEST_F(LogManagerTest, logs_are_recovered_after_a_crash) {
    format(2);
    start();
    for (int p = 0; p < 6; ++p) {
        auto log = create({"orders", p});
        append(*log, "a");
    }
    start();  // as after kill -9: nothing was closed
    EXPECT_FALSE(manager_->previous_broker_epoch());
    for (int p = 0; p < 6; ++p) {
        auto log = manager_->get({"orders", p});
        ASSERT_TRUE(log && *log);
        EXPECT_EQ((*log)->log_end_offset(), Offset(1));
    }
}

// A node of ten thousand partitions with records held ten thousand logs after kill -9.
TEST_F(LogManagerTest, logs_are_closed_again_after_their_recovery) {
    has_journal_ = true;
    format(1);
    start();
    constexpr int kLogs = 6;
    for (int p = 0; p < kLogs; ++p) {
        append(*create({"orders", p}), "a");
    }
    start();  // as after kill -9
    EXPECT_EQ(manager_->file_cache().open_count(), 0u);
    start();  // nobody used one in between
    files_.data_opened_ = 0;
    for (int p = 0; p < kLogs; ++p) {
        auto log = manager_->get({"orders", p});
        ASSERT_TRUE(log && *log);
        EXPECT_EQ((*log)->recovery_point(), Offset(1));
        EXPECT_EQ((*log)->durable_end(), Offset(1));
        append(**log, "b");
        EXPECT_EQ((*log)->log_end_offset(), Offset(2));
    }
    EXPECT_EQ(manager_->file_cache().open_count(), static_cast<size_t>(kLogs));
}

// 1. A producer has two batches under way. 2. Both are in the log, and the node is killed before it
// answers. 3. The producer sends both again: the snapshot file of a closed log knows the second.
TEST_F(LogManagerTest, a_log_closed_after_its_recovery_knows_all_that_a_producer_may_repeat) {
    has_journal_ = true;
    format(1);
    start();
    std::vector<Bytes> batches;
    for (int32_t sequence : {0, 1}) {
        record::BatchBuilder builder(
            {.producer_id = 7, .producer_epoch = 0, .base_sequence = sequence});
        builder.append(clock_.wall_ms(), std::nullopt, "a");
        batches.push_back(builder.build());
    }
    auto send = [&](Log& log, const Bytes& batch) {
        MutexLock lock(log.mutex());
        return log.append_as_leader(batch, {.leader_epoch = LeaderEpoch(0)}, clock_.wall_ms());
    };
    auto log = create(kOrders);
    for (const Bytes& batch : batches) {
        ASSERT_TRUE(send(*log, batch));
    }
    log.reset();
    start();  // as after kill -9
    EXPECT_EQ(manager_->file_cache().open_count(), 0u);
    log = *manager_->get(kOrders);
    for (const Bytes& batch : batches) {
        auto repeated = send(*log, batch);
        ASSERT_TRUE(repeated) << repeated.error().error.message;
        EXPECT_TRUE(repeated->duplicate);
    }
    EXPECT_EQ(log->log_end_offset(), Offset(2));
}

TEST_F(LogManagerTest, new_logs_go_where_the_fewest_are) {
    format(2);
    start();
    for (int p = 0; p < 4; ++p) {
        create({"orders", p});
    }
    std::map<std::string, int> count;
    for (const LogSummary& log : manager_->list()) {
        ++count[log.dir];
    }
    EXPECT_EQ(count[dir(0)], 2);
    EXPECT_EQ(count[dir(1)], 2);
    auto chosen = manager_->get_or_create({"orders", 9}, kTopic, Uuid{2, 5});
    ASSERT_TRUE(chosen);
    EXPECT_EQ((*chosen)->directory(), dir(1) + "/orders-9");
    EXPECT_EQ(manager_->directory_id_of({"orders", 9}), (Uuid{2, 5}));
}

TEST_F(LogManagerTest, new_logs_avoid_cordoned_directories_unless_there_is_no_other) {
    format(2);
    start();
    manager_->set_cordoned({dir(0)});
    for (int p = 0; p < 3; ++p) {
        EXPECT_EQ(create({"orders", p})->directory(), dir(1) + "/orders-" + std::to_string(p));
    }
    manager_->set_cordoned({dir(0), dir(1)});
    EXPECT_EQ(create({"orders", 4})->directory(), dir(0) + "/orders-4");
    manager_->set_cordoned({});
    EXPECT_EQ(create({"orders", 5})->directory(), dir(0) + "/orders-5");
}

TEST_F(LogManagerTest, a_log_of_another_topic_id_is_refused) {
    format(1);
    start();
    create(kOrders);
    auto other = manager_->get_or_create(kOrders, Uuid{3, 4});
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::InconsistentTopicId);
    ASSERT_TRUE(manager_->set_aside_stray(kOrders));
    EXPECT_TRUE(manager_->get_or_create(kOrders, Uuid{3, 4}));
}

// 1. A topic whose first records were deleted is in the checkpoint files. 2. It is deleted, another
// of its name made, and written to. 3. kill -9: the new log ends before the old one began, and was
// taken for one whose segments had been lost.
TEST_F(LogManagerTest, a_log_does_not_inherit_the_offsets_of_another_of_its_name) {
    format(1);
    for (bool killed_in_between : {false, true}) {
        start();
        auto log = create(kOrders);
        for (std::string_view value : {"a", "b", "c"}) {
            append(*log, value);
        }
        {
            MutexLock lock(log->mutex());
            ASSERT_TRUE(log->flush());
            ASSERT_TRUE(log->advance_log_start(Offset(2)));
        }
        manager_->checkpoint_recovery_points();
        manager_->checkpoint_log_start_offsets();
        EXPECT_EQ(text(dir(0) + "/log-start-offset-checkpoint"), "0\n1\norders 0 2\n");
        log.reset();
        ASSERT_TRUE(manager_->remove(kOrders));
        if (killed_in_between) {
            start();
        }
        append(*create(kOrders), "new");
        EXPECT_EQ(text(dir(0) + "/log-start-offset-checkpoint"), "0\n0\n");
        start();
        log = *manager_->get(kOrders);
        EXPECT_EQ(log->log_start_offset(), Offset(0));
        EXPECT_EQ(log->log_end_offset(), Offset(1));
        log.reset();
        ASSERT_TRUE(manager_->remove(kOrders));
    }
    EXPECT_TRUE(failed_.empty());
}

TEST_F(LogManagerTest, a_removed_log_leaves_the_disk_after_the_delay) {
    config_.file_delete_delay_ms = 1000;
    format(1);
    start();
    auto log = create(kOrders);
    append(*log, "a");
    ASSERT_TRUE(manager_->remove(kOrders));
    EXPECT_FALSE(files_.exists(dir(0) + "/orders-0"));
    {
        MutexLock lock(log->mutex());
        EXPECT_FALSE(log->read(Offset(0), 100, ReadBound::LogEnd, true));
    }
    EXPECT_EQ(*manager_->get(kOrders), nullptr);
    auto again = create(kOrders);
    EXPECT_EQ(again->log_end_offset(), Offset(0));
    auto directories = [&] {
        return std::ranges::count_if(*files_.list(dir(0)),
                                     [](const auto& entry) { return entry.is_directory; });
    };
    manager_->remove_deleted();
    EXPECT_EQ(directories(), 2);  // orders-0, orders-0.*-delete
    clock_.advance(seconds(2));
    manager_->remove_deleted();
    EXPECT_EQ(directories(), 1);
}

// Kafka took the directory of a deleted topic for a damaged log, because indexes are written by a
// log that closes, and this one never did.
TEST_F(LogManagerTest, a_clean_stop_removes_what_was_deleted) {
    config_.file_delete_delay_ms = 1000;
    format(1);
    start();
    append(*create(kOrders), "a");
    ASSERT_TRUE(manager_->remove(kOrders));
    ASSERT_TRUE(manager_->shutdown(1));
    for (const auto& file : *files_.list(dir(0))) {
        EXPECT_FALSE(file.is_directory) << file.name;
    }
}

// Kafka complained of every partition that nobody had used yet.
TEST_F(LogManagerTest, a_clean_stop_leaves_indexes_in_logs_that_were_never_opened) {
    format(1);
    start();
    make_directory(kOrders);
    EXPECT_FALSE(files_.exists(dir(0) + "/orders-0/00000000000000000000.index"));
    manager_.reset();  // a crash
    start();
    ASSERT_TRUE(manager_->shutdown(1));
    EXPECT_EQ(text(dir(0) + "/orders-0/00000000000000000000.index"), "");
    EXPECT_EQ(text(dir(0) + "/orders-0/00000000000000000000.timeindex"), "");
}

TEST_F(LogManagerTest, what_an_earlier_process_deleted_leaves_the_disk_after_the_delay) {
    config_.file_delete_delay_ms = 1000;
    format(1);
    ASSERT_TRUE(
        files_.create_directories(dir(0) + "/orders-0.00000000000000010000000000000002-delete"));
    start();
    manager_->remove_deleted();
    EXPECT_EQ(files_.list(dir(0))->size(), 3u);
    clock_.advance(seconds(2));
    manager_->remove_deleted();
    EXPECT_EQ(files_.list(dir(0))->size(), 2u);
}

TEST_F(LogManagerTest, a_directory_of_another_node_or_cluster_is_refused) {
    format(1, BrokerId(2));
    auto other = try_start();
    ASSERT_FALSE(other);
    EXPECT_TRUE(other.error().message.starts_with(
        "Stored node id 2 doesn't match previous node id 1 in " + dir(0)))
        << other.error().message;
    format(2);
    MetaProperties properties;
    properties.cluster_id = "another";
    properties.node_id = BrokerId(1);
    ASSERT_TRUE(write_meta_properties(files_, dir(1), properties, 0));
    auto cluster = try_start();
    ASSERT_FALSE(cluster);
    EXPECT_EQ(cluster.error().message, "Invalid cluster.id in: " + dir(1) +
                                           "/meta.properties. Expected " + std::string(kClusterId) +
                                           ", but read another");
}

TEST_F(LogManagerTest, an_unformatted_directory_says_what_to_do) {
    ASSERT_TRUE(files_.create_directories(dir(0)));
    dirs_ = 1;
    auto started = try_start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().message, "No `meta.properties` found in " + dir(0) +
                                           " (have you run `kafka-storage.sh` to format the "
                                           "directory?)");
}

TEST_F(LogManagerTest, an_old_form_of_meta_properties_gets_the_new_one) {
    ASSERT_TRUE(files_.create_directories(dir(0)));
    ASSERT_TRUE(files_.replace_file(dir(0) + "/meta.properties",
                                    std::string_view("#\nversion=0\nbroker.id=1\ncluster.id=c\n")));
    dirs_ = 1;
    start();
    auto properties = read_meta_properties(files_, dir(0));
    ASSERT_TRUE(properties && *properties);
    EXPECT_EQ((*properties)->version, 1);
    EXPECT_EQ((*properties)->node_id, BrokerId(1));
    EXPECT_TRUE((*properties)->directory_id.has_value());
}

TEST_F(LogManagerTest, a_locked_directory_is_refused) {
    format(1);
    start();
    auto second = try_start();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message,
              "Failed to acquire lock on file .lock in " + dir(0) +
                  ". A Kafka instance in another process or thread is using this directory.");
}

TEST_F(LogManagerTest, a_foreign_directory_stops_the_start) {
    format(1);
    ASSERT_TRUE(files_.create_directories(dir(0) + "/lost+found"));
    auto started = try_start();
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().message.starts_with("Found directory " + dir(0) + "/lost+found"));
}

TEST_F(LogManagerTest, a_failed_directory_refuses_its_logs_and_is_reported_once) {
    format(2);
    start();
    auto first = create({"orders", 0});
    auto second = create({"orders", 1});
    Error cause{ErrorCode::KafkaStorageError, "gone"};
    std::string failing = first->directory().substr(0, dir(0).size());
    manager_->take_offline(failing, cause);
    manager_->take_offline(failing, cause);
    EXPECT_EQ(failed_, std::vector<std::string>{failing});
    EXPECT_FALSE(first->read(Offset(0), 10, ReadBound::LogEnd, true));
    EXPECT_TRUE(second->read(Offset(0), 10, ReadBound::LogEnd, true));
    EXPECT_FALSE(manager_->get({"orders", 0}));
    auto described = manager_->describe();
    EXPECT_TRUE(described[0].error || described[1].error);
}

TEST_F(LogManagerTest, checkpointing_recovery_points_syncs_rolled_segments_first) {
    config_.internal_segment_bytes = 200;
    format(1);
    start();
    auto log = create(kOrders);
    for (int i = 0; i < 10; ++i) {
        append(*log, "0123456789");
    }
    EXPECT_EQ(log->recovery_point(), Offset(0));
    manager_->checkpoint_recovery_points();
    EXPECT_EQ(log->recovery_point(), log->active_segment_base());
    EXPECT_EQ(text(dir(0) + "/recovery-point-offset-checkpoint"),
              fmt::format("0\n1\norders 0 {}\n", log->active_segment_base()));
}

TEST_F(LogManagerTest, flush_ms_of_a_topic_makes_its_tail_durable) {
    config_.flush_ms = 1000;
    format(1);
    start();
    auto log = create(kOrders);
    append(*log, "a");
    manager_->flush_dirty_logs();
    EXPECT_EQ(log->recovery_point(), Offset(0));
    clock_.advance(seconds(1));
    manager_->flush_dirty_logs();
    EXPECT_EQ(log->recovery_point(), Offset(1));
}

TEST_F(LogManagerTest, checkpoints_keep_the_lines_of_logs_not_opened_yet) {
    format(1);
    start();
    append(*create(kOrders), "a");
    ASSERT_TRUE(manager_->shutdown(1));
    start();
    create({"other", 0});
    manager_->checkpoint_recovery_points();
    EXPECT_EQ(text(dir(0) + "/recovery-point-offset-checkpoint"), "0\n2\norders 0 1\nother 0 0\n");
}

TEST(PartitionDirectory, names_are_parsed_and_cut) {
    EXPECT_EQ(parse_partition_directory("a-b-3"), (TopicPartition{"a-b", 3}));
    EXPECT_FALSE(parse_partition_directory("orders"));
    EXPECT_FALSE(parse_partition_directory("orders-"));
    EXPECT_FALSE(parse_partition_directory("-3"));
    EXPECT_FALSE(parse_partition_directory("orders-x"));
    std::string name = set_aside_name({std::string(249, 't'), 12}, Uuid{1, 2}, "-delete");
    EXPECT_EQ(name.size(), 255u);
    EXPECT_TRUE(name.ends_with("t-12.00000000000000010000000000000002-delete"));
}

TEST(MetaPropertiesText, has_the_lines_of_java_util_properties_in_their_order) {
    MetaProperties properties;
    properties.cluster_id = "5L6g3nShT-eMCtK--X86sw";
    properties.node_id = BrokerId(1);
    properties.directory_id = Uuid{0, 100};
    EXPECT_THAT(properties.str(1'700'000'000'000),
                testing::MatchesRegex("#\n#[A-Z][a-z]+ Nov 1[45] [0-9:]+ [A-Z0-9+-]+ 2023\n"
                                      "node.id=1\n"
                                      "directory.id=AAAAAAAAAAAAAAAAAAAAZA\n"
                                      "version=1\n"
                                      "cluster.id=5L6g3nShT-eMCtK--X86sw\n"));
}

TEST(MetaPropertiesText, goes_round) {
    MetaProperties properties;
    properties.cluster_id = "c";
    properties.node_id = BrokerId(7);
    properties.directory_id = Uuid{1, 2};
    auto again = MetaProperties::parse(properties.str(0));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, properties);
    EXPECT_FALSE(MetaProperties::parse("version=2\n"));
    EXPECT_FALSE(MetaProperties::parse("version=1\ncluster.id=c\n"));
    EXPECT_FALSE(MetaProperties::parse("version=1\nnode.id=x\n"));
}

}  // namespace
}  // namespace moldau::storage
