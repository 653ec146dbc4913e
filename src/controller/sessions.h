// Sessions: when each broker was last heard of, and how far it has read the metadata log. Soft
// state of the active controller: never logged, forgotten when leadership is lost, and begun anew
// with the next (every registered broker then gets one full session time to show itself). Time is
// handed in. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/time.h"
#include "controller/state.h"

namespace moldau::controller {

class Sessions {
 public:
    explicit Sessions(Duration session_timeout) : session_timeout_(session_timeout) {}

    struct Session {
        int64_t broker_epoch = -1;
        MonotonicTime last_contact{};
        int64_t metadata_offset = -1;
        bool confirmed = true;  // false: assumed at begin(), no heartbeat yet
        // Offset of the record that began the controlled shutdown; -1: not shutting down.
        int64_t controlled_shutdown_offset = -1;
    };

    // Forgets everything and starts a session for every broker that is registered. That of `own`,
    // the broker of this very process (-1: there is none), does not keep another incarnation out
    // until a heartbeat confirms it: whoever registers here is the present one, and a combined node
    // that starts after a crash need not wait for the session of its former self.
    void begin(const State& state, int32_t own, MonotonicTime now);

    void touch(int32_t broker, int64_t broker_epoch, int64_t metadata_offset, MonotonicTime now);
    void remove(int32_t broker) { sessions_.erase(broker); }
    void set_controlled_shutdown_offset(int32_t broker, int64_t offset);

    const Session* find(int32_t broker) const;
    // Whether the broker of that epoch is surely alive.
    bool is_valid(int32_t broker, int64_t broker_epoch, MonotonicTime now) const;
    // An unfenced broker whose session is over, if there is one. Several are reported one by one,
    // so that each fencing is seen by the next.
    std::optional<int32_t> expired(const State& state, MonotonicTime now) const;
    // The least metadata offset among brokers that are active; max when there are none.
    int64_t lowest_active_offset(const State& state) const;

 private:
    bool is_over(const Session& session, MonotonicTime now) const {
        return now > session.last_contact + session_timeout_;
    }

    Duration session_timeout_;
    std::map<int32_t, Session> sessions_;
};

}  // namespace moldau::controller
