#include "client/client.h"

#include <algorithm>

#include "base/assert.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/metadata.h"
#include "runtime/logging.h"

namespace moldau::client {
namespace {

runtime::Logger log("org.apache.kafka.clients.Metadata");

// A value that one thread waits for and another gives.
template <typename T>
class Waiter {
 public:
    void give(T value) {
        std::lock_guard lock(mutex_);
        value_ = std::move(value);
        ready_.notify_all();
    }
    T wait() {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [&] { return value_.has_value(); });
        return std::move(*value_);
    }

 private:
    std::mutex mutex_;
    std::condition_variable ready_;
    std::optional<T> value_;
};

// Errors of the way to a node rather than of the request: worth another node or another try.
bool is_connection_error(ErrorCode code) {
    return code == ErrorCode::NetworkException || code == ErrorCode::RequestTimedOut ||
           code == ErrorCode::BrokerNotAvailable;
}

protocol::MetadataRequest metadata_request(const std::optional<std::vector<std::string>>& topics,
                                           bool auto_create) {
    protocol::MetadataRequest request;
    request.allow_auto_topic_creation = auto_create;
    if (!topics) {
        request.topics = std::nullopt;
        return request;
    }
    request.topics.emplace();
    for (const std::string& topic : *topics) {
        protocol::MetadataRequest::MetadataRequestTopic one;
        one.name = topic;
        request.topics->push_back(std::move(one));
    }
    return request;
}

}  // namespace

Client::Client(ClientConfig config, std::string name)
    : config_(std::move(config)),
      loop_(std::move(name)),
      network_(std::make_unique<Network>(loop_, config_)),
      cluster_(std::make_shared<Cluster>()) {
    loop_.start();
}

Client::~Client() {
    Waiter<bool> closed;
    loop_.post([&] {
        update_timer_.cancel();
        network_->shut_down();
        listeners_.clear();
        closed.give(true);
    });
    closed.wait();
    loop_.stop();
    loop_.join();
}

std::shared_ptr<const Cluster> Client::cluster() const {
    MutexLock lock(mutex_);
    return cluster_;
}

bool Client::pause(uint32_t failures, MonotonicTime deadline) const {
    Duration left = deadline - loop_.now();
    if (left <= Duration(0)) {
        return false;
    }
    Duration length = backoff(config_.retry_backoff, config_.retry_backoff_max, failures);
    std::this_thread::sleep_for(std::min(length, left));
    return loop_.now() < deadline;
}

Endpoint Client::any_node() {
    std::vector<Endpoint> nodes;
    for (const auto& [id, node] : cluster()->brokers) {
        nodes.push_back(node.endpoint);
    }
    if (nodes.empty()) {
        nodes = config_.bootstrap;
    }
    return network_->least_loaded(nodes);
}

Result<RawResponse> Client::send_and_wait(const Endpoint& node, OutgoingRequest request) {
    Waiter<Result<RawResponse>> waiter;
    loop_.post([&, request = std::move(request)]() mutable {
        network_->send(node, std::move(request),
                       [&](Result<RawResponse> raw) { waiter.give(std::move(raw)); });
    });
    return waiter.wait();
}

Result<RawResponse> Client::call_raw(const Target& target, const MakeRequest& make,
                                     std::string_view what, Duration timeout) {
    MonotonicTime deadline = loop_.now() + timeout;
    uint32_t failures = 0;
    bool reached = false;
    while (true) {
        auto node = resolve(target, what, deadline);
        if (!node) {
            return fail(std::move(node).error());
        }
        OutgoingRequest request = make();
        request.timeout = std::min(config_.request_timeout, deadline - loop_.now());
        auto raw = send_and_wait(*node, std::move(request));
        if (raw || !is_connection_error(raw.error().code)) {
            return raw;
        }
        reached = raw.error().code == ErrorCode::RequestTimedOut;
        if (std::holds_alternative<GroupCoordinator>(target)) {
            MutexLock lock(mutex_);
            coordinators_.erase(std::get<GroupCoordinator>(target).group);
        }
        if (std::holds_alternative<AnyNode>(target)) {
            // The node may be gone for good: fall back to the addresses the user gave.
            MutexLock lock(mutex_);
            if (std::ranges::none_of(cluster_->brokers,
                                     [&](const auto& b) { return b.second.endpoint != *node; })) {
                auto forgotten = std::make_shared<Cluster>(*cluster_);
                forgotten->brokers.clear();
                cluster_ = std::move(forgotten);
            }
        }
        if (!pause(++failures, deadline)) {
            if (reached) {
                return fail(ErrorCode::RequestTimedOut,
                            "Timed out waiting to send the call. Call: {}", what);
            }
            return fail(ErrorCode::RequestTimedOut,
                        "Timed out waiting for a node assignment. Call: {}", what);
        }
    }
}

Result<Endpoint> Client::resolve(const Target& target, std::string_view what,
                                 MonotonicTime deadline) {
    if (const auto* endpoint = std::get_if<Endpoint>(&target)) {
        return *endpoint;
    }
    if (std::holds_alternative<AnyNode>(target)) {
        Waiter<Endpoint> waiter;
        loop_.post([&] { waiter.give(any_node()); });
        return waiter.wait();
    }
    if (const auto* group = std::get_if<GroupCoordinator>(&target)) {
        MOLDAU_TRY(Node node, coordinator_by(group->group, deadline));
        return node.endpoint;
    }
    const LeaderOf* leader = std::get_if<LeaderOf>(&target);
    for (uint32_t failures = 1;; ++failures) {
        std::optional<std::vector<std::string>> topics(std::in_place);
        if (leader != nullptr) {
            topics->push_back(leader->partition.topic);
        }
        auto fresh = fetch_metadata_of(topics, false, what, deadline);
        if (!fresh) {
            return fail(std::move(fresh).error());
        }
        if (leader != nullptr) {
            if (const Node* node = (*fresh)->leader(leader->partition)) {
                return node->endpoint;
            }
            const TopicInfo* topic = (*fresh)->topic(leader->partition.topic);
            if (topic != nullptr && topic->error != ErrorCode::None &&
                !is_retriable(topic->error)) {
                return fail(topic->error, "no leader: partition={}", leader->partition.str());
            }
        } else {
            auto found = (*fresh)->brokers.find(std::get<BrokerWithId>(target).id);
            if (found != (*fresh)->brokers.end()) {
                return found->second.endpoint;
            }
        }
        if (!pause(failures, deadline)) {
            return fail(ErrorCode::RequestTimedOut,
                        "Timed out waiting for a node assignment. Call: {}", what);
        }
    }
}

Result<Node> Client::coordinator_by(const std::string& group, MonotonicTime deadline) {
    {
        MutexLock lock(mutex_);
        if (auto found = coordinators_.find(group); found != coordinators_.end()) {
            return found->second;
        }
    }
    for (uint32_t failures = 1;; ++failures) {
        Waiter<Result<Node>> waiter;
        loop_.post([&] {
            find_coordinator(CoordinatorType::Group, group,
                             [&](Result<Node> node) { waiter.give(std::move(node)); });
        });
        auto node = waiter.wait();
        if (node) {
            MutexLock lock(mutex_);
            coordinators_[group] = *node;
            return node;
        }
        if (!is_retriable(node.error().code) && !is_connection_error(node.error().code)) {
            return node;
        }
        if (!pause(failures, deadline)) {
            return fail(ErrorCode::RequestTimedOut,
                        "Timed out waiting for a node assignment. Call: findCoordinator");
        }
    }
}

Result<Node> Client::coordinator(const std::string& group) {
    return coordinator_by(group, loop_.now() + config_.default_api_timeout);
}

void Client::forget_coordinator(const std::string& group) {
    MutexLock lock(mutex_);
    coordinators_.erase(group);
}

Result<std::shared_ptr<const Cluster>> Client::fetch_metadata_of(
    const std::optional<std::vector<std::string>>& topics, bool auto_create, std::string_view what,
    MonotonicTime deadline) {
    auto raw = call_raw(
        AnyNode{}, [&] { return outgoing(metadata_request(topics, auto_create)); }, what,
        deadline - loop_.now());
    auto told = decode_response<protocol::MetadataResponse>(std::move(raw));
    if (!told) {
        return fail(std::move(told).error());
    }
    MutexLock lock(mutex_);
    cluster_ = merge(*cluster_, *told, !topics.has_value());
    return cluster_;
}

Result<std::shared_ptr<const Cluster>> Client::fetch_metadata(std::span<const std::string> topics,
                                                              bool auto_create,
                                                              std::string_view what) {
    return fetch_metadata_of(std::vector<std::string>(topics.begin(), topics.end()), auto_create,
                             what, loop_.now() + config_.default_api_timeout);
}

Result<std::shared_ptr<const Cluster>> Client::fetch_all_metadata(std::string_view what) {
    return fetch_metadata_of(std::nullopt, false, what, loop_.now() + config_.default_api_timeout);
}

Result<std::pair<Endpoint, ApiRanges>> Client::api_versions(const Target& target) {
    MonotonicTime deadline = loop_.now() + config_.default_api_timeout;
    MOLDAU_TRY(Endpoint node, resolve(target, "apiVersions", deadline));
    // Any request makes the connection negotiate; then the ranges are there.
    MOLDAU_TRY(auto raw, call_raw(
                             node, [] { return outgoing(metadata_request({{}}, false)); },
                             "apiVersions", deadline - loop_.now()));
    Waiter<ApiRanges> waiter;
    loop_.post([&] {
        const ApiRanges* ranges = network_->api_ranges(node);
        waiter.give(ranges == nullptr ? ApiRanges() : *ranges);
    });
    return std::pair(node, waiter.wait());
}

void Client::want_topic(const std::string& topic) {
    if (wanted_.insert(topic).second) {
        request_update();
    }
}

void Client::want_all_topics() {
    if (!std::exchange(want_all_, true)) {
        request_update();
    }
}

void Client::on_update(std::function<void(const std::shared_ptr<const Cluster>&)> listener) {
    listeners_.push_back(std::move(listener));
}

void Client::request_update() {
    if (updating_) {
        update_again_ = true;
        return;
    }
    MonotonicTime now = loop_.now();
    MonotonicTime allowed = last_update_ + config_.retry_backoff;
    if (last_update_ == MonotonicTime{} || allowed <= now) {
        update_now();
    } else {
        update_timer_ = loop_.schedule_at(allowed, [this] { update_now(); });
    }
}

void Client::update_now() {
    if (updating_) {
        return;
    }
    updating_ = true;
    update_again_ = false;
    std::optional<std::vector<std::string>> topics;
    if (!want_all_) {
        topics.emplace(wanted_.begin(), wanted_.end());
    }
    bool full = want_all_;
    send<protocol::MetadataResponse>(
        any_node(), metadata_request(topics, auto_create_),
        [this, full](Result<protocol::MetadataResponse> told) {
            updating_ = false;
            last_update_ = loop_.now();
            if (!told) {
                ++update_failures_;
                MOLDAU_LOG_DEBUG(log, "metadata update failed: {}", told.error().message);
                update_timer_ = loop_.schedule_after(
                    backoff(config_.retry_backoff, config_.retry_backoff_max, update_failures_),
                    [this] { update_now(); });
                return;
            }
            update_failures_ = 0;
            publish(merge(*cluster(), *told, full));
            if (update_again_) {
                request_update();
            } else if (!update_timer_.armed()) {
                update_timer_ =
                    loop_.schedule_after(config_.metadata_age_max, [this] { update_now(); });
            }
        });
}

void Client::publish(std::shared_ptr<const Cluster> cluster) {
    {
        MutexLock lock(mutex_);
        cluster_ = cluster;
    }
    for (auto& listener : listeners_) {
        listener(cluster);
    }
}

void Client::find_coordinator(CoordinatorType type, const std::string& key,
                              std::move_only_function<void(Result<Node>)> done) {
    protocol::FindCoordinatorRequest request;
    request.key = key;
    request.key_type = static_cast<int8_t>(type);
    // From version 4 on the key travels in a list; version 3 carries the one key asked here.
    constexpr int16_t kOneKeyVersionMax = 3;
    send<protocol::FindCoordinatorResponse>(
        any_node(), std::move(request),
        [key, done = std::move(done)](Result<protocol::FindCoordinatorResponse> told) mutable {
            if (!told) {
                done(fail(std::move(told).error()));
                return;
            }
            if (told->error_code != 0) {
                done(fail(error_code_from_wire(told->error_code), "{}",
                          told->error_message.value_or("no coordinator: key=" + key)));
                return;
            }
            Node node;
            node.id = told->node_id;
            node.endpoint = {told->host, static_cast<uint16_t>(told->port)};
            done(std::move(node));
        },
        kOneKeyVersionMax);
}

}  // namespace moldau::client
