// Requests that a broker does not decide but passes on to the active controller, whose answer goes
// out unchanged: CreateTopics (19), 2-7; DeleteTopics (20), 1-6; CreatePartitions (37), 0-3;
// ElectLeaders (43), 0-2; AlterPartitionReassignments (45), 0-1; ListPartitionReassignments (46),
// 0; DescribeQuorum (55), 0-2; UpdateFeatures (57), 0-2; UnregisterBroker (64), 0. Behaviour: the
// answer leaves when the change is visible to the next request of anybody here (KIP-590). Without
// an active controller for request.timeout.ms: RequestTimedOut in the response's own form. What
// each of them means is told in controller/topics.h, leaders.h, features.h and brokers.h.
#pragma once

#include <functional>

#include "base/result.h"
#include "broker/request.h"
#include "protocol/wire.h"

namespace moldau::broker {

struct Broker;

void handle_forward(Broker& broker, Request request);

// For handlers that pass on a changed body: sends it in the name of the request's client. `done`
// runs on the control loop with the controller's encoded answer; errors are as of
// ControllerChannel.
void forward(Broker& broker, const Request& request, Bytes body,
             std::move_only_function<void(Result<protocol::Chain>)> done);

}  // namespace moldau::broker
