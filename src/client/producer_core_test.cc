#include "client/producer_core.h"

#include <gtest/gtest.h>

namespace moldau::client {
namespace {

const TopicPartition kOrders{"orders", 0};

// One partition led by node 1, and verbs for a life in five lines.
class ProducerCoreTest : public testing::Test {
 protected:
    ProducerCoreTest() { start({}); }

    void start(std::function<void(ProducerConfig&)> change) {
        ProducerConfig config;
        config.linger = Duration(0);
        if (change) {
            change(config);
        }
        core_ = std::make_unique<ProducerCore>(config);
        Node node;
        node.id = 1;
        cluster_.brokers[1] = node;
        PartitionInfo info;
        info.leader = 1;
        cluster_.topics["orders"].partitions[0] = info;
        core_->set_producer_id(7, 0);
    }
    void append(std::string value) {
        RecordData record;
        record.value = value;
        record.timestamp = 1000;
        Delivery done = [this, value](Result<RecordMetadata> outcome) {
            trace_.push_back(outcome ? fmt::format("{}@{}", value, outcome->offset)
                                     : fmt::format("{}!{}", value, outcome.error().code));
        };
        core_->append(now_, kOrders, record, done);
    }
    // Sends what is due; "pid/epoch seq=0 n=2" of each batch.
    std::vector<std::string> send() {
        std::vector<std::string> sent;
        for (const auto& call : core_->take_calls(now_, cluster_)) {
            for (const auto& part : call.parts) {
                auto header = record::BatchView::parse(part.records)->header();
                EXPECT_TRUE(record::BatchView::parse(part.records)->check_crc().has_value());
                sent.push_back(fmt::format("{}/{} seq={} n={}", header.producer_id,
                                           header.producer_epoch, header.base_sequence,
                                           header.record_count));
                in_flight_.push_back(part.batch);
            }
        }
        return sent;
    }
    void answer(size_t which, ErrorCode error, int64_t offset = -1) {
        uint64_t batch = in_flight_.at(which);
        in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(which));
        ProducerCore::Answer told;
        told.error = error;
        told.base_offset = offset;
        core_->on_call_done(1);
        core_->on_answer(now_, kOrders, batch, told);
        deliver();
    }
    void wait(Duration time) {
        now_ += time;
        core_->expire(now_);
        deliver();
    }
    void deliver() {
        auto outcomes = core_->take_completed();
        for (auto& outcome : outcomes) {
            outcome.done(std::move(outcome.outcome));
        }
        core_->delivered(outcomes.size());
    }
    // Every record is a batch of its own.
    static void tiny_batches(ProducerConfig& config) { config.batch_bytes = 1; }

    using Sent = std::vector<std::string>;
    MonotonicTime now_{seconds(100)};
    Cluster cluster_;
    std::unique_ptr<ProducerCore> core_;
    std::vector<uint64_t> in_flight_;
    std::vector<std::string> trace_;
};

TEST_F(ProducerCoreTest, records_of_one_partition_share_a_batch_and_learn_their_offsets) {
    append("a");
    append("b");
    EXPECT_EQ(send(), Sent{"7/0 seq=0 n=2"});
    answer(0, ErrorCode::None, 40);
    EXPECT_EQ(trace_, (Sent{"a@40", "b@41"}));
    EXPECT_TRUE(core_->idle());
    EXPECT_EQ(core_->buffered_bytes(), 0u);
}

// The perf tool printed its sum while the loop was still telling of the last batch: flush() had
// found nothing in flight, and 971 of 1000 records were counted.
TEST_F(ProducerCoreTest, is_idle_only_when_the_owners_have_heard) {
    append("a");
    send();
    core_->on_answer(now_, kOrders, in_flight_.at(0), {});
    EXPECT_FALSE(core_->idle());
    size_t taken = core_->take_completed().size();
    EXPECT_FALSE(core_->idle());
    core_->delivered(taken);
    EXPECT_TRUE(core_->idle());
}

TEST_F(ProducerCoreTest, a_young_batch_waits_for_linger) {
    start([](ProducerConfig& config) { config.linger = milliseconds(10); });
    append("a");
    EXPECT_EQ(send(), Sent{});
    EXPECT_EQ(core_->next_timeout(now_), now_ + milliseconds(10));
    wait(milliseconds(10));
    EXPECT_EQ(send(), Sent{"7/0 seq=0 n=1"});
}

TEST_F(ProducerCoreTest, flush_makes_a_young_batch_due) {
    start([](ProducerConfig& config) { config.linger = seconds(10); });
    append("a");
    core_->flush();
    EXPECT_EQ(send(), Sent{"7/0 seq=0 n=1"});
}

TEST_F(ProducerCoreTest, nothing_is_sent_before_the_producer_has_an_id) {
    start({});
    core_->set_producer_id(-1, -1);
    append("a");
    EXPECT_TRUE(core_->needs_producer_id());
    EXPECT_EQ(send(), Sent{});
    core_->set_producer_id(9, 3);
    EXPECT_EQ(send(), Sent{"9/3 seq=0 n=1"});
}

TEST_F(ProducerCoreTest, at_most_five_batches_of_a_partition_are_in_flight) {
    start(tiny_batches);
    for (int i = 0; i < 7; ++i) {
        append("x");
    }
    size_t sent = 0;
    for (Sent batches = send(); !batches.empty(); batches = send()) {
        sent += batches.size();
    }
    EXPECT_EQ(sent, 5u);
}

TEST_F(ProducerCoreTest, a_lost_batch_is_sent_again_with_the_same_sequence_and_before_the_others) {
    start(tiny_batches);
    append("a");
    append("b");
    send();
    send();
    append("c");
    answer(0, ErrorCode::NetworkException);
    answer(0, ErrorCode::OutOfOrderSequenceNumber);
    EXPECT_TRUE(core_->take_metadata_wish());
    EXPECT_EQ(send(), Sent{});  // backing off, and c must not overtake
    wait(milliseconds(100));
    EXPECT_EQ(send(), Sent{"7/0 seq=0 n=1"});
    EXPECT_EQ(send(), Sent{});  // b waits until a is settled
    answer(0, ErrorCode::None, 0);
    EXPECT_EQ(send(), Sent{"7/0 seq=1 n=1"});
    answer(0, ErrorCode::None, 1);
    EXPECT_EQ(send(), Sent{"7/0 seq=2 n=1"});
    answer(0, ErrorCode::None, 2);
    EXPECT_EQ(trace_, (Sent{"a@0", "b@1", "c@2"}));
}

TEST_F(ProducerCoreTest, a_duplicate_counts_as_delivered) {
    append("a");
    send();
    answer(0, ErrorCode::DuplicateSequenceNumber);
    EXPECT_EQ(trace_, Sent{"a@-1"});
}

TEST_F(ProducerCoreTest, a_refused_batch_fails_and_the_rest_goes_on_with_a_new_epoch) {
    start(tiny_batches);
    append("a");
    append("b");
    send();
    send();
    answer(0, ErrorCode::InvalidRecord);
    EXPECT_EQ(trace_, Sent{"a!INVALID_RECORD"});
    append("c");
    EXPECT_EQ(send(), Sent{});  // b of the old epoch is still on its way
    answer(0, ErrorCode::OutOfOrderSequenceNumber);
    wait(milliseconds(100));
    EXPECT_EQ(send(), Sent{"7/1 seq=0 n=1"});
    answer(0, ErrorCode::None, 0);
    EXPECT_EQ(send(), Sent{"7/1 seq=1 n=1"});
    answer(0, ErrorCode::None, 1);
    EXPECT_EQ(trace_, (Sent{"a!INVALID_RECORD", "b@0", "c@1"}));
}

TEST_F(ProducerCoreTest, an_unknown_producer_id_starts_over_with_the_same_records) {
    append("a");
    send();
    answer(0, ErrorCode::UnknownProducerId);
    wait(milliseconds(100));
    EXPECT_EQ(send(), Sent{"7/1 seq=0 n=1"});
}

TEST_F(ProducerCoreTest, a_batch_too_large_is_split_in_place) {
    append("a");
    append("b");
    append("c");
    EXPECT_EQ(send(), Sent{"7/0 seq=0 n=3"});
    append("d");
    answer(0, ErrorCode::MessageTooLarge);
    EXPECT_EQ(send(), Sent{"7/1 seq=0 n=1"});
    answer(0, ErrorCode::None, 0);
    EXPECT_EQ(send(), Sent{"7/1 seq=1 n=2"});
    answer(0, ErrorCode::None, 1);
    EXPECT_EQ(send(), Sent{"7/1 seq=3 n=1"});
    answer(0, ErrorCode::None, 3);
    EXPECT_EQ(trace_, (Sent{"a@0", "b@1", "c@2", "d@3"}));
}

TEST_F(ProducerCoreTest, a_single_record_too_large_fails) {
    append("a");
    send();
    answer(0, ErrorCode::MessageTooLarge);
    EXPECT_EQ(trace_, Sent{"a!MESSAGE_TOO_LARGE"});
}

TEST_F(ProducerCoreTest, records_expire_after_the_delivery_timeout) {
    cluster_.topics.clear();
    append("a");
    EXPECT_EQ(send(), Sent{});
    EXPECT_TRUE(core_->take_metadata_wish());
    wait(seconds(120));
    EXPECT_EQ(trace_, Sent{"a!REQUEST_TIMED_OUT"});
    EXPECT_TRUE(core_->idle());
}

TEST_F(ProducerCoreTest, retries_are_counted) {
    start([](ProducerConfig& config) {
        config.retries = 1;
        config.idempotent = false;
    });
    append("a");
    send();
    answer(0, ErrorCode::NotLeaderOrFollower);
    wait(milliseconds(100));
    EXPECT_EQ(send(), Sent{"-1/-1 seq=-1 n=1"});
    answer(0, ErrorCode::NotLeaderOrFollower);
    EXPECT_EQ(trace_, Sent{"a!NOT_LEADER_OR_FOLLOWER"});
}

TEST_F(ProducerCoreTest, a_full_buffer_takes_nothing_until_memory_is_free) {
    start([](ProducerConfig& config) { config.buffer_bytes = 200; });
    append(std::string(150, 'x'));
    RecordData record;
    record.value = "more";
    Delivery done = [](Result<RecordMetadata>) {};
    EXPECT_EQ(core_->append(now_, kOrders, record, done), ProducerCore::Appended::Full);
    send();
    answer(0, ErrorCode::None, 0);
    EXPECT_NE(core_->append(now_, kOrders, record, done), ProducerCore::Appended::Full);
}

TEST_F(ProducerCoreTest, abandoned_records_hear_so_and_late_answers_are_harmless) {
    append("a");
    send();
    core_->abandon({ErrorCode::NetworkException, "closed"});
    answer(0, ErrorCode::None, 3);
    EXPECT_EQ(trace_, Sent{"a!NETWORK_EXCEPTION"});
}

TEST(ProducerConfig, idempotence_yields_to_what_the_user_set_and_protests_when_both_are_set) {
    EXPECT_TRUE(ProducerConfig::from_properties({})->idempotent);
    EXPECT_FALSE(ProducerConfig::from_properties({{"acks", "1"}})->idempotent);
    EXPECT_EQ(ProducerConfig::from_properties({{"acks", "1"}, {"enable.idempotence", "true"}})
                  .error()
                  .message,
              "Must set acks to all in order to use the idempotent producer. Otherwise we cannot "
              "guarantee idempotence.");
}

}  // namespace
}  // namespace moldau::client
