#include "broker/config_admin.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include <fmt/ranges.h>

#include "config/config_def.h"
#include "runtime/logging.h"

namespace moldau::broker {

namespace {

using metadata::ConfigResourceType;
using protocol::AlterConfigsRequest;
using protocol::IncrementalAlterConfigsRequest;

runtime::Logger log_("kafka.server.ConfigAdminManager");

enum Operation : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

constexpr std::array<std::string_view, 6> kLogLevels = {"DEBUG", "ERROR", "FATAL",
                                                        "INFO",  "TRACE", "WARN"};
constexpr std::string_view kRootLogger = "root";

std::optional<int32_t> parse_id(std::string_view text) {
    int32_t id = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    bool whole = error == std::errc() && end == text.data() + text.size();
    return whole ? std::optional(id) : std::nullopt;
}

template <typename Configs>
Status check_keys(const Configs& configs,
                  bool (*needs_value)(const typename Configs::value_type&)) {
    std::set<std::string_view> seen;
    std::vector<std::string_view> without_value;
    for (const auto& config : configs) {
        if (!seen.insert(config.name).second) {
            return fail(ErrorCode::InvalidRequest, "Error due to duplicate config keys");
        }
        if (!config.value && needs_value(config)) {
            without_value.push_back(config.name);
        }
    }
    if (!without_value.empty()) {
        return fail(ErrorCode::InvalidRequest, "Null value not supported for : {}",
                    fmt::join(without_value, ", "));
    }
    return {};
}

// --- loggers -------------------------------------------------------------------------------------

runtime::LogLevel level_of(std::string_view name) {
    using enum runtime::LogLevel;
    return name == "TRACE"   ? Trace
           : name == "DEBUG" ? Debug
           : name == "WARN"  ? Warn
           : name == "ERROR" ? Error
           : name == "FATAL" ? Fatal
                             : Info;
}

std::optional<runtime::LogLevel> present_level(std::string_view logger) {
    for (const runtime::LoggerLevel& known : runtime::logger_levels()) {
        if (known.name == logger) {
            return known.level;
        }
    }
    return std::nullopt;
}

Status check_logger_change(const IncrementalAlterConfigsRequest::AlterableConfig& config) {
    if (config.config_operation == kAppend || config.config_operation == kSubtract) {
        return fail(ErrorCode::InvalidRequest,
                    "{} operation is not allowed for the BROKER_LOGGER resource",
                    config.config_operation == kAppend ? "APPEND" : "SUBTRACT");
    }
    if (config.config_operation != kSet && config.config_operation != kDelete) {
        return fail(ErrorCode::InvalidRequest,
                    "Unknown operation type {} is not allowed for the BROKER_LOGGER resource",
                    config.config_operation);
    }
    if (!present_level(config.name)) {
        return fail(ErrorCode::InvalidConfig, "Logger {} does not exist!", config.name);
    }
    if (config.config_operation == kDelete && config.name == kRootLogger) {
        return fail(ErrorCode::InvalidRequest,
                    "Removing the log level of the root logger is not allowed");
    }
    if (config.config_operation == kSet &&
        std::ranges::find(kLogLevels, *config.value) == kLogLevels.end()) {
        return fail(
            ErrorCode::InvalidConfig,
            "Cannot set the log level of {} to {} as it is not a supported log level. Valid "
            "log levels are {}",
            config.name, *config.value, fmt::join(kLogLevels, ", "));
    }
    return {};
}

Status change_loggers(const ConfigAdminContext& context,
                      const IncrementalAlterConfigsRequest::AlterConfigsResource& resource,
                      bool validate_only) {
    std::optional<int32_t> id = parse_id(resource.resource_name);
    if (!id) {
        return fail(ErrorCode::InvalidRequest, "Node id must be an integer, but it is: {}",
                    resource.resource_name);
    }
    if (*id != context.node_id) {
        return fail(ErrorCode::InvalidRequest, "Unexpected node id. Expected {}, but received {}",
                    context.node_id, *id);
    }
    for (const auto& config : resource.configs) {
        MOLDAU_CHECK(check_logger_change(config));
    }
    if (validate_only) {
        return {};
    }
    for (const auto& config : resource.configs) {
        if (config.config_operation == kSet) {
            runtime::set_log_level(config.name, level_of(*config.value));
            MOLDAU_LOG_WARN(log_, "Updated the log level of {} to {}", config.name, *config.value);
        } else {
            // Without a level of its own a logger has that of the root.
            runtime::set_log_level(config.name,
                                   present_level(kRootLogger).value_or(runtime::LogLevel::Info));
            MOLDAU_LOG_WARN(log_, "Unset the log level of {}", config.name);
        }
    }
    return {};
}

// --- broker configs ------------------------------------------------------------------------------

const config::ConfigKey* find_broker_key(std::string_view name) {
    const config::ConfigKey* key = config::broker_config_def().find(name);
    return key != nullptr ? key : config::broker_dynamic_only_def().find(name);
}

Result<std::string> changed_list(std::string_view name, const std::string& operand, bool append,
                                 const config::ConfigMap& present) {
    const config::ConfigKey* key = find_broker_key(name);
    if (key == nullptr) {
        return fail(ErrorCode::InvalidConfig, "Unknown config name: {}", name);
    }
    if (key->type != config::ConfigType::List) {
        return fail(ErrorCode::InvalidConfig, "Config value {} is not allowed for config key: {}",
                    append ? "append" : "subtract", name);
    }
    auto at = present.find(std::string(name));
    std::string_view before =
        at != present.end() ? std::string_view(at->second) : key->default_value.value_or("");
    std::vector<std::string> entries = config::split_list(before);
    for (const std::string& entry : config::split_list(operand)) {
        auto found = std::ranges::find(entries, entry);
        if (append && found == entries.end()) {
            entries.push_back(entry);
        } else if (!append && found != entries.end()) {
            entries.erase(found);
        }
    }
    return fmt::format("{}", fmt::join(entries, ","));
}

config::ConfigMap present_configs(const ConfigAdminContext& context, const std::string& name) {
    const metadata::ConfigMap& stored =
        context.image.configs.of({ConfigResourceType::Broker, name});
    return config::ConfigMap(stored.begin(), stored.end());
}

// Kafka calls a value that cannot be applied an invalid request (KAFKA-13609), except where the
// check itself speaks of an invalid config.
Status check_proposed(const ConfigAdminContext& context, const std::string& name,
                      const config::ConfigMap& proposed) {
    return context.config.validate_dynamic(proposed, !name.empty());
}

Status check_broker_change(const ConfigAdminContext& context,
                           const IncrementalAlterConfigsRequest::AlterConfigsResource& resource) {
    if (!resource.resource_name.empty()) {
        MOLDAU_CHECK(check_own_node_id(resource.resource_name, context.node_id));
    }
    config::ConfigMap proposed = present_configs(context, resource.resource_name);
    for (const auto& config : resource.configs) {
        switch (config.config_operation) {
            case kSet:
                proposed[config.name] = *config.value;
                break;
            case kDelete:
                proposed.erase(config.name);
                break;
            case kAppend:
            case kSubtract: {
                MOLDAU_TRY(std::string list,
                           changed_list(config.name, *config.value,
                                        config.config_operation == kAppend, proposed));
                proposed[config.name] = std::move(list);
                break;
            }
            default:
                return fail(ErrorCode::InvalidRequest, "Unknown operations type {}",
                            config.config_operation);
        }
    }
    return check_proposed(context, resource.resource_name, proposed);
}

Status check_broker_change(const ConfigAdminContext& context,
                           const AlterConfigsRequest::AlterConfigsResource& resource) {
    if (!resource.resource_name.empty()) {
        MOLDAU_CHECK(check_own_node_id(resource.resource_name, context.node_id));
    }
    config::ConfigMap proposed;
    for (const auto& config : resource.configs) {
        proposed[config.name] = *config.value;
    }
    return check_proposed(context, resource.resource_name, proposed);
}

// --- the frame of both forms ---------------------------------------------------------------------

template <typename Request, typename Check>
Preprocessed preprocess_each(const Request& request, Check&& check) {
    std::map<std::pair<int8_t, std::string_view>, int> count;
    for (const auto& resource : request.resources) {
        ++count[{resource.resource_type, resource.resource_name}];
    }
    Preprocessed answers;
    for (const auto& resource : request.resources) {
        if (count[{resource.resource_type, resource.resource_name}] > 1) {
            answers.push_back(
                Error{ErrorCode::InvalidRequest, "Each resource must appear at most once."});
            continue;
        }
        answers.push_back(check(resource));
    }
    return answers;
}

std::optional<Error> error_of(const Status& status) {
    return status ? std::nullopt : std::optional(status.error());
}

Status unknown_type(int8_t type) {
    return fail(ErrorCode::InvalidRequest, "Unknown resource type {}", type);
}

}  // namespace

Status check_own_node_id(std::string_view name, int32_t node_id) {
    std::optional<int32_t> id = parse_id(name);
    if (!id) {
        return fail(ErrorCode::InvalidRequest, "Node id must be an integer, but it is: {}", name);
    }
    if (*id != node_id) {
        return fail(ErrorCode::InvalidRequest, "Unexpected broker id, expected {}, but received {}",
                    node_id, name);
    }
    return {};
}

Preprocessed preprocess(const ConfigAdminContext& context,
                        const IncrementalAlterConfigsRequest& request) {
    return preprocess_each(request, [&](const auto& resource) -> std::optional<Error> {
        Status keys = check_keys(resource.configs, [](const auto& config) {
            return config.config_operation != kDelete;
        });
        if (!keys) {
            return keys.error();
        }
        switch (static_cast<ConfigResourceType>(resource.resource_type)) {
            case ConfigResourceType::BrokerLogger: {
                Status changed = change_loggers(context, resource, request.validate_only);
                return changed ? std::optional(Error{ErrorCode::None, ""})
                               : std::optional(changed.error());
            }
            case ConfigResourceType::Broker:
                return error_of(check_broker_change(context, resource));
            case ConfigResourceType::Topic:
            case ConfigResourceType::ClientMetrics:
            case ConfigResourceType::Group:
                return std::nullopt;
            default:
                return error_of(unknown_type(resource.resource_type));
        }
    });
}

Preprocessed preprocess(const ConfigAdminContext& context, const AlterConfigsRequest& request) {
    return preprocess_each(request, [&](const auto& resource) -> std::optional<Error> {
        Status keys = check_keys(resource.configs, [](const auto&) { return true; });
        if (!keys) {
            return keys.error();
        }
        switch (static_cast<ConfigResourceType>(resource.resource_type)) {
            case ConfigResourceType::Broker:
                return error_of(check_broker_change(context, resource));
            case ConfigResourceType::Topic:
            case ConfigResourceType::ClientMetrics:
            case ConfigResourceType::Group:
                return std::nullopt;
            default:
                return error_of(unknown_type(resource.resource_type));
        }
    });
}

}  // namespace moldau::broker
