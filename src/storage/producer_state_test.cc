#include "storage/producer_state.h"

#include <limits>

#include <gtest/gtest.h>

#include "runtime/logging.h"

namespace moldau::storage {
namespace {

constexpr int32_t kMax = std::numeric_limits<int32_t>::max();

class ProducerStateTest : public ::testing::Test {
 protected:
    ProducerStateTest() { runtime::set_log_level("root", runtime::LogLevel::Off); }

    static ProducerBatchHeader header(int16_t epoch, int32_t first, int32_t last, int64_t base,
                                      bool transactional = false) {
        ProducerBatchHeader header;
        header.producer_id = ProducerId(1);
        header.producer_epoch = epoch;
        header.base_sequence = first;
        header.last_sequence = last;
        header.base_offset = Offset(base);
        int64_t count =
            first < 0 ? 1 : (last >= first ? last - first : kMax - first + 1 + last) + 1;
        header.last_offset = Offset(base + count - 1);
        header.max_timestamp = 1000;
        header.transactional = transactional;
        return header;
    }
    // "ok" or the error's name; a good batch changes the state.
    std::string append(int16_t epoch, int32_t first, int32_t last, bool transactional = false,
                       ProducerOrigin origin = ProducerOrigin::Client) {
        auto append = state_.begin_append(ProducerId(1), origin);
        auto batch = header(epoch, first, last, next_, transactional);
        auto good = append.append_data(batch);
        if (!good) {
            return std::string(error_name(good.error().code));
        }
        state_.update(append);
        next_ = batch.last_offset.value() + 1;
        return "ok";
    }
    std::string end(int16_t epoch, bool commit, int32_t coordinator_epoch = 0,
                    int16_t version = 0) {
        auto append = state_.begin_append(ProducerId(1), ProducerOrigin::Coordinator);
        auto completed = append.append_end_marker({commit, coordinator_epoch}, epoch, Offset(next_),
                                                  1000, version);
        if (!completed) {
            return std::string(error_name(completed.error().code));
        }
        state_.update(append);
        if (*completed) {
            state_.complete(**completed);
        }
        ++next_;
        return "ok";
    }

    ProducerState state_{"orders-0", std::chrono::hours(1)};
    int64_t next_ = 0;
};

TEST_F(ProducerStateTest, sequences_must_follow_within_an_epoch) {
    EXPECT_EQ(append(0, 0, 4), "ok");
    EXPECT_EQ(append(0, 5, 5), "ok");
    EXPECT_EQ(append(0, 7, 7), "OUT_OF_ORDER_SEQUENCE_NUMBER");
    EXPECT_EQ(append(0, 5, 5), "OUT_OF_ORDER_SEQUENCE_NUMBER");
    EXPECT_EQ(append(0, 6, 6), "ok");
}

TEST_F(ProducerStateTest, an_unknown_producer_may_begin_anywhere) {
    EXPECT_EQ(append(3, 17, 20), "ok");
    EXPECT_EQ(append(3, 21, 21), "ok");
}

TEST_F(ProducerStateTest, a_new_epoch_begins_at_zero_and_fences_the_old_one) {
    EXPECT_EQ(append(0, 0, 4), "ok");
    EXPECT_EQ(append(1, 5, 5), "OUT_OF_ORDER_SEQUENCE_NUMBER");
    EXPECT_EQ(append(1, 0, 0), "ok");
    EXPECT_EQ(append(0, 5, 5), "INVALID_PRODUCER_EPOCH");
    EXPECT_EQ(append(1, 1, 1), "ok");
}

TEST_F(ProducerStateTest, sequences_wrap_to_zero) {
    EXPECT_EQ(append(0, kMax - 1, kMax), "ok");
    EXPECT_EQ(append(0, 0, 1), "ok");
    state_.clear(Offset(0));
    EXPECT_EQ(append(0, kMax - 1, 1), "ok");
    EXPECT_EQ(append(0, 2, 2), "ok");
    const ProducerEntry* entry = state_.find(ProducerId(1));
    EXPECT_NE(entry->duplicate_of(0, kMax - 1, 1), nullptr);
}

TEST_F(ProducerStateTest, five_batches_are_remembered_for_duplicates) {
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(append(0, i, i), "ok");
    }
    const ProducerEntry* entry = state_.find(ProducerId(1));
    EXPECT_EQ(entry->duplicate_of(0, 0, 0), nullptr);
    for (int i = 1; i < 6; ++i) {
        ASSERT_NE(entry->duplicate_of(0, i, i), nullptr) << i;
        EXPECT_EQ(entry->duplicate_of(0, i, i)->first_offset(), Offset(i));
    }
    EXPECT_EQ(entry->duplicate_of(1, 5, 5), nullptr);
    EXPECT_EQ(entry->duplicate_of(0, 4, 5), nullptr);
}

TEST_F(ProducerStateTest, replicas_follow_whatever_the_leader_accepted) {
    EXPECT_EQ(append(5, 0, 0), "ok");
    EXPECT_EQ(append(4, 9, 9, false, ProducerOrigin::Replication), "ok");
    EXPECT_EQ(append(5, 70, 70, false, ProducerOrigin::Replication), "ok");
}

TEST_F(ProducerStateTest, coordinators_are_checked_for_their_epoch_only) {
    EXPECT_EQ(append(5, 0, 0), "ok");
    EXPECT_EQ(append(5, -1, -1, true, ProducerOrigin::Coordinator), "ok");
    EXPECT_EQ(append(4, -1, -1, true, ProducerOrigin::Coordinator), "INVALID_PRODUCER_EPOCH");
}

TEST_F(ProducerStateTest, a_transaction_is_unstable_until_its_marker_is_replicated) {
    EXPECT_EQ(append(0, 0, 0), "ok");
    EXPECT_EQ(append(0, 1, 2, true), "ok");
    EXPECT_EQ(state_.first_unstable_offset(), Offset(1));
    EXPECT_EQ(append(0, 3, 3), "INVALID_TXN_STATE");
    EXPECT_EQ(end(0, true), "ok");
    EXPECT_EQ(state_.first_unstable_offset(), Offset(1));
    state_.on_high_watermark(Offset(3));
    EXPECT_EQ(state_.first_unstable_offset(), Offset(1));
    state_.on_high_watermark(Offset(4));
    EXPECT_EQ(state_.first_unstable_offset(), std::nullopt);
    EXPECT_EQ(append(0, 3, 3), "ok");
}

TEST_F(ProducerStateTest, markers_are_fenced_by_producer_and_coordinator_epoch) {
    EXPECT_EQ(append(1, 0, 0, true), "ok");
    EXPECT_EQ(end(0, true), "INVALID_PRODUCER_EPOCH");
    EXPECT_EQ(end(1, true, 5), "ok");
    EXPECT_EQ(end(1, true, 4), "TRANSACTION_COORDINATOR_FENCED");
}

TEST_F(ProducerStateTest, from_version_two_a_marker_must_raise_the_epoch_or_repeat_itself) {
    EXPECT_EQ(append(1, 0, 0, true), "ok");
    EXPECT_EQ(end(1, true, 0, 2), "INVALID_PRODUCER_EPOCH");
    EXPECT_EQ(end(2, true, 0, 2), "ok");
    EXPECT_EQ(end(2, true, 0, 2), "ok");  // the answer was lost
    EXPECT_EQ(append(2, 0, 0), "ok");
}

TEST_F(ProducerStateTest, silent_producers_are_forgotten_but_open_transactions_are_not) {
    EXPECT_EQ(append(0, 0, 0), "ok");
    state_.remove_expired(1000 + 3'599'999);
    EXPECT_NE(state_.find(ProducerId(1)), nullptr);
    state_.remove_expired(1000 + 3'600'000);
    EXPECT_EQ(state_.find(ProducerId(1)), nullptr);
    EXPECT_EQ(append(0, 7, 7, true), "ok");
    state_.remove_expired(100'000'000);
    EXPECT_NE(state_.find(ProducerId(1)), nullptr);
}

TEST_F(ProducerStateTest, snapshots_go_round_with_the_newest_batch) {
    append(0, 0, 0);
    append(0, 1, 3, true);
    Bytes content = state_.encode_snapshot();
    ProducerState loaded("orders-0", std::chrono::hours(1));
    ASSERT_TRUE(loaded.load_snapshot(content.span(), Offset(4), 2000));
    EXPECT_EQ(loaded.map_end_offset(), Offset(4));
    const ProducerEntry* entry = loaded.find(ProducerId(1));
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->last_sequence(), 3);
    EXPECT_EQ(entry->cached().size(), 1u);
    EXPECT_EQ(loaded.first_unstable_offset(), Offset(1));
    EXPECT_EQ(loaded.encode_snapshot(), content);
}

TEST_F(ProducerStateTest, a_snapshot_damaged_anywhere_is_refused) {
    append(0, 0, 0);
    Bytes content = state_.encode_snapshot();
    for (size_t i = 0; i < content.size(); ++i) {
        Buffer damaged;
        damaged.append(content.span());
        damaged.data()[i] ^= 0x40;
        EXPECT_FALSE(decode_producer_snapshot(damaged.span())) << i;
        EXPECT_FALSE(decode_producer_snapshot(content.span().first(i))) << i;
    }
}

}  // namespace
}  // namespace moldau::storage
