// A Partition whose log has a journal: who waits for the device, and who does not.
#include <future>

#include "broker/partition_fixture.h"

namespace moldau::broker {
namespace {

class PartitionJournalTest : public PartitionFixture {
 protected:
    PartitionJournalTest()
        : PartitionFixture(storage::JournalSettings{.write_through_bytes = 10'000}) {
        journal_->prepare_file();
    }

    void lead() { ASSERT_TRUE(PartitionFixture::lead(0)); }
    AppendOutcome append(std::string_view value) {
        auto appended = PartitionFixture::append(value);
        EXPECT_TRUE(appended) << appended.error().error.message;
        return appended ? *appended : AppendOutcome{};
    }
    Status wait_for(Offset end) {
        std::promise<Status> done;
        partition_->when_committed(end, [&](Status status) { done.set_value(std::move(status)); });
        return done.get_future().get();
    }
    // The first append of a new log waits for its directory; what follows is journaled.
    void lead_a_log_that_is_there() {
        lead();
        append("first");
        ASSERT_TRUE(wait_for(Offset(1)));
    }
    Offset watermark() { return partition_->offsets(std::nullopt)->high_watermark; }

    storage::Journal* journal_ = logs_->journal("/logs");
};

TEST_F(PartitionJournalTest, an_append_is_acknowledged_and_seen_once_the_journal_has_it) {
    lead_a_log_that_is_there();
    auto appended = append("a");
    EXPECT_FALSE(appended.durable);
    EXPECT_FALSE(appended.committed);
    std::vector<int> answered;
    partition_->when_durable(Offset(2), [&](Status status) {
        EXPECT_TRUE(status);
        answered.push_back(1);
    });
    partition_->when_committed(Offset(2), [&](Status status) {
        EXPECT_TRUE(status);
        answered.push_back(-1);
    });
    EXPECT_TRUE(answered.empty());
    EXPECT_EQ(watermark(), Offset(1));
    ASSERT_TRUE(journal_->write_group());
    EXPECT_EQ(answered, (std::vector<int>{1, -1}));
    EXPECT_EQ(watermark(), Offset(2));
}

TEST_F(PartitionJournalTest, a_new_log_is_synced_with_its_directory_before_its_first_answer) {
    ASSERT_TRUE(files_.sync_directory("/"));
    lead();
    EXPECT_FALSE(append("a").durable);
    EXPECT_FALSE(journal_->write_group()) << "a replay could not find the log";
    ASSERT_TRUE(wait_for(Offset(1)));
    files_.crash_losing_all();
    EXPECT_GT(files_.stat("/logs/orders-0/00000000000000000000.log")->size, 0u);
}

TEST_F(PartitionJournalTest, a_large_append_is_synced_and_not_written_twice) {
    lead_a_log_that_is_there();
    EXPECT_FALSE(append(std::string(20'000, 'x')).durable);
    EXPECT_FALSE(journal_->write_group());
    EXPECT_TRUE(wait_for(Offset(2)));
}

TEST_F(PartitionJournalTest, a_small_append_waits_for_the_large_one_before_it) {
    lead_a_log_that_is_there();
    append("a");
    ASSERT_TRUE(journal_->write_group());
    files_.fail_syncs(true);
    append(std::string(20'000, 'x'));
    EXPECT_EQ(wait_for(Offset(3)).error().code, ErrorCode::KafkaStorageError);
    EXPECT_EQ(watermark(), Offset(2));
}

TEST_F(PartitionJournalTest, flush_messages_is_content_with_the_journal) {
    ASSERT_TRUE(files_.sync_directory("/"));
    config_.flush_messages = 1;
    lead_a_log_that_is_there();
    EXPECT_FALSE(append("a").durable);
    uint64_t operations = files_.operations();
    ASSERT_TRUE(journal_->write_group());
    EXPECT_EQ(watermark(), Offset(2));
    EXPECT_EQ(files_.operations() - operations, 1u) << "one write for all partitions, no sync";
    files_.crash_losing_all();
    auto kept = storage::read_journal_files(files_, "/logs");
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_EQ(storage::plan_replay(std::move(*kept)).size(), 1u);
}

TEST_F(PartitionJournalTest, under_memory_flush_messages_waits_for_a_sync) {
    ASSERT_TRUE(files_.sync_directory("/"));
    config_.flush_messages = 1;
    config_.ack = config::AckMode::Memory;
    lead_a_log_that_is_there();
    EXPECT_FALSE(append("a").durable);
    EXPECT_FALSE(journal_->write_group());
    EXPECT_TRUE(wait_for(Offset(2)));
    files_.crash_losing_all();
    EXPECT_GT(files_.stat("/logs/orders-0/00000000000000000000.log")->size, 100u);
}

TEST_F(PartitionJournalTest, under_memory_nothing_waits) {
    config_.ack = config::AckMode::Memory;
    lead();
    EXPECT_TRUE(append("a").committed);
    EXPECT_FALSE(journal_->write_group());
    EXPECT_EQ(watermark(), Offset(1));
}

TEST_F(PartitionJournalTest, what_was_appended_under_memory_is_synced_before_what_follows_counts) {
    lead_a_log_that_is_there();
    config_.ack = config::AckMode::Memory;
    logs_->update_configs({"orders"});
    EXPECT_TRUE(append("a").durable);
    config_.ack = config::AckMode::Journal;
    logs_->update_configs({"orders"});
    EXPECT_FALSE(append("b").durable);
    EXPECT_FALSE(journal_->write_group()) << "a replay could not put it behind what is lost";
    EXPECT_TRUE(wait_for(Offset(3)));
    EXPECT_FALSE(append("c").durable);
    EXPECT_TRUE(journal_->write_group());
    EXPECT_EQ(watermark(), Offset(4));
}

TEST_F(PartitionJournalTest, a_parked_fetch_is_woken_by_the_bytes_that_became_visible) {
    lead_a_log_that_is_there();
    auto impatient = std::make_shared<CountingWaiter>(1);
    auto patient = std::make_shared<CountingWaiter>(100'000);
    auto bound = storage::ReadBound::HighWatermark;
    ASSERT_TRUE(partition_->add_fetch_waiter(impatient, bound, Offset(1)));
    ASSERT_TRUE(partition_->add_fetch_waiter(patient, bound, Offset(1)));
    append("a");
    append("b");
    EXPECT_EQ(impatient->fired, 0);
    ASSERT_TRUE(journal_->write_group());
    EXPECT_EQ(impatient->fired, 1);
    EXPECT_EQ(patient->fired, 0);
}

TEST_F(PartitionJournalTest, a_journal_that_fails_takes_the_directory_down_and_tells_who_waits) {
    lead_a_log_that_is_there();
    append("a");
    std::optional<Status> outcome;
    partition_->when_durable(Offset(2), [&](Status status) { outcome = std::move(status); });
    files_.fail_at(files_.operations() + 1, runtime::MemoryFileSystem::Fault::IoError);
    EXPECT_FALSE(journal_->write_group());
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error().code, ErrorCode::KafkaStorageError);
    EXPECT_FALSE(logs_->directories().front().online);
    EXPECT_EQ(PartitionFixture::append("b").error().error.code, ErrorCode::KafkaStorageError);
}

TEST_F(PartitionJournalTest, a_group_answers_in_one_go_however_many_appends_it_has) {
    lead_a_log_that_is_there();
    int answered = 0;
    for (int i = 0; i < 50; ++i) {
        auto appended = append("a");
        partition_->when_committed(appended.log.last_offset + 1,
                                   [&](const Status&) { ++answered; });
    }
    EXPECT_EQ(answered, 0);
    uint64_t operations = files_.operations();
    ASSERT_TRUE(journal_->write_group());
    EXPECT_EQ(answered, 50);
    EXPECT_EQ(files_.operations() - operations, 1u);
}

}  // namespace
}  // namespace moldau::broker
