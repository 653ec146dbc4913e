// ControllerChannel: how the broker half of a node reaches the active controller, wherever that is.
// A request travels as its encoded body together with who sent it, which is also what Kafka's
// Envelope carries; the answer comes back encoded at the same version. LocalControllerChannel hands
// requests to the ControllerHost of this node on the control loop.
//
// send() may be called from any thread; the callback runs once, on the control loop, and must not
// block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "base/time.h"
#include "protocol/wire.h"

namespace moldau::runtime {
class EventLoop;
}

namespace moldau::quorum {

class ControllerHost;

struct ControllerRequest {
    int16_t api_key = 0;
    int16_t api_version = 0;
    Bytes body;  // without the request header
    std::string principal = "User:ANONYMOUS";
    std::string client_id;
    std::string client_host;
    std::string listener;  // by which it came; empty for one of this node's own
    // True when a broker passes on what a client asked it: it has made the broker-side checks.
    bool forwarded = false;
    // How long to look for an active controller before RequestTimedOut.
    Duration timeout = seconds(30);
};

// The encoded response body, or why there is none: NotController, RequestTimedOut,
// UnsupportedVersion (the controller does not serve that), InvalidRequest (unreadable body).
using ControllerReply = std::move_only_function<void(Result<protocol::Chain>)>;

class ControllerChannel {
 public:
    virtual ~ControllerChannel() = default;

    virtual void send(ControllerRequest request, ControllerReply reply) = 0;

    // Typed form for the broker's own requests (registration, heartbeats, producer ids):
    // call<BrokerHeartbeatResponse>(request, 1, [](Result<BrokerHeartbeatResponse> r) {...});
    template <typename Response, typename Request, typename Callback>
    void call(const Request& request, int16_t version, Callback&& callback,
              Duration timeout = seconds(30)) {
        ControllerRequest sent;
        sent.api_key = Request::kApiKey;
        sent.api_version = version;
        sent.body = protocol::encode(request, version);
        sent.timeout = timeout;
        send(std::move(sent), [version, callback = std::forward<Callback>(callback)](
                                  Result<protocol::Chain> body) mutable {
            if (!body) {
                callback(Result<Response>(std::unexpected(std::move(body).error())));
                return;
            }
            callback(protocol::decode<Response>(protocol::join(*body), version));
        });
    }
};

class LocalControllerChannel final : public ControllerChannel {
 public:
    // Both must outlive the channel. While the host does not lead, requests wait for it. Made
    // before the control loop turns, or on it.
    LocalControllerChannel(runtime::EventLoop& control_loop, ControllerHost& host);
    // On the control loop, or after it has stopped. What still waits is dropped.
    ~LocalControllerChannel() override;

    void send(ControllerRequest request, ControllerReply reply) override;

 private:
    struct Attempt;

    void run(const std::shared_ptr<Attempt>& attempt);
    void retry_all();

    runtime::EventLoop& loop_;
    ControllerHost& host_;
    std::set<std::shared_ptr<Attempt>> waiting_;  // control loop only
};

}  // namespace moldau::quorum
