// RequestTracker: one request in flight per peer, time-outs and back-off after failures (Kafka's
// RequestManager). Owned by RaftCore.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "consensus/event.h"

namespace moldau::consensus {

class RequestTracker {
 public:
    RequestTracker(Duration request_timeout, Duration retry_backoff)
        : request_timeout_(request_timeout), retry_backoff_(retry_backoff) {}

    bool is_ready(BrokerId peer, MonotonicTime now) const;
    bool is_backing_off(BrokerId peer, MonotonicTime now) const;
    bool has_timed_out(BrokerId peer, MonotonicTime now) const;
    bool has_any_in_flight(MonotonicTime now) const;
    // When the peer may be asked again.
    MonotonicTime ready_at(BrokerId peer, MonotonicTime now) const;
    // When the earliest request in flight times out; now or later.
    MonotonicTime in_flight_until(MonotonicTime now) const;

    CorrelationId sent(const Peer& peer, MonotonicTime now);
    // The peer of an answer that is still expected; nullopt for a late one.
    std::optional<Peer> peer_of(CorrelationId correlation) const;
    void finished(CorrelationId correlation, bool success, MonotonicTime now);
    void reset(BrokerId peer) { connections_.erase(peer); }
    // Answers still under way are not expected any more.
    void reset_all() { connections_.clear(); }

 private:
    struct Connection {
        Peer peer;
        std::optional<CorrelationId> in_flight;
        MonotonicTime until;  // time-out of the request, or end of the back-off
    };
    const Connection* find(BrokerId peer) const;

    Duration request_timeout_;
    Duration retry_backoff_;
    std::map<BrokerId, Connection> connections_;
    CorrelationId last_correlation_ = 0;
};

}  // namespace moldau::consensus
