#include "controller/sessions.h"

#include <algorithm>
#include <limits>

namespace moldau::controller {

void Sessions::begin(const State& state, int32_t own, MonotonicTime now) {
    sessions_.clear();
    for (const auto& [id, broker] : state.image().cluster.brokers) {
        touch(id, broker.epoch, -1, now);
        sessions_[id].confirmed = id != own;
        if (broker.in_controlled_shutdown && !broker.fenced) {
            // The offset it has to wait for is not known any more; all that is logged will do.
            set_controlled_shutdown_offset(id, state.offset());
        }
    }
}

void Sessions::touch(int32_t broker, int64_t broker_epoch, int64_t metadata_offset,
                     MonotonicTime now) {
    Session& session = sessions_[broker];
    if (session.broker_epoch != broker_epoch) {
        session = Session();
        session.broker_epoch = broker_epoch;
    }
    session.last_contact = now;
    session.confirmed = true;
    session.metadata_offset = metadata_offset;
}

void Sessions::set_controlled_shutdown_offset(int32_t broker, int64_t offset) {
    auto at = sessions_.find(broker);
    if (at != sessions_.end() && at->second.controlled_shutdown_offset < 0) {
        at->second.controlled_shutdown_offset = offset;
    }
}

const Sessions::Session* Sessions::find(int32_t broker) const {
    auto at = sessions_.find(broker);
    return at == sessions_.end() ? nullptr : &at->second;
}

bool Sessions::is_valid(int32_t broker, int64_t broker_epoch, MonotonicTime now) const {
    const Session* session = find(broker);
    return session != nullptr && session->broker_epoch == broker_epoch && session->confirmed &&
           !is_over(*session, now);
}

std::optional<int32_t> Sessions::expired(const State& state, MonotonicTime now) const {
    for (const auto& [id, broker] : state.image().cluster.brokers) {
        const Session* session = find(id);
        bool alive =
            session != nullptr && session->broker_epoch == broker.epoch && !is_over(*session, now);
        if (!broker.fenced && !alive) {
            return id;
        }
    }
    return std::nullopt;
}

int64_t Sessions::lowest_active_offset(const State& state) const {
    int64_t lowest = std::numeric_limits<int64_t>::max();
    for (const auto& [id, session] : sessions_) {
        if (state.is_active(id)) {
            lowest = std::min(lowest, session.metadata_offset);
        }
    }
    return lowest;
}

}  // namespace moldau::controller
