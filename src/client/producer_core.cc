#include "client/producer_core.h"

#include <algorithm>

#include "base/assert.h"

namespace moldau::client {
namespace {

// What one record costs beyond its bytes while it waits.
constexpr size_t kRecordOverheadBytes = 96;

// Ids handed out leave room for the parts of batches that are split, and of those parts.
constexpr uint64_t kIdSpan = uint64_t{1} << 31;

// Errors that say more about the way than about the records: another try may go well.
bool worth_another_try(ErrorCode code) {
    return is_retriable(code) || code == ErrorCode::NetworkException;
}

// Errors after which the leader must be looked up anew.
bool leader_is_wrong(ErrorCode code) {
    switch (code) {
        case ErrorCode::NotLeaderOrFollower:
        case ErrorCode::UnknownTopicOrPartition:
        case ErrorCode::UnknownTopicId:
        case ErrorCode::LeaderNotAvailable:
        case ErrorCode::FencedLeaderEpoch:
        case ErrorCode::KafkaStorageError:
        case ErrorCode::NetworkException:
            return true;
        default:
            return false;
    }
}

std::vector<record::RecordHeader> header_views(const RecordData& record) {
    std::vector<record::RecordHeader> views;
    for (const RecordHeaderData& header : record.headers) {
        record::RecordHeader view;
        view.key = header.key;
        if (header.value) {
            view.value = *header.value;
        }
        views.push_back(view);
    }
    return views;
}

std::optional<std::string_view> view_of(const std::optional<std::string>& text) {
    return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

}  // namespace

ProducerCore::Appended ProducerCore::append(MonotonicTime now, const TopicPartition& tp,
                                            RecordData& record, Delivery& done) {
    std::vector<record::RecordHeader> headers = header_views(record);
    auto key = view_of(record.key);
    auto value = view_of(record.value);
    size_t bytes = record::BatchBuilder::record_bytes_max(key, value, headers);
    size_t memory = bytes + kRecordOverheadBytes;
    // A record larger than the whole buffer may pass when nothing else waits.
    if (buffered_bytes_ > 0 && buffered_bytes_ + memory > config_.buffer_bytes) {
        return Appended::Full;
    }
    Partition& partition = partitions_[tp];
    Batch* batch = partition.queue.empty() ? nullptr : partition.queue.back().get();
    bool open = batch != nullptr && batch->encoded.empty() && batch->attempts == 0;
    bool fits = open && batch->builder.uncompressed_bytes() + bytes <= config_.batch_bytes;
    bool wake = partition.queue.empty();
    if (!fits) {
        wake = true;  // the former batch is complete, or this is the first
        auto fresh = std::make_unique<Batch>();
        fresh->id = next_id_;
        next_id_ += kIdSpan;
        fresh->created = now;
        fresh->builder.options().compression = config_.compression;
        batch = fresh.get();
        partition.queue.push_back(std::move(fresh));
        ++outstanding_;
    }
    batch->builder.append(record.timestamp, key, value, headers);
    batch->record_count = batch->builder.record_count();
    batch->memory += memory;
    buffered_bytes_ += memory;
    batch->records.push_back({std::move(done), record.timestamp});
    wake = wake || batch->builder.uncompressed_bytes() >= config_.batch_bytes;
    return wake ? Appended::Wake : Appended::Quiet;
}

bool ProducerCore::due(MonotonicTime now, const Partition& partition) const {
    const Batch& first = *partition.queue.front();
    if (first.attempts > 0) {
        return now >= first.not_before;
    }
    return flushing_ || partition.queue.size() > 1 || !first.encoded.empty() ||
           first.builder.uncompressed_bytes() >= config_.batch_bytes ||
           now >= first.created + config_.linger || buffered_bytes_ >= config_.buffer_bytes / 2;
}

bool ProducerCore::may_send(const Partition& partition) const {
    if (partition.in_flight.size() >= config_.in_flight_max) {
        return false;
    }
    if (!config_.idempotent) {
        return true;
    }
    if (producer_id_ < 0) {
        return false;
    }
    // Nothing of an older epoch may be on its way when a new one starts.
    bool current = partition.producer_id == producer_id_ && partition.producer_epoch >= 0;
    bool older_in_flight = std::ranges::any_of(partition.in_flight, [&](const BatchPtr& batch) {
        return batch->producer_id != partition.producer_id ||
               batch->producer_epoch != partition.producer_epoch;
    });
    if (older_in_flight || (!current && !partition.in_flight.empty())) {
        return false;
    }
    // A batch sent again goes alone, once everything before it is settled.
    const Batch& first = *partition.queue.front();
    bool earlier_in_flight = std::ranges::any_of(
        partition.in_flight, [&](const BatchPtr& batch) { return batch->id < first.id; });
    return !(first.attempts > 0 && earlier_in_flight);
}

std::vector<ProducerCore::Call> ProducerCore::take_calls(MonotonicTime now,
                                                         const Cluster& cluster) {
    std::map<int32_t, Call> by_node;
    std::map<int32_t, size_t> call_bytes;
    for (auto& [tp, partition] : partitions_) {
        if (partition.queue.empty() || !due(now, partition)) {
            continue;
        }
        const Node* leader = cluster.leader(tp);
        if (leader == nullptr) {
            metadata_wish_ = true;
            continue;
        }
        if (!may_send(partition) || calls_in_flight_[leader->id] >= config_.in_flight_max) {
            continue;
        }
        Batch& first = *partition.queue.front();
        size_t bytes =
            first.encoded.empty() ? first.builder.uncompressed_bytes() : first.encoded.size();
        size_t& so_far = call_bytes[leader->id];
        if (so_far > 0 && so_far + bytes > config_.request_bytes_max) {
            continue;
        }
        seal(partition, first);
        so_far += first.encoded.size();
        Call& call = by_node[leader->id];
        call.node = leader->id;
        call.parts.push_back({tp, first.id, first.encoded});
        partition.in_flight.push_back(std::move(partition.queue.front()));
        partition.queue.pop_front();
    }
    std::vector<Call> calls;
    for (auto& [node, call] : by_node) {
        ++calls_in_flight_[node];
        calls.push_back(std::move(call));
    }
    return calls;
}

// Gives the batch its bytes: once when it is first sent, and anew when its sequence changed.
void ProducerCore::seal(Partition& partition, Batch& batch) {
    if (config_.idempotent) {
        bool stale = partition.producer_id != producer_id_;
        if (stale) {
            partition.producer_id = producer_id_;
            partition.producer_epoch = producer_epoch_;
            partition.next_sequence = 0;
        }
        bool renumber = !batch.has_sequence() || batch.producer_id != partition.producer_id ||
                        batch.producer_epoch != partition.producer_epoch;
        if (renumber) {
            batch.producer_id = partition.producer_id;
            batch.producer_epoch = partition.producer_epoch;
            batch.base_sequence = partition.next_sequence;
            partition.next_sequence =
                record::advance_sequence(partition.next_sequence, batch.record_count);
            if (!batch.encoded.empty()) {
                record::BatchHeader header = record::BatchHeader::read(batch.encoded.data());
                header.producer_id = batch.producer_id;
                header.producer_epoch = batch.producer_epoch;
                header.base_sequence = batch.base_sequence;
                Bytes payload = batch.encoded.slice(record::kBatchHeaderBytes);
                Buffer rewritten;
                rewritten.resize(record::kBatchHeaderBytes);
                header.write(rewritten.data());
                header.crc = record::batch_crc(rewritten.data(), payload);
                header.write(rewritten.data());
                rewritten.append(payload.span());
                batch.encoded = std::move(rewritten).freeze();
            }
        }
    }
    if (batch.encoded.empty()) {
        record::BatchOptions& options = batch.builder.options();
        options.producer_id = batch.producer_id;
        options.producer_epoch = batch.producer_epoch;
        options.base_sequence = batch.base_sequence;
        batch.encoded = batch.builder.build();
    }
}

void ProducerCore::on_call_done(int32_t node) {
    size_t& calls = calls_in_flight_[node];
    MOLDAU_ASSERT(calls > 0);
    --calls;
}

bool ProducerCore::has_earlier(const Partition& partition, const Batch& batch) const {
    auto earlier = [&](const BatchPtr& other) { return other->id < batch.id; };
    return std::ranges::any_of(partition.in_flight, earlier) ||
           std::ranges::any_of(partition.queue, earlier);
}

void ProducerCore::on_answer(MonotonicTime now, const TopicPartition& tp, uint64_t batch_id,
                             const Answer& answer) {
    auto entry = partitions_.find(tp);
    if (entry == partitions_.end()) {
        return;  // abandoned meanwhile
    }
    Partition& partition = entry->second;
    auto found = std::ranges::find(partition.in_flight, batch_id,
                                   [](const BatchPtr& batch) { return batch->id; });
    if (found == partition.in_flight.end()) {
        return;  // abandoned meanwhile
    }
    BatchPtr batch = std::move(*found);
    partition.in_flight.erase(found);
    if (leader_is_wrong(answer.error)) {
        metadata_wish_ = true;
    }
    ErrorCode error = answer.error;
    if (error == ErrorCode::None || error == ErrorCode::DuplicateSequenceNumber) {
        complete(tp, *batch, answer);
        return;
    }
    if (error == ErrorCode::MessageTooLarge && batch->record_count > 1) {
        split(partition, std::move(batch));
        return;
    }
    bool old_epoch = config_.idempotent && (batch->producer_id != partition.producer_id ||
                                            batch->producer_epoch != partition.producer_epoch);
    bool try_again = worth_another_try(error) || old_epoch;
    if (config_.idempotent && error == ErrorCode::OutOfOrderSequenceNumber) {
        // The broker misses an earlier batch: that one is on its way again, then this one.
        try_again = try_again || has_earlier(partition, *batch);
    }
    if (config_.idempotent && error == ErrorCode::UnknownProducerId && !old_epoch) {
        // Retention took the producer's state with its last batch: start over.
        restart_sequence(partition);
        try_again = true;
    }
    bool in_time = now < batch->created + config_.delivery_timeout;
    if (try_again && in_time && batch->attempts < config_.retries) {
        requeue(now, partition, std::move(batch));
        return;
    }
    if (batch->has_sequence() && !old_epoch) {
        restart_sequence(partition);
    }
    fail_batch(*batch, answer);
}

void ProducerCore::complete(const TopicPartition& tp, Batch& batch, const Answer& answer) {
    int64_t offset = answer.base_offset;
    for (Pending& record : batch.records) {
        RecordMetadata metadata;
        metadata.partition = tp;
        metadata.offset = offset < 0 ? -1 : offset++;
        metadata.timestamp =
            answer.log_append_time >= 0 ? answer.log_append_time : record.timestamp;
        completed_.push_back({std::move(record.done), std::move(metadata)});
    }
    buffered_bytes_ -= batch.memory;
    --outstanding_;
    if (outstanding_ == 0) {
        flushing_ = false;
    }
}

void ProducerCore::fail_batch(Batch& batch, const Answer& answer) {
    for (size_t i = 0; i < batch.records.size(); ++i) {
        Error error{answer.error, answer.message};
        if (!answer.record_errors.empty()) {
            // The other records of the batch were refused along with the culprits (KIP-467).
            auto culprit = answer.record_errors.find(static_cast<int32_t>(i));
            error.message =
                culprit == answer.record_errors.end()
                    ? "Failed to append record because it was part of a batch which had "
                      "one more more invalid records"
                    : culprit->second;
        }
        completed_.push_back({std::move(batch.records[i].done), std::unexpected(std::move(error))});
    }
    buffered_bytes_ -= batch.memory;
    --outstanding_;
    if (outstanding_ == 0) {
        flushing_ = false;
    }
}

void ProducerCore::requeue(MonotonicTime now, Partition& partition, BatchPtr batch) {
    ++batch->attempts;
    batch->not_before =
        now + backoff(config_.retry_backoff, config_.retry_backoff_max, batch->attempts);
    auto place = std::ranges::upper_bound(partition.queue, batch->id, {},
                                          [](const BatchPtr& queued) { return queued->id; });
    partition.queue.insert(place, std::move(batch));
}

// A batch that the broker finds too large goes again as two, which share the whole's place.
void ProducerCore::split(Partition& partition, BatchPtr batch) {
    auto view = record::BatchView::parse(batch->encoded);
    MOLDAU_ASSERT(view.has_value());
    auto payload = view->uncompressed_payload();
    MOLDAU_ASSERT(payload.has_value());
    record::RecordReader reader(view->header(), *payload);
    BatchPtr halves[2] = {std::make_unique<Batch>(), std::make_unique<Batch>()};
    size_t first_half = static_cast<size_t>(batch->record_count) / 2;
    for (size_t i = 0; reader.next(); ++i) {
        Batch& half = *halves[i < first_half ? 0 : 1];
        const record::RecordView& record = reader.record();
        std::vector<record::RecordHeader> headers = record.headers();
        half.builder.append(record.timestamp, record.key, record.value, headers);
        half.records.push_back(std::move(batch->records[i]));
    }
    bool had_sequence = batch->has_sequence();
    uint64_t span = batch->id_span / 2;
    for (int i = 0; i < 2; ++i) {
        Batch& half = *halves[i];
        half.id = batch->id + static_cast<uint64_t>(i) * span;
        half.id_span = span;
        half.created = batch->created;
        half.attempts = 1;
        half.record_count = half.builder.record_count();
        half.memory = i == 0 ? batch->memory / 2 : batch->memory - batch->memory / 2;
        half.builder.options().compression = config_.compression;
        auto place = std::ranges::upper_bound(partition.queue, half.id, {},
                                              [](const BatchPtr& queued) { return queued->id; });
        partition.queue.insert(place, std::move(halves[i]));
    }
    ++outstanding_;
    // What is in flight behind it will be refused for its sequence and comes back behind the parts.
    if (had_sequence) {
        restart_sequence(partition);
    }
}

// From here on the partition's batches carry a new epoch and count from 0. Queued batches that
// were numbered are numbered anew when they are sent; those in flight when they come back.
void ProducerCore::restart_sequence(Partition& partition) {
    if (producer_epoch_ == std::numeric_limits<int16_t>::max()) {
        producer_id_ = -1;  // ask for a new identity
        return;
    }
    ++producer_epoch_;
    partition.producer_id = producer_id_;
    partition.producer_epoch = producer_epoch_;
    partition.next_sequence = 0;
}

void ProducerCore::expire(MonotonicTime now) {
    for (auto& [tp, partition] : partitions_) {
        while (!partition.queue.empty()) {
            Batch& first = *partition.queue.front();
            if (now < first.created + config_.delivery_timeout) {
                break;
            }
            Answer answer;
            answer.error = ErrorCode::RequestTimedOut;
            answer.message =
                fmt::format("Expiring {} record(s) for {}:{} ms has passed since batch creation",
                            first.record_count, tp.str(), to_ms(now - first.created));
            if (first.has_sequence() && first.producer_epoch == partition.producer_epoch) {
                restart_sequence(partition);
            }
            fail_batch(first, answer);
            partition.queue.pop_front();
        }
    }
}

MonotonicTime ProducerCore::next_timeout(MonotonicTime now) const {
    MonotonicTime earliest = MonotonicTime::max();
    for (const auto& [tp, partition] : partitions_) {
        if (partition.queue.empty()) {
            continue;
        }
        const Batch& first = *partition.queue.front();
        earliest = std::min(earliest, first.created + config_.delivery_timeout);
        MonotonicTime ready =
            first.attempts > 0 ? first.not_before : first.created + config_.linger;
        // What is due already waits for an answer or for metadata, which will wake the loop.
        if (ready > now) {
            earliest = std::min(earliest, ready);
        }
    }
    return earliest;
}

std::vector<ProducerCore::Completed> ProducerCore::take_completed() {
    undelivered_ += completed_.size();
    return std::exchange(completed_, {});
}

bool ProducerCore::needs_producer_id() const {
    return config_.idempotent && producer_id_ < 0 && outstanding_ > 0;
}

void ProducerCore::set_producer_id(int64_t producer_id, int16_t producer_epoch) {
    producer_id_ = producer_id;
    producer_epoch_ = producer_epoch;
}

void ProducerCore::abandon(const Error& error) {
    Answer answer;
    answer.error = error.code;
    answer.message = error.message;
    for (auto& [tp, partition] : partitions_) {
        for (BatchPtr& batch : partition.in_flight) {
            fail_batch(*batch, answer);
        }
        for (BatchPtr& batch : partition.queue) {
            fail_batch(*batch, answer);
        }
    }
    partitions_.clear();
}

}  // namespace moldau::client
