// ServerState: what a ServerConfig holds: the layers as given, every key's parsed value, and what
// is derived from several keys at once. Filled by server_config.cc and server_checks.cc, constant
// after.
#pragma once

#include <algorithm>

#include "config/rules.h"
#include "config/server_config.h"

namespace moldau::config {

struct ServerState {
    ConfigMap static_configs;
    ConfigMap dynamic_defaults;
    ConfigMap dynamic_overrides;
    std::vector<ConfigValue> values;  // parallel to broker_config_def().keys()
    LogConfig log_config;

    // Derived by check_server().
    std::map<std::string, SecurityProtocol, std::less<>> protocol_map;  // by listener name
    std::vector<Endpoint> listeners;
    std::vector<Endpoint> advertised_broker;
    std::vector<Endpoint> advertised_controller;
    std::string inter_broker_listener;
    SecurityProtocol inter_broker_protocol = SecurityProtocol::Plaintext;
    std::vector<Voter> voters;
    std::vector<HostAndPort> bootstrap_servers;
    std::map<std::string, int32_t> ip_overrides;
    // listener.name.NAME.max.connections and the like, by that whole key.
    std::map<std::string, int32_t, std::less<>> listener_numbers;

    const ConfigValue& value(std::string_view name) const;

    bool is_null(std::string_view name) const {
        return std::holds_alternative<std::monostate>(value(name));
    }
    bool get_bool(std::string_view name) const { return std::get<bool>(value(name)); }
    int64_t get_long(std::string_view name) const { return std::get<int64_t>(value(name)); }
    std::string get_string(std::string_view name) const {
        return is_null(name) ? std::string() : std::get<std::string>(value(name));
    }
    std::vector<std::string> get_list(std::string_view name) const {
        return is_null(name) ? std::vector<std::string>()
                             : std::get<std::vector<std::string>>(value(name));
    }

    bool is_given(std::string_view name) const {
        return static_configs.contains(name) || dynamic_defaults.contains(name) ||
               dynamic_overrides.contains(name);
    }
    bool has_role(std::string_view role) const { return contains(get_list("process.roles"), role); }
    bool is_controller_listener(const Endpoint& endpoint) const {
        return contains(get_list("controller.listener.names"), endpoint.listener_name);
    }
    // The value of a key that the table does not know, from the layer that counts.
    const std::string* find_given(const std::string& name) const {
        for (const ConfigMap* layer : {&dynamic_overrides, &dynamic_defaults, &static_configs}) {
            auto found = layer->find(name);
            if (found != layer->end()) {
                return &found->second;
            }
        }
        return nullptr;
    }
    std::vector<std::string> log_dirs() const {
        return is_null("log.dirs") ? get_list("log.dir") : get_list("log.dirs");
    }
};

// listener.name.NAME.KEY, the name in lower case as Kafka has it.
inline std::string listener_key(std::string_view listener, std::string_view key) {
    std::string name(listener);
    std::ranges::transform(name, name.begin(), [](char c) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    return fmt::format("listener.name.{}.{}", name, key);
}

}  // namespace moldau::config
