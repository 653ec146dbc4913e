// What compaction decides, without a log: keys, batches, transactions, ranges and groups.
#include <gtest/gtest.h>

#include "config/log_config.h"
#include "record/builder.h"
#include "storage/batch_cleaner.h"
#include "storage/cleaning_plan.h"
#include "storage/io_throttle.h"

namespace moldau::storage {
namespace {

constexpr TimestampMs kNow = 1'700'000'000'000;
constexpr int64_t kDeleteRetentionMs = 1000;

TEST(CleanerOffsetMap, siphash_agrees_with_its_authors) {
    // First vectors of the reference implementation: key 00..0f, input 00, 00 01, ...
    std::array<uint64_t, 2> key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    EXPECT_EQ(siphash_128(key, ""),
              (std::array<uint64_t, 2>{0xe6a825ba047f81a3ULL, 0x930255c71472f66dULL}));
    EXPECT_EQ(siphash_128(key, std::string(1, '\0')),
              (std::array<uint64_t, 2>{0x44af996bd8c187daULL, 0x45fc229b11597634ULL}));
}

TEST(CleanerOffsetMap, the_last_put_of_a_key_counts_while_the_map_grows) {
    CleanerOffsetMap map(24 * 10'000, 0.9, {1, 2});
    for (int i = 0; i < 9000; ++i) {
        map.put("key-" + std::to_string(i % 4500), Offset(i));
    }
    EXPECT_EQ(map.size(), 4500u);
    EXPECT_EQ(map.find("key-0"), Offset(4500));
    EXPECT_EQ(map.find("key-4499"), Offset(8999));
    EXPECT_EQ(map.find("another"), kNoOffset);
}

TEST(CleanerOffsetMap, is_full_at_its_load_factor) {
    CleanerOffsetMap map(24 * 10, 0.5, {1, 2});
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(map.full());
        map.put(std::to_string(i), Offset(i));
    }
    EXPECT_TRUE(map.full());
}

class BatchCleanerTest : public ::testing::Test {
 protected:
    using Record = std::pair<std::string, std::optional<std::string>>;

    record::BatchView batch(int64_t base, const std::vector<Record>& records,
                            record::BatchOptions options = {}) {
        options.base_offset = Offset(base);
        record::BatchBuilder builder(options);
        for (const auto& [key, value] : records) {
            builder.append(kNow - 5000, key, value);
        }
        return *record::BatchView::parse(builder.build());
    }
    record::BatchView marker(int64_t offset, int64_t producer, bool commit) {
        auto key =
            record::control_key(commit ? record::ControlType::Commit : record::ControlType::Abort);
        std::string value(6, '\0');
        record::BatchOptions options = of(producer);
        options.control = true;
        return batch(offset,
                     {{std::string(reinterpret_cast<const char*>(key.data()), key.size()), value}},
                     options);
    }
    record::BatchOptions of(int64_t producer) {
        record::BatchOptions options;
        options.producer_id = producer;
        options.producer_epoch = 0;
        options.base_sequence = 0;
        options.transactional = true;
        return options;
    }
    void known(std::string_view key, int64_t offset) { map_.put(key, Offset(offset)); }

    std::optional<record::BatchView> clean(const record::BatchView& given, TimestampMs now = kNow) {
        BatchCleaner cleaner(map_, transactions_, producers_, kDeleteRetentionMs, now, stats_);
        auto kept = cleaner.clean(given);
        EXPECT_TRUE(kept) << kept.error().message;
        if (!kept || !*kept) {
            return std::nullopt;
        }
        auto view = record::BatchView::parse(**kept);
        EXPECT_TRUE(view && view->check_crc());
        EXPECT_EQ(view->header().base_offset, given.header().base_offset);
        EXPECT_EQ(view->header().last_offset_delta, given.header().last_offset_delta);
        EXPECT_EQ(view->header().producer_id, given.header().producer_id);
        EXPECT_EQ(view->header().base_sequence, given.header().base_sequence);
        return *view;
    }
    static std::vector<int64_t> offsets(const std::optional<record::BatchView>& kept) {
        std::vector<int64_t> found;
        if (kept) {
            Bytes payload = *kept->uncompressed_payload();
            record::RecordReader reader(kept->header(), payload);
            while (reader.next()) {
                EXPECT_EQ(reader.record().timestamp, kNow - 5000);
                found.push_back(reader.record().offset.value());
            }
            EXPECT_TRUE(reader.status());
        }
        return found;
    }

    CleanerOffsetMap map_{24 * 100, 0.9, {1, 2}};
    CleanedTransactions transactions_;
    LastOfProducers producers_;
    CleaningStats stats_;
};

TEST_F(BatchCleanerTest, only_the_last_record_of_a_key_stays_and_offsets_keep_their_gaps) {
    known("a", 12);
    known("b", 11);
    map_.set_latest_offset(Offset(20));
    record::BatchOptions zstd;
    zstd.compression.codec = record::Codec::Zstd;
    auto kept = clean(batch(10, {{"a", "1"}, {"b", "2"}, {"a", "3"}, {"b", "old"}}, zstd));
    // "b" is known at 11 and must not be lost to a later record the map never saw.
    EXPECT_EQ(offsets(kept), (std::vector<int64_t>{11, 12, 13}));
    EXPECT_EQ(kept->header().codec(), record::Codec::Zstd);
    EXPECT_FALSE(clean(batch(2, {{"a", "1"}, {"b", "2"}})));
}

TEST_F(BatchCleanerTest, a_batch_that_keeps_everything_is_not_rewritten) {
    known("a", 10);
    map_.set_latest_offset(Offset(20));
    auto given = batch(10, {{"a", "1"}, {"c", "2"}});
    EXPECT_EQ(clean(given)->bytes().view(), given.bytes().view());
}

TEST_F(BatchCleanerTest, what_lies_behind_the_map_stays) {
    known("a", 12);
    map_.set_latest_offset(Offset(12));
    EXPECT_EQ(offsets(clean(batch(11, {{"a", "1"}, {"a", "2"}, {"a", "3"}, {"a", "4"}}))),
              (std::vector<int64_t>{12, 13, 14}));
}

TEST_F(BatchCleanerTest, a_tombstone_stays_until_its_horizon) {
    known("a", 10);
    map_.set_latest_offset(Offset(20));
    auto first = clean(batch(10, {{"a", std::nullopt}, {"b", "1"}}));
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->header().has_delete_horizon());
    EXPECT_EQ(first->header().base_timestamp, kNow + kDeleteRetentionMs);
    EXPECT_EQ(offsets(first), (std::vector<int64_t>{10, 11}));
    auto second = clean(*first, kNow + kDeleteRetentionMs - 1);
    EXPECT_EQ(second->bytes().view(), first->bytes().view());
    auto third = clean(*first, kNow + kDeleteRetentionMs);
    EXPECT_EQ(offsets(third), std::vector<int64_t>{11});
    EXPECT_TRUE(third->header().has_delete_horizon());
}

TEST_F(BatchCleanerTest, the_last_batch_of_a_producer_stays_empty) {
    known("a", 30);
    map_.set_latest_offset(Offset(30));
    record::BatchOptions options = of(7);
    options.transactional = false;
    producers_[ProducerId(7)] = {Offset(11), 0};
    auto kept = clean(batch(10, {{"a", "1"}, {"a", "2"}}, options));
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->header().record_count, 0);
    EXPECT_EQ(kept->header().last_sequence(), 1);
    EXPECT_EQ(clean(*kept)->bytes().view(), kept->bytes().view());
    producers_[ProducerId(7)] = {Offset(25), 0};
    EXPECT_FALSE(clean(*kept));
}

TEST_F(BatchCleanerTest, aborted_data_goes_at_once_and_its_marker_one_horizon_later) {
    map_.set_latest_offset(Offset(30));
    AbortedTxn txn{ProducerId(7), Offset(10), Offset(11), Offset(12)};
    transactions_.add_aborted({txn});
    EXPECT_FALSE(clean(batch(10, {{"a", "1"}}, of(7))));
    auto kept = clean(marker(11, 7, false));
    ASSERT_TRUE(kept);
    EXPECT_FALSE(kept->header().has_delete_horizon());
    EXPECT_EQ(transactions_.take_retained(), std::vector<AbortedTxn>{txn});

    // The next time its data is gone: now its time runs.
    transactions_ = CleanedTransactions();
    transactions_.add_aborted({txn});
    kept = clean(*kept);
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->header().base_timestamp, kNow + kDeleteRetentionMs);
    EXPECT_TRUE(kept->header().has_delete_horizon());
    EXPECT_TRUE(transactions_.take_retained().empty());
    transactions_ = CleanedTransactions();
    EXPECT_FALSE(clean(*kept, kNow + kDeleteRetentionMs));
}

TEST_F(BatchCleanerTest, a_commit_marker_stays_while_it_has_data) {
    map_.set_latest_offset(Offset(30));
    auto data = batch(10, {{"a", "1"}}, of(7));
    EXPECT_TRUE(clean(data));
    auto kept = clean(marker(11, 7, true));
    EXPECT_FALSE(kept->header().has_delete_horizon());
    EXPECT_TRUE(clean(*kept)->header().has_delete_horizon());
}

TEST_F(BatchCleanerTest, records_without_a_key_go_and_are_counted) {
    map_.set_latest_offset(Offset(30));
    record::BatchBuilder builder;
    builder.append(kNow - 5000, std::nullopt, "x");
    builder.append(kNow - 5000, "a", "y");
    EXPECT_EQ(offsets(clean(*record::BatchView::parse(builder.build()))), std::vector<int64_t>{1});
    EXPECT_EQ(stats_.invalid_records, 1);
}

class CleaningPlanTest : public ::testing::Test {
 protected:
    // Segments of 100 offsets and `bytes` each.
    static std::vector<SegmentFacts> segments(const std::vector<int64_t>& bytes) {
        std::vector<SegmentFacts> all;
        for (size_t i = 0; i < bytes.size(); ++i) {
            auto base = static_cast<int64_t>(i) * 100;
            all.push_back(
                {Offset(base), Offset(base + 100), bytes[i], 8, 12, kNow, kNow - 1000, kNow - 500});
        }
        return all;
    }
    config::LogConfig config_;
};

TEST_F(CleaningPlanTest, the_dirty_share_decides) {
    auto range =
        find_cleanable(segments({600, 200, 200}), Offset(100), Offset(1000), config_, kNow);
    EXPECT_EQ(range.first_uncleanable, Offset(300));
    EXPECT_DOUBLE_EQ(range.ratio(), 0.4);
    EXPECT_FALSE(range.is_due(config_));
    config_.min_cleanable_dirty_ratio = 0.3;
    EXPECT_TRUE(range.is_due(config_));
}

TEST_F(CleaningPlanTest, an_open_transaction_and_young_records_hold_it_back) {
    auto all = segments({100, 100, 100});
    EXPECT_EQ(find_cleanable(all, Offset(0), Offset(150), config_, kNow).first_uncleanable,
              Offset(100));
    EXPECT_EQ(find_cleanable(all, Offset(0), Offset(50), config_, kNow).cleanable_bytes, 0);
    all[1].largest_timestamp = kNow - 10;
    config_.min_compaction_lag_ms = 20;
    auto range = find_cleanable(all, Offset(0), Offset(1000), config_, kNow);
    EXPECT_EQ(range.first_uncleanable, Offset(100));
    EXPECT_EQ(range.cleanable_bytes, 100);
}

TEST_F(CleaningPlanTest, a_record_that_waited_too_long_makes_it_due) {
    config_.max_compaction_lag_ms = 999;
    auto range = find_cleanable(segments({1000, 10}), Offset(100), Offset(1000), config_, kNow);
    EXPECT_EQ(range.overdue_ms, 1);
    EXPECT_TRUE(range.is_due(config_));
    config_.max_compaction_lag_ms = 1000;
    range = find_cleanable(segments({1000, 10}), Offset(100), Offset(1000), config_, kNow);
    EXPECT_FALSE(range.is_due(config_));
}

TEST_F(CleaningPlanTest, a_checkpoint_outside_the_log_starts_over) {
    EXPECT_EQ(first_dirty_offset(kNoOffset, Offset(5), Offset(10)), Offset(5));
    EXPECT_EQ(first_dirty_offset(Offset(7), Offset(5), Offset(10)), Offset(7));
    EXPECT_EQ(first_dirty_offset(Offset(11), Offset(5), Offset(10)), Offset(5));
}

TEST_F(CleaningPlanTest, neighbours_are_joined_up_to_the_segment_size) {
    using Groups = std::vector<std::pair<size_t, size_t>>;
    config_.segment_bytes = 1000;
    auto all = segments({400, 600, 1, 2000, 500, 500});
    EXPECT_EQ(group_segments(all, Offset(1000), config_), (Groups{{0, 2}, {2, 3}, {3, 4}, {4, 6}}));
    EXPECT_EQ(group_segments(all, Offset(150), config_), (Groups{{0, 2}}));
    EXPECT_EQ(group_segments(all, Offset(100), config_), (Groups{{0, 1}}));
    config_.segment_index_bytes = 15;
    EXPECT_EQ(group_segments(all, Offset(200), config_), (Groups{{0, 1}, {1, 2}}));
    all[1].end = Offset((int64_t{1} << 31) + 1);
    config_.segment_index_bytes = 1000;
    EXPECT_EQ(group_segments(all, Offset(200), config_), (Groups{{0, 1}, {1, 2}}));
}

class Throttle : public ::testing::Test {
 protected:
    Duration rest(int64_t bytes, double rate) {
        return std::max(Duration(0), throttle_.moved(bytes, rate, now_) - now_);
    }
    MonotonicTime now_{seconds(100)};
    IoThrottle throttle_;
};

TEST_F(Throttle, what_was_moved_is_paid_for_in_time) {
    EXPECT_EQ(rest(500, 1000), milliseconds(500));
    now_ += milliseconds(500);
    EXPECT_EQ(rest(2000, 1000), seconds(2));
    now_ += milliseconds(1500);
    EXPECT_EQ(rest(100, 1000), milliseconds(600)) << "half a second is still owed";
}

TEST_F(Throttle, threads_share_the_rate) {
    EXPECT_EQ(rest(1000, 1000), seconds(1));
    EXPECT_EQ(rest(1000, 1000), seconds(2));
}

TEST_F(Throttle, idle_time_is_no_credit) {
    EXPECT_EQ(rest(1000, 1000), seconds(1));
    now_ += seconds(1000);
    EXPECT_EQ(rest(1000, 1000), seconds(1));
}

TEST_F(Throttle, a_new_rate_counts_from_the_next_bytes_on) {
    EXPECT_EQ(rest(1000, 1000), seconds(1));
    EXPECT_EQ(rest(1000, 500), seconds(3));
}

TEST_F(Throttle, the_ends_of_the_range) {
    EXPECT_EQ(rest(1 << 30, std::numeric_limits<double>::max()), Duration(0));
    EXPECT_EQ(rest(1, 0), seconds(3600));
    EXPECT_EQ(rest(0, 0), seconds(2 * 3600));
}

}  // namespace
}  // namespace moldau::storage
