// The checks behind Rule: what a parsed value must satisfy, with Kafka's texts. Pure functions.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_def.h"

namespace moldau::config {

// std::ranges::contains, which libstdc++ 12 lacks.
template <typename Range, typename T, typename Projection = std::identity>
bool contains(const Range& range, const T& value, Projection projection = {}) {
    return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

// "Invalid value VALUE for configuration NAME: WHY" as an InvalidConfig error.
std::unexpected<Error> invalid_value(std::string_view name, std::string_view value,
                                     std::string_view why);

// Whether `value` satisfies the rule of `key`.
Status check_rule(const ConfigKey& key, const ConfigValue& value);

// Java's List.toString: "[a, b]".
std::string java_list(const std::vector<std::string>& entries);

struct ParsedAddress {
    std::string host;
    int32_t port = 0;
};

// `host:port`, `[v6]:port` or `scheme://host:port`; nothing when it is none of them.
std::optional<ParsedAddress> parse_address(std::string_view text);

// Letters, digits and - % . _ : only.
bool is_valid_host(std::string_view host);

// The entries of controller.quorum.voters.
Result<std::map<int32_t, ParsedAddress>> parse_voters(const std::vector<std::string>& entries);

// The entries of controller.quorum.bootstrap.servers.
Result<std::vector<ParsedAddress>> parse_bootstrap_servers(const std::vector<std::string>& entries);

}  // namespace moldau::config
