#include "broker/connection_quotas.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "config/server_config.h"

namespace moldau::broker {

ConnectionLimits ConnectionLimits::of(const config::ServerConfig& config) {
    ConnectionLimits limits;
    limits.connections_max = config.max_connections();
    limits.per_second_max = config.max_connection_creation_rate();
    limits.connections_max_per_ip = config.max_connections_per_ip();
    for (const auto& [host, most] : config.max_connections_per_ip_overrides()) {
        limits.connections_max_by_ip.emplace(host, most);
    }
    for (const config::Endpoint& endpoint : config.listeners()) {
        const std::string& name = endpoint.listener_name;
        limits.by_listener[name] = {config.max_connections(name),
                                    config.max_connection_creation_rate(name)};
    }
    limits.inter_broker_listener = config.inter_broker_listener_name();
    limits.rate_windows = config.get_int("quota.window.num");
    limits.rate_window = seconds(config.get_int("quota.window.size.seconds"));
    return limits;
}

Duration RateMeter::record(MonotonicTime now, int32_t per_second_max,
                           const ConnectionLimits& limits) {
    if (windows_.empty() || now - windows_.back().start >= limits.rate_window) {
        windows_.push_back({now});
    }
    ++windows_.back().count;
    while (now - windows_.front().start >= limits.rate_windows * limits.rate_window) {
        windows_.pop_front();
    }
    if (per_second_max == INT32_MAX) {
        return {};
    }
    int64_t count = 0;
    for (const Window& window : windows_) {
        count += window.count;
    }
    // All windows but the one under way count in full, even those without samples.
    Duration elapsed = now - windows_.front().start;
    int64_t missing = limits.rate_windows - 1 - elapsed / limits.rate_window;
    elapsed += std::max<int64_t>(missing, 0) * limits.rate_window;
    elapsed = std::max<Duration>(elapsed, limits.rate_window);
    double per_second = static_cast<double>(count) / std::chrono::duration<double>(elapsed).count();
    double excess = per_second - per_second_max;
    if (excess <= 0) {
        return {};
    }
    double wait_ms = excess / std::max(per_second_max, 1) * static_cast<double>(to_ms(elapsed));
    Duration wait = milliseconds(std::llround(std::min(wait_ms, 1e9)));
    return std::min(wait, limits.rate_window);
}

ConnectionLimits::OfListener ConnectionQuotas::limits_of(std::string_view listener) const {
    auto found = limits_.by_listener.find(listener);
    return found == limits_.by_listener.end() ? ConnectionLimits::OfListener() : found->second;
}

Duration ConnectionQuotas::note_arrival(std::string_view listener, MonotonicTime now) {
    Duration wait{};
    if (!is_protected(listener)) {
        wait = rate_.record(now, limits_.per_second_max, limits_);
    }
    auto found = listeners_.find(listener);
    MOLDAU_ASSERT(found != listeners_.end());
    return std::max(wait,
                    found->second.rate.record(now, limits_of(listener).per_second_max, limits_));
}

bool ConnectionQuotas::has_room(std::string_view listener) const {
    auto found = listeners_.find(listener);
    if (found == listeners_.end() || found->second.count >= limits_of(listener).connections_max) {
        return false;
    }
    return is_protected(listener) || std::cmp_less(count_, limits_.connections_max);
}

int32_t ConnectionQuotas::max_of(const std::string& host) const {
    auto own = limits_.connections_max_by_ip.find(host);
    return own == limits_.connections_max_by_ip.end() ? limits_.connections_max_per_ip
                                                      : own->second;
}

bool ConnectionQuotas::take(std::string_view listener, const std::string& host) {
    auto here = count_by_ip_.find(host);
    int32_t count = here == count_by_ip_.end() ? 0 : here->second;
    if (count >= max_of(host)) {
        return false;
    }
    ++count_by_ip_[host];
    ++listeners_.find(listener)->second.count;
    ++count_;
    return true;
}

void ConnectionQuotas::release(std::string_view listener, const std::string& host) {
    MOLDAU_ASSERT(count_ > 0);
    --count_;
    --listeners_.find(listener)->second.count;
    auto here = count_by_ip_.find(host);
    if (--here->second == 0) {
        count_by_ip_.erase(here);
    }
}

bool ConnectionQuotas::must_shed(std::string_view listener) const {
    return std::cmp_greater(count_, limits_.connections_max) && !is_protected(listener);
}

}  // namespace moldau::broker
