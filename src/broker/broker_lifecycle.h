// BrokerLifecycle: this broker's standing with the controller. It registers, asks to be unfenced as
// soon as it has caught up with its own registration, keeps the lease by heartbeats, and leaves by
// controlled shutdown (KIP-631). Nothing on the way to RUNNING waits for an interval.
//
//   NotRunning -> Starting   start()
//   Starting   -> Running    a heartbeat is answered "not fenced"
//   Running    -> Leaving    leave()
//   any        -> Gone       a heartbeat is answered "shut down", or stop()
//
// Lives on the control loop; epoch() may be read on any thread.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "base/uuid.h"
#include "config/server_config.h"
#include "runtime/event_loop.h"

namespace moldau::quorum {
class ControllerChannel;
}

namespace moldau::broker {

class BrokerLifecycle {
 public:
    struct Options {
        int32_t node_id = 0;
        std::string cluster_id;
        Uuid incarnation;
        std::optional<std::string> rack;
        std::vector<Uuid> directories;
        int64_t previous_epoch = -1;
        Duration heartbeat_interval = seconds(2);
        // initial.broker.registration.timeout.ms
        Duration registration_patience = seconds(60);
    };
    struct Hooks {
        // Offset of the last metadata record this broker has applied.
        std::function<int64_t()> metadata_offset;
        std::function<std::vector<Uuid>()> offline_directories;
        // What the controller should know of directories that take no new partition (KIP-1066);
        // nullopt: nothing to tell. Asked once the broker has caught up, and so knows its
        // configuration.
        std::function<std::optional<std::vector<Uuid>>()> cordoned_directories;
        std::function<void()> on_running;
        std::function<void(const Error&)> on_fatal;
    };

    BrokerLifecycle(Options options, Hooks hooks, runtime::EventLoop& loop,
                    std::atomic<int64_t>& epoch);

    void start(quorum::ControllerChannel& controller, std::vector<config::Endpoint> endpoints);
    // Asks the controller to move leaderships away; `done` runs when it has.
    void leave(std::function<void()> done);
    void stop();
    // A directory failed or was cordoned: the controller should know now.
    void heartbeat_soon();

 private:
    enum class State { NotRunning, Starting, Running, Leaving, Gone };

    void send_registration();
    void retry_registration(const std::string& reason);
    void send_heartbeat();
    void next_heartbeat(Duration delay);
    void heartbeat_answered(bool caught_up, bool fenced, bool should_shut_down);

    const Options options_;
    const Hooks hooks_;
    runtime::EventLoop& loop_;
    std::atomic<int64_t>& epoch_;
    quorum::ControllerChannel* controller_ = nullptr;
    std::vector<config::Endpoint> endpoints_;
    State state_ = State::NotRunning;
    MonotonicTime started_{};
    runtime::Timer timer_;
    bool caught_up_ = false;
    bool in_flight_ = false;
    bool again_ = false;  // another heartbeat as soon as the one in flight is answered
    std::function<void()> on_left_;
};

}  // namespace moldau::broker
