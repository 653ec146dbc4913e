#include "client/producer.h"

#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/produce.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/logging.h"

namespace moldau::client {
namespace {

runtime::Logger log("org.apache.kafka.clients.producer.internals.Sender");

// Produce from version 13 on names topics by id; a producer that never learned the id must use 12.
constexpr int16_t kTopicIdVersion = 13;

std::chrono::steady_clock::time_point steady(Duration from_now) {
    return std::chrono::steady_clock::now() + std::min(from_now, Duration(std::chrono::hours(24)));
}

}  // namespace

Result<std::unique_ptr<Producer>> Producer::create(const Properties& properties) {
    Properties own = properties;
    own.try_emplace("client.id", "producer-1");
    MOLDAU_TRY(auto client, ClientConfig::from_properties(own));
    MOLDAU_TRY(auto config, ProducerConfig::from_properties(own));
    return std::unique_ptr<Producer>(new Producer(std::move(client), std::move(config)));
}

Producer::Producer(ClientConfig client, ProducerConfig config)
    : config_(config), client_(std::move(client), "producer"), core_(config) {
    random_ = runtime::system_entropy().draw();
    client_.loop().post([this] {
        client_.set_auto_create(true);
        client_.on_update([this](const std::shared_ptr<const Cluster>&) {
            {
                MutexLock lock(mutex_);
                ++updates_;
            }
            changed_.notify_all();
            poll();
        });
    });
}

Producer::~Producer() {
    close(Duration(0));
}

void Producer::close(Duration timeout) {
    if (std::exchange(closed_, true)) {
        return;
    }
    {
        std::unique_lock lock(mutex_.native());
        auto until = steady(timeout);
        auto idle = [this]() NO_THREAD_SAFETY_ANALYSIS { return core_.idle(); };
        [this]() NO_THREAD_SAFETY_ANALYSIS { core_.flush(); }();
        wake();
        changed_.wait_until(lock, until, idle);
    }
    std::vector<ProducerCore::Completed> left;
    {
        MutexLock lock(mutex_);
        core_.abandon({ErrorCode::NetworkException, "Producer is closed forcefully."});
        left = core_.take_completed();
    }
    deliver(std::move(left));
    std::mutex done_mutex;
    std::condition_variable done;
    bool stopped = false;
    client_.loop().post([&] {
        stopped_ = true;
        timer_.cancel();
        client_.network().shut_down();
        std::lock_guard guard(done_mutex);
        stopped = true;
        done.notify_all();
    });
    std::unique_lock guard(done_mutex);
    done.wait(guard, [&] { return stopped; });
}

void Producer::flush() {
    std::unique_lock lock(mutex_.native());
    auto idle = [this]() NO_THREAD_SAFETY_ANALYSIS {
        if (!core_.idle()) {
            core_.flush();
        }
        return core_.idle();
    };
    if (idle()) {
        return;
    }
    wake();
    changed_.wait(lock, idle);
}

Result<int32_t> Producer::partition_count(const std::string& topic, MonotonicTime deadline) {
    auto known = [&]() -> std::optional<Result<int32_t>> {
        std::shared_ptr<const Cluster> cluster = client_.cluster();
        const TopicInfo* info = cluster->topic(topic);
        if (info == nullptr) {
            return std::nullopt;
        }
        if (info->error == ErrorCode::InvalidTopicException) {
            return fail(ErrorCode::InvalidTopicException, "Invalid topics: [{}]", topic);
        }
        if (info->error == ErrorCode::TopicAuthorizationFailed) {
            return fail(info->error, "Not authorized to access topics: [{}]", topic);
        }
        if (info->error != ErrorCode::None || info->partitions.empty()) {
            return std::nullopt;
        }
        return info->partition_count();
    };
    while (true) {
        uint64_t seen;
        {
            MutexLock lock(mutex_);
            seen = updates_;
        }
        if (auto count = known()) {
            return *count;
        }
        client_.loop().post([this, topic] {
            client_.want_topic(topic);
            client_.request_update();
        });
        std::unique_lock lock(mutex_.native());
        bool told =
            changed_.wait_until(lock, steady(deadline - client_.now()),
                                [&]() NO_THREAD_SAFETY_ANALYSIS { return updates_ != seen; });
        if (!told) {
            return fail(ErrorCode::RequestTimedOut, "Topic {} not present in metadata after {} ms.",
                        topic, to_ms(config_.block_max));
        }
    }
}

Result<int32_t> Producer::choose_partition(const ProducerRecord& record, size_t bytes) {
    MonotonicTime deadline = client_.now() + config_.block_max;
    MOLDAU_TRY(int32_t count, partition_count(record.topic, deadline));
    if (record.partition) {
        if (*record.partition < 0 || *record.partition >= count) {
            return fail(ErrorCode::RequestTimedOut,
                        "Partition {} of topic {} with partition count {} is not present in "
                        "metadata after {} ms.",
                        *record.partition, record.topic, count, to_ms(config_.block_max));
        }
        return *record.partition;
    }
    if (record.data.key) {
        return partition_of_key(*record.data.key, count);
    }
    if (count == 1) {
        return 0;
    }
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    std::vector<int32_t> available;
    for (const auto& [index, info] : cluster->topics.find(record.topic)->second.partitions) {
        if (info.leader >= 0) {
            available.push_back(index);
        }
    }
    uint64_t draw = random_.fetch_add(0x9e3779b97f4a7c15ULL);
    draw = (draw ^ (draw >> 30)) * 0xbf58476d1ce4e5b9ULL;
    draw = (draw ^ (draw >> 27)) * 0x94d049bb133111ebULL;
    MutexLock lock(mutex_);
    StickyPartitioner& sticky = sticky_[record.topic];
    int32_t partition = sticky.next(available, count, draw ^ (draw >> 31));
    sticky.used(bytes, config_.batch_bytes);
    return partition;
}

Status Producer::send(ProducerRecord record, Delivery done) {
    size_t bytes = record.data.key.value_or("").size() + record.data.value.value_or("").size() + 16;
    if (bytes > config_.request_bytes_max) {
        return fail(ErrorCode::MessageTooLarge,
                    "The message is {} bytes when serialized which is larger than {}, which is the "
                    "value of the max.request.size configuration.",
                    bytes + record::kBatchHeaderBytes, config_.request_bytes_max);
    }
    MOLDAU_TRY(int32_t partition, choose_partition(record, bytes));
    if (record.data.timestamp == kNoTimestamp) {
        record.data.timestamp = runtime::system_clock().wall_ms();
    }
    TopicPartition tp{std::move(record.topic), partition};
    auto appended = ProducerCore::Appended::Full;
    {
        std::unique_lock lock(mutex_.native());
        auto take = [&]() NO_THREAD_SAFETY_ANALYSIS {
            appended = core_.append(client_.now(), tp, record.data, done);
            return appended != ProducerCore::Appended::Full;
        };
        if (!changed_.wait_until(lock, steady(config_.block_max), take)) {
            return fail(ErrorCode::RequestTimedOut,
                        "Failed to allocate memory within the configured max blocking time {} ms.",
                        to_ms(config_.block_max));
        }
    }
    if (appended == ProducerCore::Appended::Wake) {
        wake();
    }
    return {};
}

void Producer::wake() {
    if (!wake_posted_.exchange(true)) {
        client_.loop().post([this] {
            wake_posted_ = false;
            poll();
        });
    }
}

void Producer::poll() {
    if (stopped_) {
        return;
    }
    std::vector<ProducerCore::Call> calls;
    std::vector<ProducerCore::Completed> completed;
    bool wish;
    bool needs_id;
    MonotonicTime now = client_.now();
    MonotonicTime next;
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    {
        MutexLock lock(mutex_);
        core_.expire(now);
        calls = core_.take_calls(now, *cluster);
        completed = core_.take_completed();
        wish = core_.take_metadata_wish();
        needs_id = core_.needs_producer_id();
        next = core_.next_timeout(now);
    }
    for (ProducerCore::Call& call : calls) {
        start(std::move(call));
    }
    if (needs_id) {
        ask_producer_id();
    }
    if (wish) {
        client_.request_update();
    }
    deliver(std::move(completed));
    if (next == MonotonicTime::max()) {
        timer_.cancel();
    } else {
        timer_ = client_.loop().schedule_at(next, [this] { poll(); });
    }
}

void Producer::deliver(std::vector<ProducerCore::Completed> outcomes) {
    for (ProducerCore::Completed& outcome : outcomes) {
        outcome.done(std::move(outcome.outcome));
    }
    {
        MutexLock lock(mutex_);
        core_.delivered(outcomes.size());
    }
    // Waiters may hope for memory, for everything to be done, or for both.
    changed_.notify_all();
}

void Producer::start(ProducerCore::Call call) {
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    protocol::ProduceRequest request;
    request.acks = config_.acks;
    request.timeout_ms = static_cast<int32_t>(to_ms(config_.request_timeout));
    bool all_ids_known = true;
    for (ProducerCore::Part& part : call.parts) {
        const std::string& topic = part.partition.topic;
        if (request.topic_data.empty() || request.topic_data.back().name != topic) {
            protocol::ProduceRequest::TopicProduceData data;
            data.name = topic;
            const TopicInfo* info = cluster->topic(topic);
            data.topic_id = info == nullptr ? Uuid() : info->id;
            all_ids_known = all_ids_known && !data.topic_id.is_zero();
            request.topic_data.push_back(std::move(data));
        }
        protocol::ProduceRequest::PartitionProduceData data;
        data.index = part.partition.partition;
        data.records = part.records;
        request.topic_data.back().partition_data.push_back(std::move(data));
        part.records = Bytes();
    }
    Endpoint node = cluster->brokers.at(call.node).endpoint;
    int16_t version_max =
        all_ids_known ? protocol::ProduceRequest::kVersions.last : int16_t{kTopicIdVersion - 1};
    auto on_answer = [this, call = std::move(call)](Result<protocol::ProduceResponse> told) {
        std::map<TopicPartition, ProducerCore::Answer> answers;
        std::shared_ptr<const Cluster> known = client_.cluster();
        if (told) {
            for (auto& topic : told->responses) {
                std::string name = topic.name;
                if (name.empty()) {
                    for (const ProducerCore::Part& part : call.parts) {
                        const TopicInfo* info = known->topic(part.partition.topic);
                        if (info != nullptr && info->id == topic.topic_id) {
                            name = part.partition.topic;
                        }
                    }
                }
                for (auto& partition : topic.partition_responses) {
                    ProducerCore::Answer answer;
                    answer.error = error_code_from_wire(partition.error_code);
                    answer.base_offset = partition.base_offset;
                    answer.log_append_time = partition.log_append_time_ms;
                    answer.log_start_offset = partition.log_start_offset;
                    answer.message = partition.error_message.value_or("");
                    if (answer.message.empty() && partition.error_code != 0) {
                        answer.message =
                            fmt::format("the broker answered {}", error_name(answer.error));
                    }
                    for (auto& record : partition.record_errors) {
                        answer.record_errors[record.batch_index] =
                            record.batch_index_error_message.value_or(answer.message);
                    }
                    answers[{name, partition.index}] = std::move(answer);
                }
            }
        }
        MonotonicTime now = client_.now();
        {
            MutexLock lock(mutex_);
            core_.on_call_done(call.node);
            for (const ProducerCore::Part& part : call.parts) {
                ProducerCore::Answer answer;
                if (auto found = answers.find(part.partition); found != answers.end()) {
                    answer = std::move(found->second);
                } else if (!told) {
                    answer.error = told.error().code;
                    answer.message = told.error().message;
                } else if (config_.acks != 0) {
                    answer.error = ErrorCode::NetworkException;
                    answer.message = "the broker did not answer for the partition";
                }
                if (answer.error != ErrorCode::None) {
                    MOLDAU_LOG_DEBUG(log, "produce failed: partition={} error={}",
                                     part.partition.str(), answer.error);
                }
                core_.on_answer(now, part.partition, part.batch, answer);
            }
        }
        poll();
    };
    if (config_.acks == 0) {
        OutgoingRequest out = outgoing(std::move(request), version_max);
        out.answered = false;
        client_.network().send(node, std::move(out),
                               [on_answer = std::move(on_answer)](Result<RawResponse> raw) mutable {
                                   if (raw) {
                                       on_answer(protocol::ProduceResponse());
                                   } else {
                                       on_answer(fail(std::move(raw).error()));
                                   }
                               });
        return;
    }
    // The broker may use its whole time-out before it answers; then the answer has to travel.
    client_.send<protocol::ProduceResponse>(node, std::move(request), std::move(on_answer),
                                            version_max);
}

void Producer::ask_producer_id() {
    if (std::exchange(asking_producer_id_, true)) {
        return;
    }
    protocol::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    request.transaction_timeout_ms = std::numeric_limits<int32_t>::max();
    // Version 6 (two-phase commit) is not stable, and nothing in it is needed here.
    constexpr int16_t kStableVersion = 5;
    client_.send<protocol::InitProducerIdResponse>(
        client_.any_node(), std::move(request),
        [this](Result<protocol::InitProducerIdResponse> told) {
            asking_producer_id_ = false;
            if (stopped_) {
                return;
            }
            if (told && told->error_code == 0) {
                {
                    MutexLock lock(mutex_);
                    core_.set_producer_id(told->producer_id, told->producer_epoch);
                }
                poll();
                return;
            }
            ErrorCode error = told ? error_code_from_wire(told->error_code) : told.error().code;
            MOLDAU_LOG_DEBUG(log, "no producer id: error={}", error);
            if (told && !is_retriable(error)) {
                {
                    MutexLock lock(mutex_);
                    core_.abandon({error, fmt::format("no producer id: error={}", error)});
                }
                poll();
                return;
            }
            timer_ = client_.loop().schedule_after(config_.retry_backoff, [this] { poll(); });
        },
        kStableVersion);
}

}  // namespace moldau::client
