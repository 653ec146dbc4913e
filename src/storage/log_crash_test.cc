// A Log meets a crash or a fault at every operation of a scripted life, and loses nothing it
// promised.
#include <random>

#include <gtest/gtest.h>

#include "runtime/memory_file_system.h"
#include "storage/log_fixture.h"
#include "storage/mutant_file_system.h"

namespace moldau::storage {
namespace {

using Fault = runtime::MemoryFileSystem::Fault;

class LogCrashTest : public LogFixture {
 protected:
    LogCrashTest() {
        config_.internal_segment_bytes = 400;
        config_.index_interval_bytes = 100;
        dir_ = "/data/orders-0";
    }

    // What the log may hold after a crash: the first `flushed` of `records` for certain.
    struct Promise {
        std::vector<std::string> records;
        int64_t flushed = 0;
    };

    std::unique_ptr<runtime::MemoryFileSystem> machine() {
        auto files = std::make_unique<runtime::MemoryFileSystem>();
        EXPECT_TRUE(files->create_directories("/data"));
        EXPECT_TRUE(files->sync_directory("/"));
        return files;
    }

    bool append_one(Promise& promise, int32_t epoch, int& sequence) {
        std::string value =
            fmt::format("value-{}-{}", promise.records.size(), std::string(20, 'x'));
        value += std::to_string(epoch);
        promise.records.push_back(value);
        record::BatchOptions options;
        options.producer_id = 7;
        options.producer_epoch = static_cast<int16_t>(epoch);
        options.base_sequence = sequence++;
        return log_
            ->append_as_leader(batch({value}, options), {.leader_epoch = LeaderEpoch(epoch)}, now_)
            .has_value();
    }
    bool flush(Promise& promise) {
        if (!log_->flush()) {
            return false;
        }
        promise.flushed = log_->log_end_offset().value();
        return true;
    }

    // Appends over several segments, flushes, truncates, changes epoch, closes. False: interrupted.
    bool live(Promise& promise) {
        if (!try_open(false)) {
            return false;
        }
        int sequence = 0;
        for (int i = 0; i < 9; ++i) {
            if (!append_one(promise, 0, sequence) || (i == 4 && !flush(promise))) {
                return false;
            }
        }
        // From here on what is above may go, whatever was flushed.
        promise.flushed = std::min<int64_t>(promise.flushed, 3);
        if (!log_->truncate_to(Offset(3), now_)) {
            return false;
        }
        promise.records.resize(3);
        sequence = 0;
        for (int i = 0; i < 8; ++i) {
            if (!append_one(promise, 1, sequence) || (i == 5 && !flush(promise))) {
                return false;
            }
        }
        if (!log_->close()) {
            return false;
        }
        promise.flushed = static_cast<int64_t>(promise.records.size());
        return true;
    }

    void check(const Promise& promise, const std::string& story,
               Mutation mutation = Mutation::None) {
        options_recovery_point_ = mutation == Mutation::CheckpointTooFar
                                      ? Offset(static_cast<int64_t>(promise.records.size()))
                                      : Offset(promise.flushed);
        auto opened = try_open(false);
        ASSERT_TRUE(opened) << story << ": " << opened.error().message;
        Offset end = log_->log_end_offset();
        ASSERT_GE(end, Offset(promise.flushed)) << story;
        std::vector<std::string> found = values(Offset(0));
        ASSERT_EQ(static_cast<int64_t>(found.size()), end.value()) << story;
        // During a truncation the old records may still be there, behind what is promised.
        for (size_t i = 0; i < found.size(); ++i) {
            bool promised = i < promise.records.size();
            ASSERT_TRUE(promised) << story;
            EXPECT_EQ(found[i], promise.records[i]) << story << " offset " << i;
        }
        for (const EpochEntry& entry : log_->epochs().entries()) {
            EXPECT_LE(entry.start_offset, end) << story;
        }
        Bytes producers = log_->producers().encode_snapshot();
        log_.reset();
        options_recovery_point_ = Offset(0);
        opened = try_open(false);
        ASSERT_TRUE(opened) << story << ": " << opened.error().message;
        EXPECT_EQ(log_->log_end_offset(), end) << story;
        EXPECT_EQ(log_->producers().encode_snapshot(), producers) << story;
        ASSERT_TRUE(
            log_->append_as_leader(batch({"after"}), {.leader_epoch = LeaderEpoch(9)}, now_))
            << story;
        EXPECT_EQ(values(end), std::vector<std::string>{"after"}) << story;
        log_.reset();
    }

    // Cuts the power at every operation of live(), in several ways, and checks what is left.
    void sweep(Mutation mutation) {
        auto counting = machine();
        MutantFileSystem counted(*counting, mutation);
        use(counted);
        Promise whole;
        uint64_t before = counting->operations();
        ASSERT_TRUE(live(whole));
        uint64_t operations = counting->operations() - before;
        log_.reset();
        cache_.reset();
        ASSERT_GT(operations, 40u);
        for (uint64_t at = 1; at <= operations; ++at) {
            for (unsigned seed = 0; seed < 6; ++seed) {
                auto files = machine();
                MutantFileSystem mutant(*files, mutation);
                use(mutant);
                options_recovery_point_ = Offset(0);
                files->fail_at(files->operations() + at, Fault::Crash);
                Promise promise;
                EXPECT_FALSE(live(promise));
                std::mt19937_64 random(at * 1000 + seed);
                log_.reset();
                seed == 0 ? files->crash_losing_all() : files->crash([&] { return random(); });
                use(*files);
                check(promise, fmt::format("crash at operation {} seed {}", at, seed), mutation);
                log_.reset();
                cache_.reset();
                if (HasFatalFailure()) {
                    return;
                }
            }
        }
    }
};

TEST_F(LogCrashTest, a_power_cut_at_any_operation_loses_nothing_that_was_flushed) {
    sweep(Mutation::None);
}

// LogManager makes directories in passing and syncs nothing; a stop in between makes the log look
// like one that was always there.
TEST_F(LogCrashTest, the_first_flush_makes_a_directory_last_that_was_made_before) {
    auto files = machine();
    use(*files);
    ASSERT_TRUE(files->create_directories(dir_));
    ASSERT_TRUE(files->open(dir_ + "/00000000000000000000.log", runtime::OpenMode::Create));
    ASSERT_TRUE(try_open(true));
    append({"kept"});
    ASSERT_TRUE(log_->flush());
    log_.reset();
    files->crash_losing_all();
    ASSERT_TRUE(try_open(false));
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"kept"}));
}

class LogCrashMutantTest : public LogCrashTest, public ::testing::WithParamInterface<Mutation> {};

TEST_P(LogCrashMutantTest, is_noticed_by_the_power_cuts) {
    EXPECT_GT(failures_of([&] { sweep(GetParam()); }), 0);
}

INSTANTIATE_TEST_SUITE_P(Mutations, LogCrashMutantTest,
                         ::testing::Values(Mutation::NoDataSync, Mutation::LateDataSync,
                                           Mutation::NoDirectorySync, Mutation::NoEpochSync,
                                           Mutation::CheckpointTooFar));

TEST_F(LogCrashTest, a_killed_process_loses_nothing_that_was_appended) {
    auto files = machine();
    use(*files);
    ASSERT_TRUE(try_open(false));
    Promise promise;
    int sequence = 0;
    for (int i = 0; i < 9; ++i) {
        ASSERT_TRUE(append_one(promise, 0, sequence));
    }
    log_.reset();
    files->kill_process();
    use(*files);
    ASSERT_TRUE(try_open(false));
    EXPECT_EQ(values(Offset(0)), promise.records);
    log_.reset();
    cache_.reset();
}

TEST_F(LogCrashTest, a_full_disk_refuses_appends_and_keeps_the_log_whole) {
    auto files = machine();
    use(*files);
    ASSERT_TRUE(try_open(false));
    Promise promise;
    int sequence = 0;
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(append_one(promise, 0, sequence));
    }
    files->fill_disk(true);
    for (int i = 0; i < 3; ++i) {
        auto refused =
            log_->append_as_leader(batch({"lost"}), {.leader_epoch = LeaderEpoch(0)}, now_);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().error.code, ErrorCode::KafkaStorageError);
        EXPECT_EQ(values(Offset(0)), promise.records);
    }
    EXPECT_EQ(failures_, 0);
    files->fill_disk(false);
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(append_one(promise, 0, sequence));
    }
    EXPECT_EQ(values(Offset(0)), promise.records);
    log_.reset();
    ASSERT_TRUE(try_open(false));
    EXPECT_EQ(values(Offset(0)), promise.records);
    log_.reset();
    cache_.reset();
}

TEST_F(LogCrashTest, a_full_disk_at_any_operation_costs_one_append_at_most) {
    for (uint64_t at = 1; at <= 60; ++at) {
        auto files = machine();
        use(*files);
        ASSERT_TRUE(try_open(false));
        files->fail_at(files->operations() + at, Fault::DiskFull);
        Promise promise;
        int sequence = 0;
        for (int i = 0; i < 20; ++i) {
            if (!append_one(promise, i / 7, sequence)) {
                promise.records.pop_back();
                --sequence;
            }
            if (i % 7 == 6) {
                sequence = 0;
            }
        }
        EXPECT_GE(promise.records.size(), 18u) << at;
        EXPECT_EQ(failures_, 0) << at;
        EXPECT_EQ(values(Offset(0)), promise.records) << at;
        log_.reset();
        ASSERT_TRUE(try_open(false)) << at;
        EXPECT_EQ(values(Offset(0)), promise.records) << at;
        log_.reset();
        cache_.reset();
    }
}

TEST_F(LogCrashTest, a_failed_sync_takes_the_log_down_for_good) {
    auto files = machine();
    use(*files);
    ASSERT_TRUE(try_open(false));
    Promise promise;
    int sequence = 0;
    ASSERT_TRUE(append_one(promise, 0, sequence));
    files->fail_syncs(true);
    EXPECT_FALSE(log_->flush());
    EXPECT_EQ(failures_, 1);
    files->fail_syncs(false);
    EXPECT_FALSE(log_->flush());
    EXPECT_TRUE(log_->failed());
    EXPECT_EQ(log_->recovery_point(), Offset(0));
    EXPECT_FALSE(append_one(promise, 0, sequence));
    EXPECT_FALSE(log_->read(Offset(0), 10, ReadBound::LogEnd, true));
    EXPECT_EQ(failures_, 1);
    log_.reset();
    cache_.reset();
}

}  // namespace
}  // namespace moldau::storage
