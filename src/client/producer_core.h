// ProducerCore decides what a producer sends: it gathers records into batches per partition, says
// which are due, gives them sequence numbers, and decides for every answer whether a batch is done,
// sent again, split or failed. It holds no clock, socket or lock; Producer is its shell.
//
// Promise (idempotent): a record is appended at most once, and the records of one partition in the
// order of append(), through any number of retries, as long as the broker keeps the producer's
// state. A partition whose sequence is broken (a batch failed after it was sent) starts a new
// producer epoch at sequence 0 once nothing of the old epoch is in flight (KIP-360).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "client/cluster.h"
#include "client/producer_config.h"
#include "record/builder.h"

namespace moldau::client {

struct RecordHeaderData {
    std::string key;
    std::optional<std::string> value;
};

struct RecordData {
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<RecordHeaderData> headers;
    TimestampMs timestamp = kNoTimestamp;
};

struct RecordMetadata {
    TopicPartition partition;
    int64_t offset = -1;  // -1 when the broker did not tell (acks=0, a duplicate)
    TimestampMs timestamp = kNoTimestamp;
};

// Hears of one record, exactly once.
using Delivery = std::move_only_function<void(Result<RecordMetadata>)>;

class ProducerCore {
 public:
    explicit ProducerCore(ProducerConfig config) : config_(std::move(config)) {}

    // A produce request to make: one batch for each of some partitions of one node.
    struct Part {
        TopicPartition partition;
        uint64_t batch = 0;  // identity for on_answer
        Bytes records;
    };
    struct Call {
        int32_t node = -1;
        std::vector<Part> parts;
    };
    // What the broker said of one part.
    struct Answer {
        ErrorCode error = ErrorCode::None;
        int64_t base_offset = -1;
        TimestampMs log_append_time = kNoTimestamp;
        int64_t log_start_offset = -1;
        std::string message;
        // Records that were refused, by index in the batch (KIP-467).
        std::map<int32_t, std::string> record_errors;
    };
    struct Completed {
        Delivery done;
        Result<RecordMetadata> outcome;
    };

    // Full: no memory, nothing was taken. Wake: something may be due, or a timer must be set.
    enum class Appended { Full, Quiet, Wake };
    Appended append(MonotonicTime now, const TopicPartition& partition, RecordData& record,
                    Delivery& done);

    // The calls that are due now; their batches count as in flight.
    std::vector<Call> take_calls(MonotonicTime now, const Cluster& cluster);
    void on_answer(MonotonicTime now, const TopicPartition& partition, uint64_t batch,
                   const Answer& answer);
    // The whole call failed on its way, or was sent with acks=0 (error None).
    void on_call_done(int32_t node);

    // Fails batches that waited longer than the delivery time-out.
    void expire(MonotonicTime now);
    // Everything appended so far is due at once.
    void flush() { flushing_ = outstanding_ > 0; }
    // When take_calls or expire would have something new to do.
    MonotonicTime next_timeout(MonotonicTime now) const;

    // Effects. Who takes outcomes tells their owners, and then says so by delivered().
    std::vector<Completed> take_completed();
    void delivered(size_t count) { undelivered_ -= count; }
    bool needs_producer_id() const;
    void set_producer_id(int64_t producer_id, int16_t producer_epoch);
    // Leaders are missing or wrong.
    bool take_metadata_wish() { return std::exchange(metadata_wish_, false); }

    size_t buffered_bytes() const { return buffered_bytes_; }
    // Nothing waits, nothing is in flight, and every owner has heard of his record.
    bool idle() const { return outstanding_ == 0 && completed_.empty() && undelivered_ == 0; }
    // Fails all that is left, for a producer that closes without waiting.
    void abandon(const Error& error);

 private:
    struct Pending {
        Delivery done;
        TimestampMs timestamp;
    };
    struct Batch {
        uint64_t id = 0;                       // ascending in the order of the records
        uint64_t id_span = uint64_t{1} << 31;  // ids from here on that are this batch's own
        record::BatchBuilder builder;
        Bytes encoded;  // empty until first sent
        MonotonicTime created{};
        MonotonicTime not_before{};
        uint32_t attempts = 0;
        int32_t base_sequence = record::kNoSequence;
        int64_t producer_id = -1;
        int16_t producer_epoch = -1;
        int32_t record_count = 0;
        size_t memory = 0;
        std::vector<Pending> records;

        bool has_sequence() const { return base_sequence != record::kNoSequence; }
    };
    using BatchPtr = std::unique_ptr<Batch>;
    struct Partition {
        std::deque<BatchPtr> queue;  // by id; the last one may still grow
        std::vector<BatchPtr> in_flight;
        int64_t producer_id = -1;
        int16_t producer_epoch = -1;
        int32_t next_sequence = 0;
    };

    bool due(MonotonicTime now, const Partition& partition) const;
    bool may_send(const Partition& partition) const;
    void seal(Partition& partition, Batch& batch);
    void complete(const TopicPartition& tp, Batch& batch, const Answer& answer);
    void fail_batch(Batch& batch, const Answer& answer);
    void requeue(MonotonicTime now, Partition& partition, BatchPtr batch);
    void split(Partition& partition, BatchPtr batch);
    void restart_sequence(Partition& partition);
    bool has_earlier(const Partition& partition, const Batch& batch) const;

    const ProducerConfig config_;
    std::map<TopicPartition, Partition> partitions_;
    std::map<int32_t, size_t> calls_in_flight_;
    std::vector<Completed> completed_;
    int64_t producer_id_ = -1;
    int16_t producer_epoch_ = -1;
    uint64_t next_id_ = 1;
    size_t buffered_bytes_ = 0;
    size_t outstanding_ = 0;  // batches
    size_t undelivered_ = 0;  // records whose outcome was taken
    bool flushing_ = false;
    bool metadata_wish_ = false;
};

}  // namespace moldau::client
