// ConnectionQuotas: how many connections a node has, by listener and by address, whether another
// may be let in, and how fast new ones may come. A pure core: SocketServer holds it under its lock
// and acts on what it says.
//
// As in Kafka: a listener that has no room, or is too fast, lets its next connection wait and
// accepts no other; an address that has its number is refused. The inter-broker listener is
// protected when there are others: max.connections and the node's rate do not hold it up, and when
// it makes the node exceed max.connections, the others close what they used least recently.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/time.h"

namespace moldau::config {
class ServerConfig;
}

namespace moldau::broker {

struct ConnectionLimits {
    struct OfListener {
        int32_t connections_max = INT32_MAX;
        int32_t per_second_max = INT32_MAX;
    };

    int32_t connections_max = INT32_MAX;
    int32_t per_second_max = INT32_MAX;
    int32_t connections_max_per_ip = INT32_MAX;
    std::map<std::string, int32_t, std::less<>> connections_max_by_ip;
    std::map<std::string, OfListener, std::less<>> by_listener;  // no entry: no limit of its own
    std::string inter_broker_listener;
    // Over how long a rate is measured (quota.window.*).
    int32_t rate_windows = 11;
    Duration rate_window = seconds(1);

    static ConnectionLimits of(const config::ServerConfig& config);
};

// How many per second there were, over the last windows. Kafka's Rate: a time without samples
// counts as time, so that a short burst after silence stays below the limit.
class RateMeter {
 public:
    // Notes one event. Returns how long to wait until the rate is down at `per_second_max`: zero
    // when it is not above it, and one window at most.
    Duration record(MonotonicTime now, int32_t per_second_max, const ConnectionLimits& limits);

 private:
    struct Window {
        MonotonicTime start;
        int64_t count = 0;
    };
    std::deque<Window> windows_;
};

class ConnectionQuotas {
 public:
    explicit ConnectionQuotas(ConnectionLimits limits) : limits_(std::move(limits)) {}

    const ConnectionLimits& limits() const { return limits_; }
    void set_limits(ConnectionLimits limits) { limits_ = std::move(limits); }
    void add_listener(const std::string& listener) { listeners_[listener]; }

    // A connection was accepted. Returns how long it must wait for the sake of the rates.
    Duration note_arrival(std::string_view listener, MonotonicTime now);
    // Whether the listener may let one in.
    bool has_room(std::string_view listener) const;
    // Lets one in; false: the address has its number already, and nothing was counted.
    bool take(std::string_view listener, const std::string& host);
    void release(std::string_view listener, const std::string& host);
    // The node has too many, and this listener must close some.
    bool must_shed(std::string_view listener) const;

    int32_t max_of(const std::string& host) const;
    size_t count() const { return count_; }

 private:
    struct Listener {
        int64_t count = 0;
        RateMeter rate;
    };

    bool is_protected(std::string_view listener) const {
        return listener == limits_.inter_broker_listener && listeners_.size() > 1;
    }
    ConnectionLimits::OfListener limits_of(std::string_view listener) const;

    ConnectionLimits limits_;
    size_t count_ = 0;
    RateMeter rate_;
    std::map<std::string, Listener, std::less<>> listeners_;
    std::map<std::string, int32_t> count_by_ip_;
};

}  // namespace moldau::broker
