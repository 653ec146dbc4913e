// Client: one thread with its connections and its picture of the cluster. Producer, Consumer and
// Admin stand on it. call() blocks the calling thread; send() and everything named "on the loop"
// belong to the loop.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "client/client_config.h"
#include "client/cluster.h"
#include "client/network.h"
#include "runtime/event_loop.h"

namespace moldau::client {

// Who answers a blocking call.
struct AnyNode {};
struct LeaderOf {
    TopicPartition partition;
};
struct BrokerWithId {
    int32_t id;
};
struct GroupCoordinator {
    std::string group;
};
using Target = std::variant<AnyNode, LeaderOf, BrokerWithId, GroupCoordinator, Endpoint>;

enum class CoordinatorType : int8_t { Group = 0, Transaction = 1, Share = 2 };

template <typename Request>
OutgoingRequest outgoing(Request request, int16_t version_max = Request::kVersions.last) {
    OutgoingRequest out;
    out.api_key = Request::kApiKey;
    out.versions = {Request::kVersions.first, std::min(version_max, Request::kVersions.last)};
    out.encode = [request = std::move(request)](int16_t version) -> Result<protocol::Chain> {
        protocol::Writer writer;
        request.write(writer, version);
        if (!writer.ok()) {
            return fail(writer.error());
        }
        return writer.take();
    };
    return out;
}

template <typename Response>
Result<Response> decode_response(Result<RawResponse> raw) {
    if (!raw) {
        return fail(std::move(raw).error());
    }
    return protocol::decode<Response>(std::move(raw->body), raw->version);
}

class Client {
 public:
    // Starts the thread; connects when first asked. `name` shows in ps.
    explicit Client(ClientConfig config, std::string name = "client");
    ~Client();

    const ClientConfig& config() const { return config_; }
    runtime::LoopThread& loop() { return loop_; }

    // --- from any thread but the loop's ---

    // Asks until an answer arrives, looking the target up anew after errors of the connection,
    // until the deadline. `what` names the call in the time-out message, as Kafka's AdminClient:
    // "Timed out waiting for a node assignment. Call: listTopics".
    template <typename Response, typename Request>
    Result<Response> call(const Target& target, Request request, std::string_view what,
                          int16_t version_max = Request::kVersions.last) {
        return decode_response<Response>(call_raw(
            target, [&] { return outgoing(request, version_max); }, what,
            config_.default_api_timeout));
    }
    // The cluster as known now.
    std::shared_ptr<const Cluster> cluster() const;
    // Asks for the given topics and waits. Errors: RequestTimedOut.
    Result<std::shared_ptr<const Cluster>> fetch_metadata(std::span<const std::string> topics,
                                                          bool auto_create, std::string_view what);
    Result<std::shared_ptr<const Cluster>> fetch_all_metadata(std::string_view what);
    // The API versions of the node that answers `target`.
    Result<std::pair<Endpoint, ApiRanges>> api_versions(const Target& target);
    // The node that coordinates the group, looked up when it is not known.
    Result<Node> coordinator(const std::string& group);
    // What is known of the group's coordinator is wrong.
    void forget_coordinator(const std::string& group);
    // Sleeps for the pause before the next attempt; false when that is past the deadline.
    bool pause(uint32_t failures, MonotonicTime deadline) const;
    MonotonicTime now() const { return loop_.now(); }

    // --- on the loop ---

    template <typename Response, typename Request>
    void send(const Endpoint& node, Request request,
              std::move_only_function<void(Result<Response>)> done,
              int16_t version_max = Request::kVersions.last, bool answered = true,
              std::optional<Duration> timeout = std::nullopt) {
        OutgoingRequest out = outgoing(std::move(request), version_max);
        out.answered = answered;
        out.timeout = timeout.value_or(config_.request_timeout);
        network_->send(node, std::move(out),
                       [done = std::move(done)](Result<RawResponse> raw) mutable {
                           done(decode_response<Response>(std::move(raw)));
                       });
    }
    Network& network() { return *network_; }
    Endpoint any_node();
    // Topics to keep fresh; a new one is asked for at once.
    void want_topic(const std::string& topic);
    void want_all_topics();
    void set_auto_create(bool allowed) { auto_create_ = allowed; }
    // Asks for the wanted topics soon (once per backoff); listeners hear of every new cluster.
    void request_update();
    void on_update(std::function<void(const std::shared_ptr<const Cluster>&)> listener);
    // Finds the coordinator's node. Errors: as the coordinator answers, or of the connection.
    void find_coordinator(CoordinatorType type, const std::string& key,
                          std::move_only_function<void(Result<Node>)> done);

 private:
    using MakeRequest = std::function<OutgoingRequest()>;
    Result<RawResponse> call_raw(const Target& target, const MakeRequest& make,
                                 std::string_view what, Duration timeout);
    Result<Endpoint> resolve(const Target& target, std::string_view what, MonotonicTime deadline);
    Result<RawResponse> send_and_wait(const Endpoint& node, OutgoingRequest request);
    Result<std::shared_ptr<const Cluster>> fetch_metadata_of(
        const std::optional<std::vector<std::string>>& topics, bool auto_create,
        std::string_view what, MonotonicTime deadline);
    Result<Node> coordinator_by(const std::string& group, MonotonicTime deadline);
    void update_now();
    void publish(std::shared_ptr<const Cluster> cluster);

    const ClientConfig config_;
    runtime::LoopThread loop_;
    std::unique_ptr<Network> network_;  // on the loop

    // On the loop.
    std::set<std::string> wanted_;
    bool want_all_ = false;
    bool auto_create_ = false;
    bool updating_ = false;
    bool update_again_ = false;
    uint32_t update_failures_ = 0;
    MonotonicTime last_update_{};
    runtime::Timer update_timer_;
    std::vector<std::function<void(const std::shared_ptr<const Cluster>&)>> listeners_;

    mutable Mutex mutex_;
    std::shared_ptr<const Cluster> cluster_ GUARDED_BY(mutex_);
    std::map<std::string, Node> coordinators_ GUARDED_BY(mutex_);
};

}  // namespace moldau::client
