#include "client/client_config.h"

#include <algorithm>
#include <charconv>

namespace moldau::client {

std::string Endpoint::str() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

Result<std::vector<Endpoint>> parse_bootstrap(std::string_view text) {
    std::vector<Endpoint> endpoints;
    while (!text.empty()) {
        size_t comma = std::min(text.find(','), text.size());
        std::string_view one = text.substr(0, comma);
        text.remove_prefix(std::min(comma + 1, text.size()));
        while (one.starts_with(' ')) {
            one.remove_prefix(1);
        }
        while (one.ends_with(' ')) {
            one.remove_suffix(1);
        }
        if (one.empty()) {
            continue;
        }
        std::string_view address = one;
        if (size_t scheme = address.find("://"); scheme != std::string_view::npos) {
            address.remove_prefix(scheme + 3);
        }
        size_t colon = address.rfind(':');
        std::string_view host = address.substr(0, colon);
        std::string_view digits =
            colon == std::string_view::npos ? std::string_view() : address.substr(colon + 1);
        if (host.starts_with('[') && host.ends_with(']')) {
            host = host.substr(1, host.size() - 2);
        }
        uint16_t port = 0;
        auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (host.empty() || digits.empty() || error != std::errc() ||
            at != digits.data() + digits.size()) {
            return fail(ErrorCode::InvalidConfig, "Invalid url in bootstrap.servers: {}", one);
        }
        endpoints.push_back({std::string(host), port});
    }
    if (endpoints.empty()) {
        return fail(ErrorCode::InvalidConfig,
                    "No resolvable bootstrap urls given in bootstrap.servers");
    }
    return endpoints;
}

Result<int64_t> int_property(const Properties& properties, std::string_view key, int64_t fallback) {
    auto found = properties.find(key);
    if (found == properties.end()) {
        return fallback;
    }
    const std::string& text = found->second;
    int64_t number = 0;
    auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || at != text.data() + text.size()) {
        return fail(ErrorCode::InvalidConfig,
                    "Invalid value {} for configuration {}: Not a number of type INT", text, key);
    }
    return number;
}

Result<bool> bool_property(const Properties& properties, std::string_view key, bool fallback) {
    auto found = properties.find(key);
    if (found == properties.end()) {
        return fallback;
    }
    std::string text = found->second;
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    if (text != "true" && text != "false") {
        return fail(
            ErrorCode::InvalidConfig,
            "Invalid value {} for configuration {}: Expected value to be either true or false",
            found->second, key);
    }
    return text == "true";
}

std::string string_property(const Properties& properties, std::string_view key,
                            std::string_view fallback) {
    auto found = properties.find(key);
    return found == properties.end() ? std::string(fallback) : found->second;
}

Duration backoff(Duration first, Duration max, uint32_t failures) {
    Duration pause = first;
    for (uint32_t i = 1; i < failures && pause < max; ++i) {
        pause *= 2;
    }
    return std::min(pause, max);
}

Result<ClientConfig> ClientConfig::from_properties(const Properties& properties) {
    ClientConfig config;
    auto servers = properties.find("bootstrap.servers");
    auto controllers = properties.find("bootstrap.controllers");
    config.controllers = controllers != properties.end();
    if (servers == properties.end() && controllers == properties.end()) {
        return fail(
            ErrorCode::InvalidConfig,
            "Missing required configuration \"bootstrap.servers\" which has no default value.");
    }
    MOLDAU_TRY(config.bootstrap,
               parse_bootstrap(config.controllers ? controllers->second : servers->second));
    config.client_id = string_property(properties, "client.id", "");
    std::string protocol = string_property(properties, "security.protocol", "PLAINTEXT");
    if (protocol != "PLAINTEXT") {
        return fail(ErrorCode::InvalidConfig,
                    "security.protocol is not available yet: value={} available=PLAINTEXT",
                    protocol);
    }
    struct Field {
        std::string_view key;
        Duration ClientConfig::* member;
    };
    constexpr Field fields[] = {
        {"request.timeout.ms", &ClientConfig::request_timeout},
        {"default.api.timeout.ms", &ClientConfig::default_api_timeout},
        {"retry.backoff.ms", &ClientConfig::retry_backoff},
        {"retry.backoff.max.ms", &ClientConfig::retry_backoff_max},
        {"reconnect.backoff.ms", &ClientConfig::reconnect_backoff},
        {"reconnect.backoff.max.ms", &ClientConfig::reconnect_backoff_max},
        {"socket.connection.setup.timeout.ms", &ClientConfig::connect_timeout},
        {"metadata.max.age.ms", &ClientConfig::metadata_age_max},
    };
    for (const Field& field : fields) {
        MOLDAU_TRY(int64_t ms, int_property(properties, field.key, to_ms(config.*field.member)));
        config.*field.member = milliseconds(ms);
    }
    MOLDAU_TRY(int64_t in_flight,
               int_property(properties, "max.in.flight.requests.per.connection", 5));
    config.in_flight_max = static_cast<size_t>(std::max<int64_t>(1, in_flight));
    return config;
}

}  // namespace moldau::client
