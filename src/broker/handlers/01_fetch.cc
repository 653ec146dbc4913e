#include "broker/handlers/01_fetch.h"

#include <map>

#include "broker/broker.h"
#include "broker/connection.h"
#include "broker/fetch_session.h"
#include "broker/handlers/on_disk_pool.h"
#include "broker/metadata_cache.h"
#include "broker/partition_lookup.h"
#include "broker/replica_manager.h"
#include "protocol/views/fetch.h"

namespace moldau::broker {
namespace {

using protocol::FetchRequestView;
using protocol::FetchResponse;

constexpr int16_t kTopicIdsSince = 13;
constexpr int16_t kReplicaStateSince = 15;
constexpr int16_t kLeaderHintsSince = 16;
// Up to here clients take a storage error for one that ends them.
constexpr int16_t kNoStorageErrorUntil = 5;
constexpr int8_t kReadUncommitted = 0;
constexpr int8_t kReadCommitted = 1;
// Appends that come between reading and parking send the request back to reading this often.
constexpr int kParkAttempts = 4;
// What was read into memory may be gone before it is used. After so many times the loop waits.
constexpr int kWarmUps = 3;

struct FetchParameters {
    int32_t replica_id = -1;
    int64_t replica_epoch = -1;
    Duration wait_max{};
    int32_t bytes_min = 0;
    int32_t bytes_max = 0;
    storage::ReadBound bound = storage::ReadBound::HighWatermark;

    bool from_follower() const { return replica_id >= 0; }
};

// One fetch request from reading to answering. Lives on its connection's loop.
class FetchOperation : public std::enable_shared_from_this<FetchOperation> {
 public:
    FetchOperation(Broker& broker, Request request, FetchContext context,
                   FetchParameters parameters)
        : broker_(broker),
          loop_(request.loop()),
          request_(std::move(request)),
          context_(std::move(context)),
          parameters_(parameters),
          deadline_(request_.received_at() + parameters.wait_max) {}

    void run();

 private:
    struct Result {
        std::shared_ptr<Partition> partition;  // null when it is not here
        ErrorCode error = ErrorCode::None;
        PartitionRead read;
        // Set when the read would have to wait: what to read into memory first.
        std::optional<ReadRequest> cold;

        // The cluster has no such partition.
        bool is_unknown() const {
            return error == ErrorCode::UnknownTopicOrPartition ||
                   error == ErrorCode::UnknownTopicId;
        }
    };

    // Told by the partitions, on any thread; brings the operation back on its loop.
    class Waiter final : public FetchWaiter {
     public:
        Waiter(int64_t missing, std::shared_ptr<FetchOperation> operation)
            : FetchWaiter(missing), operation_(std::move(operation)) {}

     private:
        void fire() override {
            operation_->loop_.post([operation = operation_] { operation->look_again(); });
        }
        std::shared_ptr<FetchOperation> operation_;
    };

    void read_all();
    Result read(const FetchTarget& target, int64_t bytes_left, bool min_one_batch);
    bool must_answer_now() const;
    // Reads what is cold into memory on the disk pool, then runs again.
    void warm_up();
    bool park();
    void unpark();
    void look_again();
    void abandon();
    void answer();
    void tell(const FetchTarget& target, Result& result, FetchResponse& response,
              std::optional<LeaderHints>& hints);
    Offset visible_end(const Result& result) const;

    Broker& broker_;
    runtime::EventLoop& loop_;
    Request request_;
    FetchContext context_;
    FetchParameters parameters_;
    MonotonicTime deadline_;
    std::vector<Result> results_;
    metadata::ImagePtr image_;  // of the hints
    int64_t bytes_ = 0;
    // Of the results; those of unknown partitions neither wait nor end the waiting.
    size_t readable_ = 0;
    bool failed_ = false;
    bool cold_ = false;  // one of results_ is
    int warm_ups_ = 0;
    std::shared_ptr<Waiter> waiter_;
    runtime::Timer timer_;
    bool abandonable_ = false;
    bool abandoned_ = false;
};

void FetchOperation::run() {
    for (int attempt = 0; attempt < kParkAttempts; ++attempt) {
        read_all();
        if (cold_) [[unlikely]] {
            return warm_up();
        }
        if (must_answer_now()) {
            return answer();
        }
        if (park()) {
            return;
        }
    }
    answer();
}

bool FetchOperation::must_answer_now() const {
    return failed_ || readable_ == 0 || bytes_ >= parameters_.bytes_min || loop_.now() >= deadline_;
}

void FetchOperation::read_all() {
    results_.clear();
    results_.reserve(context_.targets().size());
    bytes_ = 0;
    readable_ = 0;
    failed_ = false;
    cold_ = false;
    for (const FetchTarget& target : context_.targets()) {
        Result& result =
            results_.emplace_back(read(target, parameters_.bytes_max - bytes_, bytes_ == 0));
        bytes_ += static_cast<int64_t>(result.read.log.records.size());
        if (!result.is_unknown()) {
            ++readable_;
            failed_ = failed_ || result.error != ErrorCode::None || result.read.diverging;
        }
        cold_ = cold_ || result.cold;
    }
}

void FetchOperation::warm_up() {
    ++warm_ups_;
    std::vector<std::pair<std::shared_ptr<Partition>, ReadRequest>> cold;
    for (Result& result : results_) {
        if (result.cold) {
            cold.emplace_back(std::move(result.partition), *result.cold);
        }
    }
    run_on_disk_pool(broker_, [self = shared_from_this(), cold = std::move(cold)] {
        for (const auto& [partition, request] : cold) {
            partition->warm_up(request);
        }
        self->loop_.post([self] {
            if (!self->abandoned_) {
                self->run();
            }
        });
    });
}

FetchOperation::Result FetchOperation::read(const FetchTarget& target, int64_t bytes_left,
                                            bool min_one_batch) {
    Result result;
    auto partition = request_.version() >= kTopicIdsSince
                         ? find_partition(broker_, target.topic_id, target.partition)
                         : find_partition(broker_, target.topic, target.partition);
    if (!partition) {
        result.error = partition.error().code;
        return result;
    }
    result.partition = std::move(*partition);
    ReadRequest wanted{
        .fetch_offset = Offset(target.fetch_offset),
        .bytes_max = static_cast<int32_t>(
            std::clamp<int64_t>(std::min<int64_t>(target.bytes_max, bytes_left), 0, INT32_MAX)),
        .current_leader_epoch = epoch_of_wire(target.current_leader_epoch),
        .last_fetched_epoch = epoch_of_wire(target.last_fetched_epoch),
        .bound = parameters_.bound,
        .min_one_batch = min_one_batch,
        .may_wait = warm_ups_ >= kWarmUps,
    };
    auto read = [&] {
        if (!parameters_.from_follower()) {
            return result.partition->read(wanted);
        }
        metadata::ImagePtr image = broker_.metadata->image();
        const metadata::Broker* replica = image->cluster.broker(parameters_.replica_id);
        return result.partition->read_as_follower(
            wanted, {.replica = BrokerId(parameters_.replica_id),
                     .broker_epoch = parameters_.replica_epoch,
                     .fetch_offset = wanted.fetch_offset,
                     .log_start_offset = Offset(target.log_start_offset),
                     .leader_end_offset = kNoOffset,
                     .eligible = replica != nullptr && replica->active() &&
                                 (parameters_.replica_epoch == -1 ||
                                  parameters_.replica_epoch == replica->epoch)});
    }();
    if (!read) {
        if (storage::is_would_wait(read.error())) {
            result.cold = wanted;
            return result;
        }
        result.error = read.error().code;
        return result;
    }
    if (std::min(target.bytes_max, parameters_.bytes_max) < 0 && !read->log.records.empty()) {
        result.error = ErrorCode::UnknownServerError;  // Kafka has no better one, either
        return result;
    }
    result.read = std::move(*read);
    return result;
}

Offset FetchOperation::visible_end(const Result& result) const {
    switch (parameters_.bound) {
        case storage::ReadBound::LogEnd:
            return result.read.log.log_end_offset;
        case storage::ReadBound::HighWatermark:
            return result.read.log.high_watermark;
        case storage::ReadBound::LastStable:
            return result.read.log.last_stable_offset;
    }
    return kNoOffset;
}

// False when something arrived since the read: read again.
bool FetchOperation::park() {
    waiter_ = std::make_shared<Waiter>(parameters_.bytes_min - bytes_, shared_from_this());
    for (const Result& result : results_) {
        if (result.is_unknown()) {
            continue;
        }
        if (!result.partition->add_fetch_waiter(waiter_, parameters_.bound, visible_end(result))) {
            if (!waiter_->claim()) {
                return true;  // fired by another partition: look_again() is on its way
            }
            unpark();
            return false;
        }
    }
    timer_ = loop_.schedule_at(deadline_, [self = shared_from_this()] {
        if (self->waiter_ != nullptr && self->waiter_->claim()) {
            self->look_again();
        }
    });
    if (!abandonable_) {
        abandonable_ = true;
        request_.on_abandoned([self = shared_from_this()] { self->abandon(); });
    }
    return true;
}

void FetchOperation::unpark() {
    for (const Result& result : results_) {
        if (result.partition != nullptr) {
            result.partition->remove_fetch_waiter(waiter_.get());
        }
    }
    waiter_.reset();
    timer_.cancel();
}

void FetchOperation::look_again() {
    if (waiter_ == nullptr) {
        return;  // abandoned meanwhile
    }
    unpark();
    run();
}

void FetchOperation::abandon() {
    abandoned_ = true;
    if (waiter_ != nullptr) {
        waiter_->claim();
        unpark();
    }
    request_.close();
}

void FetchOperation::answer() {
    std::vector<FetchResult> told;
    told.reserve(results_.size());
    for (const Result& result : results_) {
        bool has_error = result.error != ErrorCode::None;
        told.push_back({
            .high_watermark = has_error ? -1 : result.read.log.high_watermark.value(),
            .log_start_offset = has_error ? -1 : result.read.log.log_start_offset.value(),
            .has_records = !result.read.log.records.empty(),
            .has_error = has_error,
            .must_be_told = result.read.diverging.has_value(),
        });
    }
    FetchSessionAnswer session = broker_.fetch_sessions->finish(context_, told, loop_.now());
    FetchResponse response;
    response.error_code = to_wire(session.error);
    response.session_id = session.session_id;
    std::optional<LeaderHints> hints;
    // Unknown partitions come last, as in Kafka.
    for (bool unknown : {false, true}) {
        for (size_t i = 0; i < results_.size(); ++i) {
            if (session.included[i] && results_[i].is_unknown() == unknown) {
                tell(context_.targets()[i], results_[i], response, hints);
            }
        }
    }
    if (hints && !parameters_.from_follower()) {  // brokers know each other
        response.node_endpoints = hints->endpoints<FetchResponse::NodeEndpoint>();
    }
    request_.respond(response);
}

// Adds one partition's result to the answer.
void FetchOperation::tell(const FetchTarget& target, Result& result, FetchResponse& response,
                          std::optional<LeaderHints>& hints) {
    if (response.responses.empty() || response.responses.back().topic_id != target.topic_id ||
        response.responses.back().topic != target.topic) {
        auto& topic = response.responses.emplace_back();
        topic.topic = target.topic;
        topic.topic_id = target.topic_id;
    }
    auto& out = response.responses.back().partitions.emplace_back();
    out.partition_index = target.partition;
    out.records.emplace();
    if (!result.is_unknown()) {
        out.aborted_transactions.reset();  // where there is nothing to read the list is empty
    }
    if (result.error != ErrorCode::None) {
        bool hide = result.error == ErrorCode::KafkaStorageError &&
                    request_.version() <= kNoStorageErrorUntil;
        out.error_code = to_wire(hide ? ErrorCode::NotLeaderOrFollower : result.error);
        out.high_watermark = -1;
        bool hint = result.error == ErrorCode::NotLeaderOrFollower ||
                    result.error == ErrorCode::FencedLeaderEpoch;
        if (hint && request_.version() >= kLeaderHintsSince) {
            if (!hints) {
                image_ = broker_.metadata->image();
                hints.emplace(*image_, request_.listener_name());
            }
            auto leader =
                hints->leader_of(image_->topics.partition(target.topic_id, target.partition));
            out.current_leader.leader_id = leader.id;
            out.current_leader.leader_epoch = leader.epoch;
        }
        return;
    }
    storage::LogRead& read = result.read.log;
    out.high_watermark = read.high_watermark.value();
    out.last_stable_offset = read.last_stable_offset.value();
    out.log_start_offset = read.log_start_offset.value();
    if (parameters_.bound == storage::ReadBound::LastStable) {
        auto& aborted = out.aborted_transactions.emplace();
        for (const storage::AbortedTxn& each : read.aborted) {
            auto& one = aborted.emplace_back();
            one.producer_id = each.producer_id.value();
            one.first_offset = each.first_offset.value();
        }
    }
    if (result.read.diverging) {
        out.diverging_epoch.epoch = result.read.diverging->epoch.value();
        out.diverging_epoch.end_offset = result.read.diverging->end_offset.value();
    }
    out.records = std::move(read.records);
}

// A partition that is asked for twice is served once, as the last asked.
void drop_duplicates(std::vector<FetchTarget>& targets) {
    std::map<decltype(targets.front().key()), size_t> places;
    std::vector<FetchTarget> once;
    once.reserve(targets.size());  // the keys point into it
    for (FetchTarget& target : targets) {
        auto found = places.find(target.key());
        if (found != places.end()) {
            once[found->second] = std::move(target);
            continue;
        }
        once.push_back(std::move(target));
        places.emplace(once.back().key(), once.size() - 1);
    }
    targets = std::move(once);
}

FetchSessionRequest session_request(const FetchRequestView& message, int16_t version,
                                    bool from_follower) {
    FetchSessionRequest session{
        .session_id = message.session_id,
        .session_epoch = message.session_epoch,
        .by_topic_id = version >= kTopicIdsSince,
        .from_follower = from_follower,
    };
    for (const auto& topic : message.topics) {
        for (const auto& partition : topic.partitions) {
            auto& target = session.targets.emplace_back();
            target.topic = topic.topic;
            target.topic_id = topic.topic_id;
            target.partition = partition.partition;
            target.current_leader_epoch = partition.current_leader_epoch;
            target.last_fetched_epoch = partition.last_fetched_epoch;
            target.fetch_offset = partition.fetch_offset;
            target.log_start_offset = partition.log_start_offset;
            target.bytes_max = partition.partition_max_bytes;
        }
    }
    if (session.targets.size() > 1) {
        drop_duplicates(session.targets);
    }
    for (const auto& topic : message.forgotten_topics_data) {
        for (int32_t partition : topic.partitions) {
            auto& target = session.forgotten.emplace_back();
            target.topic = topic.topic;
            target.topic_id = topic.topic_id;
            target.partition = partition;
        }
    }
    return session;
}

// An isolation level that nobody knows fails the request; Kafka has no better code for it, either.
void refuse_isolation(Request& request, const std::vector<FetchTarget>& targets) {
    FetchResponse response;
    response.error_code = to_wire(ErrorCode::UnknownServerError);
    if (request.version() < kTopicIdsSince) {
        for (const FetchTarget& target : targets) {
            if (response.responses.empty() || response.responses.back().topic != target.topic) {
                response.responses.emplace_back().topic = target.topic;
            }
            auto& out = response.responses.back().partitions.emplace_back();
            out.partition_index = target.partition;
            out.error_code = to_wire(ErrorCode::UnknownServerError);
            out.high_watermark = -1;
            out.records.emplace();
        }
    }
    request.respond(response);
}

}  // namespace

void handle_fetch(Broker& broker, Request request) {
    auto message = request.view<FetchRequestView>();
    if (!message) {
        return;
    }
    FetchParameters parameters;
    parameters.replica_id = request.version() >= kReplicaStateSince
                                ? message->replica_state.replica_id
                                : message->replica_id;
    parameters.replica_epoch = message->replica_state.replica_epoch;
    parameters.wait_max = milliseconds(std::max(message->max_wait_ms, 0));
    parameters.bytes_max = message->max_bytes;
    if (!parameters.from_follower()) {
        parameters.bytes_max =
            std::min({parameters.bytes_max, broker.config->get().fetch_max_bytes(),
                      request.listener().unsent->answer_bytes_max()});
        parameters.bound = message->isolation_level == kReadCommitted
                               ? storage::ReadBound::LastStable
                               : storage::ReadBound::HighWatermark;
    } else {
        parameters.bound = storage::ReadBound::LogEnd;
    }
    parameters.bytes_min = std::min(message->min_bytes, parameters.bytes_max);
    FetchContext context = broker.fetch_sessions->begin(
        session_request(*message, request.version(), parameters.from_follower()),
        request.received_at());
    if (context.error() != ErrorCode::None) {
        FetchResponse response;
        response.error_code = to_wire(context.error());
        return request.respond(response);
    }
    bool isolation_known =
        message->isolation_level == kReadUncommitted || message->isolation_level == kReadCommitted;
    if (!isolation_known && !parameters.from_follower() && !context.targets().empty()) {
        return refuse_isolation(request, context.targets());
    }
    request.release_body();
    std::make_shared<FetchOperation>(broker, std::move(request), std::move(context), parameters)
        ->run();
}

}  // namespace moldau::broker
