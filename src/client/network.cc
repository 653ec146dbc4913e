#include "client/network.h"

#include <algorithm>
#include <deque>

#include "base/assert.h"
#include "protocol/api_keys.h"
#include "protocol/header.h"
#include "protocol/messages/api_versions.h"
#include "runtime/logging.h"
#include "runtime/tcp.h"

namespace moldau::client {
namespace {

runtime::Logger log("org.apache.kafka.clients.NetworkClient");

// ApiVersions is asked with the newest version first; a node that does not know it answers in
// version 0 and tells its range, and is asked again with version 0.
constexpr int16_t kApiVersionsNewest = 4;

// Requests that may wait for one connection. Reaching it fails the next one, which is retried.
constexpr size_t kWaitingMax = 10'000;

std::string_view api_name(int16_t api_key) {
    const protocol::ApiInfo* api = protocol::find_api(api_key);
    return api == nullptr ? "UNKNOWN" : std::string_view(api->name);
}

// METADATA, DESCRIBE_CONFIGS: how Kafka shouts an API's name.
std::string shouted(std::string_view name) {
    std::string text;
    for (size_t i = 0; i < name.size(); ++i) {
        bool upper = std::isupper(static_cast<unsigned char>(name[i])) != 0;
        if (upper && i > 0) {
            text += '_';
        }
        text += static_cast<char>(std::toupper(static_cast<unsigned char>(name[i])));
    }
    return text;
}

}  // namespace

// Connecting -> Negotiating  when the socket is there
// Negotiating -> Ready       when the node told its versions
// any -> Idle                when the connection ends; waiting and unanswered requests fail
class Network::Connection final : public runtime::FrameHandler {
 public:
    Connection(runtime::LoopThread& loop, const ClientConfig& config, Endpoint node)
        : loop_(loop), config_(config), node_(std::move(node)) {}

    ~Connection() override { shut(); }

    // Fails what waits, and everything that is sent from now on.
    void shut() {
        shut_ = true;
        disconnect(Error{ErrorCode::NetworkException, "client closed"});
    }

    void send(OutgoingRequest request, RawCallback done) {
        if (shut_) {
            done(fail(ErrorCode::NetworkException, "client closed"));
            return;
        }
        if (waiting_.size() >= kWaitingMax) {
            done(fail(ErrorCode::NetworkException, "too many waiting requests: node={}",
                      node_.str()));
            return;
        }
        MonotonicTime deadline = loop_.now() + request.timeout;
        waiting_.push_back({std::move(request), std::move(done), deadline});
        if (state_ == State::Ready) {
            pump();
        } else if (state_ == State::Idle) {
            connect_when_allowed();
        }
        arm();
    }

    bool ready() const { return state_ == State::Ready; }
    bool failed_recently() const { return loop_.now() < connect_not_before_; }
    size_t load() const { return waiting_.size() + in_flight_.size(); }
    const ApiRanges* ranges() const { return state_ == State::Ready ? &ranges_ : nullptr; }

    void disconnect(Error error) {
        if (stream_ != nullptr) {
            stream_->close();
            stream_.reset();
        }
        state_ = State::Idle;
        ++generation_;
        ranges_.clear();
        reconnect_.cancel();
        expiry_.cancel();
        std::deque<InFlight> unanswered = std::exchange(in_flight_, {});
        std::deque<Waiting> waiting = std::exchange(waiting_, {});
        for (InFlight& request : unanswered) {
            if (request.done) {
                request.done(fail(error));
            }
        }
        for (Waiting& request : waiting) {
            request.done(fail(error));
        }
    }

    void on_frames(std::vector<Bytes>& frames) override {
        for (Bytes& frame : frames) {
            if (stream_ == nullptr) {
                return;
            }
            on_answer(std::move(frame));
        }
        if (state_ == State::Ready) {
            pump();
        }
        arm();
    }

    void on_closed(const Error& error) override {
        stream_.reset();
        MOLDAU_LOG_DEBUG(log, "connection to {} ended: {}", node_.str(), error.message);
        connection_failed(Error{ErrorCode::NetworkException,
                                fmt::format("the connection to {} was closed", node_.str())});
    }

 private:
    enum class State { Idle, Connecting, Negotiating, Ready };

    struct Waiting {
        OutgoingRequest request;
        RawCallback done;
        MonotonicTime deadline;
    };
    struct InFlight {
        int32_t correlation_id;
        int16_t api_key;
        int16_t version;
        RawCallback done;
        MonotonicTime deadline;
    };

    void connect_when_allowed() {
        MonotonicTime now = loop_.now();
        if (now >= connect_not_before_) {
            connect();
            return;
        }
        reconnect_ = loop_.schedule_at(connect_not_before_, [this] {
            if (state_ == State::Idle && !waiting_.empty()) {
                connect();
            }
        });
    }

    void connect() {
        state_ = State::Connecting;
        uint64_t generation = ++generation_;
        std::weak_ptr<char> alive = alive_;
        runtime::connect_tcp(loop_, node_.host, node_.port, config_.connect_timeout,
                             [this, alive, generation](Result<runtime::Socket> socket) {
                                 if (alive.expired() || generation != generation_) {
                                     return;
                                 }
                                 if (!socket) {
                                     MOLDAU_LOG_WARN(log,
                                                     "Connection to node {} could not be "
                                                     "established. Node may not be available.",
                                                     node_.str());
                                     connection_failed(Error{ErrorCode::NetworkException,
                                                             std::move(socket).error().message});
                                     return;
                                 }
                                 stream_ =
                                     runtime::FrameStream::open(loop_, std::move(*socket), this);
                                 state_ = State::Negotiating;
                                 ask_versions(kApiVersionsNewest);
                             });
    }

    void connection_failed(Error error) {
        ++failures_;
        connect_not_before_ = loop_.now() + backoff(config_.reconnect_backoff,
                                                    config_.reconnect_backoff_max, failures_);
        disconnect(std::move(error));
    }

    void ask_versions(int16_t version) {
        protocol::ApiVersionsRequest request;
        request.client_software_name = "moldau";
        request.client_software_version = "4.3.1";
        protocol::Writer writer;
        request.write(writer, version);
        write(
            protocol::ApiVersionsRequest::kApiKey, version, writer.take(),
            [this, version](Result<RawResponse> raw) { on_versions(version, std::move(raw)); },
            loop_.now() + config_.request_timeout);
        stream_->flush();
        arm();
    }

    void on_versions(int16_t asked, Result<RawResponse> raw) {
        if (!raw) {
            return;  // the connection ended; disconnect() tells who waits
        }
        // A node that does not know the version answers in version 0.
        auto answer = protocol::decode<protocol::ApiVersionsResponse>(raw->body, asked);
        if (!answer || answer->error_code == to_wire(ErrorCode::UnsupportedVersion)) {
            if (asked == 0) {
                connection_failed(
                    Error{ErrorCode::UnsupportedVersion,
                          fmt::format("{} does not tell its API versions", node_.str())});
                return;
            }
            ask_versions(0);
            return;
        }
        if (answer->error_code != 0) {
            connection_failed(
                Error{error_code_from_wire(answer->error_code),
                      fmt::format("{} refused to tell its API versions", node_.str())});
            return;
        }
        for (const auto& api : answer->api_keys) {
            ranges_[api.api_key] = {api.min_version, api.max_version};
        }
        failures_ = 0;
        state_ = State::Ready;
    }

    // Writes waiting requests as far as the connection takes them.
    void pump() {
        bool wrote = false;
        while (state_ == State::Ready && !waiting_.empty() && in_flight_.size() < in_flight_max()) {
            Waiting next = std::move(waiting_.front());
            waiting_.pop_front();
            wrote = start(std::move(next)) || wrote;
        }
        if (wrote && stream_ != nullptr) {
            stream_->flush();
        }
    }

    // Order across requests is kept by the node; the limit only bounds what is lost at once.
    size_t in_flight_max() const { return std::max<size_t>(config_.in_flight_max, 5) * 4; }

    bool start(Waiting next) {
        OutgoingRequest& request = next.request;
        auto known = ranges_.find(request.api_key);
        int16_t version = 0;
        if (known != ranges_.end()) {
            version = std::min(known->second.last, request.versions.last);
        }
        if (known == ranges_.end() ||
            version < std::max(known->second.first, request.versions.first)) {
            next.done(fail(ErrorCode::UnsupportedVersion, "The node does not support {}",
                           shouted(api_name(request.api_key))));
            return false;
        }
        auto body = request.encode(version);
        if (!body) {
            next.done(fail(std::move(body).error()));
            return false;
        }
        if (!request.answered) {
            write(request.api_key, version, std::move(*body), RawCallback(), next.deadline, false);
            next.done(RawResponse{version, Bytes()});
            return true;
        }
        write(request.api_key, version, std::move(*body), std::move(next.done), next.deadline);
        return true;
    }

    void write(int16_t api_key, int16_t version, protocol::Chain body, RawCallback done,
               MonotonicTime deadline, bool answered = true) {
        const protocol::ApiInfo* api = protocol::find_api(api_key);
        MOLDAU_ASSERT(api != nullptr);
        protocol::RequestHeader header;
        header.request_api_key = api_key;
        header.request_api_version = version;
        header.correlation_id = next_correlation_id_++;
        header.client_id = config_.client_id;
        protocol::Writer head;
        header.write(head, api->request_header_version(version));
        protocol::Writer frame;
        frame.write_int32(static_cast<int32_t>(head.size() + protocol::chain_bytes(body)));
        protocol::Chain chain = frame.take();
        for (Bytes& part : head.take()) {
            chain.push_back(std::move(part));
        }
        for (Bytes& part : body) {
            chain.push_back(std::move(part));
        }
        if (answered) {
            in_flight_.push_back(
                {header.correlation_id, api_key, version, std::move(done), deadline});
        }
        stream_->send(std::move(chain));
    }

    void on_answer(Bytes frame) {
        if (in_flight_.empty()) {
            connection_failed(
                Error{ErrorCode::NetworkException,
                      fmt::format("an answer nobody asked for: node={}", node_.str())});
            return;
        }
        InFlight request = std::move(in_flight_.front());
        in_flight_.pop_front();
        const protocol::ApiInfo* api = protocol::find_api(request.api_key);
        protocol::Reader reader(frame);
        auto header =
            protocol::ResponseHeader::read(reader, api->response_header_version(request.version));
        if (!reader.ok() || header.correlation_id != request.correlation_id) {
            request.done(
                fail(ErrorCode::NetworkException, "answer out of order: node={}", node_.str()));
            connection_failed(Error{ErrorCode::NetworkException,
                                    fmt::format("answer out of order: node={}", node_.str())});
            return;
        }
        request.done(RawResponse{request.version, frame.slice(reader.position())});
    }

    // One timer for the earliest deadline: answers come in order, so the first is the oldest.
    void arm() {
        MonotonicTime earliest = MonotonicTime::max();
        for (const InFlight& request : in_flight_) {
            earliest = std::min(earliest, request.deadline);
        }
        for (const Waiting& request : waiting_) {
            earliest = std::min(earliest, request.deadline);
        }
        if (earliest == MonotonicTime::max()) {
            expiry_.cancel();
            return;
        }
        expiry_ = loop_.schedule_at(earliest, [this] { expire(); });
    }

    void expire() {
        MonotonicTime now = loop_.now();
        bool late = std::ranges::any_of(
            in_flight_, [&](const InFlight& request) { return request.deadline <= now; });
        if (late) {
            // What follows on this connection would be late too.
            connection_failed(Error{ErrorCode::RequestTimedOut,
                                    fmt::format("no answer in time: node={}", node_.str())});
            return;
        }
        std::vector<RawCallback> expired;
        std::erase_if(waiting_, [&](Waiting& request) {
            if (request.deadline > now) {
                return false;
            }
            expired.push_back(std::move(request.done));
            return true;
        });
        arm();
        for (RawCallback& done : expired) {
            done(fail(ErrorCode::RequestTimedOut, "not connected in time: node={}", node_.str()));
        }
    }

    runtime::LoopThread& loop_;
    const ClientConfig& config_;
    const Endpoint node_;
    State state_ = State::Idle;
    bool shut_ = false;
    std::shared_ptr<runtime::FrameStream> stream_;
    std::shared_ptr<char> alive_ = std::make_shared<char>();
    uint64_t generation_ = 0;  // a connect that answers for an older one is dropped
    ApiRanges ranges_;
    std::deque<Waiting> waiting_;
    std::deque<InFlight> in_flight_;
    int32_t next_correlation_id_ = 0;
    uint32_t failures_ = 0;
    MonotonicTime connect_not_before_{};
    runtime::Timer reconnect_;
    runtime::Timer expiry_;
};

Network::Network(runtime::LoopThread& loop, const ClientConfig& config)
    : loop_(loop), config_(config) {}

Network::~Network() = default;

Network::Connection& Network::connection(const Endpoint& node) {
    std::unique_ptr<Connection>& slot = connections_[node];
    if (slot == nullptr) {
        slot = std::make_unique<Connection>(loop_, config_, node);
    }
    return *slot;
}

void Network::send(const Endpoint& node, OutgoingRequest request, RawCallback done) {
    connection(node).send(std::move(request), std::move(done));
}

const Endpoint& Network::least_loaded(std::span<const Endpoint> nodes) {
    MOLDAU_ASSERT(!nodes.empty());
    // Lower is better: ready and idle first, then unknown ones, then those that failed just now.
    auto cost = [&](const Endpoint& node) -> size_t {
        auto found = connections_.find(node);
        if (found == connections_.end()) {
            return 1'000'000;
        }
        const Connection& connection = *found->second;
        if (connection.ready()) {
            return connection.load();
        }
        return (connection.failed_recently() ? 3'000'000 : 1'000'000) + connection.load();
    };
    size_t start = rotation_++ % nodes.size();
    size_t best = start;
    for (size_t i = 1; i < nodes.size(); ++i) {
        size_t at = (start + i) % nodes.size();
        if (cost(nodes[at]) < cost(nodes[best])) {
            best = at;
        }
    }
    return nodes[best];
}

const ApiRanges* Network::api_ranges(const Endpoint& node) const {
    auto found = connections_.find(node);
    return found == connections_.end() ? nullptr : found->second->ranges();
}

size_t Network::in_flight(const Endpoint& node) const {
    auto found = connections_.find(node);
    return found == connections_.end() ? 0 : found->second->load();
}

void Network::close(const Endpoint& node) {
    if (auto found = connections_.find(node); found != connections_.end()) {
        found->second->disconnect(Error{ErrorCode::NetworkException, "client closed"});
    }
}

void Network::shut_down() {
    for (auto& [node, connection] : connections_) {
        connection->shut();
    }
}

}  // namespace moldau::client
