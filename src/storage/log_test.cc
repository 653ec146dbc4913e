#include "storage/log.h"

#include <set>

#include <gtest/gtest.h>

#include "record/builder.h"
#include "runtime/forwarding_file_system.h"
#include "runtime/memory_file_system.h"
#include "storage/log_fixture.h"

namespace moldau::storage {
namespace {

using LogTest = LogFixture;

TEST_F(LogTest, appended_records_come_back_with_their_offsets) {
    open();
    EXPECT_EQ(append({"a", "b"}).base_offset, Offset(0));
    EXPECT_EQ(append({"c"}).base_offset, Offset(2));
    EXPECT_EQ(log_->log_end_offset(), Offset(3));
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(values(Offset(2)), (std::vector<std::string>{"c"}));
    EXPECT_TRUE(values(Offset(3)).empty());
}

TEST_F(LogTest, reads_outside_the_log_are_out_of_range) {
    open();
    append({"a"});
    auto above = log_->read(Offset(2), 100, ReadBound::LogEnd, true);
    ASSERT_FALSE(above);
    EXPECT_EQ(above.error().code, ErrorCode::OffsetOutOfRange);
    log_->set_high_watermark(Offset(1));
    ASSERT_TRUE(log_->advance_log_start(Offset(1)));
    auto below = log_->read(Offset(0), 100, ReadBound::LogEnd, true);
    ASSERT_FALSE(below);
    EXPECT_EQ(below.error().code, ErrorCode::OffsetOutOfRange);
}

TEST_F(LogTest, readers_see_no_further_than_their_bound) {
    open();
    append({"a"});
    append({"b"});
    append({"c"});
    EXPECT_TRUE(values(Offset(0), ReadBound::HighWatermark).empty());
    log_->set_high_watermark(Offset(2));
    EXPECT_EQ(values(Offset(0), ReadBound::HighWatermark), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(log_->bytes_available(Offset(2), ReadBound::HighWatermark), 0);
    EXPECT_GT(log_->bytes_available(Offset(1), ReadBound::HighWatermark), 0);
}

TEST_F(LogTest, a_first_batch_larger_than_the_limit_is_returned_only_when_asked) {
    open();
    append({std::string(1000, 'x')});
    auto with = log_->read(Offset(0), 10, ReadBound::LogEnd, true);
    ASSERT_TRUE(with);
    EXPECT_GT(with->records.size(), 1000u);
    auto without = log_->read(Offset(0), 10, ReadBound::LogEnd, false);
    ASSERT_TRUE(without);
    EXPECT_TRUE(without->records.empty());
    EXPECT_TRUE(without->first_too_large);
}

TEST_F(LogTest, every_offset_is_found_across_segments_and_after_reopening) {
    config_.index_interval_bytes = 100;
    config_.internal_segment_bytes = 2000;
    open();
    for (int i = 0; i < 200; ++i) {
        append({"value-" + std::to_string(i)});
    }
    EXPECT_GT(log_->segment_count(), 3u);
    for (bool reopened : {false, true}) {
        if (reopened) {
            close_and_reopen();
        }
        for (int i = 0; i < 200; ++i) {
            auto read = log_->read(Offset(i), 1, ReadBound::LogEnd, true);
            ASSERT_TRUE(read) << i;
            auto batch = record::BatchView::parse(read->records);
            ASSERT_TRUE(batch) << i;
            EXPECT_EQ(batch->header().base_offset, i);
        }
    }
}

TEST_F(LogTest, a_clean_stop_keeps_everything) {
    open();
    append({"a", "b"});
    append({"c"});
    close_and_reopen();
    EXPECT_EQ(log_->log_end_offset(), Offset(3));
    EXPECT_EQ(log_->recovery_point(), Offset(3));
    EXPECT_EQ(append({"d"}).base_offset, Offset(3));
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(LogTest, recovery_keeps_whole_batches_and_cuts_a_torn_tail) {
    open();
    append({"a"});
    append({"b"});
    int64_t whole = log_->size_in_bytes();
    append({"c"});
    truncate_file("00000000000000000000.log", static_cast<uint64_t>(whole) + 20);
    crash_and_reopen();
    EXPECT_EQ(log_->log_end_offset(), Offset(2));
    EXPECT_EQ(log_->size_in_bytes(), whole);
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(append({"d"}).base_offset, Offset(2));
}

TEST_F(LogTest, recovery_from_a_file_cut_at_any_byte_keeps_a_prefix_and_is_stable) {
    open();
    for (int i = 0; i < 4; ++i) {
        append({"value-" + std::to_string(i)});
    }
    Bytes content = *files_->read_file(path("00000000000000000000.log"));
    for (size_t cut = 0; cut <= content.size(); ++cut) {
        fresh();
        ASSERT_TRUE(files_->create_directories(dir_));
        write_file("00000000000000000000.log", content.slice(0, cut));
        reopen(false);
        size_t batch_bytes = content.size() / 4;
        EXPECT_EQ(log_->log_end_offset(), Offset(static_cast<int64_t>(cut / batch_bytes))) << cut;
        Offset end = log_->log_end_offset();
        crash_and_reopen();
        EXPECT_EQ(log_->log_end_offset(), end) << cut;
    }
}

TEST_F(LogTest, recovery_drops_everything_behind_a_damaged_batch) {
    config_.internal_segment_bytes = 300;
    open();
    for (int i = 0; i < 20; ++i) {
        append({"value-" + std::to_string(i)});
    }
    ASSERT_GT(log_->segment_count(), 3u);
    Bytes first = *files_->read_file(path("00000000000000000000.log"));
    Buffer damaged;
    damaged.append(first.span());
    damaged.data()[damaged.size() - 1] ^= 0xff;
    write_file("00000000000000000000.log", std::move(damaged).freeze());
    crash_and_reopen();
    EXPECT_EQ(log_->segment_count(), 1u);
    EXPECT_LT(log_->log_end_offset(), Offset(20));
    EXPECT_EQ(values(Offset(0)).size(), static_cast<size_t>(log_->log_end_offset().value()));
}

TEST_F(LogTest, segments_below_the_recovery_point_are_not_read_again) {
    config_.internal_segment_bytes = 300;
    open();
    for (int i = 0; i < 20; ++i) {
        append({"value-" + std::to_string(i)});
    }
    ASSERT_TRUE(log_->flush());
    EXPECT_EQ(log_->recovery_point(), Offset(20));
    Bytes first = *files_->read_file(path("00000000000000000000.log"));
    Buffer damaged;
    damaged.append(first.span());
    damaged.data()[damaged.size() - 1] ^= 0xff;
    write_file("00000000000000000000.log", std::move(damaged).freeze());
    options_recovery_point_ = Offset(20);
    crash_and_reopen();
    EXPECT_EQ(log_->log_end_offset(), Offset(20));
}

TEST_F(LogTest, missing_index_files_are_built_anew) {
    config_.index_interval_bytes = 100;
    open();
    for (int i = 0; i < 50; ++i) {
        append({"value-" + std::to_string(i)});
    }
    ASSERT_TRUE(log_->close());
    ASSERT_TRUE(files_->remove(path("00000000000000000000.index")));
    ASSERT_TRUE(files_->remove(path("00000000000000000000.timeindex")));
    reopen(true);
    EXPECT_EQ(log_->log_end_offset(), Offset(50));
    EXPECT_EQ(values(Offset(33)).front(), "value-33");
}

TEST_F(LogTest, zero_tailed_index_files_of_a_killed_kafka_are_accepted) {
    config_.index_interval_bytes = 100;
    open();
    for (int i = 0; i < 50; ++i) {
        append({"value-" + std::to_string(i)});
    }
    ASSERT_TRUE(log_->close());
    for (std::string_view name : {"00000000000000000000.index", "00000000000000000000.timeindex"}) {
        Buffer grown;
        grown.append(files_->read_file(path(name))->span());
        size_t used = grown.size();
        grown.resize(used + 2400);
        std::fill(grown.data() + used, grown.data() + grown.size(), 0);
        write_file(name, std::move(grown).freeze());
    }
    reopen(true);
    EXPECT_EQ(log_->log_end_offset(), Offset(50));
    EXPECT_EQ(values(Offset(33)).front(), "value-33");
    EXPECT_EQ(append({"more"}).base_offset, Offset(50));
}

TEST_F(LogTest, truncation_drops_records_and_their_epochs) {
    config_.internal_segment_bytes = 300;
    open();
    for (int i = 0; i < 10; ++i) {
        append({"value-" + std::to_string(i)}, LeaderEpoch(i / 5));
    }
    log_->set_high_watermark(Offset(10));
    auto truncated = log_->truncate_to(Offset(4), now_);
    ASSERT_TRUE(truncated);
    EXPECT_TRUE(*truncated);
    EXPECT_EQ(log_->log_end_offset(), Offset(4));
    EXPECT_EQ(log_->high_watermark(), Offset(4));
    EXPECT_EQ(log_->epochs().latest()->epoch, LeaderEpoch(0));
    EXPECT_EQ(values(Offset(0)).size(), 4u);
    EXPECT_EQ(append({"new"}, LeaderEpoch(2)).base_offset, Offset(4));
    close_and_reopen();
    EXPECT_EQ(values(Offset(0)).size(), 5u);
    EXPECT_EQ(values(Offset(4)).front(), "new");
}

// 1. The recovery point 8 is in its file. 2. A truncation to 6; 6 and 7 are appended anew, and the
// roll makes a segment at 8. 3. The power goes: the new segment's name is on the device, 6 and 7
// are not. Recovery looked at nothing below 8: a log of 8 records had a hole, and what the journal
// had of 6 and 7 did not fit its end.
TEST_F(LogTest, a_roll_below_the_recovery_point_of_before_a_truncation_syncs_what_it_closes) {
    runtime::MemoryFileSystem files;
    use(files);
    open();
    for (int i = 0; i < 8; ++i) {
        append({"old"});
    }
    ASSERT_TRUE(log_->flush());
    ASSERT_TRUE(files.sync_all("/"));
    options_recovery_point_ = log_->recovery_point();
    ASSERT_TRUE(log_->truncate_to(Offset(6), now_));
    append({"new"}, LeaderEpoch(1));
    append({"new"}, LeaderEpoch(1));
    ASSERT_TRUE(log_->roll(now_));
    files.crash_losing_all();
    open();
    EXPECT_EQ(log_->log_end_offset(), Offset(8));
    EXPECT_EQ(values(Offset(6)), (std::vector<std::string>{"new", "new"}));
    use(runtime::real_file_system());
}

TEST_F(LogTest, truncating_fully_starts_anew_at_the_offset) {
    open();
    append({"a"});
    ASSERT_TRUE(log_->truncate_fully_and_start_at(Offset(100), now_));
    EXPECT_EQ(log_->log_start_offset(), Offset(100));
    EXPECT_EQ(append({"b"}).base_offset, Offset(100));
    close_and_reopen();
    EXPECT_EQ(log_->log_start_offset(), Offset(100));
    EXPECT_EQ(values(Offset(100)), (std::vector<std::string>{"b"}));
}

TEST_F(LogTest, followers_keep_the_offsets_of_the_leader) {
    open();
    auto first = batch({"a", "b"}, {.base_offset = Offset(5), .leader_epoch = 3});
    auto appended = log_->append_as_follower(first, LeaderEpoch(3), now_);
    ASSERT_TRUE(appended);
    EXPECT_EQ(appended->base_offset, Offset(5));
    EXPECT_EQ(log_->log_end_offset(), Offset(7));
    EXPECT_EQ(log_->epochs().latest(), (EpochEntry{LeaderEpoch(3), Offset(5)}));
    auto again = log_->append_as_follower(first, LeaderEpoch(3), now_);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::OffsetOutOfRange);
    auto later = batch({"c"}, {.base_offset = Offset(7), .leader_epoch = 4});
    auto skipped = log_->append_as_follower(later, LeaderEpoch(3), now_);
    ASSERT_TRUE(skipped);
    EXPECT_EQ(log_->log_end_offset(), Offset(7));
}

TEST_F(LogTest, segments_roll_by_time_told_by_records) {
    config_.segment_ms = 1000;
    open();
    append({"a"});
    now_ += 500;
    append({"b"});
    EXPECT_EQ(log_->segment_count(), 1u);
    now_ += 600;
    append({"c"});
    EXPECT_EQ(log_->segment_count(), 2u);
    EXPECT_EQ(log_->active_segment_base(), Offset(2));
}

TEST_F(LogTest, segments_roll_when_an_index_is_full) {
    config_.segment_index_bytes = 24;  // three offset entries, two time entries
    config_.index_interval_bytes = 0;
    open();
    for (int i = 0; i < 12; ++i) {
        now_ += 1;
        append({"x"});
    }
    EXPECT_GT(log_->segment_count(), 2u);
    EXPECT_EQ(values(Offset(0)).size(), 12u);
}

TEST_F(LogTest, segments_roll_before_an_offset_leaves_31_bits) {
    open();
    ASSERT_TRUE(log_->append_as_follower(
        batch({"a"}, {.base_offset = Offset(0), .leader_epoch = 0}), LeaderEpoch(0), now_));
    ASSERT_TRUE(log_->append_as_follower(
        batch({"b"}, {.base_offset = Offset(5'000'000'000), .leader_epoch = 0}), LeaderEpoch(0),
        now_));
    EXPECT_EQ(log_->segment_count(), 2u);
    EXPECT_EQ(values(Offset(1)), (std::vector<std::string>{"b"}));
}

TEST_F(LogTest, retention_by_time_removes_old_segments_after_the_delay) {
    config_.segment_ms = 1000;
    config_.retention_ms = 10'000;
    config_.file_delete_delay_ms = 60'000;
    open();
    append({"old"});
    now_ += 2000;
    append({"new"});
    log_->set_high_watermark(Offset(2));
    EXPECT_EQ(*log_->apply_retention(now_), 0u);
    now_ += 9000;
    EXPECT_EQ(*log_->apply_retention(now_), 1u);
    EXPECT_EQ(log_->log_start_offset(), Offset(1));
    EXPECT_TRUE(files_->exists(path("00000000000000000000.log.deleted")));
    EXPECT_EQ(log_->remove_deleted(now_), 1u);
    now_ += 60'000;
    EXPECT_EQ(log_->remove_deleted(now_), 0u);
    EXPECT_FALSE(files_->exists(path("00000000000000000000.log.deleted")));
    // The active segment goes too once all of it is old.
    EXPECT_EQ(*log_->apply_retention(now_), 1u);
    EXPECT_EQ(log_->log_start_offset(), Offset(2));
    EXPECT_EQ(append({"again"}).base_offset, Offset(2));
}

TEST_F(LogTest, retention_by_size_keeps_what_the_limit_allows) {
    config_.internal_segment_bytes = 300;
    open();
    for (int i = 0; i < 20; ++i) {
        append({"value-" + std::to_string(i)});
    }
    log_->set_high_watermark(Offset(20));
    config_.retention_bytes = 500;
    apply_config();
    ASSERT_TRUE(log_->apply_retention(now_));
    EXPECT_GE(log_->size_in_bytes(), 500);
    EXPECT_LT(log_->size_in_bytes(), 1000);
    EXPECT_GT(log_->log_start_offset(), Offset(0));
}

TEST_F(LogTest, retention_never_removes_what_is_not_committed) {
    config_.retention_ms = 0;
    open();
    append({"a"});
    now_ += 100'000;
    EXPECT_EQ(*log_->apply_retention(now_), 0u);
}

TEST_F(LogTest, deleting_records_moves_the_log_start_but_not_past_the_high_watermark) {
    config_.internal_segment_bytes = 300;
    open();
    for (int i = 0; i < 20; ++i) {
        append({"value-" + std::to_string(i)});
    }
    log_->set_high_watermark(Offset(10));
    auto beyond = log_->advance_log_start(Offset(11));
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error().code, ErrorCode::OffsetOutOfRange);
    ASSERT_TRUE(log_->advance_log_start(Offset(10)));
    EXPECT_GT(*log_->apply_retention(now_), 0u);
    EXPECT_EQ(log_->log_start_offset(), Offset(10));
    EXPECT_EQ(values(Offset(10)).front(), "value-10");
}

TEST_F(LogTest, look_up_by_time_finds_the_first_record_not_older) {
    config_.index_interval_bytes = 0;
    config_.internal_segment_bytes = 500;
    open();
    for (int i = 0; i < 30; ++i) {
        append_at_time("v", now_ + i * 10);
    }
    for (bool reopened : {false, true}) {
        if (reopened) {
            close_and_reopen();
        }
        for (int i = 0; i < 30; ++i) {
            auto match = log_->find_timestamp(now_ + i * 10 - 5);
            ASSERT_TRUE(match && *match) << i;
            EXPECT_EQ((*match)->offset, Offset(i));
            EXPECT_EQ((*match)->timestamp, now_ + i * 10);
        }
        EXPECT_FALSE((*log_->find_timestamp(now_ + 1000)).has_value());
        EXPECT_EQ((*log_->find_timestamp(kMaxTimestamp))->offset, Offset(29));
        EXPECT_EQ((*log_->find_timestamp(kEarliestTimestamp))->offset, Offset(0));
        EXPECT_EQ((*log_->find_timestamp(kLatestTimestamp))->offset, Offset(30));
    }
}

TEST_F(LogTest, the_youngest_record_is_found_even_when_it_came_early) {
    open();
    append_at_time("young", now_ + 500);
    append_at_time("old", now_);
    auto match = log_->find_timestamp(kMaxTimestamp);
    ASSERT_TRUE(match && *match);
    EXPECT_EQ((*match)->offset, Offset(0));
    EXPECT_FALSE((*log_->find_timestamp(now_ + 501)).has_value());
}

TEST_F(LogTest, topic_id_is_kept_and_must_not_change) {
    open();
    Uuid id{1, 2};
    ASSERT_TRUE(log_->assign_topic_id(id));
    close_and_reopen();
    EXPECT_EQ(log_->topic_id(), id);
    auto other = log_->assign_topic_id({3, 4});
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::InconsistentTopicId);
}

TEST_F(LogTest, idempotent_retries_are_answered_with_the_first_offsets) {
    open();
    auto first = produce(7, 0, 0, {"a", "b"});
    ASSERT_TRUE(first);
    ASSERT_TRUE(produce(7, 0, 2, {"c"}));
    auto again = produce(7, 0, 0, {"a", "b"});
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->base_offset, first->base_offset);
    EXPECT_EQ(again->last_offset, Offset(1));
    EXPECT_EQ(log_->log_end_offset(), Offset(3));
    auto gap = produce(7, 0, 5, {"x"});
    ASSERT_FALSE(gap);
    EXPECT_EQ(gap.error().error.code, ErrorCode::OutOfOrderSequenceNumber);
}

TEST_F(LogTest, producer_state_survives_clean_stop_crash_and_truncation) {
    config_.internal_segment_bytes = 300;
    open();
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(produce(7, 0, i, {"value"}));
    }
    close_and_reopen();
    EXPECT_FALSE(produce(7, 0, 11, {"gap"}));
    ASSERT_TRUE(produce(7, 0, 10, {"next"}));
    crash_and_reopen();
    EXPECT_TRUE(produce(7, 0, 10, {"next"})->duplicate);
    ASSERT_TRUE(produce(7, 0, 11, {"next"}));
    ASSERT_TRUE(log_->truncate_to(Offset(6), now_));
    EXPECT_FALSE(produce(7, 0, 7, {"gap"}));
    ASSERT_TRUE(produce(7, 0, 6, {"again"}));
    EXPECT_EQ(log_->log_end_offset(), Offset(7));
}

TEST_F(LogTest, an_open_transaction_holds_back_read_committed_until_its_marker_is_replicated) {
    open();
    append({"plain"});
    ASSERT_TRUE(produce(7, 0, 0, {"t1"}, true));
    append({"after"});
    log_->set_high_watermark(log_->log_end_offset());
    EXPECT_EQ(log_->last_stable_offset(), Offset(1));
    EXPECT_EQ(values(Offset(0), ReadBound::LastStable), (std::vector<std::string>{"plain"}));
    ASSERT_TRUE(end_transaction(7, 0, false));
    EXPECT_EQ(log_->last_stable_offset(), Offset(1));
    log_->set_high_watermark(log_->log_end_offset());
    EXPECT_EQ(log_->last_stable_offset(), log_->log_end_offset());
    auto read = log_->read(Offset(0), 10000, ReadBound::LastStable, true);
    ASSERT_TRUE(read);
    ASSERT_EQ(read->aborted.size(), 1u);
    EXPECT_EQ(read->aborted[0].first_offset, Offset(1));
    EXPECT_EQ(read->aborted[0].producer_id, ProducerId(7));
    crash_and_reopen();
    log_->set_high_watermark(log_->log_end_offset());
    EXPECT_EQ(log_->read(Offset(0), 10000, ReadBound::LastStable, true)->aborted.size(), 1u);
}

// A device whose files are in memory only once they were read.
class ColdFileSystem final : public runtime::ForwardingFileSystem {
 public:
    using ForwardingFileSystem::ForwardingFileSystem;

    Result<std::unique_ptr<runtime::File>> open(const std::string& path,
                                                runtime::OpenMode mode) override {
        MOLDAU_TRY(auto file, ForwardingFileSystem::open(path, mode));
        return std::make_unique<ColdFile>(std::move(file), *this, path);
    }
    int reads = 0;
    std::set<std::string> warm;

 private:
    class ColdFile final : public runtime::ForwardingFile {
     public:
        ColdFile(std::unique_ptr<runtime::File> inner, ColdFileSystem& files, std::string path)
            : ForwardingFile(std::move(inner)), files_(files), path_(std::move(path)) {}
        Result<size_t> read(std::span<uint8_t> target, uint64_t at) const override {
            ++files_.reads;
            files_.warm.insert(path_);
            return ForwardingFile::read(target, at);
        }
        Result<size_t> read_cached(std::span<uint8_t> target, uint64_t at) const override {
            return files_.warm.contains(path_) ? ForwardingFile::read(target, at)
                                               : Result<size_t>(0);
        }

     private:
        ColdFileSystem& files_;
        const std::string path_;
    };
};

TEST_F(LogTest, a_read_that_must_not_wait_touches_no_device_until_it_is_warmed_up) {
    config_.internal_segment_bytes = 300;
    ColdFileSystem cold(*files_);
    use(cold);
    open();
    for (int i = 0; i < 20; ++i) {
        append({"value"});
    }
    close_and_reopen();
    log_->set_high_watermark(log_->log_end_offset());
    cold.warm.clear();
    for (int64_t start : {0, 7, 19}) {
        for (ReadBound bound : {ReadBound::HighWatermark, ReadBound::LastStable}) {
            cold.warm.clear();
            int before = cold.reads;
            auto refused = log_->read(Offset(start), 1000, bound, true, false);
            if (!refused) {
                EXPECT_TRUE(is_would_wait(refused.error())) << refused.error().message;
                EXPECT_EQ(cold.reads, before) << start;
                ASSERT_TRUE(log_->warm_up(Offset(start), 1000, bound));
                before = cold.reads;
                refused = log_->read(Offset(start), 1000, bound, true, false);
            }
            ASSERT_TRUE(refused) << start << ": " << refused.error().message;
            EXPECT_EQ(cold.reads, before) << start;
            auto waited = log_->read(Offset(start), 1000, bound, true);
            EXPECT_EQ(refused->records.view(), waited->records.view());
        }
    }
    EXPECT_FALSE(log_->failed());
    log_.reset();
    use(runtime::real_file_system());
}

// Three aborted transactions, the second one across the segments.
class TransactionIndexTest : public LogTest {
 protected:
    void SetUp() override {
        open();
        abort(7, 0, 0);
        ASSERT_TRUE(produce(7, 0, 1, {"b"}, true));
        ASSERT_TRUE(log_->roll(now_));
        ASSERT_TRUE(end_transaction(7, 0, false));
        abort(7, 0, 2);
        ASSERT_TRUE(end_transaction(8, 0, true));
        log_->set_high_watermark(log_->log_end_offset());
    }
    void abort(int64_t producer, int16_t epoch, int32_t sequence) {
        ASSERT_TRUE(produce(producer, epoch, sequence, {"a"}, true));
        ASSERT_TRUE(end_transaction(producer, epoch, false));
    }
    std::string file(std::string_view name) {
        auto content = files_->read_file(path(name));
        return content ? content->str() : "<missing>";
    }
    std::vector<Offset> aborted_from(Offset start) {
        std::vector<Offset> firsts;
        log_->set_high_watermark(log_->log_end_offset());
        auto read = log_->read(start, 10000, ReadBound::LastStable, true);
        EXPECT_TRUE(read) << read.error().message;
        for (const AbortedTxn& txn : read ? read->aborted : std::vector<AbortedTxn>{}) {
            firsts.push_back(txn.first_offset);
        }
        return firsts;
    }
    const std::string first_ = "00000000000000000000.txnindex";
    const std::string second_ = "00000000000000000003.txnindex";
};

TEST_F(TransactionIndexTest, one_entry_is_appended_for_each_aborted_transaction) {
    EXPECT_EQ(file(first_).size(), TransactionIndex::kEntryBytes);
    std::string before = file(second_);
    EXPECT_EQ(before.size(), 2 * TransactionIndex::kEntryBytes);
    abort(9, 0, 0);
    EXPECT_EQ(file(second_).size(), 3 * TransactionIndex::kEntryBytes);
    EXPECT_TRUE(file(second_).starts_with(before));
    close_and_reopen();
    EXPECT_EQ(aborted_from(Offset(3)), (std::vector<Offset>{Offset(2), Offset(4), Offset(7)}));
}

// A damaged index once failed every read_committed fetch of the segment.
TEST_F(TransactionIndexTest, a_damaged_index_is_made_anew_from_the_records) {
    std::string whole = file(second_);
    ASSERT_TRUE(log_->close());
    for (size_t bytes : {5u, 34u + 17u}) {
        truncate_file(second_, bytes);
        reopen(true);
        EXPECT_EQ(aborted_from(Offset(3)), (std::vector<Offset>{Offset(2), Offset(4)})) << bytes;
        EXPECT_EQ(file(second_), whole);
        ASSERT_TRUE(log_->close());
    }
    write_file(second_, Bytes::copy_of(std::string(34, '\xff')));
    reopen(true);
    EXPECT_EQ(aborted_from(Offset(3)), (std::vector<Offset>{Offset(2), Offset(4)}));
    EXPECT_EQ(file(second_), whole);
}

TEST_F(TransactionIndexTest, an_index_that_went_missing_with_the_others_is_made_anew) {
    std::string whole = file(second_);
    ASSERT_TRUE(log_->close());
    for (std::string name : {second_, std::string("00000000000000000003.index")}) {
        ASSERT_TRUE(files_->remove(path(name)));
    }
    reopen(true);
    EXPECT_EQ(aborted_from(Offset(3)), (std::vector<Offset>{Offset(2), Offset(4)}));
    EXPECT_EQ(file(second_), whole);
}

TEST_F(TransactionIndexTest, a_damaged_index_can_still_be_truncated_and_appended_to) {
    ASSERT_TRUE(log_->close());
    truncate_file(second_, 40);
    reopen(true);
    ASSERT_TRUE(log_->truncate_to(Offset(4), now_));
    EXPECT_EQ(file(second_).size(), TransactionIndex::kEntryBytes);
    log_->set_high_watermark(log_->log_end_offset());
    EXPECT_EQ(aborted_from(Offset(3)), std::vector<Offset>{Offset(2)});
    ASSERT_TRUE(log_->close());
    truncate_file(second_, 7);
    reopen(true);
    abort(7, 1, 0);
    EXPECT_EQ(file(second_).size(), 2 * TransactionIndex::kEntryBytes);
}

class PreallocateTest : public LogTest {
 protected:
    PreallocateTest() {
        config_.preallocate = true;
        config_.internal_segment_bytes = 4096;
    }
    uint64_t file_bytes(std::string_view name) {
        auto info = files_->stat(path(name));
        return info ? info->size : 0;
    }
};

TEST_F(PreallocateTest, a_new_segment_has_its_full_size_until_it_rolls_or_closes) {
    open();
    append({"a"});
    EXPECT_EQ(file_bytes("00000000000000000000.log"), 4096u);
    int64_t bytes = log_->size_in_bytes();
    EXPECT_LT(bytes, 200);
    ASSERT_TRUE(log_->roll(now_));
    EXPECT_EQ(file_bytes("00000000000000000000.log"), static_cast<uint64_t>(bytes));
    EXPECT_EQ(file_bytes("00000000000000000001.log"), 4096u);
    append({"b"});
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b"}));
    close_and_reopen();
    EXPECT_EQ(file_bytes("00000000000000000001.log"), static_cast<uint64_t>(bytes));
    append({"c"});
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(PreallocateTest, zeros_that_a_killed_process_left_are_cut_away) {
    open();
    append({"a"});
    append({"b"});
    crash_and_reopen();
    EXPECT_EQ(log_->log_end_offset(), Offset(2));
    EXPECT_EQ(file_bytes("00000000000000000000.log"), static_cast<uint64_t>(log_->size_in_bytes()));
    append({"c"});
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b", "c"}));
}

// 1. Everything is flushed; the recovery point is the log end. 2. The segment rolls, which trims
// it, and the recovery point is now the base of the new one. 3. The trim does not survive.
TEST_F(PreallocateTest, room_that_came_back_below_the_recovery_point_is_cut_away_again) {
    open();
    append({"a"});
    ASSERT_TRUE(log_->roll(now_));
    append({"b"});
    truncate_file("00000000000000000000.log", 4096);
    options_recovery_point_ = Offset(1);
    crash_and_reopen();
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b"}));
}

TEST_F(LogTest, an_unverified_transactional_batch_is_refused) {
    open();
    auto refused = produce(7, 0, 0, {"t1"}, true, false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error.code, ErrorCode::InvalidTxnState);
    EXPECT_EQ(log_->log_end_offset(), Offset(0));
}

TEST_F(LogTest, a_replay_continues_the_log_and_puts_nothing_old_behind_a_later_leadership) {
    open();
    append({"a"}, LeaderEpoch(5));
    auto journaled = [&](int64_t base, int32_t epoch, std::string_view value) {
        record::BatchOptions options;
        options.base_offset = Offset(base);
        options.leader_epoch = epoch;
        return batch({std::string(value)}, options);
    };
    auto replayed = log_->replay(
        {journaled(0, 5, "known"), journaled(1, 4, "older"), journaled(2, 5, "after a gap"),
         journaled(1, 5, "b"), journaled(2, 6, "c"), journaled(2, 6, "again")},
        now_);
    ASSERT_TRUE(replayed) << replayed.error().message;
    EXPECT_EQ(*replayed, 2u);
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(log_->epochs().latest(), (EpochEntry{LeaderEpoch(6), Offset(2)}));
}

TEST_F(LogTest, leftovers_of_deletion_and_compaction_are_cleared_at_open) {
    config_.internal_segment_bytes = 300;
    open();
    for (int i = 0; i < 10; ++i) {
        append({"value-" + std::to_string(i)});
    }
    ASSERT_GE(log_->segment_count(), 2u);
    ASSERT_TRUE(log_->close());
    Bytes whole = *files_->read_file(path("00000000000000000000.log"));
    write_file("00000000000000000000.log.swap", whole);
    write_file("00000000000000000000.index.swap", {});
    write_file("00000000000000000000.timeindex.swap", {});
    write_file("00000000000000000077.log.cleaned", whole);
    write_file("00000000000000000099.log.deleted", whole);
    write_file("00000000000000000042-0000000003.checkpoint", whole);
    reopen(true);
    EXPECT_EQ(values(Offset(0)).front(), "value-0");
    EXPECT_EQ(log_->log_end_offset(), Offset(10));
    EXPECT_FALSE(files_->exists(path("00000000000000000077.log.cleaned")));
    EXPECT_FALSE(files_->exists(path("00000000000000000099.log.deleted")));
    EXPECT_FALSE(files_->exists(path("00000000000000000000.log.swap")));
    EXPECT_TRUE(files_->exists(path("00000000000000000042-0000000003.checkpoint")));
}

}  // namespace
}  // namespace moldau::storage
