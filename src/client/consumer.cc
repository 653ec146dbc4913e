#include "client/consumer.h"

#include <algorithm>

#include "protocol/messages/offset_commit.h"
#include "runtime/clock.h"
#include "runtime/logging.h"

namespace moldau::client {
namespace {

runtime::Logger log("org.apache.kafka.clients.consumer.internals.ConsumerCoordinator");

constexpr int16_t kCommitNamesVersionMax = 9;

std::chrono::steady_clock::time_point steady(Duration from_now) {
    return std::chrono::steady_clock::now() + std::min(from_now, Duration(std::chrono::hours(24)));
}

template <typename T>
struct Answered {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<T> value;

    void give(T given) {
        std::lock_guard lock(mutex);
        value = std::move(given);
        ready.notify_all();
    }
};

}  // namespace

Result<std::unique_ptr<Consumer>> Consumer::create(const Properties& properties) {
    MOLDAU_TRY(auto client, ClientConfig::from_properties(properties));
    MOLDAU_TRY(auto config, ConsumerConfig::from_properties(properties));
    return std::unique_ptr<Consumer>(new Consumer(std::move(client), std::move(config)));
}

Consumer::Consumer(ClientConfig client, ConsumerConfig config)
    : config_(std::move(config)), client_(std::move(client), "consumer"), member_(config_.member) {
    client_.loop().post([this] {
        client_.set_auto_create(config_.auto_create_topics);
        client_.on_update([this](const std::shared_ptr<const Cluster>&) {
            if (stopped_) {
                return;
            }
            update_subscription();
            if (joined_) {
                auto answer = std::move(*joined_);
                joined_.reset();
                member_.on_join(client_.now(), answer);
            }
            step();
        });
    });
}

Consumer::~Consumer() {
    close(Duration(0));
}

void Consumer::run_on_loop(std::function<void()> function) {
    Answered<bool> done;
    client_.loop().post([&] {
        function();
        done.give(true);
    });
    std::unique_lock lock(done.mutex);
    done.ready.wait(lock, [&] { return done.value.has_value(); });
}

void Consumer::wake() {
    if (!step_posted_.exchange(true)) {
        client_.loop().post([this] {
            step_posted_ = false;
            step();
        });
    }
}

void Consumer::subscribe(std::set<std::string> topics) {
    run_on_loop([&] {
        subscribed_ = true;
        topics_ = std::move(topics);
        for (const std::string& topic : topics_) {
            client_.want_topic(topic);
        }
        update_subscription();
    });
}

void Consumer::subscribe(TopicPredicate wanted) {
    run_on_loop([&] {
        subscribed_ = true;
        wanted_ = std::move(wanted);
        client_.want_all_topics();
        update_subscription();
    });
}

void Consumer::assign(const std::vector<TopicPartition>& partitions) {
    run_on_loop([&] {
        for (const TopicPartition& tp : partitions) {
            client_.want_topic(tp.topic);
        }
        set_assignment(partitions);
        step();
    });
}

void Consumer::seek(const TopicPartition& tp, int64_t offset) {
    run_on_loop([&] {
        {
            MutexLock lock(mutex_);
            if (auto found = partitions_.find(tp); found != partitions_.end()) {
                place(found->second, {offset});
            }
        }
        step();
    });
}

void Consumer::seek_to(const TopicPartition& tp, int64_t spec) {
    run_on_loop([&] {
        {
            MutexLock lock(mutex_);
            if (auto found = partitions_.find(tp); found != partitions_.end()) {
                Partition& partition = found->second;
                partition.generation = next_generation_++;
                partition.fetch_offset.reset();
                partition.consumed.reset();
                partition.buffered = 0;
                partition.looking_up = false;
                partition.reset_spec = spec;
            }
        }
        step();
    });
}

Result<std::vector<ConsumedRecord>> Consumer::poll(Duration timeout) {
    client_.loop().post([this] {
        if (!stopped_) {
            member_.on_poll(client_.now());
            step();
        }
    });
    std::vector<ConsumedRecord> records;
    auto until = steady(timeout);
    std::unique_lock lock(mutex_.native());
    auto take = [&]() NO_THREAD_SAFETY_ANALYSIS {
        while (!ready_.empty() && records.size() < config_.poll_records_max) {
            ReadyRecords& first = ready_.front();
            auto found = partitions_.find(first.partition);
            bool current = found != partitions_.end() && !found->second.leaving &&
                           found->second.generation == first.generation;
            if (!current) {
                ready_.pop_front();
                continue;
            }
            Partition& partition = found->second;
            while (first.next < first.records.size() && records.size() < config_.poll_records_max) {
                partition.consumed = first.records[first.next].offset + 1;
                partition.consumed_epoch = first.records[first.next].leader_epoch;
                records.push_back(std::move(first.records[first.next++]));
                --partition.buffered;
            }
            if (first.next == first.records.size()) {
                // Past control records and the like that follow.
                partition.consumed = first.next_offset;
                ready_.pop_front();
            }
        }
        return !records.empty() || error_.has_value() || woken_;
    };
    [this]() NO_THREAD_SAFETY_ANALYSIS { mark_processed(); }();
    changed_.wait_until(lock, until, take);
    bool fetch_more = !records.empty();
    std::optional<Error> error;
    [&]() NO_THREAD_SAFETY_ANALYSIS {
        woken_ = false;
        if (records.empty()) {
            error = std::exchange(error_, std::nullopt);
        }
    }();
    lock.unlock();
    if (error) {
        return fail(std::move(*error));
    }
    if (fetch_more) {
        wake();
    }
    return records;
}

void Consumer::wakeup() {
    {
        MutexLock lock(mutex_);
        woken_ = true;
    }
    changed_.notify_all();
}

std::set<TopicPartition> Consumer::assignment() const {
    MutexLock lock(mutex_);
    std::set<TopicPartition> assigned;
    for (const auto& [tp, partition] : partitions_) {
        assigned.insert(tp);
    }
    return assigned;
}

std::optional<int64_t> Consumer::position(const TopicPartition& tp) const {
    MutexLock lock(mutex_);
    auto found = partitions_.find(tp);
    return found == partitions_.end() ? std::nullopt : found->second.consumed;
}

std::optional<int64_t> Consumer::high_watermark(const TopicPartition& tp) const {
    MutexLock lock(mutex_);
    auto found = partitions_.find(tp);
    if (found == partitions_.end() || found->second.high_watermark < 0) {
        return std::nullopt;
    }
    return found->second.high_watermark;
}

Status Consumer::commit(Duration timeout) {
    MonotonicTime deadline = client_.now() + timeout;
    for (uint32_t failures = 1;; ++failures) {
        // Shared: the answer may come after this call gave up.
        auto answered = std::make_shared<Answered<Status>>();
        client_.loop().post([this, answered] {
            {
                MutexLock lock(mutex_);
                mark_processed();
            }
            commit_now([answered](Status status) { answered->give(std::move(status)); });
        });
        std::unique_lock lock(answered->mutex);
        bool told = answered->ready.wait_until(lock, steady(deadline - client_.now()),
                                               [&] { return answered->value.has_value(); });
        if (!told) {
            return fail(ErrorCode::RequestTimedOut,
                        "Timeout of {}ms expired before successfully committing offsets",
                        to_ms(timeout));
        }
        Status status = std::move(*answered->value);
        lock.unlock();
        bool again = !status && (is_retriable(status.error().code) ||
                                 status.error().code == ErrorCode::NetworkException);
        if (!again || !client_.pause(failures, deadline)) {
            return status;
        }
    }
}

void Consumer::close(Duration timeout) {
    if (std::exchange(closed_, true)) {
        return;
    }
    MonotonicTime deadline = client_.now() + timeout;
    if (config_.auto_commit && timeout > Duration(0)) {
        if (auto status = commit(timeout); !status) {
            MOLDAU_LOG_WARN(log, "offsets were not committed on close: {}", status.error().message);
        }
    }
    auto left = std::make_shared<Answered<bool>>();
    client_.loop().post([this, left] {
        timer_.cancel();
        member_.leave(client_.now());
        GroupMember::Ready ready = member_.take_ready();
        stopped_ = true;
        end_sessions();
        if (!ready.leave || !coordinator_) {
            left->give(true);
            return;
        }
        client_.send<protocol::LeaveGroupResponse>(
            *coordinator_, std::move(*ready.leave),
            [left](Result<protocol::LeaveGroupResponse>) { left->give(true); });
    });
    {
        std::unique_lock lock(left->mutex);
        left->ready.wait_until(lock, steady(std::max(deadline - client_.now(), Duration(0))),
                               [&] { return left->value.has_value(); });
    }
    run_on_loop([&] {
        stopped_ = true;
        timer_.cancel();
        client_.network().shut_down();
    });
}

// --- on the loop ---

void Consumer::step() {
    if (stopped_) {
        return;
    }
    MonotonicTime now = client_.now();
    member_.tick(now);
    apply(member_.take_ready());
    start_lookups(now);
    start_validations(now);
    start_fetches(now);
    if (config_.auto_commit && now >= auto_commit_due_ && !member_.is_joining()) {
        auto_commit_due_ = now + config_.auto_commit_interval;
        commit_now([](Status status) {
            if (!status) {
                MOLDAU_LOG_WARN(log, "offsets were not committed: {}", status.error().message);
            }
        });
    }
    schedule(now);
}

void Consumer::schedule(MonotonicTime now) {
    MonotonicTime next = member_.next_timeout();
    if (config_.auto_commit && !member_.is_joining()) {
        next = std::min(next, auto_commit_due_);
    }
    {
        MutexLock lock(mutex_);
        for (const auto& [tp, partition] : partitions_) {
            if (partition.not_before > now) {
                next = std::min(next, partition.not_before);
            }
        }
    }
    for (MonotonicTime at : {coordinator_not_before_, committed_not_before_}) {
        if (at > now) {
            next = std::min(next, at);
        }
    }
    if (next == MonotonicTime::max()) {
        timer_.cancel();
    } else {
        timer_ = client_.loop().schedule_at(std::max(next, now), [this] { step(); });
    }
}

void Consumer::update_subscription() {
    if (!subscribed_) {
        return;
    }
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    if (wanted_) {
        topics_.clear();
        for (const auto& [name, topic] : cluster->topics) {
            if (wanted_(name)) {
                topics_.insert(name);
            }
        }
    }
    MonotonicTime now = client_.now();
    std::map<std::string, int32_t> counts;
    for (const auto& [name, topic] : cluster->topics) {
        if (topic.error == ErrorCode::None && !topic.partitions.empty()) {
            counts[name] = topic.partition_count();
        }
    }
    for (const std::string& topic : topics_) {
        const TopicInfo* info = cluster->topic(topic);
        if (info == nullptr) {
            continue;
        }
        if (info->error == ErrorCode::InvalidTopicException ||
            info->error == ErrorCode::TopicAuthorizationFailed) {
            MutexLock lock(mutex_);
            raise({info->error, info->error == ErrorCode::InvalidTopicException
                                    ? fmt::format("Invalid topics: [{}]", topic)
                                    : fmt::format("Not authorized to access topics: [{}]", topic)});
        } else if (info->error != ErrorCode::None) {
            // Being created, or not there yet.
            client_.request_update();
        }
    }
    member_.subscribe(now, topics_);
    member_.on_partition_counts(now, std::move(counts));
}

void Consumer::apply(GroupMember::Ready ready) {
    if (ready.lost) {
        drop(*ready.lost);
    }
    if (ready.assigned) {
        add(*ready.assigned);
        wake();
    }
    if (ready.revoke) {
        give_back(std::move(*ready.revoke));
    }
    if (ready.find_coordinator) {
        coordinator_.reset();
        find_coordinator();
    }
    send_to_group(ready);
    if (ready.failed) {
        MutexLock lock(mutex_);
        raise(std::move(*ready.failed));
    }
}

// Commits what was processed of them, then lets go.
void Consumer::give_back(std::set<TopicPartition> partitions) {
    {
        MutexLock lock(mutex_);
        for (const TopicPartition& tp : partitions) {
            if (auto found = partitions_.find(tp); found != partitions_.end()) {
                found->second.leaving = true;
            }
        }
    }
    auto let_go = [this, partitions = std::move(partitions)](const Status&) {
        drop(partitions);
        member_.revoked(client_.now());
        apply(member_.take_ready());
    };
    if (config_.auto_commit) {
        commit_now(std::move(let_go));
    } else {
        let_go({});
    }
}

void Consumer::send_to_group(GroupMember::Ready& ready) {
    if (!ready.join && !ready.sync && !ready.heartbeat && !ready.leave) {
        return;
    }
    if (!coordinator_) {
        if (!finding_coordinator_) {
            find_coordinator();
        }
        return;
    }
    auto then_step = [this](auto&& function) {
        return [this, function](auto answer) mutable {
            if (!stopped_) {
                function(client_.now(), answer);
                step();
            }
        };
    };
    if (ready.join) {
        // The coordinator answers when the whole group has joined.
        Duration timeout =
            std::max(client_.config().request_timeout, member_.rebalance_timeout() + seconds(5));
        client_.send<protocol::JoinGroupResponse>(
            *coordinator_, std::move(*ready.join),
            [this](Result<protocol::JoinGroupResponse> answer) { on_joined(std::move(answer)); },
            protocol::JoinGroupRequest::kVersions.last, true, timeout);
    }
    if (ready.sync) {
        Duration timeout =
            std::max(client_.config().request_timeout, member_.rebalance_timeout() + seconds(5));
        client_.send<protocol::SyncGroupResponse>(
            *coordinator_, std::move(*ready.sync),
            then_step([this](MonotonicTime now, const Result<protocol::SyncGroupResponse>& answer) {
                member_.on_sync(now, answer);
            }),
            protocol::SyncGroupRequest::kVersions.last, true, timeout);
    }
    if (ready.heartbeat) {
        client_.send<protocol::HeartbeatResponse>(
            *coordinator_, std::move(*ready.heartbeat),
            then_step([this](MonotonicTime now, const Result<protocol::HeartbeatResponse>& answer) {
                member_.on_heartbeat(now, answer);
            }));
    }
    if (ready.leave) {
        client_.send<protocol::LeaveGroupResponse>(*coordinator_, std::move(*ready.leave),
                                                   [](Result<protocol::LeaveGroupResponse>) {});
    }
}

// A leader shares out partitions of topics it may not subscribe to itself: their counts come first.
void Consumer::on_joined(Result<protocol::JoinGroupResponse> answer) {
    if (stopped_) {
        return;
    }
    bool unknown = false;
    if (answer && answer->error_code == 0 && answer->leader == answer->member_id) {
        std::shared_ptr<const Cluster> cluster = client_.cluster();
        for (const auto& member : answer->members) {
            auto subscription = decode_subscription(member.metadata).value_or(AssignorMember());
            for (const std::string& topic : subscription.topics) {
                if (cluster->topic(topic) == nullptr) {
                    client_.want_topic(topic);
                    unknown = true;
                }
            }
        }
    }
    if (unknown) {
        joined_ = std::move(answer);
        client_.request_update();
        return;
    }
    member_.on_join(client_.now(), answer);
    step();
}

void Consumer::find_coordinator() {
    MonotonicTime now = client_.now();
    if (finding_coordinator_ || !config_.group_id || now < coordinator_not_before_) {
        return;
    }
    finding_coordinator_ = true;
    client_.find_coordinator(CoordinatorType::Group, *config_.group_id, [this](Result<Node> node) {
        finding_coordinator_ = false;
        if (stopped_) {
            return;
        }
        MonotonicTime now = client_.now();
        if (node) {
            coordinator_ = node->endpoint;
        } else {
            coordinator_not_before_ = now + config_.retry_backoff;
            ErrorCode code = node.error().code;
            if (!is_retriable(code) && code != ErrorCode::NetworkException) {
                MutexLock lock(mutex_);
                raise(std::move(node).error());
            }
        }
        member_.on_coordinator(now, coordinator_.has_value());
        step();
    });
}

void Consumer::forget_coordinator(ErrorCode error) {
    if (error == ErrorCode::NotCoordinator || error == ErrorCode::CoordinatorNotAvailable ||
        error == ErrorCode::NetworkException || error == ErrorCode::RequestTimedOut) {
        coordinator_.reset();
    }
}

void Consumer::set_assignment(const std::vector<TopicPartition>& partitions) {
    MutexLock lock(mutex_);
    std::map<TopicPartition, Partition> next;
    for (const TopicPartition& tp : partitions) {
        if (auto kept = partitions_.extract(tp); !kept.empty()) {
            next.insert(std::move(kept));
        } else {
            next[tp].generation = next_generation_++;
        }
    }
    partitions_ = std::move(next);
}

void Consumer::add(const std::set<TopicPartition>& partitions) {
    MutexLock lock(mutex_);
    for (const TopicPartition& tp : partitions) {
        Partition fresh;
        fresh.generation = next_generation_++;
        partitions_[tp] = fresh;
    }
}

void Consumer::drop(const std::set<TopicPartition>& partitions) {
    MutexLock lock(mutex_);
    for (const TopicPartition& tp : partitions) {
        partitions_.erase(tp);
    }
}

Consumer::Partition* Consumer::still_asked(const TopicPartition& tp, uint64_t generation) {
    auto found = partitions_.find(tp);
    bool stands = found != partitions_.end() && found->second.generation == generation;
    return stands ? &found->second : nullptr;
}

void Consumer::place(Partition& partition, const Position& position) {
    partition.generation = next_generation_++;
    partition.fetch_offset = position.offset;
    partition.consumed = position.offset;
    partition.processed = position.offset;
    partition.fetch_epoch = position.leader_epoch;
    partition.consumed_epoch = position.leader_epoch;
    partition.processed_epoch = position.leader_epoch;
    partition.validated_epoch = -1;
    partition.validating = false;
    partition.reset_spec.reset();
    partition.looking_up = false;
    partition.fetching = false;
    partition.buffered = 0;
}

void Consumer::reset(const TopicPartition& tp, Partition& partition) {
    partition.fetch_offset.reset();
    partition.looking_up = false;
    switch (config_.reset.kind) {
        case OffsetReset::Kind::Spec:
            partition.reset_spec = config_.reset.value;
            return;
        case OffsetReset::Kind::Duration:
            partition.reset_spec = runtime::system_clock().wall_ms() - config_.reset.value;
            return;
        case OffsetReset::Kind::None:
            break;
    }
    partition.looking_up = true;  // the application decides with a seek
    raise({ErrorCode::OffsetOutOfRange,
           fmt::format("Undefined offset with no reset policy for partitions: [{}]", tp.str())});
}

void Consumer::raise(Error error) {
    if (!error_) {
        error_ = std::move(error);
    }
    changed_.notify_all();
}

void Consumer::mark_processed() {
    for (auto& [tp, partition] : partitions_) {
        partition.processed = partition.consumed;
        partition.processed_epoch = partition.consumed_epoch;
    }
}

void Consumer::commit_now(std::move_only_function<void(Status)> done) {
    protocol::OffsetCommitRequest request;
    std::map<TopicPartition, Position> offsets;
    {
        MutexLock lock(mutex_);
        for (auto& [tp, partition] : partitions_) {
            if (partition.processed && *partition.processed != partition.committed) {
                offsets[tp] = {*partition.processed, partition.processed_epoch};
            }
        }
    }
    if (offsets.empty() || !config_.group_id) {
        done({});
        return;
    }
    if (!coordinator_) {
        find_coordinator();
        done(fail(ErrorCode::CoordinatorNotAvailable, "the group's coordinator is not known yet"));
        return;
    }
    if (subscribed_ && member_.is_joining()) {
        done(fail(ErrorCode::RebalanceInProgress,
                  "Offset commit cannot be completed since the consumer is undergoing a rebalance "
                  "for auto partition assignment. You can try completing the rebalance by calling "
                  "poll() and then retry the operation."));
        return;
    }
    request.group_id = *config_.group_id;
    if (member_.is_member()) {
        request.generation_id_or_member_epoch = member_.generation();
        request.member_id = member_.member_id();
        request.group_instance_id = member_.group_instance_id();
    }
    for (const auto& [tp, position] : offsets) {
        if (request.topics.empty() || request.topics.back().name != tp.topic) {
            request.topics.emplace_back().name = tp.topic;
        }
        protocol::OffsetCommitRequest::OffsetCommitRequestPartition one;
        one.partition_index = tp.partition;
        one.committed_offset = position.offset;
        one.committed_leader_epoch = position.leader_epoch;
        one.committed_metadata = "";
        request.topics.back().partitions.push_back(std::move(one));
    }
    client_.send<protocol::OffsetCommitResponse>(
        *coordinator_, std::move(request),
        [this, offsets = std::move(offsets), generation = member_.generation(),
         done = std::move(done)](Result<protocol::OffsetCommitResponse> answer) mutable {
            ErrorCode error = answer ? ErrorCode::None : answer.error().code;
            if (answer) {
                MutexLock lock(mutex_);
                for (const auto& topic : answer->topics) {
                    for (const auto& partition : topic.partitions) {
                        TopicPartition tp{topic.name, partition.partition_index};
                        if (partition.error_code != 0) {
                            error = error_code_from_wire(partition.error_code);
                        } else if (auto found = partitions_.find(tp); found != partitions_.end()) {
                            found->second.committed = offsets[tp].offset;
                        }
                    }
                }
            }
            if (error == ErrorCode::None) {
                done({});
                return;
            }
            forget_coordinator(error);
            if (!stopped_) {
                member_.on_commit_error(client_.now(), error, generation);
                wake();
            }
            done(fail(error, "Offset commit failed: group={} error={}", *config_.group_id, error));
        },
        kCommitNamesVersionMax);
}

}  // namespace moldau::client
