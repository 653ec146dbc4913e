// Brokers: decides registration, heartbeats, fencing, controlled shutdown and unregistration, and
// the registration of controllers.
//
//   fenced -> unfenced              a heartbeat that wants it, once the broker has read its
//   registration unfenced -> fenced              a heartbeat that wants it, or no contact for a
//   session unfenced -> shutting down       a heartbeat that wants to stop, while the broker leads
//   something shutting down -> shut down now  it leads nothing, and every active broker knows any
//   -> shut down now            a heartbeat that wants to stop when nothing is in the way
//
// Pure functions; sessions and time are arguments.
#pragma once

#include "controller/decision.h"
#include "controller/sessions.h"
#include "protocol/messages/broker_heartbeat.h"
#include "protocol/messages/broker_registration.h"
#include "protocol/messages/controller_registration.h"
#include "protocol/messages/unregister_broker.h"

namespace moldau::controller {

// `next_offset` is the offset that the next record will get: the epoch of a new incarnation.
// Errors: InconsistentClusterId, DuplicateBrokerRegistration, BrokerIdNotRegistered (ZooKeeper
// brokers), InvalidRegistration, UnsupportedVersion.
Result<Decision<protocol::BrokerRegistrationResponse>> register_broker(
    const View& view, const Sessions& sessions, const protocol::BrokerRegistrationRequest& request,
    int16_t version, int16_t kraft_version, int64_t next_offset, MonotonicTime now);

// What one heartbeat means; the host notes the contact when the decision was taken.
struct HeartbeatDecision {
    Decision<protocol::BrokerHeartbeatResponse> decision;
    bool enters_controlled_shutdown = false;
};
// Errors: StaleBrokerEpoch.
Result<HeartbeatDecision> heartbeat(const View& view, const Sessions& sessions,
                                    const protocol::BrokerHeartbeatRequest& request);

// Takes the broker out of all ISRs, moves its leaderships, then fences it.
metadata::Records fence_broker(const View& view, int32_t broker);

// Errors: BrokerIdNotRegistered.
Result<Decision<protocol::UnregisterBrokerResponse>> unregister_broker(
    const View& view, const protocol::UnregisterBrokerRequest& request);

// Errors: UnsupportedVersion before metadata.version 3.7-IV0.
Result<Decision<protocol::ControllerRegistrationResponse>> register_controller(
    const View& view, const protocol::ControllerRegistrationRequest& request);

}  // namespace moldau::controller
