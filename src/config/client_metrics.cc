// The rules of client-metrics subscriptions (KIP-714), with Kafka's texts.
#include <algorithm>

#include "base/regex.h"
#include "config/config_def.h"
#include "config/rules.h"

namespace moldau::config {
namespace {

constexpr std::string_view kMatchKeys[] = {"client_instance_id",    "client_id",
                                           "client_software_name",  "client_software_version",
                                           "client_source_address", "client_source_port"};

std::string trimmed(std::string_view text) {
    size_t from = text.find_first_not_of(" \t");
    size_t to = text.find_last_not_of(" \t");
    return from == std::string_view::npos ? "" : std::string(text.substr(from, to - from + 1));
}

bool is_match(std::string_view entry) {
    size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals + 1 == entry.size() ||
        entry.find('=', equals + 1) != std::string_view::npos) {
        return false;
    }
    return contains(kMatchKeys, trimmed(entry.substr(0, equals))) &&
           Regex::compile(trimmed(entry.substr(equals + 1))).has_value();
}

}  // namespace

Status validate_client_metrics_configs(const ConfigMap& configs) {
    for (const auto& [name, text] : configs) {
        const ConfigKey* key = client_metrics_config_def().find(name);
        if (key == nullptr) {
            return fail(ErrorCode::InvalidRequest, "Unknown client metrics configuration: {}",
                        name);
        }
        MOLDAU_TRY(auto value, parse_value(*key, text));
        if (name == "interval.ms") {
            int64_t interval = std::get<int64_t>(value);
            if (interval < 100 || interval > 3'600'000) {
                return fail(ErrorCode::InvalidRequest,
                            "Invalid value {} for interval.ms, interval must be between 100 and "
                            "3600000 (1 hour)",
                            interval);
            }
        }
        if (name == "match") {
            for (const std::string& entry : std::get<std::vector<std::string>>(value)) {
                if (!is_match(entry)) {
                    return fail(ErrorCode::InvalidConfig, "Illegal client matching pattern: {}",
                                entry);
                }
            }
        }
    }
    return {};
}

}  // namespace moldau::config
