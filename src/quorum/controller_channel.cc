#include "quorum/controller_channel.h"

#include "quorum/controller_host.h"
#include "runtime/event_loop.h"

namespace moldau::quorum {

namespace {

constexpr Duration kRetryBackoff = milliseconds(50);

}  // namespace

struct LocalControllerChannel::Attempt {
    ControllerRequest request;
    ControllerReply reply;
    MonotonicTime deadline;
    runtime::Timer timer;
};

LocalControllerChannel::LocalControllerChannel(runtime::EventLoop& control_loop,
                                               ControllerHost& host)
    : loop_(control_loop), host_(host) {}

LocalControllerChannel::~LocalControllerChannel() = default;

void LocalControllerChannel::send(ControllerRequest request, ControllerReply reply) {
    auto attempt = std::make_shared<Attempt>();
    attempt->request = std::move(request);
    attempt->reply = std::move(reply);
    loop_.dispatch([this, attempt = std::move(attempt)] {
        attempt->deadline = loop_.now() + attempt->request.timeout;
        run(attempt);
    });
}

// When nobody leads: an election takes milliseconds, so it is tried again until the deadline.
void LocalControllerChannel::run(const std::shared_ptr<Attempt>& attempt) {
    host_.handle(attempt->request, [this, attempt](Result<protocol::Chain> result) {
        if (result || result.error().code != ErrorCode::NotController) {
            attempt->reply(std::move(result));
            return;
        }
        if (loop_.now() + kRetryBackoff >= attempt->deadline) {
            attempt->reply(fail(ErrorCode::RequestTimedOut,
                                "no active controller within the time limit: api_key={}",
                                attempt->request.api_key));
            return;
        }
        waiting_.insert(attempt);
        attempt->timer = loop_.schedule_after(kRetryBackoff, [this, weak = std::weak_ptr(attempt)] {
            if (auto waiting = weak.lock()) {
                waiting_.erase(waiting);
                run(waiting);
            }
        });
    });
}

}  // namespace moldau::quorum
