// DirectoryAssignments tells the controller in which of this broker's directories a replica lies,
// where that was left to the broker (AssignReplicasToDirs, KIP-858): one request at a time, with
// everything that gathered meanwhile. A broker with several directories chooses one itself; only
// when the controller knows can it fence the right replicas as a directory fails.
//
// Everything is the control loop's.
#pragma once

#include <atomic>
#include <map>
#include <utility>

#include "base/result.h"
#include "base/uuid.h"
#include "runtime/event_loop.h"

namespace moldau::protocol {
struct AssignReplicasToDirsResponse;
}

namespace moldau::quorum {
class ControllerChannel;
}

namespace moldau::broker {

class DirectoryAssignments {
 public:
    static constexpr size_t kPerRequestMax = 2250;  // as Kafka's

    DirectoryAssignments(int32_t broker_id, const std::atomic<int64_t>& broker_epoch,
                         runtime::EventLoop& control_loop)
        : broker_id_(broker_id), broker_epoch_(broker_epoch), loop_(control_loop) {}

    void set_controller(quorum::ControllerChannel& controller) { controller_ = &controller; }
    // The replica lies in that directory. Told until the controller has taken it, or says that the
    // replica is no longer here.
    void assign(const Uuid& topic_id, int32_t partition, const Uuid& directory);
    void stop();

 private:
    using Key = std::pair<Uuid, int32_t>;  // topic and partition
    using Assignments = std::map<Key, Uuid>;

    void send_later(Duration delay);
    void send();
    void answered(Assignments sent, const Result<protocol::AssignReplicasToDirsResponse>& response);

    const int32_t broker_id_;
    const std::atomic<int64_t>& broker_epoch_;
    runtime::EventLoop& loop_;
    quorum::ControllerChannel* controller_ = nullptr;
    Assignments waiting_;
    bool in_flight_ = false;
    bool stopped_ = false;
    int failures_ = 0;  // in a row
    runtime::Timer timer_;
};

}  // namespace moldau::broker
