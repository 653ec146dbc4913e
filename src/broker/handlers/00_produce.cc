#include "broker/handlers/00_produce.h"

#include "base/endian.h"
#include "broker/broker.h"
#include "broker/handlers/produce_entries.h"
#include "broker/metadata_cache.h"
#include "broker/partition_lookup.h"
#include "broker/replica_manager.h"
#include "broker/request_queue.h"
#include "metadata/topic_name.h"
#include "protocol/views/produce.h"
#include "record/batch.h"
#include "runtime/disk_pool.h"
#include "runtime/logging.h"

namespace moldau::broker {
namespace {

using protocol::ByteView;
using protocol::ProduceRequestView;
using protocol::ProduceResponse;
using PartitionAnswer = ProduceResponse::PartitionProduceResponse;

runtime::Logger log("kafka.server.KafkaApis");

// The client that may write to internal topics, as Kafka's tools call themselves.
constexpr std::string_view kAdminClient = "__admin_client";
constexpr int16_t kZstdSince = 7;
constexpr int32_t kOldRecordBytesMin = 14;  // of format 0 without key and value
constexpr int16_t kTopicIdsSince = 13;
constexpr int16_t kLeaderHintsSince = 10;

void refuse(PartitionAnswer& answer, ErrorCode code) {
    answer.error_code = to_wire(code);
    answer.base_offset = -1;
}

// Kafka tells the start of the log with every other refusal.
bool is_refused_before_reading(ErrorCode code) {
    return code == ErrorCode::CorruptMessage || code == ErrorCode::MessageTooLarge ||
           code == ErrorCode::RecordListTooLarge || code == ErrorCode::KafkaStorageError;
}

// Where an append waits for its partition before the request can be answered.
struct Awaited {
    std::shared_ptr<Partition> partition;
    Offset end;
    size_t topic;
    size_t index;
};

// A produce request whose appends are done and not all committed. Lives on its connection's loop.
class DelayedProduce : public std::enable_shared_from_this<DelayedProduce> {
 public:
    DelayedProduce(Broker& broker, Request request, ProduceResponse response, int16_t acks,
                   std::vector<Awaited> awaited)
        : broker_(broker),
          loop_(request.loop()),
          request_(std::move(request)),
          response_(std::move(response)),
          acks_(acks),
          awaited_(std::move(awaited)),
          missing_(awaited_.size()) {}

    void start(Duration timeout);

 private:
    void settled(size_t i, const Status& status);
    void timed_out();
    PartitionAnswer& answer_of(const Awaited& awaited) {
        return response_.responses[awaited.topic].partition_responses[awaited.index];
    }
    void finish();

    Broker& broker_;
    runtime::EventLoop& loop_;
    Request request_;
    ProduceResponse response_;
    int16_t acks_;
    std::vector<Awaited> awaited_;
    std::vector<bool> settled_;
    size_t missing_;
    bool finished_ = false;
    runtime::Timer timer_;
};

// Sends the answer in the form that acks and version ask for.
void answer(Broker& broker, Request& request, ProduceResponse& response, int16_t acks) {
    bool failed = false;
    metadata::ImagePtr image;
    std::optional<LeaderHints> hints;
    for (auto& topic : response.responses) {
        for (PartitionAnswer& partition : topic.partition_responses) {
            failed = failed || partition.error_code != 0;
            if (partition.error_code == to_wire(ErrorCode::NotLeaderOrFollower) &&
                request.version() >= kLeaderHintsSince) {
                if (!hints) {
                    image = broker.metadata->image();
                    hints.emplace(*image, request.listener_name());
                }
                auto leader = hints->leader_of(
                    topic.topic_id.is_zero()
                        ? image->topics.partition(topic.name, partition.index)
                        : image->topics.partition(topic.topic_id, partition.index));
                partition.current_leader.leader_id = leader.id;
                partition.current_leader.leader_epoch = leader.epoch;
            }
        }
    }
    // Kafka answers partitions: a topic that was named without any is left out.
    std::erase_if(response.responses,
                  [](const auto& topic) { return topic.partition_responses.empty(); });
    if (acks == 0) {
        if (!failed) {
            return request.respond_nothing();
        }
        MOLDAU_LOG_INFO(log,
                        "Closing connection due to error during produce request with correlation "
                        "id {} from client id {} with ack=0",
                        request.correlation_id(), request.client_id());
        return request.close();
    }
    if (hints) {
        response.node_endpoints = hints->endpoints<ProduceResponse::NodeEndpoint>();
    }
    request.respond(response);
}

void DelayedProduce::start(Duration timeout) {
    settled_.assign(awaited_.size(), false);
    auto self = shared_from_this();
    timer_ = loop_.schedule_after(timeout, [self] { self->timed_out(); });
    for (size_t i = 0; i < awaited_.size(); ++i) {
        auto done = [self, i](Status status) {
            // Not request_.loop(): the deadline may have answered the request by now.
            self->loop_.post([self, i, status = std::move(status)] { self->settled(i, status); });
        };
        Awaited& awaited = awaited_[i];
        if (acks_ == -1) {
            awaited.partition->when_committed(awaited.end, std::move(done));
        } else {
            awaited.partition->when_durable(awaited.end, std::move(done));
        }
    }
}

void DelayedProduce::settled(size_t i, const Status& status) {
    if (finished_) {
        return;
    }
    settled_[i] = true;
    if (!status) {
        refuse(answer_of(awaited_[i]), status.error().code);
    }
    if (--missing_ == 0) {
        finish();
    }
}

void DelayedProduce::timed_out() {
    for (size_t i = 0; i < awaited_.size(); ++i) {
        if (!settled_[i]) {
            refuse(answer_of(awaited_[i]), ErrorCode::RequestTimedOut);
        }
    }
    finish();
}

void DelayedProduce::finish() {
    finished_ = true;
    timer_.cancel();
    answer(broker_, request_, response_, acks_);
}

// The bytes of the batch that `records` begin with, as Kafka's reader of requests finds it: nothing
// when they end before it does. Errors: CorruptMessage when its first bytes cannot be a batch's.
Result<std::optional<size_t>> first_batch_bytes(ByteView records) {
    if (records.size() < record::kBatchPrefixBytes) {
        return std::nullopt;
    }
    auto size = load_big<int32_t>(records.data() + sizeof(int64_t));
    if (size < kOldRecordBytesMin) {
        return fail(ErrorCode::CorruptMessage,
                    "Record size {} is less than the minimum record overhead ({})", size,
                    kOldRecordBytesMin);
    }
    if (records.size() <= record::kMagicPosition) {
        return std::nullopt;
    }
    auto magic = static_cast<int8_t>(records[record::kMagicPosition]);
    if (magic < 0 || magic > record::kMagicV2) {
        return fail(ErrorCode::CorruptMessage, "Invalid magic found in record: {}", magic);
    }
    size_t bytes = record::kBatchPrefixBytes + static_cast<size_t>(size);
    return bytes <= records.size() ? std::optional(bytes) : std::nullopt;
}

// The one batch that a partition's records are; bytes after it that are no whole batch are let go.
// Errors: what Kafka refuses before it looks at the log.
Result<ByteView> only_batch(const ProduceRequestView::PartitionProduceData& data, int16_t version) {
    ByteView records = data.records.value_or(ByteView());
    MOLDAU_TRY(std::optional<size_t> bytes, first_batch_bytes(records));
    if (!bytes || records[record::kMagicPosition] != record::kMagicV2) {
        return fail(ErrorCode::InvalidRecord, "no record batch of format 2");
    }
    ByteView batch = records.subspan(0, *bytes);
    if (batch.size() >= record::kBatchHeaderBytes) {  // if not, the validator finds words for it
        record::BatchHeader header = record::BatchHeader::read(batch.data());
        auto codec = static_cast<record::Codec>(header.codec_number());
        if (version < kZstdSince && codec >= record::Codec::Zstd) {
            return codec == record::Codec::Zstd
                       ? fail(ErrorCode::UnsupportedCompressionType, "zstd needs version 7")
                       : fail(ErrorCode::UnknownServerError, "no such codec");
        }
        if (header.is_transactional()) {
            return fail(ErrorCode::InvalidTxnState, "no transaction is open");
        }
    }
    MOLDAU_TRY(std::optional<size_t> second, first_batch_bytes(records.subspan(*bytes)));
    if (second) {
        return fail(ErrorCode::InvalidRecord, "more than one record batch");
    }
    return batch;
}

// One produce request on its way through its partitions.
struct Progress {
    Request request;
    ProduceResponse response;
    std::vector<Awaited> awaited;
    std::optional<ProduceEntries> entries;
    // The number of the entry to append next.
    size_t next = 0;
    // Its log was asked to open: what still stands in the way is the answer.
    bool tried_to_open = false;
};

// Appends one partition's records and fills its answer, and notes what to wait for. Returns the
// partition when its log is not open and nothing was done.
std::shared_ptr<Partition> append(Broker& broker, const Request& request, int16_t acks,
                                  std::string_view topic, const Uuid& topic_id,
                                  const ProduceRequestView::PartitionProduceData& data,
                                  PartitionAnswer& out, std::vector<Awaited>& awaited,
                                  bool may_wait) {
    out.index = data.index;
    auto partition = request.version() >= kTopicIdsSince
                         ? find_partition(broker, topic_id, data.index)
                         : find_partition(broker, topic, data.index);
    if (!partition) {
        refuse(out, partition.error().code);
        return nullptr;
    }
    auto batch = only_batch(data, request.version());
    if (!batch) {
        refuse(out, batch.error().code);
        if (batch.error().code == ErrorCode::CorruptMessage) {
            out.error_message = batch.error().message;
        }
        return nullptr;
    }
    if (acks < -1 || acks > 1) {
        refuse(out, ErrorCode::InvalidRequiredAcks);
        return nullptr;
    }
    if (metadata::is_internal_topic((*partition)->topic_partition().topic) &&
        request.client_id() != kAdminClient) {
        refuse(out, ErrorCode::InvalidTopicException);
        return nullptr;
    }
    auto appended = (*partition)
                        ->append(protocol::share(request.body(), *batch),
                                 {.all_replicas = acks == -1, .may_wait = may_wait});
    if (!appended && storage::is_would_wait(appended.error().error)) {
        return std::move(*partition);
    }
    if (!appended) {
        const storage::AppendError& error = appended.error();
        MOLDAU_LOG_DEBUG(log, "append refused: partition={} reason={}",
                         (*partition)->topic_partition(), error.error.message);
        refuse(out, error.error.code);
        if (!is_refused_before_reading(error.error.code)) {
            out.log_start_offset = error.log_start_offset.value();
        }
        for (const record::RecordError& each : error.records) {
            auto& wrong = out.record_errors.emplace_back();
            wrong.batch_index = each.index;
            wrong.batch_index_error_message = each.message;
        }
        if (!error.records.empty()) {
            out.error_message = error.error.message;
        }
        return nullptr;
    }
    out.base_offset = appended->log.base_offset.value();
    out.log_append_time_ms = appended->log.log_append_time;
    out.log_start_offset = appended->log.log_start_offset.value();
    if (acks == 0 || (acks == 1 ? appended->durable : appended->committed)) {
        return nullptr;
    }
    awaited.push_back({std::move(*partition), appended->log.last_offset + 1, 0, 0});
    return nullptr;
}

void run(Broker& broker, Progress progress);

// Opens the partition's log on the disk pool and goes on from there. No later request of the
// connection may come before this one.
void run_when_open(Broker& broker, Progress progress, std::shared_ptr<Partition> partition) {
    progress.request.hold_connection();
    progress.tried_to_open = true;
    auto waiting = std::make_shared<Progress>(std::move(progress));
    broker.disk->submit(
        broker.request_queue->queued([&broker, waiting, partition = std::move(partition)] {
            partition->open();
            waiting->request.loop().post([&broker, waiting] {
                waiting->request.release_connection();
                run(broker, std::move(*waiting));
            });
        }));
}

void run(Broker& broker, Progress progress) {
    Request& request = progress.request;
    auto message = request.view<ProduceRequestView>();
    if (!message) {
        return;
    }
    if (!progress.entries) {
        progress.entries = entries_of(*message);
    }
    const ProduceEntries& entries = *progress.entries;
    ProduceResponse& response = progress.response;
    response.responses.reserve(message->topic_data.size());
    // Without a transactional id nobody may write transactional records.
    bool forbidden = !message->transactional_id && entries.transactional;
    size_t topic_number = 0;
    size_t number = 0;
    for (const auto& topic : message->topic_data) {
        size_t answered =
            entries.topic_in_answer.empty() ? topic_number : entries.topic_in_answer[topic_number];
        ++topic_number;
        if (number + topic.partition_data.size() < progress.next) {
            number += topic.partition_data.size();
            continue;
        }
        if (answered == response.responses.size()) {
            auto& fresh = response.responses.emplace_back();
            fresh.name = topic.name;
            fresh.topic_id = topic.topic_id;
            fresh.partition_responses.reserve(topic.partition_data.size());
        }
        auto& topic_out = response.responses[answered];
        for (const auto& data : topic.partition_data) {
            size_t entry = number++;
            if (entry < progress.next || (!entries.replaced.empty() && entries.replaced[entry])) {
                continue;
            }
            auto& out = topic_out.partition_responses.emplace_back();
            if (forbidden) {
                out.index = data.index;
                refuse(out, ErrorCode::TransactionalIdAuthorizationFailed);
                continue;
            }
            size_t waits = progress.awaited.size();
            auto closed =
                append(broker, request, message->acks, topic.name, topic.topic_id, data, out,
                       progress.awaited, std::exchange(progress.tried_to_open, false));
            if (closed != nullptr) [[unlikely]] {
                topic_out.partition_responses.pop_back();
                progress.next = entry;
                return run_when_open(broker, std::move(progress), std::move(closed));
            }
            if (progress.awaited.size() > waits) {
                progress.awaited.back().topic = answered;
                progress.awaited.back().index = topic_out.partition_responses.size() - 1;
            }
        }
    }
    if (progress.awaited.empty()) {
        return answer(broker, request, response, message->acks);
    }
    Duration timeout =
        std::max<Duration>(milliseconds(message->timeout_ms), broker.device_wait_min);
    int16_t acks = message->acks;
    request.release_body();
    std::make_shared<DelayedProduce>(broker, std::move(request), std::move(response), acks,
                                     std::move(progress.awaited))
        ->start(timeout);
}

}  // namespace

void handle_produce(Broker& broker, Request request) {
    run(broker,
        Progress{.request = std::move(request), .response = {}, .awaited = {}, .entries = {}});
}

}  // namespace moldau::broker
