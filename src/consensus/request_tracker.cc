#include "consensus/request_tracker.h"

#include <algorithm>

namespace moldau::consensus {

const RequestTracker::Connection* RequestTracker::find(BrokerId peer) const {
    auto at = connections_.find(peer);
    return at == connections_.end() ? nullptr : &at->second;
}

bool RequestTracker::is_ready(BrokerId peer, MonotonicTime now) const {
    const Connection* connection = find(peer);
    return connection == nullptr || now >= connection->until;
}

bool RequestTracker::is_backing_off(BrokerId peer, MonotonicTime now) const {
    const Connection* connection = find(peer);
    return connection != nullptr && !connection->in_flight && now < connection->until;
}

bool RequestTracker::has_timed_out(BrokerId peer, MonotonicTime now) const {
    const Connection* connection = find(peer);
    return connection != nullptr && connection->in_flight && now >= connection->until;
}

bool RequestTracker::has_any_in_flight(MonotonicTime now) const {
    return std::ranges::any_of(connections_, [&](const auto& entry) {
        return entry.second.in_flight && now < entry.second.until;
    });
}

MonotonicTime RequestTracker::ready_at(BrokerId peer, MonotonicTime now) const {
    const Connection* connection = find(peer);
    return connection == nullptr ? now : std::max(now, connection->until);
}

MonotonicTime RequestTracker::in_flight_until(MonotonicTime now) const {
    MonotonicTime earliest = MonotonicTime::max();
    for (const auto& [id, connection] : connections_) {
        if (connection.in_flight && now < connection.until) {
            earliest = std::min(earliest, connection.until);
        }
    }
    return earliest;
}

CorrelationId RequestTracker::sent(const Peer& peer, MonotonicTime now) {
    connections_[peer.id] = {peer, ++last_correlation_, now + request_timeout_};
    return last_correlation_;
}

std::optional<Peer> RequestTracker::peer_of(CorrelationId correlation) const {
    for (const auto& [id, connection] : connections_) {
        if (connection.in_flight == correlation) {
            return connection.peer;
        }
    }
    return std::nullopt;
}

void RequestTracker::finished(CorrelationId correlation, bool success, MonotonicTime now) {
    for (auto& [id, connection] : connections_) {
        if (connection.in_flight != correlation) {
            continue;
        }
        if (success) {
            connections_.erase(id);
        } else {
            connection.in_flight.reset();
            connection.until = now + retry_backoff_;
        }
        return;
    }
}

}  // namespace moldau::consensus
