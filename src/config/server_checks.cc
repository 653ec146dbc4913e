#include "config/server_checks.h"

#include <charconv>
#include <set>

#include "config/rules.h"

namespace moldau::config {
namespace {

using List = std::vector<std::string>;

constexpr std::string_view kAnyAddress = "0.0.0.0";

std::string upper(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::toupper(c); });
    return out;
}

std::optional<SecurityProtocol> protocol_by_name(std::string_view name) {
    std::string wanted = upper(name);
    for (auto protocol : {SecurityProtocol::Plaintext, SecurityProtocol::Ssl,
                          SecurityProtocol::SaslPlaintext, SecurityProtocol::SaslSsl}) {
        if (wanted == security_protocol_name(protocol)) {
            return protocol;
        }
    }
    return std::nullopt;
}

bool is_ssl_or_sasl(std::string_view name) {
    return name == "SSL" || name == "SASL_SSL" || name == "SASL_PLAINTEXT";
}

// `a:1, b:2`, split at the last colon of each entry because hosts may hold colons.
Result<std::map<std::string, std::string>> parse_map(std::string_view name, std::string_view text) {
    std::map<std::string, std::string> entries;
    for (const std::string& entry : split_list(text)) {
        size_t colon = entry.rfind(':');
        if (colon == std::string::npos) {
            return fail(ErrorCode::InvalidConfig,
                        "Error parsing configuration property '{}': an entry needs the form "
                        "key:value, found '{}'",
                        name, entry);
        }
        entries.insert_or_assign(entry.substr(0, colon), entry.substr(colon + 1));
    }
    return entries;
}

Status resolve_protocol_map(ServerState& state) {
    constexpr std::string_view kName = "listener.security.protocol.map";
    MOLDAU_TRY(auto entries, parse_map(kName, state.get_string(kName)));
    for (const auto& [listener, protocol_name] : entries) {
        auto protocol = protocol_by_name(protocol_name);
        if (!protocol) {
            return fail(ErrorCode::InvalidConfig, "Invalid security protocol `{}` defined in {}",
                        protocol_name, kName);
        }
        state.protocol_map.insert_or_assign(upper(listener), *protocol);
    }
    if (state.is_given(kName)) {
        return {};
    }
    // A default map: controller listeners are plain, unless anything here is secured.
    List controllers = state.get_list("controller.listener.names");
    List listeners = state.get_list("listeners");
    bool secured = std::ranges::any_of(controllers, is_ssl_or_sasl) ||
                   std::ranges::any_of(listeners, [](const std::string& entry) {
                       return is_ssl_or_sasl(upper(entry.substr(0, entry.find(':'))));
                   });
    if (!secured) {
        for (const std::string& name : controllers) {
            if (name != "PLAINTEXT") {
                state.protocol_map.insert_or_assign(name, SecurityProtocol::Plaintext);
            }
        }
    }
    return {};
}

// NAME://host:port, the host possibly empty or [v6].
Result<Endpoint> parse_endpoint(const ServerState& state, std::string_view entry) {
    auto bad = [&] {
        return fail(ErrorCode::InvalidConfig, "Unable to parse {} to a broker endpoint", entry);
    };
    size_t scheme = entry.rfind("://");
    size_t colon = entry.rfind(':');
    if (scheme == std::string_view::npos || colon < scheme + 3) {
        return bad();
    }
    std::string_view host = entry.substr(scheme + 3, colon - scheme - 3);
    if (host.starts_with('[')) {
        host.remove_prefix(1);
    }
    if (host.ends_with(']')) {
        host.remove_suffix(1);
    }
    std::string_view port = entry.substr(colon + 1);
    Endpoint endpoint;
    endpoint.listener_name = upper(entry.substr(0, scheme));
    endpoint.host = host;
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (port.empty() || error != std::errc() || end != port.data() + port.size() ||
        !is_valid_host(host)) {
        return bad();
    }
    auto protocol = state.protocol_map.find(endpoint.listener_name);
    if (protocol == state.protocol_map.end()) {
        return fail(ErrorCode::InvalidConfig, "No security protocol defined for listener {}",
                    endpoint.listener_name);
    }
    endpoint.protocol = protocol->second;
    return endpoint;
}

bool is_ipv4(std::string_view host) {
    return std::ranges::count(host, '.') == 3 &&
           host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_ipv6(std::string_view host) {
    return host.contains(':') &&
           host.find_first_not_of("0123456789abcdefABCDEF:.%") == std::string_view::npos;
}

// One port may be shared by exactly one IPv4 and one IPv6 address.
Status check_ports(const std::vector<Endpoint>& endpoints, const List& entries) {
    std::map<int32_t, std::vector<std::string>> by_port;
    for (const Endpoint& endpoint : endpoints) {
        if (endpoint.port != 0) {
            by_port[endpoint.port].push_back(endpoint.host);
        }
    }
    for (const auto& [port, hosts] : by_port) {
        if (hosts.size() < 2) {
            continue;
        }
        bool all_addresses = std::ranges::all_of(
            hosts, [](const std::string& host) { return is_ipv4(host) || is_ipv6(host); });
        if (!all_addresses) {
            return fail(ErrorCode::InvalidConfig,
                        "Each listener must have a different port, listeners: {}",
                        java_list(entries));
        }
        if (hosts.size() > 2) {
            return fail(ErrorCode::InvalidConfig,
                        "Each listener must have a different port unless exactly one listener has "
                        "an IPv4 address and the other IPv6 address, listeners: {}, port: {}",
                        java_list(entries), port);
        }
        if (is_ipv4(hosts[0]) == is_ipv4(hosts[1])) {
            return fail(ErrorCode::InvalidConfig,
                        "If you have two listeners on the same port then one needs to be IPv4 and "
                        "the other IPv6, listeners: {}, port: {}",
                        java_list(entries), port);
        }
    }
    return {};
}

Result<std::vector<Endpoint>> parse_endpoints(const ServerState& state, const List& entries,
                                              bool distinct_ports) {
    auto wrap = [&](const Error& error) {
        return fail(ErrorCode::InvalidConfig, "Error creating broker listeners from '{}': {}",
                    java_list(entries), error.message);
    };
    std::vector<Endpoint> endpoints;
    std::set<std::string> names;
    for (const std::string& entry : entries) {
        auto endpoint = parse_endpoint(state, entry);
        if (!endpoint) {
            return wrap(endpoint.error());
        }
        names.insert(endpoint->listener_name);
        endpoints.push_back(std::move(*endpoint));
    }
    if (names.size() != endpoints.size()) {
        return wrap({ErrorCode::InvalidConfig,
                     fmt::format("Each listener must have a different name, listeners: {}",
                                 java_list(entries))});
    }
    if (distinct_ports) {
        if (auto ports = check_ports(endpoints, entries); !ports) {
            return wrap(ports.error());
        }
    }
    return endpoints;
}

// What this controller tells others: its advertised listener, else its listener; a host that means
// "every address" gives way to the one controller.quorum.voters names for this node.
std::vector<Endpoint> advertised_controllers(const ServerState& state,
                                             const std::vector<Endpoint>& advertised) {
    std::vector<Endpoint> out;
    bool first = true;
    for (const std::string& name : state.get_list("controller.listener.names")) {
        auto same_name = [&](const Endpoint& e) { return e.listener_name == upper(name); };
        auto given = std::ranges::find_if(advertised, same_name);
        auto own = std::ranges::find_if(state.listeners, same_name);
        if (given != advertised.end()) {
            out.push_back(*given);
        } else if (own != state.listeners.end()) {
            Endpoint endpoint = *own;
            bool anywhere = endpoint.host.empty() || endpoint.host == kAnyAddress;
            auto voter = std::ranges::find(
                state.voters, static_cast<int32_t>(state.get_long("node.id")), &Voter::id);
            if (anywhere && first && voter != state.voters.end()) {
                endpoint.host = voter->address.host;
                endpoint.port = voter->address.port;
            } else if (endpoint.host == kAnyAddress) {
                endpoint.host.clear();
            }
            out.push_back(std::move(endpoint));
        }
        first = false;
    }
    return out;
}

Status resolve_inter_broker(ServerState& state) {
    if (state.is_null("inter.broker.listener.name")) {
        state.inter_broker_protocol =
            *protocol_by_name(state.get_string("security.inter.broker.protocol"));
        state.inter_broker_listener = security_protocol_name(state.inter_broker_protocol);
        return {};
    }
    if (state.is_given("security.inter.broker.protocol")) {
        return fail(ErrorCode::InvalidConfig,
                    "Only one of inter.broker.listener.name and security.inter.broker.protocol "
                    "should be set.");
    }
    state.inter_broker_listener = upper(state.get_string("inter.broker.listener.name"));
    auto protocol = state.protocol_map.find(state.inter_broker_listener);
    if (protocol == state.protocol_map.end()) {
        return fail(ErrorCode::InvalidConfig,
                    "Listener with name {} defined in inter.broker.listener.name not found in "
                    "listener.security.protocol.map.",
                    state.inter_broker_listener);
    }
    state.inter_broker_protocol = protocol->second;
    return {};
}

// What a listener may have for itself; Kafka demands that these numbers be above zero.
Status read_listener_numbers(ServerState& state) {
    for (const Endpoint& endpoint : state.listeners) {
        for (std::string_view key : {"max.connections", "max.connection.creation.rate"}) {
            std::string name = listener_key(endpoint.listener_name, key);
            const std::string* text = state.find_given(name);
            if (text == nullptr) {
                continue;
            }
            int32_t number = 0;
            auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
            if (error != std::errc() || end != text->data() + text->size()) {
                return invalid_value(name, *text, "Not a number of type INT");
            }
            if (number <= 0) {
                return fail(ErrorCode::InvalidConfig, "Invalid {} {}", key, number);
            }
            state.listener_numbers.emplace(std::move(name), number);
        }
    }
    return {};
}

Status resolve(ServerState& state) {
    MOLDAU_CHECK(resolve_protocol_map(state));
    MOLDAU_TRY(auto voters, parse_voters(state.get_list("controller.quorum.voters")));
    for (auto& [id, address] : voters) {
        state.voters.push_back({id, {address.host, address.port}});
    }
    MOLDAU_TRY(auto servers,
               parse_bootstrap_servers(state.get_list("controller.quorum.bootstrap.servers")));
    for (auto& address : servers) {
        state.bootstrap_servers.push_back({address.host, address.port});
    }
    MOLDAU_TRY(state.listeners, parse_endpoints(state, state.get_list("listeners"), true));
    std::vector<Endpoint> advertised;
    if (!state.is_null("advertised.listeners")) {
        MOLDAU_TRY(advertised,
                   parse_endpoints(state, state.get_list("advertised.listeners"), false));
    }
    const auto& source = state.is_null("advertised.listeners") ? state.listeners : advertised;
    for (const Endpoint& endpoint : source) {
        if (!state.is_controller_listener(endpoint)) {
            state.advertised_broker.push_back(endpoint);
        }
    }
    state.advertised_controller = advertised_controllers(state, advertised);
    MOLDAU_CHECK(resolve_inter_broker(state));
    MOLDAU_TRY(auto overrides, parse_map("max.connections.per.ip.overrides",
                                         state.get_string("max.connections.per.ip.overrides")));
    for (const auto& [host, text] : overrides) {
        int32_t limit = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
        if (error != std::errc() || end != text.data() + text.size()) {
            return invalid_value("max.connections.per.ip.overrides", text,
                                 "Not a number of type INT");
        }
        if (!is_valid_host(host)) {
            return fail(ErrorCode::InvalidConfig,
                        "max.connections.per.ip.overrides contains invalid addresses : {}", host);
        }
        state.ip_overrides.emplace(host, limit);
    }
    return read_listener_numbers(state);
}

std::string names_of(const std::vector<Endpoint>& endpoints) {
    List names;
    std::ranges::transform(endpoints, std::back_inserter(names), &Endpoint::listener_name);
    return fmt::format("{}", fmt::join(names, ","));
}

std::string voter_ids(const ServerState& state) {
    std::vector<int32_t> ids;
    std::ranges::transform(state.voters, std::back_inserter(ids), &Voter::id);
    return fmt::format("Set({})", fmt::join(ids, ", "));
}

// Adds `message` to the errors unless `kept`.
struct Requirements {
    std::vector<std::string>& errors;

    void operator()(bool kept, std::string message) const {
        if (!kept) {
            errors.push_back(std::move(message));
        }
    }
};

void check_controller_role(const ServerState& state, const Requirements& require) {
    int64_t node_id = state.get_long("node.id");
    bool is_voter = contains(state.voters, node_id, &Voter::id);
    require(state.voters.empty() || is_voter,
            fmt::format("If process.roles contains the 'controller' role, the node id {} must be "
                        "included in the set of voters controller.quorum.voters={}",
                        node_id, voter_ids(state)));
    require(!state.advertised_controller.empty(),
            "controller.listener.names must contain at least one value appearing in the "
            "'listeners' configuration when running the KRaft controller role");
    bool all_listen = std::ranges::all_of(
        state.get_list("controller.listener.names"), [&](const std::string& name) {
            return contains(state.listeners, name, &Endpoint::listener_name);
        });
    require(all_listen,
            "controller.listener.names must only contain values appearing in the 'listeners' "
            "configuration when running the KRaft controller role");
}

void check_broker_only(const ServerState& state, const Requirements& require) {
    int64_t node_id = state.get_long("node.id");
    require(!contains(state.voters, node_id, &Voter::id),
            fmt::format("If process.roles contains just the 'broker' role, the node id {} must not "
                        "be included in the set of voters controller.quorum.voters={}",
                        node_id, voter_ids(state)));
    bool none_listens = std::ranges::none_of(
        state.listeners, [&](const Endpoint& e) { return state.is_controller_listener(e); });
    require(none_listens,
            "controller.listener.names must not contain a value appearing in the 'listeners' "
            "configuration when running KRaft with just the broker role");
    for (const std::string& name : state.get_list("controller.listener.names")) {
        require(state.protocol_map.contains(upper(name)),
                fmt::format("Controller listener with name {} defined in controller.listener.names "
                            "not found in listener.security.protocol.map  (an explicit security "
                            "mapping for each controller listener is required if "
                            "listener.security.protocol.map is non-empty, or if there are security "
                            "protocols other than PLAINTEXT in use)",
                            upper(name)));
    }
    require(!state.get_bool("controller.quorum.auto.join.enable"),
            "controller.quorum.auto.join.enable is only supported when process.roles contains the "
            "'controller' role.");
}

void check_controller_only(const ServerState& state, const Requirements& require) {
    require(state.advertised_controller.size() == state.listeners.size(),
            "The listeners config must only contain KRaft controller listeners from "
            "controller.listener.names when process.roles=controller");
    bool named = !state.is_null("inter.broker.listener.name");
    bool reused =
        contains(state.get_list("controller.listener.names"), state.inter_broker_listener);
    require(!named || !reused,
            "controller.listener.names must not contain an explicitly set "
            "inter.broker.listener.name configuration value when process.roles=controller");
}

void check_cordoned_dirs(const ServerState& state, const Requirements& require) {
    List cordoned = state.get_list("cordoned.log.dirs");
    if (contains(cordoned, "*")) {
        require(cordoned.size() == 1,
                "When cordoned.log.dirs is set to *, it must not contain other values");
        return;
    }
    List dirs = state.log_dirs();
    List missing;
    std::ranges::copy_if(cordoned, std::back_inserter(missing),
                         [&](const std::string& dir) { return !contains(dirs, dir); });
    require(missing.empty(), fmt::format("All entries in cordoned.log.dirs must be present in "
                                         "log.dirs or log.dir. Missing entries : {}",
                                         fmt::join(missing, ", ")));
}

void check_broker_role(const ServerState& state, const Requirements& require) {
    require(!state.advertised_broker.empty(),
            "There must be at least one broker advertised listener. Perhaps all listeners appear "
            "in controller.listener.names?");
    require(
        contains(state.advertised_broker, state.inter_broker_listener, &Endpoint::listener_name),
        fmt::format("inter.broker.listener.name must be a listener name defined in "
                    "advertised.listeners. The valid options based on currently configured "
                    "listeners are {}",
                    names_of(state.advertised_broker)));
    bool subset = std::ranges::all_of(state.advertised_broker, [&](const Endpoint& advertised) {
        return contains(state.listeners, advertised.listener_name, &Endpoint::listener_name);
    });
    require(subset, fmt::format("advertised.listeners listener names must be equal to or a subset "
                                "of the ones defined in listeners. Found {}. The valid options "
                                "based on the current configuration are {}",
                                names_of(state.advertised_broker), names_of(state.listeners)));
    check_cordoned_dirs(state, require);
}

void check_values(const ServerState& state, const Requirements& require, ConfigReport& report) {
    require(state.get_long("node.id") == state.get_long("broker.id"),
            "You must set `node.id` to the same value as `broker.id`.");
    require(state.log_config.segment_jitter_ms >= 0,
            "log.roll.jitter.ms must be greater than or equal to 0");
    require(state.log_config.segment_ms >= 1, "log.roll.ms must be greater than or equal to 1");
    require(state.log_config.retention_ms >= 1 || state.log_config.retention_ms == -1,
            "log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
    int64_t cleaner_threads = std::max<int64_t>(state.get_long("log.cleaner.threads"), 1);
    require(state.get_long("log.cleaner.dedupe.buffer.size") / cleaner_threads > 1024 * 1024,
            "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
    require(
        state.get_long("replica.fetch.wait.max.ms") <= state.get_long("replica.socket.timeout.ms"),
        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to "
        "prevent unnecessary socket timeouts");
    require(
        state.get_long("replica.fetch.wait.max.ms") <= state.get_long("replica.lag.time.max.ms"),
        "replica.fetch.wait.max.ms should always be less than or equal to "
        "replica.lag.time.max.ms to prevent frequent changes in ISR");
    int64_t heartbeat = state.get_long("broker.heartbeat.interval.ms");
    int64_t session = state.get_long("broker.session.timeout.ms");
    if (heartbeat * 2 > session) {
        report.warnings.push_back(
            fmt::format("broker.heartbeat.interval.ms ({} ms) must be less than or equal to half "
                        "of the broker.session.timeout.ms ({} ms).",
                        heartbeat, session));
    }
    int64_t queued = state.get_long("queued.max.request.bytes");
    require(queued <= 0 || queued >= state.get_long("socket.request.max.bytes"),
            "queued.max.request.bytes must be larger or equal to socket.request.max.bytes");
    require(state.get_long("max.connections.per.ip") != 0 || !state.ip_overrides.empty(),
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides "
            "property is set.");
    int64_t delay = state.get_long("connection.failed.authentication.delay.ms");
    int64_t idle = state.get_long("connections.max.idle.ms");
    require(idle < 0 || delay < idle,
            fmt::format("connection.failed.authentication.delay.ms={} should always be less than "
                        "connections.max.idle.ms={} to prevent failed authentication responses "
                        "from timing out",
                        delay, idle));
    List protocols = state.get_list("group.coordinator.rebalance.protocols");
    require(contains(protocols, "classic"), "Disabling the 'classic' protocol is not supported.");
}

void check_addresses(const ServerState& state, const Requirements& require) {
    auto is_anywhere = [](const Endpoint& endpoint) { return endpoint.host == kAnyAddress; };
    require(std::ranges::none_of(state.advertised_broker, is_anywhere) &&
                std::ranges::none_of(state.advertised_controller, is_anywhere),
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable "
            "IP address.");
    bool sasl = state.inter_broker_protocol == SecurityProtocol::SaslPlaintext ||
                state.inter_broker_protocol == SecurityProtocol::SaslSsl;
    bool enabled = contains(state.get_list("sasl.enabled.mechanisms"),
                            state.get_string("sasl.mechanism.inter.broker.protocol"));
    require(!sasl || enabled,
            "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when "
            "SASL is used for inter-broker communication");
}

// "[a, b]" of the names in `configs` that `pick` chooses.
template <typename Pick>
List pick_names(const ConfigMap& configs, Pick pick) {
    List names;
    for (const auto& [name, text] : configs) {
        if (pick(name)) {
            names.push_back(name);
        }
    }
    return names;
}

bool is_thread_count(std::string_view name) {
    return name == "num.io.threads" || name == "num.replica.fetchers" ||
           name == "num.recovery.threads.per.data.dir" || name == "background.threads" ||
           name == "num.network.threads";
}

// A thread pool may at most double or halve in one change.
Status check_thread_count(const ServerState& state, std::string_view name, int64_t wanted) {
    int64_t current = state.get_long(name);
    std::string why;
    if (wanted == current) {
        return {};
    }
    if (wanted <= 0) {
        why = "value should be at least 1";
    } else if (wanted < current / 2) {
        why = fmt::format("value should be at least half the current value {}", current);
    } else if (wanted > current * 2) {
        why = fmt::format("value should not be greater than double the current value {}", current);
    } else {
        return {};
    }
    return fail(
        ErrorCode::InvalidRequest,
        "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count "
        "update validation failed for {}={}, {} for configuration Invalid dynamic "
        "configuration",
        name, wanted, why);
}

// The cleaner's threads follow the same rule in words of their own.
Status check_cleaner_threads(const ServerState& state, int64_t wanted) {
    int64_t current = state.get_long("log.cleaner.threads");
    std::string why;
    if (wanted < 1) {
        why = "Log cleaner threads should be at least 1";
    } else if (wanted < current / 2) {
        why = fmt::format(
            "Log cleaner threads cannot be reduced to less than half the current value {}",
            current);
    } else if (wanted > current * 2) {
        why = fmt::format(
            "Log cleaner threads cannot be increased to more than double the current value {}",
            current);
    } else {
        return {};
    }
    return fail(ErrorCode::InvalidRequest,
                "Invalid value org.apache.kafka.common.config.ConfigException: {} for "
                "configuration Invalid dynamic configuration",
                why);
}

Status check_bound(const ServerState& state, std::string_view name, int64_t value,
                   std::string_view bound, bool at_least) {
    if (bound.empty()) {
        return {};
    }
    int64_t limit = state.get_long(bound);
    if (at_least ? value < limit : value > limit) {
        return fail(ErrorCode::InvalidConfig, "{} must be {} than or equal to {}", name,
                    at_least ? "greater" : "less", bound);
    }
    return {};
}

}  // namespace

void check_server(ServerState& state, ConfigReport& report) {
    Requirements require{report.errors};
    if (auto resolved = resolve(state); !resolved) {
        report.errors.push_back(resolved.error().message);
        return;
    }
    check_values(state, require, report);
    require(!state.voters.empty() || !state.bootstrap_servers.empty(),
            "If using process.roles, either controller.quorum.bootstrap.servers must contain the "
            "set of bootstrap controllers or controller.quorum.voters must contain a parseable set "
            "of controllers.");
    bool broker = state.has_role("broker");
    bool controller = state.has_role("controller");
    if (controller) {
        check_controller_role(state, require);
    }
    if (broker && !controller) {
        check_broker_only(state, require);
    }
    if (controller && !broker) {
        check_controller_only(state, require);
    }
    if (broker) {
        check_broker_role(state, require);
    }
    check_addresses(state, require);
}

Status check_dynamic(const ServerState& state, const ConfigMap& proposed, bool per_broker) {
    auto refuse = [](const List& names, std::string_view why) -> Status {
        if (names.empty()) {
            return {};
        }
        return fail(ErrorCode::InvalidRequest, "{}: {}", why, java_list(names));
    };
    auto mode_is = [](std::string_view name, DynamicMode mode) {
        const ConfigKey* key = broker_config_def().find(name);
        return key != nullptr && key->dynamic == mode;
    };
    MOLDAU_CHECK(refuse(
        pick_names(proposed, [&](auto& name) { return mode_is(name, DynamicMode::ReadOnly); }),
        "Cannot update these configs dynamically"));
    MOLDAU_CHECK(refuse(pick_names(proposed,
                                   [&](auto& name) {
                                       return name.starts_with("ssl.") &&
                                              mode_is(name, DynamicMode::PerBroker);
                                   }),
                        "These security configs can be dynamically updated only per-listener using "
                        "the listener prefix"));
    for (const auto& [name, text] : proposed) {
        const ConfigKey* key = broker_config_def().find(name);
        key = key != nullptr ? key : broker_dynamic_only_def().find(name);
        if (key == nullptr) {
            continue;
        }
        auto value = parse_value(*key, text);
        if (!value) {
            return fail(ErrorCode::InvalidRequest, "{}", value.error().message);
        }
        if (is_thread_count(name)) {
            MOLDAU_CHECK(check_thread_count(state, name, std::get<int64_t>(*value)));
        }
        if (name == "log.cleaner.threads") {
            MOLDAU_CHECK(check_cleaner_threads(state, std::get<int64_t>(*value)));
        }
    }
    if (!per_broker) {
        MOLDAU_CHECK(refuse(
            pick_names(proposed, [&](auto& name) { return mode_is(name, DynamicMode::PerBroker); }),
            "Cannot update these configs at default cluster level, broker id must be specified"));
    }
    return {};
}

Status check_group_configs(const ServerState& state, const ConfigMap& defaults,
                           const ConfigMap& configs) {
    std::map<std::string_view, ConfigValue> values;
    for (const auto& [name, text] : configs) {
        if (group_config_def().find(name) == nullptr) {
            return fail(ErrorCode::InvalidConfig, "Unknown group config name: {}", name);
        }
    }
    for (const ConfigKey& key : group_config_def().keys()) {
        auto given = configs.find(key.name);
        auto fallback = defaults.find(key.name);
        std::optional<std::string_view> text;
        if (given != configs.end()) {
            text = given->second;
        } else if (fallback != defaults.end()) {
            text = fallback->second;
        }
        MOLDAU_TRY(auto value, parse_value(key, text));
        if (const auto* number = std::get_if<int64_t>(&value); number && given != configs.end()) {
            MOLDAU_CHECK(check_bound(state, key.name, *number, key.broker_min, true));
            MOLDAU_CHECK(check_bound(state, key.name, *number, key.broker_max, false));
        }
        values.emplace(key.name, std::move(value));
    }
    MOLDAU_CHECK(check_bound(state, "streams.num.standby.replicas",
                             std::get<int64_t>(values["streams.num.standby.replicas"]),
                             "group.streams.max.standby.replicas", false));
    for (std::string_view kind : {"consumer", "share", "streams"}) {
        std::string session = fmt::format("{}.session.timeout.ms", kind);
        std::string heartbeat = fmt::format("{}.heartbeat.interval.ms", kind);
        if (std::get<int64_t>(values[session]) <= std::get<int64_t>(values[heartbeat])) {
            return fail(ErrorCode::InvalidConfig, "{} must be greater than {}", session, heartbeat);
        }
    }
    return {};
}

}  // namespace moldau::config
