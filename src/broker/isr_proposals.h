// IsrProposals carries what partition leaders want of their in-sync sets to the controller
// (AlterPartition, KIP-497): one request at a time, with everything that gathered meanwhile.
// submit() may be called from any thread, under a partition's lock; the rest is the control loop's.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <utility>

#include "base/result.h"
#include "base/uuid.h"
#include "replication/partition_leader.h"
#include "runtime/event_loop.h"

namespace moldau::protocol {
struct AlterPartitionRequest;
struct AlterPartitionResponse;
}  // namespace moldau::protocol

namespace moldau::quorum {
class ControllerChannel;
}

namespace moldau::broker {

class Partition;

class IsrProposals {
 public:
    IsrProposals(int32_t broker_id, const std::atomic<int64_t>& broker_epoch,
                 runtime::EventLoop& control_loop)
        : broker_id_(broker_id), broker_epoch_(broker_epoch), loop_(control_loop) {}

    void set_controller(quorum::ControllerChannel& controller) { controller_ = &controller; }
    // Only hands over; the partition hears the outcome by Partition::proposal_settled.
    void submit(std::shared_ptr<Partition> partition, replication::IsrProposal proposal);
    void stop();

 private:
    using Key = std::pair<Uuid, int32_t>;
    struct Item {
        std::shared_ptr<Partition> partition;
        replication::IsrProposal proposal;
    };

    void send();
    protocol::AlterPartitionRequest request_of(const std::map<Key, Item>& items) const;
    void answered(const std::map<Key, Item>& items,
                  const Result<protocol::AlterPartitionResponse>& response);

    const int32_t broker_id_;
    const std::atomic<int64_t>& broker_epoch_;
    runtime::EventLoop& loop_;
    quorum::ControllerChannel* controller_ = nullptr;
    // A later proposal of a partition replaces its earlier one.
    std::map<Key, Item> waiting_;
    bool in_flight_ = false;
    bool stopped_ = false;
    runtime::Timer retry_;
};

}  // namespace moldau::broker
