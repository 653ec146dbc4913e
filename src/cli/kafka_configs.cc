// kafka-configs: describe and alter the configurations of topics, brokers, broker loggers, client
// metrics subscriptions and groups.
#include <algorithm>

#include "cli/client_tool.h"
#include "cli/config_changes.h"
#include "cli/option_parser.h"
#include "cli/text.h"
#include "cli/tools.h"
#include "client/admin.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr OptionSpec kOptions[] = {
    {"add-config", Required, "", "Changes as k1=v1,k2=[v1,v2]."},
    {"add-config-file", Required, "", "A properties file of changes."},
    {"all", None, {}, "Describe every key, not only those that were set."},
    {"alter", None, {}, "Change the configuration."},
    {"bootstrap-controller", Required, "controller to connect to", "Controllers to connect to."},
    {"bootstrap-server", Required, "server to connect to", "Brokers to connect to."},
    {"broker", Required, "", "A broker's id."},
    {"broker-defaults", None, {}, "The defaults of all brokers."},
    {"broker-logger", Required, "", "The id of the broker whose loggers are meant."},
    {"client", Required, "", "A client id."},
    {"client-defaults", None, {}, "The defaults of all clients."},
    {"client-metrics", Required, "", "A client metrics subscription."},
    {"command-config", Required, "command config property file",
     "A properties file for the admin client."},
    {"delete-config", Required, "", "Keys to reset: k1,k2."},
    {"describe", None, {}, "Show the configuration."},
    {"entity-default",
     None,
     {},
     "The default entity of the type before it.",
     "String",
     "",
     false,
     true},
    {"entity-name", Required, "", "The name of the entity.", "String", "", false, true},
    {"entity-type", Required, "",
     "topics, clients, users, brokers, ips, client-metrics, groups or broker-loggers.", "String",
     "", false, true},
    {"group", Required, "", "A group's id."},
    {"ip", Required, "", "An IP address or host name."},
    {"ip-defaults", None, {}, "The defaults of all IP addresses."},
    {"topic", Required, "", "A topic's name."},
    {"user", Required, "", "A user's principal."},
    {"user-defaults", None, {}, "The defaults of all users."},
    kHelpOption,
    kVersionOption,
};

constexpr std::string_view kTypes[] = {"topics", "clients",        "users",  "brokers",
                                       "ips",    "client-metrics", "groups", "broker-loggers"};

// --topic x is short for --entity-type topics --entity-name x.
struct Shorthand {
    std::string_view option;
    std::string_view type;
    bool is_default;
};
constexpr Shorthand kShorthands[] = {
    {"topic", "topics", false},
    {"client", "clients", false},
    {"user", "users", false},
    {"broker", "brokers", false},
    {"broker-logger", "broker-loggers", false},
    {"ip", "ips", false},
    {"client-metrics", "client-metrics", false},
    {"group", "groups", false},
    {"client-defaults", "clients", true},
    {"user-defaults", "users", true},
    {"broker-defaults", "brokers", true},
    {"ip-defaults", "ips", true},
};

struct Entity {
    std::string type;
    std::optional<std::string> name;  // empty: the default entity
};

client::ConfigResourceType resource_type(std::string_view type) {
    if (type == "topics") {
        return client::ConfigResourceType::Topic;
    }
    if (type == "brokers") {
        return client::ConfigResourceType::Broker;
    }
    if (type == "broker-loggers") {
        return client::ConfigResourceType::BrokerLogger;
    }
    return type == "groups" ? client::ConfigResourceType::Group
                            : client::ConfigResourceType::ClientMetrics;
}

std::string singular(std::string_view type) {
    return std::string(type.substr(0, type.size() - 1));
}

std::string_view source_name(int8_t source) {
    switch (source) {
        case 1:
            return "DYNAMIC_TOPIC_CONFIG";
        case 2:
            return "DYNAMIC_BROKER_CONFIG";
        case 3:
            return "DYNAMIC_DEFAULT_BROKER_CONFIG";
        case 4:
            return "STATIC_BROKER_CONFIG";
        case 5:
            return "DEFAULT_CONFIG";
        case 6:
            return "DYNAMIC_BROKER_LOGGER_CONFIG";
        case 7:
            return "DYNAMIC_CLIENT_METRICS_CONFIG";
        case 8:
            return "DYNAMIC_GROUP_CONFIG";
        default:
            return "UNKNOWN";
    }
}

// The source that makes a value one of the entity's own; nothing for loggers, which show all.
std::optional<int8_t> own_source(const Entity& entity) {
    if (entity.type == "topics") {
        return 1;
    }
    if (entity.type == "brokers") {
        return entity.name->empty() ? 3 : 2;
    }
    if (entity.type == "client-metrics") {
        return 7;
    }
    return entity.type == "groups" ? std::optional<int8_t>(8) : std::nullopt;
}

// The one entity the options name. Errors: IllegalArgument with Kafka's words.
ToolResult<Entity> read_entity(const ParsedOptions& options) {
    std::vector<Entity> entities;
    for (const Shorthand& shorthand : kShorthands) {
        if (options.has(shorthand.option)) {
            entities.push_back({std::string(shorthand.type),
                                shorthand.is_default ? "" : *options.value(shorthand.option)});
        }
    }
    std::vector<std::string> types = options.values("entity-type");
    bool spelled_out =
        !types.empty() || options.has("entity-name") || options.has("entity-default");
    if (spelled_out && !entities.empty()) {
        return illegal_argument(
            "--entity-{type,name,default} should not be used in conjunction with specific entity "
            "flags");
    }
    std::vector<std::string> names = options.values("entity-name");
    for (size_t i = 0; i < types.size(); ++i) {
        Entity entity{types[i], std::nullopt};
        if (i < names.size()) {
            entity.name = names[i];
        } else if (options.has("entity-default")) {
            entity.name = "";
        }
        entities.push_back(std::move(entity));
    }
    if (!options.has("bootstrap-server") && !options.has("bootstrap-controller")) {
        return illegal_argument(
            "Either --bootstrap-server or --bootstrap-controller must be specified.");
    }
    for (const Entity& entity : entities) {
        if (std::ranges::find(kTypes, entity.type) == std::end(kTypes)) {
            return illegal_argument(
                fmt::format("Invalid entity type {}, the entity type must be one of {} with a "
                            "--bootstrap-server or --bootstrap-controller argument",
                            entity.type, fmt::join(kTypes, ", ")));
        }
    }
    if (entities.empty()) {
        return illegal_argument("At least one entity type must be specified");
    }
    Entity entity = entities.front();
    if (entities.size() > 1 || entity.type == "users" || entity.type == "clients" ||
        entity.type == "ips") {
        return illegal_argument(
            fmt::format("quotas and credentials of {} are not part of Moldau yet", entity.type));
    }
    bool of_broker = entity.type == "brokers" || entity.type == "broker-loggers";
    if (of_broker && entity.name && !entity.name->empty() && !parse_number<int32_t>(*entity.name)) {
        return illegal_argument(
            fmt::format("The entity name for {} must be a valid integer broker id, but it is: {}",
                        entity.type, *entity.name));
    }
    return entity;
}

ToolResult<void> check_action(const ParsedOptions& options, const Entity& entity) {
    if (options.has("bootstrap-server") && options.has("bootstrap-controller")) {
        return illegal_argument(
            "Only one of --bootstrap-server or --bootstrap-controller can be specified");
    }
    bool named = entity.name && !entity.name->empty();
    if (options.has("describe")) {
        if (entity.type != "brokers" && options.has("entity-default")) {
            return illegal_argument(fmt::format(
                "--entity-default must not be specified with --describe of {}", entity.type));
        }
        if (entity.type == "broker-loggers" && !named) {
            return illegal_argument(
                fmt::format("An entity name must be specified with --describe of {}", entity.type));
        }
        return {};
    }
    if (entity.type == "brokers" && !entity.name) {
        return illegal_argument(
            "An entity-name or default entity must be specified with --alter of users, clients, "
            "brokers or ips");
    }
    if (entity.type != "brokers" && !named) {
        return illegal_argument(
            fmt::format("An entity name must be specified with --alter of {}", entity.type));
    }
    if (options.has("add-config") && options.has("add-config-file")) {
        return illegal_argument("Only one of --add-config or --add-config-file must be specified");
    }
    if (!options.has("add-config") && !options.has("add-config-file") &&
        !options.has("delete-config")) {
        return illegal_argument(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified "
            "with --alter");
    }
    return {};
}

class ConfigCommand {
 public:
    ConfigCommand(const ParsedOptions& options, Entity entity, Streams& streams,
                  client::Client& client)
        : options_(options), entity_(std::move(entity)), streams_(streams), admin_(client) {}

    ToolResult<void> run() { return options_.has("describe") ? describe() : alter(); }

 private:
    ToolResult<void> alter() {
        MOLDAU_TRY(auto changes, requested_changes());
        const std::string& name = *entity_.name;
        if (entity_.type == "broker-loggers") {
            MOLDAU_TRY(auto known, entries_of(entity_, true));
            std::vector<std::string> unknown;
            for (const client::ConfigChange& change : changes) {
                if (std::ranges::find(known, change.name, &client::ConfigEntry::name) ==
                    known.end()) {
                    unknown.push_back(change.name);
                }
            }
            if (!unknown.empty()) {
                return illegal_argument(
                    fmt::format("Invalid broker logger(s): {}", fmt::join(unknown, ",")));
            }
        }
        if (auto status = admin_.alter_configs({resource_type(entity_.type), name}, changes);
            !status) {
            return std::unexpected(ToolError(status.error()));
        }
        if (name.empty()) {
            say(streams_.out, "Completed updating default config for {} in the cluster.\n",
                entity_.type);
        } else {
            say(streams_.out, "Completed updating config for {} {}.\n", singular(entity_.type),
                name);
        }
        return {};
    }

    ToolResult<std::vector<client::ConfigChange>> requested_changes() {
        std::vector<client::ConfigChange> changes;
        if (auto keys = options_.value("delete-config")) {
            for (std::string& key : parse_config_keys(*keys)) {
                changes.push_back({std::move(key), std::nullopt, client::AlterOperation::Delete});
            }
        }
        MOLDAU_TRY(auto added, load_properties(options_.value("add-config-file")));
        if (auto text = options_.value("add-config")) {
            auto pairs = parse_config_changes(*text);
            if (!pairs) {
                return illegal_argument(
                    "requirement failed: Invalid entity config: all configs to be added must be in "
                    "the format \"key=val\" or  \"key=[val1,val2]\" to group values which contain "
                    "commas.");
            }
            added.insert(pairs->begin(), pairs->end());
        }
        for (auto& [key, value] : added) {
            changes.push_back({key, value, client::AlterOperation::Set});
        }
        return changes;
    }

    ToolResult<void> describe() {
        bool all = options_.has("all");
        if (entity_.name && !all) {
            MOLDAU_TRY(bool exists, entity_exists());
            if (!exists) {
                say(streams_.out, "The {} '{}' doesn't exist and doesn't have dynamic config.\n",
                    singular(entity_.type), *entity_.name);
                return {};
            }
        }
        std::vector<std::string> names;
        if (entity_.name) {
            names.push_back(*entity_.name);
        } else {
            MOLDAU_TRY(names, entity_names());
        }
        for (const std::string& name : names) {
            Entity entity{entity_.type, name};
            MOLDAU_TRY(auto entries, entries_of(entity, all));
            if (name.empty()) {
                say(streams_.out, "Default configs for {} in the cluster are:\n", entity.type);
            } else {
                say(streams_.out, "{} configs for {} {} are:\n", all ? "All" : "Dynamic",
                    singular(entity.type), name);
            }
            for (const client::ConfigEntry& entry : entries) {
                print(entry);
            }
        }
        return {};
    }

    // By name; only the entity's own unless `all`.
    ToolResult<std::vector<client::ConfigEntry>> entries_of(const Entity& entity, bool all) {
        std::vector<client::ConfigResource> resources{{resource_type(entity.type), *entity.name}};
        MOLDAU_TRY(auto described, admin_.describe_configs(resources, true));
        std::vector<client::ConfigEntry> entries;
        std::optional<int8_t> own = own_source(entity);
        for (client::ConfigEntry& entry : described[resources.front()]) {
            if (all || !own || entry.source == *own) {
                entries.push_back(std::move(entry));
            }
        }
        std::ranges::sort(entries, {}, &client::ConfigEntry::name);
        return entries;
    }

    void print(const client::ConfigEntry& entry) {
        std::vector<std::string> synonyms;
        for (const client::ConfigSynonym& synonym : entry.synonyms) {
            synonyms.push_back(fmt::format("{}:{}={}", source_name(synonym.source), synonym.name,
                                           synonym.value.value_or("null")));
        }
        say(streams_.out, "  {}={} sensitive={} synonyms={{{}}}\n", entry.name,
            entry.value.value_or("null"), entry.sensitive, fmt::join(synonyms, ", "));
    }

    ToolResult<bool> entity_exists() {
        if (entity_.name->empty()) {
            return true;
        }
        MOLDAU_TRY(auto names, entity_names());
        return std::ranges::find(names, *entity_.name) != names.end();
    }

    ToolResult<std::vector<std::string>> entity_names() {
        std::vector<std::string> names;
        if (entity_.type == "topics") {
            MOLDAU_TRY(auto topics, admin_.list_topics());
            for (auto& topic : topics) {
                names.push_back(std::move(topic.name));
            }
        } else if (entity_.type == "brokers" || entity_.type == "broker-loggers") {
            MOLDAU_TRY(auto nodes, admin_.describe_cluster());
            for (const auto& node : nodes) {
                names.push_back(fmt::format("{}", node.id));
            }
            names.emplace_back();
        } else {
            MOLDAU_TRY(names, admin_.list_config_resources(resource_type(entity_.type)));
            if (entity_.type == "groups") {
                MOLDAU_TRY(auto groups, admin_.list_groups());
                for (auto& group : groups) {
                    if (std::ranges::find(names, group.id) == names.end()) {
                        names.push_back(std::move(group.id));
                    }
                }
            }
        }
        return names;
    }

    const ParsedOptions& options_;
    const Entity entity_;
    Streams& streams_;
    client::Admin admin_;
};

int complain(Streams& streams, Arguments arguments, const ToolError& error) {
    bool plain = error.java_class == kIllegalArgument ||
                 error.java_class.ends_with(".UnsupportedVersionException");
    if (plain) {
        say(streams.err, "{}\n", error.message);
        return 1;
    }
    say(streams.err, "Error while executing config command with args '{}'\n",
        fmt::join(arguments, " "));
    say(streams.err, "java.util.concurrent.ExecutionException: {}\n", error.str());
    return 1;
}

}  // namespace

int run_kafka_configs(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto options = parser.parse(arguments);
    if (!options) {
        say(streams.err, "{}\n", options.error().message);
        return 1;
    }
    if (auto code =
            help_or_version(streams, parser, *options,
                            "This tool helps to manipulate and describe entity config for a "
                            "topic, client, user, broker, ip, client-metrics or group")) {
        return *code;
    }
    if (options->has("alter") == options->has("describe")) {
        return usage_error(streams, parser,
                           "Command must include exactly one action: --describe, --alter");
    }
    if (auto message = conflicting(*options, "describe", {"add-config", "delete-config"})) {
        return usage_error(streams, parser, *message);
    }
    auto entity = read_entity(*options);
    if (!entity) {
        return complain(streams, arguments, entity.error());
    }
    if (auto valid = check_action(*options, *entity); !valid) {
        return complain(streams, arguments, valid.error());
    }
    auto properties = load_properties(options->value("command-config"));
    if (!properties) {
        return complain(streams, arguments, properties.error());
    }
    if (auto servers = options->value("bootstrap-server")) {
        properties->insert_or_assign("bootstrap.servers", *servers);
    } else {
        properties->insert_or_assign("bootstrap.controllers",
                                     *options->value("bootstrap-controller"));
    }
    auto client = make_client(*properties);
    if (!client) {
        return complain(streams, arguments, client.error());
    }
    auto done = ConfigCommand(*options, std::move(*entity), streams, **client).run();
    return done ? 0 : complain(streams, arguments, done.error());
}

}  // namespace moldau::cli
