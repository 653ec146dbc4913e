// Network: the connections of one client. It connects on demand, learns each node's API versions
// first, pipelines requests, matches answers in order, and ends a connection whose answer is late.
// Everything runs on the loop given; callbacks too, each exactly once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "client/client_config.h"
#include "protocol/wire.h"
#include "runtime/event_loop.h"

namespace moldau::client {

// A request whose version is chosen once the node's range is known.
struct OutgoingRequest {
    int16_t api_key = 0;
    protocol::VersionRange versions;  // what we can encode
    std::move_only_function<Result<protocol::Chain>(int16_t version)> encode;
    // Produce with acks=0: the callback hears success with an empty body once it is sent.
    bool answered = true;
    Duration timeout = seconds(30);
};

struct RawResponse {
    int16_t version = 0;
    Bytes body;  // after the response header
};

using RawCallback = std::move_only_function<void(Result<RawResponse>)>;
using ApiRanges = std::map<int16_t, protocol::VersionRange>;

class Network {
 public:
    Network(runtime::LoopThread& loop, const ClientConfig& config);
    // Callbacks that are still waiting hear NetworkException.
    ~Network();

    // Errors: NetworkException (connection refused, lost), RequestTimedOut, UnsupportedVersion
    // ("The node does not support METADATA").
    void send(const Endpoint& node, OutgoingRequest request, RawCallback done);

    // The one to ask when any will do: a ready connection with the fewest requests in flight,
    // else one that did not fail just now. `nodes` is not empty.
    const Endpoint& least_loaded(std::span<const Endpoint> nodes);
    // The API versions the node told, once connected.
    const ApiRanges* api_ranges(const Endpoint& node) const;
    // Requests on their way to the node.
    size_t in_flight(const Endpoint& node) const;
    void close(const Endpoint& node);
    // Ends every connection; later requests fail at once.
    void shut_down();

 private:
    class Connection;
    Connection& connection(const Endpoint& node);

    runtime::LoopThread& loop_;
    const ClientConfig config_;
    std::map<Endpoint, std::unique_ptr<Connection>> connections_;
    size_t rotation_ = 0;
};

}  // namespace moldau::client
