// Compaction of a whole Log: the last value of every key stays, whatever happens on the way.
#include "storage/log_cleaning.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

#include "runtime/memory_file_system.h"
#include "storage/log_fixture.h"
#include "storage/mutant_file_system.h"

namespace moldau::storage {
namespace {

using Fault = runtime::MemoryFileSystem::Fault;
using Model = std::map<std::string, std::string>;

class LogCleaningTest : public LogFixture {
 protected:
    LogCleaningTest() {
        config_.internal_segment_bytes = 600;
        config_.index_interval_bytes = 100;
        config_.cleanup_compact = true;
        config_.cleanup_delete = false;
        config_.delete_retention_ms = 1000;
    }

    void put(const std::string& key, std::optional<std::string> value,
             record::BatchOptions options = {}) {
        record::BatchBuilder builder(options);
        builder.append(now_, key, value);
        auto appended =
            log_->append_as_leader(builder.build(), {.leader_epoch = LeaderEpoch(0)}, now_);
        ASSERT_TRUE(appended) << appended.error().error.message;
        if (value) {
            model_[key] = *value;
        } else {
            model_.erase(key);
        }
    }
    void put_many(int records, unsigned seed) {
        std::mt19937 random(seed);
        for (int i = 0; i < records; ++i) {
            std::string key = "key-" + std::to_string(random() % 12);
            bool tombstone = random() % 5 == 0;
            put(key, tombstone ? std::nullopt : std::optional(fmt::format("value-{}-{}", seed, i)));
        }
    }
    Result<Offset> clean(CleaningOptions options = {}, Offset first_dirty = Offset(0)) {
        log_->set_high_watermark(log_->log_end_offset());
        if (auto flushed = log_->flush(); !flushed) {
            return fail(flushed.error());
        }
        MOLDAU_TRY(auto segments, log_->rolled_segments());
        CleanableRange range =
            find_cleanable(segments, first_dirty, log_->last_stable_offset(), log_->config(), now_);
        options.seed = {3, 4};
        options.io_buffer_bytes = 256;
        return LogCleaning(*log_, *cache_, std::move(options)).run(range, now_);
    }

    struct Content {
        Model last;
        std::vector<int64_t> offsets;
    };
    Content content(ReadBound bound = ReadBound::LogEnd) {
        Content found;
        Offset at{0};
        while (true) {
            auto read = log_->read(at, 1 << 20, bound, true);
            EXPECT_TRUE(read) << read.error().message;
            if (!read || read->records.empty()) {
                return found;
            }
            record::BatchIterator batches(read->records);
            while (true) {
                auto batch = batches.next();
                EXPECT_TRUE(batch);
                if (!batch || !*batch) {
                    break;
                }
                EXPECT_TRUE((*batch)->check_crc());
                at = (*batch)->header().next_offset();
                Bytes payload = *(*batch)->uncompressed_payload();
                record::RecordReader reader((*batch)->header(), payload);
                while (!(*batch)->header().is_control() && reader.next()) {
                    const record::RecordView& record = reader.record();
                    found.offsets.push_back(record.offset.value());
                    if (record.value) {
                        found.last[std::string(*record.key)] = *record.value;
                    } else {
                        found.last.erase(std::string(*record.key));
                    }
                }
            }
        }
    }
    size_t files_with(std::string_view suffix) {
        size_t count = 0;
        for (const auto& entry : *files_->list(dir_)) {
            count += entry.name.ends_with(suffix) ? 1 : 0;
        }
        return count;
    }

    Model model_;
};

TEST_F(LogCleaningTest, the_last_value_of_every_key_stays_at_its_offset) {
    open();
    put_many(120, 1);
    Content before = content();
    Offset end = log_->log_end_offset();
    auto cleaned = clean();
    ASSERT_TRUE(cleaned) << cleaned.error().message;
    EXPECT_EQ(*cleaned, log_->active_segment_base());
    Content after = content();
    EXPECT_EQ(after.last, model_);
    EXPECT_EQ(log_->log_end_offset(), end);
    EXPECT_LT(after.offsets.size(), before.offsets.size() / 2);
    EXPECT_TRUE(std::ranges::includes(before.offsets, after.offsets));
    EXPECT_EQ(files_with(".cleaned") + files_with(".swap"), 0u);

    // What follows goes on from there, and is cleaned again.
    put_many(120, 2);
    size_t segments = log_->segment_count();
    ASSERT_TRUE(clean({}, *cleaned));
    EXPECT_EQ(content().last, model_);
    // What the first time left of its segments fits into few.
    EXPECT_LT(log_->segment_count(), segments - 5);
    close_and_reopen();
    EXPECT_EQ(content().last, model_);
    options_recovery_point_ = Offset(0);
    crash_and_reopen();
    EXPECT_EQ(content().last, model_);
    now_ += 60'000;
    log_->remove_deleted(now_);
    EXPECT_EQ(files_with(".deleted"), 0u);
}

TEST_F(LogCleaningTest, tombstones_go_after_their_time) {
    open();
    put("a", "1");
    put("a", std::nullopt);
    put_many(20, 3);
    ASSERT_TRUE(log_->roll(now_));
    auto first = clean();
    ASSERT_TRUE(first);
    EXPECT_EQ(content().offsets.front(), 1);
    now_ += 1000;
    put("another", "1");
    ASSERT_TRUE(log_->roll(now_));
    ASSERT_TRUE(clean({}, *first));
    EXPECT_GT(content().offsets.front(), 1);
    EXPECT_EQ(content().last, model_);
}

TEST_F(LogCleaningTest, a_map_that_is_too_small_takes_several_rounds) {
    open();
    put_many(200, 4);
    CleaningOptions small;
    small.map_bytes_max = 24 * 8;
    small.map_load_factor = 0.9;
    Offset dirty{0};
    int rounds = 0;
    while (dirty < log_->active_segment_base()) {
        auto cleaned = clean(small, dirty);
        ASSERT_TRUE(cleaned) << cleaned.error().message;
        ASSERT_GT(*cleaned, dirty);
        dirty = *cleaned;
        ++rounds;
    }
    EXPECT_GT(rounds, 1);
    EXPECT_EQ(content().last, model_);
}

TEST_F(LogCleaningTest, idle_producers_keep_their_sequence) {
    open();
    record::BatchOptions options;
    options.producer_id = 7;
    options.producer_epoch = 0;
    options.base_sequence = 0;
    put("a", "from 7", options);
    put_many(120, 5);
    put("a", "again");
    ASSERT_TRUE(log_->roll(now_));
    ASSERT_TRUE(clean());
    Bytes producers = log_->producers().encode_snapshot();
    // Nothing but the records tells of producer 7 now.
    log_.reset();
    for (const auto& entry : *files_->list(dir_)) {
        if (entry.name.ends_with(kSnapshotSuffix)) {
            ASSERT_TRUE(files_->remove(path(entry.name)));
        }
    }
    crash_and_reopen();
    const ProducerEntry* producer = log_->producers().find(ProducerId(7));
    ASSERT_NE(producer, nullptr);
    EXPECT_EQ(producer->last_sequence(), 0);
    EXPECT_EQ(content().last, model_);
}

TEST_F(LogCleaningTest, aborted_records_never_come_back) {
    open();
    auto transactional = [&](int64_t producer, int32_t sequence) {
        record::BatchOptions options;
        options.producer_id = producer;
        options.producer_epoch = 0;
        options.base_sequence = sequence;
        options.transactional = true;
        return options;
    };
    auto put_in = [&](int64_t producer, int32_t sequence, const std::string& value) {
        record::BatchBuilder builder(transactional(producer, sequence));
        builder.append(now_, "a", value);
        ASSERT_TRUE(log_->append_as_leader(
            builder.build(), {.leader_epoch = LeaderEpoch(0), .transaction_verified = true}, now_));
    };
    put_in(7, 0, "committed");
    ASSERT_TRUE(end_transaction(7, 0, true));
    put_in(7, 1, "aborted");
    ASSERT_TRUE(end_transaction(7, 0, false));
    put_in(8, 0, "open");
    model_["a"] = "committed";
    for (int i = 0; i < 3; ++i) {
        put("b", "later");
    }
    ASSERT_TRUE(log_->roll(now_));
    // The open transaction holds back the segment with its first record.
    log_->set_high_watermark(log_->log_end_offset());
    auto segments = log_->rolled_segments();
    ASSERT_TRUE(segments);
    CleanableRange range =
        find_cleanable(*segments, Offset(0), log_->last_stable_offset(), config_, now_);
    EXPECT_EQ(range.first_uncleanable, segments->front().base);
    EXPECT_EQ(content(ReadBound::LastStable).last.size(), 1u);
    ASSERT_TRUE(end_transaction(8, 0, false));
    ASSERT_TRUE(log_->roll(now_));
    for (int round = 0; round < 3; ++round) {
        now_ += 2000;
        put("c", std::to_string(round));
        ASSERT_TRUE(log_->roll(now_));
        ASSERT_TRUE(clean({}, Offset(0)));
        EXPECT_EQ(content().last, model_) << round;
    }
}

TEST_F(LogCleaningTest, a_log_that_changed_meanwhile_is_left_as_it_is) {
    open();
    put_many(60, 6);
    CleaningOptions options;
    options.before_swap = [&]() -> Status {
        MOLDAU_TRY([[maybe_unused]] bool cut, log_->truncate_to(log_->log_end_offset() - 1, now_));
        return {};
    };
    auto cleaned = clean(std::move(options));
    ASSERT_FALSE(cleaned);
    EXPECT_EQ(cleaned.error().code, ErrorCode::OperationNotAttempted);
    EXPECT_FALSE(log_->failed());
    EXPECT_EQ(files_with(".cleaned"), 0u);
    EXPECT_EQ(content().offsets.size(), 59u);
}

class LogCleaningCrashTest : public LogCleaningTest {
 protected:
    LogCleaningCrashTest() { dir_ = "/data/orders-0"; }

    std::unique_ptr<runtime::MemoryFileSystem> machine() {
        auto files = std::make_unique<runtime::MemoryFileSystem>();
        EXPECT_TRUE(files->create_directories("/data"));
        EXPECT_TRUE(files->sync_directory("/"));
        return files;
    }
    // A log of several segments, all on the device; some were cleaned and will be joined.
    void live() {
        options_recovery_point_ = Offset(0);
        model_.clear();
        open();
        put_many(50, 7);
        ASSERT_TRUE(clean());
        put_many(20, 8);
        log_->set_high_watermark(log_->log_end_offset());
        ASSERT_TRUE(log_->flush());
    }

    // Cuts the power at every operation of a cleaning, in several ways, and checks what is left.
    void sweep(Mutation mutation) {
        auto counting = machine();
        MutantFileSystem counted(*counting, Mutation::None);
        use(counted);
        live();
        counted.set_mutation(mutation);
        uint64_t before = counting->operations();
        ASSERT_TRUE(clean());
        uint64_t operations = counting->operations() - before;
        log_.reset();
        cache_.reset();
        ASSERT_GT(operations, 40u);
        for (uint64_t at = 1; at <= operations; ++at) {
            for (unsigned seed = 0; seed < 6; ++seed) {
                std::string story = fmt::format("operation {} seed {}", at, seed);
                auto files = machine();
                MutantFileSystem mutant(*files, Mutation::None);
                use(mutant);
                live();
                mutant.set_mutation(mutation);
                Offset end = log_->log_end_offset();
                files->fail_at(files->operations() + at, Fault::Crash);
                EXPECT_FALSE(clean()) << story;
                log_.reset();
                std::mt19937_64 random(at * 1000 + seed);
                if (seed == 0) {
                    files->crash_losing_all();
                } else if (seed == 1) {
                    files->crash([] { return uint64_t{1}; });  // the process was killed
                } else {
                    files->crash([&] { return random(); });
                }
                use(*files);
                // The checkpoint may be older than the cleaning.
                options_recovery_point_ = seed % 2 == 0 ? end : Offset(0);
                for (int life = 0; life < 2; ++life) {
                    auto opened = try_open(false);
                    ASSERT_TRUE(opened) << story << ": " << opened.error().message;
                    Content found = content();
                    ASSERT_EQ(found.last, model_) << story << " life " << life;
                    ASSERT_TRUE(std::ranges::is_sorted(found.offsets)) << story;
                    ASSERT_EQ(std::ranges::adjacent_find(found.offsets), found.offsets.end())
                        << story;
                    ASSERT_EQ(log_->log_end_offset(), end) << story;
                    ASSERT_EQ(files_with(".cleaned") + files_with(".swap"), 0u) << story;
                }
                ASSERT_TRUE(clean()) << story;
                ASSERT_EQ(content().last, model_) << story;
                log_.reset();
                cache_.reset();
            }
        }
    }
};

TEST_F(LogCleaningCrashTest, a_power_cut_at_any_operation_loses_no_last_value) {
    sweep(Mutation::None);
}

TEST_F(LogCleaningCrashTest, a_cleaning_that_syncs_too_little_is_noticed) {
    EXPECT_GT(failures_of([&] { sweep(Mutation::NoDataSync); }), 0);
    EXPECT_GT(failures_of([&] { sweep(Mutation::NoDirectorySync); }), 0);
    log_.reset();
    cache_.reset();
}

// Does something as soon as a `.swap` has its name on the device, when nobody holds the log's lock.
class AtSwap final : public runtime::ForwardingFileSystem {
 public:
    using ForwardingFileSystem::ForwardingFileSystem;

    Status sync_directory(const std::string& path) override {
        MOLDAU_CHECK(ForwardingFileSystem::sync_directory(path));
        auto entries = list(path);
        bool swapping = entries && std::ranges::any_of(*entries, [](const auto& entry) {
                            return entry.name.ends_with(kSwapSuffix);
                        });
        if (swapping && meddle) {
            std::exchange(meddle, nullptr)();
        }
        return {};
    }

    std::function<void()> meddle;
};

// 1. A cleaning has given its segment the name with which a crash would finish the swap.
// 2. An election truncates the log in the middle of what was cleaned; others are appended there.
// 3. The power fails, and the start must not bring back what was truncated.
TEST_F(LogCleaningCrashTest, a_truncation_while_segments_are_swapped_is_for_good) {
    for (int64_t cut_to : {0, 1, 20}) {
        auto files = machine();
        AtSwap meddler(*files);
        use(meddler);
        live();
        bool happened = false;
        meddler.meddle = [&] {
            MutexLock lock(log_->mutex());
            ASSERT_TRUE(log_->truncate_to(Offset(cut_to), now_));
            put("key-1", "after the truncation");
            ASSERT_TRUE(log_->flush());
            happened = true;
        };
        EXPECT_EQ(clean().error().code, ErrorCode::OperationNotAttempted);
        ASSERT_TRUE(happened);
        EXPECT_FALSE(log_->failed());
        EXPECT_EQ(files_with(".cleaned") + files_with(".swap"), 0u);
        Content before = content();
        log_.reset();
        files->crash_losing_all();
        use(*files);
        options_recovery_point_ = Offset(0);
        auto opened = try_open(false);
        ASSERT_TRUE(opened) << opened.error().message;
        EXPECT_EQ(content().offsets, before.offsets);
        EXPECT_EQ(content().offsets.back(), cut_to);
        EXPECT_EQ(content().last["key-1"], "after the truncation");
        log_.reset();
        cache_.reset();
    }
}

TEST_F(LogCleaningCrashTest, a_full_disk_leaves_the_log_as_it_was) {
    auto files = machine();
    use(*files);
    live();
    files->fill_disk(true);
    auto cleaned = clean();
    ASSERT_FALSE(cleaned);
    EXPECT_TRUE(runtime::is_disk_full(cleaned.error())) << cleaned.error().message;
    EXPECT_FALSE(log_->failed());
    EXPECT_EQ(content().last, model_);
    files->fill_disk(false);
    EXPECT_EQ(files_with(".cleaned"), 0u);
    ASSERT_TRUE(clean());
    EXPECT_EQ(content().last, model_);
    log_.reset();
    cache_.reset();
}

}  // namespace
}  // namespace moldau::storage
