// Batches that the leader appends together: each has its own outcome, and the log is as if they had
// come one by one.
// come one by one.
#include "runtime/memory_file_system.h"
#include "storage/log_fixture.h"

namespace moldau::storage {
namespace {

class LogAppendTest : public LogFixture {
 protected:
    std::vector<LeaderAppendOutcome> together(const std::vector<Bytes>& batches) {
        std::vector<LeaderAppendOutcome> outcomes(batches.size());
        log_->append_as_leader(batches, {.leader_epoch = LeaderEpoch(0)}, now_, outcomes);
        return outcomes;
    }
    Bytes of_producer(int32_t sequence, const std::string& value, int16_t epoch = 0) {
        return batch({value},
                     {.producer_id = 7, .producer_epoch = epoch, .base_sequence = sequence});
    }
    static Bytes damaged(const Bytes& batch) {
        std::string bytes = batch.str();
        bytes.back() = static_cast<char>(bytes.back() + 1);
        return Bytes::copy_of(bytes);
    }
};

TEST_F(LogAppendTest, batches_in_order_get_offsets_in_order) {
    open();
    auto outcomes = together({batch({"a", "b"}), batch({"c"}), batch({"d", "e"})});
    EXPECT_EQ(outcomes[0]->base_offset, Offset(0));
    EXPECT_EQ(outcomes[1]->base_offset, Offset(2));
    EXPECT_EQ(outcomes[2]->base_offset, Offset(3));
    EXPECT_EQ(outcomes[2]->last_offset, Offset(4));
    EXPECT_EQ(log_->log_end_offset(), Offset(5));
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b", "c", "d", "e"}));
    crash_and_reopen();
    EXPECT_EQ(values(Offset(2)), (std::vector<std::string>{"c", "d", "e"}));
}

TEST_F(LogAppendTest, they_share_one_write_and_what_becomes_of_it) {
    runtime::MemoryFileSystem files;
    use(files);
    open();
    append({"before"});
    // Of the pieces that are written: the header of the second batch.
    files.fail_at(files.operations() + 3, runtime::MemoryFileSystem::Fault::DiskFull);
    auto outcomes = together({batch({"a"}), batch({"b"}), batch({"c"})});
    EXPECT_FALSE(outcomes[0] || outcomes[1] || outcomes[2]);
    EXPECT_EQ(values(Offset(0)), std::vector<std::string>{"before"});
    outcomes = together({batch({"a"}), batch({"b"})});
    EXPECT_EQ(outcomes[0]->base_offset, Offset(1));
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"before", "a", "b"}));
    log_.reset();
}

TEST_F(LogAppendTest, a_refused_batch_leaves_no_hole) {
    open();
    auto outcomes = together({batch({"a"}), damaged(batch({"x"})), batch({"b"})});
    ASSERT_TRUE(outcomes[0] && outcomes[2]);
    EXPECT_EQ(outcomes[1].error().error.code, ErrorCode::CorruptMessage);
    EXPECT_EQ(outcomes[2]->base_offset, Offset(1));
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b"}));
}

TEST_F(LogAppendTest, sequences_are_checked_against_what_is_not_written_yet) {
    open();
    auto outcomes = together({of_producer(0, "a"), of_producer(1, "b"), of_producer(5, "gap"),
                              of_producer(1, "b"), of_producer(2, "c")});
    ASSERT_TRUE(outcomes[0] && outcomes[1] && outcomes[3] && outcomes[4]);
    EXPECT_EQ(outcomes[2].error().error.code, ErrorCode::OutOfOrderSequenceNumber);
    EXPECT_TRUE(outcomes[3]->duplicate);
    EXPECT_EQ(outcomes[3]->base_offset, Offset(1));
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b", "c"}));
    // The next turn knows them, too.
    outcomes = together({of_producer(2, "c"), of_producer(3, "d")});
    EXPECT_TRUE(outcomes[0]->duplicate);
    EXPECT_EQ(outcomes[1]->base_offset, Offset(3));
}

TEST_F(LogAppendTest, a_newer_epoch_among_them_fences_the_older) {
    open();
    ASSERT_TRUE(together({of_producer(0, "a")})[0]);
    auto outcomes = together({of_producer(0, "b", 1), of_producer(0, "a", 0)});
    EXPECT_TRUE(outcomes[0]);
    EXPECT_EQ(outcomes[1].error().error.code, ErrorCode::InvalidProducerEpoch);
}

// A refused first batch had made an entry for its producer.
TEST_F(LogAppendTest, a_refused_batch_leaves_no_trace_of_its_producer) {
    open();
    ASSERT_TRUE(together({of_producer(0, "a", 3)})[0]);
    auto other = batch(
        {"t"}, {.producer_id = 8, .producer_epoch = 0, .base_sequence = 0, .transactional = true});
    auto outcomes = together({batch({"b"}), other, batch({"c"})});
    EXPECT_EQ(outcomes[1].error().error.code, ErrorCode::InvalidTxnState);
    EXPECT_EQ(log_->active_producers().size(), 1u);
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(LogAppendTest, segments_roll_between_them_as_between_single_ones) {
    config_.internal_segment_bytes = 300;
    open();
    std::vector<Bytes> batches;
    for (int i = 0; i < 10; ++i) {
        batches.push_back(batch({"value-" + std::to_string(i)}));
    }
    for (const auto& outcome : together(batches)) {
        ASSERT_TRUE(outcome) << outcome.error().error.message;
    }
    size_t segments = log_->segment_count();
    EXPECT_EQ(values(Offset(0)).size(), 10u);
    fresh();
    open();
    for (int i = 0; i < 10; ++i) {
        append({"value-" + std::to_string(i)});
    }
    EXPECT_EQ(log_->segment_count(), segments);
}

TEST_F(LogAppendTest, segments_roll_by_time_between_them) {
    config_.segment_ms = 1000;
    open();
    (void)together({batch({"a"}, {}, 1000), batch({"b"}, {}, 1500), batch({"c"}, {}, 2600)});
    EXPECT_EQ(log_->segment_count(), 2u);
    EXPECT_EQ(log_->active_segment_base(), Offset(2));
}

TEST_F(LogAppendTest, a_full_disk_refuses_all_that_shared_the_write_and_keeps_the_log_whole) {
    runtime::MemoryFileSystem files;
    use(files);
    open();
    append({"before"});
    files.fill_disk(true);
    for (const auto& outcome :
         together({of_producer(0, "x"), of_producer(1, "y"), of_producer(0, "x")})) {
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().error.code, ErrorCode::KafkaStorageError);
    }
    EXPECT_EQ(log_->log_end_offset(), Offset(1));
    EXPECT_TRUE(log_->active_producers().empty());
    files.fill_disk(false);
    auto outcomes = together({of_producer(0, "x"), of_producer(1, "y")});
    EXPECT_EQ(outcomes[0]->base_offset, Offset(1));
    EXPECT_FALSE(outcomes[0]->duplicate);
    EXPECT_EQ(values(Offset(0)), (std::vector<std::string>{"before", "x", "y"}));
    EXPECT_EQ(failures_, 0);
    log_.reset();
}

}  // namespace
}  // namespace moldau::storage
