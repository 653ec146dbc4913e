// ClientConfig: what every client of a cluster needs to know, read from Kafka's client properties.
// A plain value; keys that only producers or consumers use are read by them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace moldau::client {

// Client properties by Kafka's names.
using Properties = std::map<std::string, std::string, std::less<>>;

struct Endpoint {
    std::string host;
    uint16_t port = 0;

    std::string str() const;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// "host:port,host:port", IPv6 hosts in brackets. Errors: InvalidConfig with Kafka's words.
Result<std::vector<Endpoint>> parse_bootstrap(std::string_view text);

struct ClientConfig {
    std::vector<Endpoint> bootstrap;
    std::string client_id;
    Duration request_timeout = seconds(30);
    Duration default_api_timeout = seconds(60);
    Duration retry_backoff = milliseconds(100);
    Duration retry_backoff_max = milliseconds(1000);
    Duration reconnect_backoff = milliseconds(50);
    Duration reconnect_backoff_max = milliseconds(1000);
    Duration connect_timeout = seconds(10);
    Duration metadata_age_max = seconds(300);
    size_t in_flight_max = 5;  // requests per connection
    // The bootstrap addresses are those of controllers (bootstrap.controllers).
    bool controllers = false;

    // Reads what is set, keeps the defaults above otherwise. Errors: InvalidConfig with Kafka's
    // words; UnsupportedVersion names a security.protocol that is not there.
    static Result<ClientConfig> from_properties(const Properties& properties);
};

// Typed look-ups for the properties of producers and consumers. Errors: InvalidConfig,
// "Invalid value x for configuration k: Not a number of type INT".
Result<int64_t> int_property(const Properties& properties, std::string_view key, int64_t fallback);
Result<bool> bool_property(const Properties& properties, std::string_view key, bool fallback);
std::string string_property(const Properties& properties, std::string_view key,
                            std::string_view fallback);

// The pause before attempt number `failures` + 1: doubling from `first` to `max`.
Duration backoff(Duration first, Duration max, uint32_t failures);

}  // namespace moldau::client
