#include "quorum/controller_channel.h"

#include "quorum/controller_host.h"
#include "runtime/event_loop.h"

namespace moldau::quorum {

struct LocalControllerChannel::Attempt {
    ControllerRequest request;
    ControllerReply reply;
    MonotonicTime deadline;
    runtime::Timer timer;
};

LocalControllerChannel::LocalControllerChannel(runtime::EventLoop& control_loop,
                                               ControllerHost& host)
    : loop_(control_loop), host_(host) {
    host_.on_activation([this] { retry_all(); });
}

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

// While nobody leads the request waits for this node to become active: an election takes
// milliseconds.
void LocalControllerChannel::run(const std::shared_ptr<Attempt>& attempt) {
    host_.handle(attempt->request, [this, attempt](Result<protocol::Chain> result) {
        if (result || result.error().code != ErrorCode::NotController) {
            attempt->reply(std::move(result));
            return;
        }
        waiting_.insert(attempt);
        attempt->timer =
            loop_.schedule_at(attempt->deadline, [this, weak = std::weak_ptr(attempt)] {
                auto late = weak.lock();
                if (late && waiting_.erase(late) == 1) {
                    late->reply(fail(ErrorCode::RequestTimedOut,
                                     "no active controller within the time limit: api_key={}",
                                     late->request.api_key));
                }
            });
    });
}

void LocalControllerChannel::retry_all() {
    for (const auto& attempt : std::exchange(waiting_, {})) {
        attempt->timer.cancel();
        run(attempt);
    }
}

}  // namespace moldau::quorum
