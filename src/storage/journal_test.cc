#include "storage/journal.h"

#include <gtest/gtest.h>

#include "record/builder.h"
#include "runtime/disk_pool.h"
#include "runtime/logging.h"
#include "runtime/memory_file_system.h"

namespace moldau::storage {
namespace {

class JournalTest : public testing::Test {
 protected:
    JournalTest() {
        runtime::set_log_level("root", runtime::LogLevel::Off);
        EXPECT_TRUE(files_.create_directories("/logs"));
        EXPECT_TRUE(files_.sync_directory("/"));
        settings_.bytes_max = 4 << 20;
        open();
    }

    void open() {
        journal_ = std::make_unique<Journal>(
            files_, "/logs", settings_,
            Journal::Hooks{.sync = [this](const Journal::Clients& clients) -> Status {
                               synced_.push_back(clients.size());
                               return sync_outcome_;
                           },
                           .on_failure = [this](const Error&) { ++failures_; }});
        client_ = std::make_shared<JournalClient>(JournalKey{{1, 1}, 0});
        client_->set_listener(
            std::make_shared<const std::function<void()>>([this] { ++notified_; }));
    }
    void start() {
        journal_->start();
        journal_->prepare_file();
    }
    std::optional<uint64_t> append(size_t bytes = 100) {
        record::BatchBuilder builder;
        builder.append(0, std::nullopt, std::string(bytes, 'x'));
        Bytes batch = builder.build();
        return journal_->append(client_, std::span(&batch, 1), batch.size());
    }
    // Fills files until nothing goes in any more; each group is written.
    int fill() {
        int groups = 0;
        while (append(500 << 10)) {
            EXPECT_TRUE(journal_->write_group());
            journal_->prepare_file();
            ++groups;
        }
        return groups;
    }
    size_t entries_on_device() {
        auto files = read_journal_files(files_, "/logs");
        size_t entries = 0;
        for (const auto& [key, batches] : plan_replay(std::move(*files))) {
            entries += batches.size();
        }
        return entries;
    }

    runtime::MemoryFileSystem files_;
    JournalSettings settings_;
    std::unique_ptr<Journal> journal_;
    std::shared_ptr<JournalClient> client_;
    std::vector<size_t> synced_;
    Status sync_outcome_;
    int notified_ = 0;
    int failures_ = 0;
};

TEST_F(JournalTest, what_comes_while_a_group_is_written_is_the_next_group) {
    start();
    uint64_t operations = files_.operations();
    auto first = append();
    EXPECT_EQ(append(), first);
    EXPECT_EQ(journal_->durable_group(), 0u);
    EXPECT_TRUE(journal_->write_group());
    EXPECT_EQ(journal_->durable_group(), *first);
    EXPECT_EQ(notified_, 1) << "once for the group, however many appends";
    auto second = append();
    EXPECT_EQ(*second, *first + 1);
    EXPECT_TRUE(journal_->write_group());
    EXPECT_FALSE(journal_->write_group());
    EXPECT_EQ(files_.operations() - operations, 2u);
    files_.crash_losing_all();
    EXPECT_EQ(entries_on_device(), 3u);
}

TEST_F(JournalTest, it_takes_nothing_before_its_first_file_is_there) {
    EXPECT_FALSE(append());
    journal_->start();
    EXPECT_FALSE(append());
    journal_->prepare_file();
    EXPECT_TRUE(append());
}

TEST_F(JournalTest, it_grows_with_the_load_and_not_beyond_its_bound) {
    start();
    EXPECT_EQ(journal_->usage().bytes, 1 << 20);
    EXPECT_GE(fill(), 4);
    EXPECT_EQ(journal_->usage().bytes, settings_.bytes_max);
    EXPECT_FALSE(append(600 << 10));
}

TEST_F(JournalTest, a_full_file_is_used_again_once_its_logs_are_synced) {
    start();
    fill();
    EXPECT_EQ(journal_->usage().free_files, 0u);
    EXPECT_TRUE(synced_.empty());
    journal_->recycle();
    EXPECT_EQ(synced_, std::vector<size_t>{1}) << "one log, however many files it is in";
    EXPECT_GT(journal_->usage().free_files, 0u);
    EXPECT_TRUE(append(500 << 10));
    EXPECT_TRUE(journal_->write_group());
    EXPECT_EQ(journal_->usage().bytes, settings_.bytes_max);
}

TEST_F(JournalTest, a_file_is_kept_when_its_logs_cannot_be_synced) {
    start();
    fill();
    sync_outcome_ = fail(ErrorCode::KafkaStorageError, "no");
    journal_->recycle();
    EXPECT_EQ(journal_->usage().free_files, 0u);
    EXPECT_FALSE(append());
}

TEST_F(JournalTest, a_failed_write_is_final_and_told_to_everybody_who_waits) {
    start();
    ASSERT_TRUE(append());
    files_.fail_at(files_.operations() + 1, runtime::MemoryFileSystem::Fault::IoError);
    EXPECT_FALSE(journal_->write_group());
    EXPECT_TRUE(journal_->failed());
    EXPECT_EQ(failures_, 1);
    EXPECT_EQ(notified_, 1);
    EXPECT_EQ(journal_->durable_group(), 0u);
    EXPECT_FALSE(append());
    EXPECT_FALSE(journal_->write_group());
    EXPECT_EQ(failures_, 1);
}

// Its blocks are there already: a device that has none all the same promises more than it has.
TEST_F(JournalTest, a_full_device_under_a_file_that_is_there_is_as_final) {
    start();
    ASSERT_TRUE(append());
    files_.fail_at(files_.operations() + 1, runtime::MemoryFileSystem::Fault::DiskFull);
    EXPECT_FALSE(journal_->write_group());
    EXPECT_TRUE(journal_->failed());
    EXPECT_EQ(failures_, 1);
    EXPECT_EQ(notified_, 1);
    EXPECT_EQ(journal_->durable_group(), 0u);
}

// What the device did with the zeros is unknown, and what it will do with records.
TEST_F(JournalTest, a_file_that_cannot_be_made_is_final_and_told_to_everybody_who_waits) {
    for (int operation = 1; operation <= 3; ++operation) {
        failures_ = notified_ = 0;
        open();
        start();
        ASSERT_TRUE(append(500 << 10));
        ASSERT_TRUE(journal_->write_group());
        ASSERT_TRUE(append());
        EXPECT_EQ(notified_, 1);
        files_.fail_at(files_.operations() + static_cast<uint64_t>(operation),
                       runtime::MemoryFileSystem::Fault::IoError);
        journal_->prepare_file();
        EXPECT_TRUE(journal_->failed());
        EXPECT_EQ(failures_, 1);
        EXPECT_EQ(notified_, 2);
        EXPECT_FALSE(append());
        EXPECT_FALSE(journal_->write_group());
        journal_.reset();
        ASSERT_TRUE(remove_journal_files(files_, "/logs"));
    }
}

TEST_F(JournalTest, a_full_device_leaves_what_files_there_are) {
    start();
    files_.fill_disk(true);
    EXPECT_TRUE(append(500 << 10));
    EXPECT_TRUE(journal_->write_group());
    journal_->prepare_file();
    EXPECT_EQ(failures_, 0);
    auto names = files_.list("/logs");
    EXPECT_EQ(names->size(), 1u) << "the file that found no room is gone";
    EXPECT_TRUE(append(400 << 10));
    EXPECT_TRUE(journal_->write_group());
    EXPECT_FALSE(append(500 << 10));
    files_.fill_disk(false);
    journal_->retry_prepare();
    journal_->prepare_file();
    EXPECT_TRUE(append(500 << 10));
}

TEST_F(JournalTest, its_thread_writes_and_tells_until_it_is_stopped) {
    runtime::DiskPool pool(1);
    settings_.background = [&pool](auto work) { pool.submit(std::move(work)); };
    open();
    std::atomic<int> told{0};
    client_->set_listener(std::make_shared<const std::function<void()>>([&] { ++told; }));
    journal_->start();
    while (!append()) {
        std::this_thread::yield();
    }
    std::optional<uint64_t> last;
    for (int i = 0; i < 2000; ++i) {
        if (auto group = append()) {
            last = group;
        }
    }
    journal_->stop();
    EXPECT_GE(journal_->durable_group(), *last);
    EXPECT_GE(told, 1);
    EXPECT_FALSE(append());
    pool.stop();
    ASSERT_TRUE(remove_journal_files(files_, "/logs"));
    EXPECT_TRUE(files_.list("/logs")->empty());
}

}  // namespace
}  // namespace moldau::storage
