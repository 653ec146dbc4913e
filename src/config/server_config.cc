#include "config/server_config.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/assert.h"
#include "config/rules.h"
#include "config/server_checks.h"
#include "config/server_state.h"

namespace moldau::config {
namespace {

using List = std::vector<std::string>;
using State = ServerState;

// node.id and broker.id stand for one another.
ConfigMap with_id_synonyms(ConfigMap properties) {
    auto node = properties.find("node.id");
    auto broker = properties.find("broker.id");
    if (node == properties.end() && broker != properties.end()) {
        properties["node.id"] = broker->second;
    } else if (broker == properties.end() && node != properties.end()) {
        properties["broker.id"] = node->second;
    }
    return properties;
}

// Keys of ZooKeeper's time and of old message formats, which many files still carry.
constexpr std::pair<std::string_view, std::string_view> kRetired[] = {
    {"zookeeper.connect", "there is no ZooKeeper: set process.roles and controller.quorum.voters"},
    {"zookeeper.connection.timeout.ms", "there is no ZooKeeper"},
    {"zookeeper.session.timeout.ms", "there is no ZooKeeper"},
    {"advertised.host.name", "use advertised.listeners"},
    {"advertised.port", "use advertised.listeners"},
    {"host.name", "use listeners"},
    {"port", "use listeners"},
    {"inter.broker.protocol.version", "the metadata.version feature takes its place"},
    {"log.message.format.version", "there is one message format"},
    {"log.message.timestamp.difference.max.ms",
     "use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms"},
    {"broker.id.generation.enable", "node.id is always given"},
};

bool is_plugin_key(std::string_view name) {
    return name.starts_with("listener.name.") || name.starts_with("config.providers.") ||
           name.starts_with("rsm.config.") || name.starts_with("rlmm.config.");
}

void report_unknown(std::string_view name, ConfigReport& report) {
    for (const auto& [retired, advice] : kRetired) {
        if (name == retired) {
            report.warnings.push_back(
                fmt::format("Configuration {} is no longer used: {}.", name, advice));
            return;
        }
    }
    std::string_view near = broker_config_def().nearest(name);
    report.warnings.push_back(
        near.empty()
            ? fmt::format("Unknown configuration {} is ignored.", name)
            : fmt::format("Unknown configuration {} is ignored. Did you mean {}?", name, near));
}

// Warnings and notices about the keys of a file; the values are known to parse.
void report_keys(const ConfigMap& properties, ConfigReport& report) {
    for (const auto& [name, text] : properties) {
        const ConfigKey* key = broker_config_def().find(name);
        if (key == nullptr) {
            if (is_plugin_key(name)) {
                report.notices.push_back(
                    fmt::format("Configuration {} is accepted and has no effect yet.", name));
            } else if (broker_dynamic_only_def().find(name) == nullptr) {
                report_unknown(name, report);
            }
            continue;
        }
        auto value = parse_type(*key, text);
        if (!key->acts && value && *value != default_value(*key)) {
            report.notices.push_back(
                fmt::format("Configuration {} is accepted and has no effect yet.", name));
        }
    }
}

LogConfig make_log_config(const State& state) {
    LogConfig config;
    for (const ConfigKey& key : topic_config_def().keys()) {
        for (const Synonym& synonym : key.synonyms) {
            ConfigValue value = state.value(synonym.name);
            if (std::holds_alternative<std::monostate>(value)) {
                continue;
            }
            if (auto* number = std::get_if<int64_t>(&value)) {
                *number *= synonym.multiplier;
            }
            config.set(key.name, value);
            break;
        }
    }
    if (config.retention_ms < 0) {
        config.retention_ms = -1;
    }
    return config;
}

// Parses every key of `merged` into state.values; each failure is one error.
void parse_all(const ConfigMap& merged, State& state, std::vector<std::string>& errors) {
    std::span<const ConfigKey> keys = broker_config_def().keys();
    state.values.resize(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
        auto given = merged.find(keys[i].name);
        if (given == merged.end()) {
            if (keys[i].required) {
                errors.push_back(
                    fmt::format("Missing required configuration \"{}\" which has no default value.",
                                keys[i].name));
            }
            state.values[i] = default_value(keys[i]);
            continue;
        }
        auto value = parse_value(keys[i], given->second);
        if (value) {
            state.values[i] = std::move(*value);
        } else {
            errors.push_back(value.error().message);
        }
    }
}

// A dynamic key takes the place of its whole family: log.retention.ms set at run time drops the
// log.retention.hours of the file, as in Kafka.
void overlay(ConfigMap& merged, const ConfigMap& layer) {
    for (const auto& [name, text] : layer) {
        if (const ConfigKey* key = broker_config_def().find(name); key != nullptr) {
            for (const Synonym& synonym : key->synonyms) {
                merged.erase(std::string(synonym.name));
            }
        }
        merged.insert_or_assign(name, text);
    }
}

// The whole way from text to a checked state.
Result<std::shared_ptr<const State>> build(std::shared_ptr<State> state, ConfigReport& report) {
    ConfigMap merged = state->static_configs;
    overlay(merged, state->dynamic_defaults);
    overlay(merged, state->dynamic_overrides);
    parse_all(merged, *state, report.errors);
    if (report.errors.empty()) {
        state->log_config = make_log_config(*state);
        check_server(*state, report);
    }
    if (!report.errors.empty()) {
        return fail(ErrorCode::InvalidConfig, "{}", report.errors.front());
    }
    return state;
}

// Entries of a dynamic layer that this node can take; the others are named in the report.
ConfigMap usable_entries(const ConfigMap& layer, std::string_view what, ConfigReport& report) {
    ConfigMap usable;
    for (const auto& [name, text] : layer) {
        const ConfigKey* key = broker_config_def().find(name);
        if (key == nullptr || key->dynamic == DynamicMode::ReadOnly) {
            usable.emplace(name, text);
            continue;
        }
        auto value = parse_value(*key, text);
        if (value) {
            usable.emplace(name, text);
        } else {
            report.warnings.push_back(
                fmt::format("Dynamic {} config is ignored: {}", what, value.error().message));
        }
    }
    return usable;
}

}  // namespace

std::string_view security_protocol_name(SecurityProtocol protocol) {
    switch (protocol) {
        case SecurityProtocol::Plaintext:
            return "PLAINTEXT";
        case SecurityProtocol::Ssl:
            return "SSL";
        case SecurityProtocol::SaslPlaintext:
            return "SASL_PLAINTEXT";
        case SecurityProtocol::SaslSsl:
            return "SASL_SSL";
    }
    return "PLAINTEXT";
}

const ConfigValue& ServerState::value(std::string_view name) const {
    const ConfigKey* key = broker_config_def().find(name);
    MOLDAU_ASSERT(key != nullptr);
    return values[static_cast<size_t>(key - broker_config_def().keys().data())];
}

ServerConfig ServerConfig::for_tests(const ConfigMap& extra) {
    ConfigMap properties = {
        {"node.id", "0"},
        {"process.roles", "broker,controller"},
        {"listeners", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"},
        {"controller.listener.names", "CONTROLLER"},
        {"controller.quorum.bootstrap.servers", "127.0.0.1:9093"},
    };
    for (const auto& [name, value] : extra) {
        properties.insert_or_assign(name, value);
    }
    auto config = load(properties);
    MOLDAU_ASSERT(config.has_value());
    return *config;
}

Result<ServerConfig> ServerConfig::load(const ConfigMap& properties, ConfigReport* report) {
    ConfigReport local;
    ConfigReport& out = report != nullptr ? *report : local;
    auto state = std::make_shared<State>();
    state->static_configs = with_id_synonyms(properties);
    MOLDAU_TRY(auto built, build(std::move(state), out));
    report_keys(properties, out);
    return ServerConfig(std::move(built));
}

ServerConfig ServerConfig::with_dynamic(const ConfigMap& cluster_defaults,
                                        const ConfigMap& broker_overrides,
                                        ConfigReport* report) const {
    ConfigReport local;
    ConfigReport& out = report != nullptr ? *report : local;
    auto state = std::make_shared<State>();
    state->static_configs = state_->static_configs;
    state->dynamic_defaults = usable_entries(cluster_defaults, "default cluster", out);
    state->dynamic_overrides = usable_entries(broker_overrides, "broker", out);
    auto built = build(std::move(state), out);
    if (!built) {
        out.warnings.push_back(
            fmt::format("Dynamic configs are ignored: {}", built.error().message));
        return *this;
    }
    return ServerConfig(std::move(*built));
}

Status ServerConfig::validate_dynamic(const ConfigMap& proposed, bool per_broker) const {
    MOLDAU_CHECK(check_dynamic(*state_, proposed, per_broker));
    // What does not make a configuration with the rest would void every dynamic value at once.
    auto state = std::make_shared<State>();
    state->static_configs = state_->static_configs;
    state->dynamic_defaults = per_broker ? state_->dynamic_defaults : proposed;
    state->dynamic_overrides = per_broker ? proposed : state_->dynamic_overrides;
    ConfigReport report;
    if (auto built = build(std::move(state), report); !built) {
        return fail(ErrorCode::InvalidRequest, "{}", built.error().message);
    }
    return {};
}

Status ServerConfig::validate_group_configs(const ConfigMap& configs) const {
    return check_group_configs(*state_, group_defaults(), configs);
}

const ConfigValue& ServerConfig::value(std::string_view name) const {
    return state_->value(name);
}

bool ServerConfig::get_bool(std::string_view name) const {
    return state_->get_bool(name);
}

int32_t ServerConfig::get_int(std::string_view name) const {
    return static_cast<int32_t>(state_->get_long(name));
}

int64_t ServerConfig::get_long(std::string_view name) const {
    return state_->get_long(name);
}

double ServerConfig::get_double(std::string_view name) const {
    return std::get<double>(value(name));
}

std::string ServerConfig::get_string(std::string_view name) const {
    return state_->get_string(name);
}

List ServerConfig::get_list(std::string_view name) const {
    return state_->get_list(name);
}

bool ServerConfig::is_null(std::string_view name) const {
    return state_->is_null(name);
}

const ConfigMap& ServerConfig::static_configs() const {
    return state_->static_configs;
}
const ConfigMap& ServerConfig::dynamic_defaults() const {
    return state_->dynamic_defaults;
}
const ConfigMap& ServerConfig::dynamic_overrides() const {
    return state_->dynamic_overrides;
}

int32_t ServerConfig::node_id() const {
    return get_int("node.id");
}

bool ServerConfig::is_broker() const {
    return state_->has_role("broker");
}
bool ServerConfig::is_controller() const {
    return state_->has_role("controller");
}

std::optional<std::string> ServerConfig::rack() const {
    return is_null("broker.rack") ? std::nullopt : std::optional(get_string("broker.rack"));
}

const std::vector<Endpoint>& ServerConfig::listeners() const {
    return state_->listeners;
}

std::vector<Endpoint> ServerConfig::broker_listeners() const {
    std::vector<Endpoint> out;
    std::ranges::copy_if(state_->listeners, std::back_inserter(out),
                         [&](const Endpoint& e) { return !state_->is_controller_listener(e); });
    return out;
}

std::vector<Endpoint> ServerConfig::controller_listeners() const {
    std::vector<Endpoint> out;
    std::ranges::copy_if(state_->listeners, std::back_inserter(out),
                         [&](const Endpoint& e) { return state_->is_controller_listener(e); });
    return out;
}

const std::vector<Endpoint>& ServerConfig::advertised_broker_listeners() const {
    return state_->advertised_broker;
}

const std::vector<Endpoint>& ServerConfig::advertised_controller_listeners() const {
    return state_->advertised_controller;
}

List ServerConfig::controller_listener_names() const {
    return get_list("controller.listener.names");
}

std::string ServerConfig::inter_broker_listener_name() const {
    return state_->inter_broker_listener;
}

SecurityProtocol ServerConfig::inter_broker_protocol() const {
    return state_->inter_broker_protocol;
}

SecurityProtocol ServerConfig::protocol_of(std::string_view listener_name) const {
    auto it = state_->protocol_map.find(listener_name);
    return it == state_->protocol_map.end() ? SecurityProtocol::Plaintext : it->second;
}

const std::vector<Voter>& ServerConfig::quorum_voters() const {
    return state_->voters;
}

const std::vector<HostAndPort>& ServerConfig::quorum_bootstrap_servers() const {
    return state_->bootstrap_servers;
}

List ServerConfig::log_dirs() const {
    return state_->log_dirs();
}

std::string ServerConfig::metadata_log_dir() const {
    return is_null("metadata.log.dir") ? log_dirs().front() : get_string("metadata.log.dir");
}

List ServerConfig::cordoned_log_dirs() const {
    List dirs = get_list("cordoned.log.dirs");
    return contains(dirs, "*") ? log_dirs() : dirs;
}

const LogConfig& ServerConfig::log_config() const {
    return state_->log_config;
}

ConfigMap ServerConfig::group_defaults() const {
    ConfigMap defaults;
    for (const ConfigKey& key : group_config_def().keys()) {
        auto text = key.synonyms.empty() ? format_value(default_value(key))
                                         : format_value(value(key.synonyms.front().name));
        if (text) {
            defaults.emplace(key.name, *text);
        }
    }
    return defaults;
}

int32_t ServerConfig::listener_number(std::string_view listener, std::string_view key) const {
    auto own = state_->listener_numbers.find(listener_key(listener, key));
    return own == state_->listener_numbers.end() ? get_int(key) : own->second;
}

int32_t ServerConfig::max_connections(std::string_view listener) const {
    return listener_number(listener, "max.connections");
}

int32_t ServerConfig::max_connection_creation_rate(std::string_view listener) const {
    return listener_number(listener, "max.connection.creation.rate");
}

std::map<std::string, int32_t> ServerConfig::max_connections_per_ip_overrides() const {
    return state_->ip_overrides;
}

}  // namespace moldau::config
