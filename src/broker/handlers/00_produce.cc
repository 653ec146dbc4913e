#include "broker/handlers/00_produce.h"

#include "base/endian.h"
#include "broker/broker.h"
#include "broker/handlers/on_disk_pool.h"
#include "broker/handlers/produce_entries.h"
#include "broker/metadata_cache.h"
#include "broker/partition_lookup.h"
#include "broker/replica_manager.h"
#include "metadata/topic_name.h"
#include "protocol/views/produce.h"
#include "record/batch.h"
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

// One produce request on its way through its partitions. Lives on its connection's loop.
struct Progress {
    Progress(Broker& of, Request asked) : broker(of), request(std::move(asked)) {}

    Broker& broker;
    Request request;
    int16_t acks = 0;
    Duration timeout{};
    ProduceResponse response;
    std::vector<Awaited> awaited;
    size_t missing = 0;  // appends whose outcome is not known
};

// Where in which request's answer the outcome of an append belongs.
struct Place {
    std::shared_ptr<Progress> progress;
    size_t topic;
    size_t index;

    PartitionAnswer& answer() const {
        return progress->response.responses[topic].partition_responses[index];
    }
};

struct Append {
    std::shared_ptr<Partition> partition;
    Bytes batch;
    Place place;
};

// The appends of one loop's produce requests. What comes in one turn of the loop is appended
// together, partition by partition: one lock, one write and one walk over those who wait, however
// many clients sent a record each.
class AppendQueue {
 public:
    static AppendQueue& of_this_loop() {
        static thread_local AppendQueue queue;
        return queue;
    }

    void add(Append append);
    void run();

 private:
    // Of what is received and not yet appended.
    static constexpr size_t kBytesMax = 1 << 20;
    static constexpr size_t kAppendsMax = 256;

    struct Group {
        std::shared_ptr<Partition> partition;
        bool all_replicas;
        std::vector<Bytes> batches;
        std::vector<Place> places;

        void append();
    };

    std::vector<Group> groups_;
    size_t bytes_ = 0;
    size_t appends_ = 0;
};

// Answers the request or begins to wait when this was its last append.
void settle_one(const std::shared_ptr<Progress>& progress) {
    if (--progress->missing > 0) {
        return;
    }
    if (progress->awaited.empty()) {
        return answer(progress->broker, progress->request, progress->response, progress->acks);
    }
    std::make_shared<DelayedProduce>(progress->broker, std::move(progress->request),
                                     std::move(progress->response), progress->acks,
                                     std::move(progress->awaited))
        ->start(progress->timeout);
}

void note_refusal(const storage::AppendError& error, const Partition& partition,
                  PartitionAnswer& out) {
    MOLDAU_LOG_DEBUG(log, "append refused: partition={} reason={}", partition.topic_partition(),
                     error.error.message);
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
}

void note_append(const AppendOutcome& outcome, const std::shared_ptr<Partition>& partition,
                 const Place& place) {
    PartitionAnswer& out = place.answer();
    out.base_offset = outcome.log.base_offset.value();
    out.log_append_time_ms = outcome.log.log_append_time;
    out.log_start_offset = outcome.log.log_start_offset.value();
    int16_t acks = place.progress->acks;
    if (acks != 0 && !(acks == 1 ? outcome.durable : outcome.committed)) {
        place.progress->awaited.push_back(
            {partition, outcome.log.last_offset + 1, place.topic, place.index});
    }
}

void AppendQueue::add(Append append) {
    if (groups_.empty()) {
        append.place.progress->request.loop().at_turn_end([] { of_this_loop().run(); });
    }
    bool all_replicas = append.place.progress->acks == -1;
    auto group =
        std::ranges::find(groups_.rbegin(), groups_.rend(), append.partition, &Group::partition);
    // Appends to one partition stay in order, whatever their acks.
    if (group == groups_.rend() || group->all_replicas != all_replicas) {
        groups_.push_back({std::move(append.partition), all_replicas, {}, {}});
        group = groups_.rbegin();
    }
    bytes_ += append.batch.size();
    ++appends_;
    group->batches.push_back(std::move(append.batch));
    group->places.push_back(std::move(append.place));
    if (bytes_ >= kBytesMax || appends_ >= kAppendsMax) {
        run();
    }
}

void AppendQueue::run() {
    bytes_ = 0;
    appends_ = 0;
    for (Group& group : std::exchange(groups_, {})) {
        group.append();
    }
}

void AppendQueue::Group::append() {
    auto outcomes = partition->append(batches, {.all_replicas = all_replicas});
    batches.clear();  // and with them what was received, before anybody waits
    for (size_t i = 0; i < outcomes.size(); ++i) {
        if (outcomes[i]) {
            note_append(*outcomes[i], partition, places[i]);
        } else {
            note_refusal(outcomes[i].error(), *partition, places[i].answer());
        }
        settle_one(places[i].progress);
    }
}

// What is to be appended for one partition of the request, or nothing and a refusal in its answer.
std::optional<Append> checked_append(const std::shared_ptr<Progress>& progress,
                                     const ProduceRequestView::TopicProduceData& topic,
                                     const ProduceRequestView::PartitionProduceData& data,
                                     size_t answered, bool forbidden) {
    const Request& request = progress->request;
    auto& topic_out = progress->response.responses[answered];
    auto& out = topic_out.partition_responses.emplace_back();
    out.index = data.index;
    auto refused = [&](ErrorCode code) {
        refuse(out, code);
        return std::nullopt;
    };
    if (forbidden) {
        return refused(ErrorCode::TransactionalIdAuthorizationFailed);
    }
    auto partition = request.version() >= kTopicIdsSince
                         ? find_partition(progress->broker, topic.topic_id, data.index)
                         : find_partition(progress->broker, topic.name, data.index);
    if (!partition) {
        return refused(partition.error().code);
    }
    auto batch = only_batch(data, request.version());
    if (!batch) {
        if (batch.error().code == ErrorCode::CorruptMessage) {
            out.error_message = batch.error().message;
        }
        return refused(batch.error().code);
    }
    if (progress->acks < -1 || progress->acks > 1) {
        return refused(ErrorCode::InvalidRequiredAcks);
    }
    if (metadata::is_internal_topic((*partition)->topic_partition().topic) &&
        request.client_id() != kAdminClient) {
        return refused(ErrorCode::InvalidTopicException);
    }
    return Append{std::move(*partition), protocol::share(request.body(), *batch),
                  Place{progress, answered, topic_out.partition_responses.size() - 1}};
}

// Opens the logs on the disk pool and goes on from there. No later request of the connection may
// come before this one.
void append_when_open(const std::shared_ptr<Progress>& progress, std::vector<Append> closed) {
    progress->request.hold_connection();
    auto waiting = std::make_shared<std::vector<Append>>(std::move(closed));
    run_on_disk_pool(progress->broker, [progress, waiting] {
        for (const Append& append : *waiting) {
            append.partition->open();
        }
        progress->request.loop().post([progress, waiting] {
            progress->request.release_connection();
            for (Append& append : *waiting) {
                AppendQueue::of_this_loop().add(std::move(append));
            }
        });
    });
}

}  // namespace

void handle_produce(Broker& broker, Request request) {
    auto message = request.view<ProduceRequestView>();
    if (!message) {
        return;
    }
    auto progress = std::make_shared<Progress>(broker, std::move(request));
    progress->acks = message->acks;
    progress->timeout =
        std::max<Duration>(milliseconds(message->timeout_ms), broker.device_wait_min);
    const ProduceEntries entries = entries_of(*message);
    // Without a transactional id nobody may write transactional records.
    bool forbidden = !message->transactional_id && entries.transactional;
    std::vector<Append> closed;
    auto& response = progress->response;
    response.responses.reserve(message->topic_data.size());
    progress->missing = 1;  // until all are queued
    size_t topic_number = 0;
    size_t number = 0;
    for (const auto& topic : message->topic_data) {
        size_t answered =
            entries.topic_in_answer.empty() ? topic_number : entries.topic_in_answer[topic_number];
        ++topic_number;
        if (answered == response.responses.size()) {
            auto& fresh = response.responses.emplace_back();
            fresh.name = topic.name;
            fresh.topic_id = topic.topic_id;
            fresh.partition_responses.reserve(topic.partition_data.size());
        }
        for (const auto& data : topic.partition_data) {
            size_t entry = number++;
            if (!entries.replaced.empty() && entries.replaced[entry]) {
                continue;
            }
            auto append = checked_append(progress, topic, data, answered, forbidden);
            if (!append) {
                continue;
            }
            ++progress->missing;
            if (append->partition->is_open()) {
                AppendQueue::of_this_loop().add(*std::move(append));
            } else {
                closed.push_back(*std::move(append));
            }
        }
    }
    progress->request.release_body();
    if (!closed.empty()) [[unlikely]] {
        append_when_open(progress, std::move(closed));
    }
    settle_one(progress);
}

void run_queued_appends() {
    AppendQueue::of_this_loop().run();
}

}  // namespace moldau::broker
