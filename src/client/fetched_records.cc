#include "client/fetched_records.h"

#include <algorithm>
#include <set>

#include "record/builder.h"

namespace moldau::client {
namespace {

// Walks along the batches and knows which producers are inside a transaction that was aborted.
class AbortedTracker {
 public:
    explicit AbortedTracker(std::vector<AbortedTransaction> aborted)
        : aborted_(std::move(aborted)) {
        std::ranges::sort(aborted_, {}, &AbortedTransaction::first_offset);
    }

    // Whether the records of the batch belong to an aborted transaction.
    bool hides(const record::BatchHeader& batch) {
        while (next_ < aborted_.size() &&
               aborted_[next_].first_offset <= batch.last_offset().value()) {
            producers_.insert(aborted_[next_++].producer_id);
        }
        return batch.is_transactional() && !batch.is_control() &&
               producers_.contains(batch.producer_id);
    }
    // An abort marker ends the aborted transaction of its producer.
    void marker(const record::BatchHeader& batch) { producers_.erase(batch.producer_id); }

 private:
    std::vector<AbortedTransaction> aborted_;
    size_t next_ = 0;
    std::set<int64_t> producers_;
};

bool is_abort_marker(const record::RecordView& record) {
    return record::control_type_of_key(record.key) ==
           static_cast<int16_t>(record::ControlType::Abort);
}

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
    return text ? std::optional<std::string>(*text) : std::nullopt;
}

}  // namespace

Result<FetchedRecords> read_fetched(const TopicPartition& partition, Bytes bytes, int64_t from,
                                    bool read_committed, std::vector<AbortedTransaction> aborted,
                                    bool check_crcs) {
    FetchedRecords fetched;
    fetched.next_offset = from;
    AbortedTracker tracker(std::move(aborted));
    record::BatchIterator batches(std::move(bytes));
    auto broken = [&](const Error& error) {
        return fail(
            error.code,
            "Encountered corrupt message when fetching offset {} for topic-partition {}: {}",
            fetched.next_offset, partition.str(), error.message);
    };
    while (true) {
        auto next = batches.next();
        if (!next) {
            return broken(next.error());
        }
        if (!*next) {
            return fetched;
        }
        const record::BatchView& batch = **next;
        const record::BatchHeader& header = batch.header();
        if (header.last_offset().value() < from) {
            continue;
        }
        if (check_crcs) {
            if (auto status = batch.check_crc(); !status) {
                return broken(status.error());
            }
        }
        bool hidden = read_committed && tracker.hides(header);
        auto payload = batch.uncompressed_payload();
        if (!payload) {
            return broken(payload.error());
        }
        record::RecordReader reader(header, *payload);
        while (reader.next()) {
            const record::RecordView& record = reader.record();
            if (header.is_control()) {
                if (is_abort_marker(record)) {
                    tracker.marker(header);
                }
                continue;
            }
            if (hidden || record.offset.value() < from) {
                continue;
            }
            ConsumedRecord consumed;
            consumed.partition = partition;
            consumed.offset = record.offset.value();
            consumed.leader_epoch = header.leader_epoch;
            consumed.timestamp = header.timestamp_type() == record::TimestampType::LogAppendTime
                                     ? header.max_timestamp
                                     : record.timestamp;
            consumed.timestamp_type = header.timestamp_type();
            consumed.key = owned(record.key);
            consumed.value = owned(record.value);
            for (const record::RecordHeader& one : record.headers()) {
                consumed.headers.push_back({std::string(one.key), owned(one.value)});
            }
            fetched.records.push_back(std::move(consumed));
        }
        if (auto status = reader.status(); !status) {
            return broken(status.error());
        }
        fetched.next_offset = header.next_offset().value();
        fetched.leader_epoch = header.leader_epoch;
    }
}

}  // namespace moldau::client
