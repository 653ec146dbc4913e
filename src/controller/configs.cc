#include "controller/configs.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/ranges.h>

#include "base/uuid.h"
#include "metadata/features.h"
#include "metadata/topic_name.h"

namespace moldau::controller {

namespace {

using config::ConfigKey;
using metadata::ConfigMap;
using metadata::ConfigResource;
using metadata::ConfigResourceType;
using metadata::Records;

constexpr std::string_view kMinIsr = "min.insync.replicas";
constexpr std::string_view kUnclean = "unclean.leader.election.enable";
constexpr std::string_view kCordonedDirs = "cordoned.log.dirs";
constexpr size_t kConfigValueBytesMax = 32767;

metadata::VersionedRecord config_record(const ConfigResource& resource, std::string_view name,
                                        std::optional<std::string> value) {
    protocol::ConfigRecord record;
    record.resource_type = static_cast<int8_t>(resource.type);
    record.resource_name = resource.name;
    record.name = name;
    record.value = std::move(value);
    return {std::move(record), 0};
}

const config::ConfigDef* table_of(ConfigResourceType type) {
    switch (type) {
        case ConfigResourceType::Topic:
            return &config::topic_config_def();
        case ConfigResourceType::Broker:
            return &config::broker_config_def();
        case ConfigResourceType::ClientMetrics:
            return &config::client_metrics_config_def();
        case ConfigResourceType::Group:
            return &config::group_config_def();
        default:
            return nullptr;
    }
}

const ConfigKey* find_key(ConfigResourceType type, std::string_view name) {
    const config::ConfigDef* table = table_of(type);
    return table == nullptr ? nullptr : table->find(name);
}

std::optional<int64_t> parse_integer(std::string_view text) {
    int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::vector<std::string> parts_of(std::string_view value) {
    std::vector<std::string> parts;
    while (!value.empty()) {
        size_t comma = value.find(',');
        std::string_view part = value.substr(0, comma);
        if (!part.empty()) {
            parts.emplace_back(part);
        }
        value = comma == std::string_view::npos ? "" : value.substr(comma + 1);
    }
    return parts;
}

// What a list operation names: unlike in a stored value empty entries count, but for those at the
// end, so that adding nothing is refused like the empty entry that it is.
std::vector<std::string> operands_of(std::string_view value) {
    std::vector<std::string> operands;
    size_t kept = value.empty() ? 1 : 0;
    for (size_t comma = 0; comma != std::string_view::npos;) {
        comma = value.find(',');
        operands.emplace_back(value.substr(0, comma));
        if (!operands.back().empty()) {
            kept = operands.size();
        }
        value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
    }
    operands.resize(kept);
    return operands;
}

Status check_resource_name(const ConfigResource& resource) {
    switch (resource.type) {
        case ConfigResourceType::Topic:
            if (resource.name.empty()) {
                return fail(ErrorCode::InvalidRequest, "Default topic resources are not allowed.");
            }
            return metadata::validate_topic_name(resource.name);
        case ConfigResourceType::Broker: {
            if (resource.name.empty()) {
                return {};
            }
            std::optional<int64_t> id = parse_integer(resource.name);
            if (!id || *id > INT32_MAX || *id < INT32_MIN) {
                return fail(ErrorCode::InvalidRequest,
                            "Unable to parse broker name as a base 10 number.");
            }
            if (*id < 0) {
                return fail(ErrorCode::InvalidRequest, "Invalid negative broker ID.");
            }
            return {};
        }
        case ConfigResourceType::Group:
            if (resource.name.empty()) {
                return fail(ErrorCode::InvalidRequest, "Default group resources are not allowed.");
            }
            return {};
        case ConfigResourceType::ClientMetrics:
            if (resource.name.empty()) {
                return fail(ErrorCode::InvalidRequest, "Subscription name can't be empty");
            }
            return {};
        case ConfigResourceType::BrokerLogger:
            return fail(ErrorCode::InvalidRequest, "Unknown resource type BROKER_LOGGER");
        default:
            return fail(ErrorCode::InvalidRequest, "Unknown resource type UNKNOWN");
    }
}

Status check_values(const View& view, const ConfigResource& resource, const ConfigMap& configs) {
    config::ConfigMap values(configs.begin(), configs.end());
    switch (resource.type) {
        case ConfigResourceType::Topic:
            return config::validate_topic_configs(view.config.log_config(), values);
        case ConfigResourceType::Group:
            return view.config.validate_group_configs(values);
        case ConfigResourceType::ClientMetrics:
            return config::validate_client_metrics_configs(values);
        default:
            return {};
    }
}

Status check_exists(const State& state, const ConfigResource& resource) {
    if (resource.type == ConfigResourceType::Topic &&
        state.image().topics.find(resource.name) == nullptr) {
        return fail(ErrorCode::UnknownTopicOrPartition, "The topic '{}' does not exist.",
                    resource.name);
    }
    if (resource.type == ConfigResourceType::Broker && !resource.name.empty()) {
        auto id = static_cast<int32_t>(*parse_integer(resource.name));
        if (state.broker(id) == nullptr && !state.image().cluster.controllers.contains(id)) {
            return fail(ErrorCode::BrokerIdNotRegistered, "No node with id {} found.", id);
        }
    }
    return {};
}

// Rules that look at one changed key, whatever its value.
Status check_change(const View& view, const ConfigResource& resource, const std::string& name,
                    const std::optional<std::string>& value, const ConfigMap& present,
                    bool forwarded) {
    if (resource.type == ConfigResourceType::Broker && name == kMinIsr &&
        view.state.elr_enabled()) {
        if (!resource.name.empty()) {
            return fail(ErrorCode::InvalidConfig,
                        "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
        }
        if (!value) {
            return fail(
                ErrorCode::InvalidConfig,
                "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
        }
    }
    if (resource.type == ConfigResourceType::Broker && name == kCordonedDirs) {
        if (!metadata::are_cordoned_directories_supported(view.state.metadata_version())) {
            return fail(
                ErrorCode::InvalidConfig,
                "The cordoned.log.dirs configuration value cannot be set because it requires "
                "metadata.version >= 4.3-IV0");
        }
        if (!forwarded && value && !config::split_list(*value).empty()) {
            // The controller knows directories by id only; it can check nothing but a removal.
            auto at = present.find(name);
            auto now =
                at == present.end() ? std::vector<std::string>() : config::split_list(at->second);
            for (const std::string& wanted : config::split_list(*value)) {
                if (std::ranges::find(now, wanted) == now.end()) {
                    return fail(ErrorCode::InvalidConfig,
                                "When updating cordoned.log.dirs via controllers,  the new value "
                                "must be a subset of the current configuration value.");
                }
            }
        }
    }
    if (value && value->size() > kConfigValueBytesMax) {
        return fail(ErrorCode::InvalidConfig,
                    "The configuration value cannot be added because it exceeds the maximum value "
                    "size of 32767 bytes.");
    }
    return {};
}

using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;

Result<Records> checked_records(const View& view, const ConfigResource& resource,
                                const Changes& changes, bool newly_created, bool forwarded) {
    const ConfigMap& present = view.state.image().configs.of(resource);
    ConfigMap all = present;
    Records records;
    for (const auto& [name, value] : changes) {
        MOLDAU_CHECK(check_change(view, resource, name, value, present, forwarded));
        if (value) {
            all[name] = *value;
        } else {
            all.erase(name);
        }
        records.push_back(config_record(resource, name, value));
    }
    MOLDAU_CHECK(check_resource_name(resource));
    MOLDAU_CHECK(check_values(view, resource, all));
    if (!newly_created) {
        MOLDAU_CHECK(check_exists(view.state, resource));
    }
    return records;
}

// A list operation starts from the present value, or from the default of the key.
Result<std::string> changed_list(const ConfigResource& resource, const std::string& name,
                                 const ConfigOperation& operation, const ConfigMap& present) {
    bool append = operation.type == ConfigOperationType::Append;
    const ConfigKey* key = find_key(resource.type, name);
    if (key == nullptr || key->type != config::ConfigType::List) {
        return fail(ErrorCode::InvalidConfig, "Can't {} to key {} because its type is not LIST.",
                    append ? "APPEND" : "SUBTRACT", name);
    }
    auto at = present.find(name);
    std::vector<std::string> parts;
    if (at != present.end()) {
        parts = parts_of(at->second);
    } else if (key->default_value) {
        parts = parts_of(*key->default_value);
    }
    for (const std::string& part : operands_of(operation.value.value_or(""))) {
        auto found = std::ranges::find(parts, part);
        if (append && found == parts.end()) {
            parts.push_back(part);
        } else if (!append && found != parts.end()) {
            parts.erase(found);
        }
    }
    return fmt::format("{}", fmt::join(parts, ","));
}

bool is_known_type(int8_t type) {
    return type == 2 || type == 4 || type == 8 || type == 16 || type == 32;
}

// Resources that are named more than once are refused and left alone.
template <typename Resources>
std::set<ConfigResource> repeated(const Resources& resources) {
    std::set<ConfigResource> seen;
    std::set<ConfigResource> twice;
    for (const auto& resource : resources) {
        ConfigResource key{static_cast<ConfigResourceType>(resource.resource_type),
                           resource.resource_name};
        if (!seen.insert(key).second) {
            twice.insert(key);
        }
    }
    return twice;
}

// The frame that both forms of AlterConfigs share: one answer per resource, in request order.
// `changes(resource entry, ConfigResource)` gives the records or the error of one resource.
template <typename Response, typename Request, typename ChangesOf>
Decision<Response> decide(const State& state, const Request& request, ChangesOf&& changes_of) {
    Decision<Response> decision;
    std::set<ConfigResource> twice = repeated(request.resources);
    std::set<ConfigResource> answered;
    for (const auto& entry : request.resources) {
        ConfigResource resource{static_cast<ConfigResourceType>(entry.resource_type),
                                entry.resource_name};
        Result<Records> records;
        if (!is_known_type(entry.resource_type)) {
            records = fail(ErrorCode::UnsupportedVersion, "Unknown resource type {}.",
                           entry.resource_type);
        } else if (twice.contains(resource)) {
            if (!answered.insert(resource).second) {
                continue;
            }
            records = fail(ErrorCode::InvalidRequest, "Duplicate resource.");
        } else {
            records = changes_of(entry, resource);
        }
        auto& answer = decision.response.responses.emplace_back();
        answer.resource_type = entry.resource_type;
        answer.resource_name = entry.resource_name;
        answer.error_message = std::nullopt;
        if (!records) {
            answer.error_code = to_wire(records.error().code);
            answer.error_message = records.error().message;
            continue;
        }
        std::ranges::move(*records, std::back_inserter(decision.records));
    }
    Records clearing = clear_elr_records(state, decision.records);
    std::ranges::move(clearing, std::back_inserter(decision.records));
    if (request.validate_only) {
        decision.records.clear();
    }
    return decision;
}

}  // namespace

Result<Records> alter_resource(const View& view, const ConfigResource& resource,
                               const ConfigOperations& operations, bool newly_created,
                               bool forwarded) {
    const ConfigMap& present = view.state.image().configs.of(resource);
    Changes changes;
    for (const auto& [name, operation] : operations) {
        std::optional<std::string> value;
        if (operation.type == ConfigOperationType::Set) {
            value = operation.value;
        } else if (operation.type != ConfigOperationType::Delete) {
            MOLDAU_TRY(value, changed_list(resource, name, operation, present));
        }
        auto at = present.find(name);
        bool changed = at == present.end() ? value.has_value() : value != at->second;
        // Brokers reload files a value points to when it is set again (KAFKA-14136).
        if (changed || resource.type == ConfigResourceType::Broker) {
            changes.emplace_back(name, std::move(value));
        }
    }
    return checked_records(view, resource, changes, newly_created, forwarded);
}

Records clear_elr_records(const State& state, const Records& config_records) {
    Records clearing;
    if (!state.elr_enabled()) {
        return clearing;
    }
    for (const auto& versioned : config_records) {
        const auto* record = std::get_if<protocol::ConfigRecord>(&versioned.record);
        if (record == nullptr || record->name != kMinIsr) {
            continue;
        }
        protocol::ClearElrRecord clear;
        if (record->resource_type == static_cast<int8_t>(ConfigResourceType::Topic)) {
            clear.topic_name = record->resource_name;
        }
        clearing.push_back({std::move(clear), 0});
    }
    return clearing;
}

Decision<protocol::IncrementalAlterConfigsResponse> incremental_alter_configs(
    const View& view, const protocol::IncrementalAlterConfigsRequest& request, bool forwarded) {
    return decide<protocol::IncrementalAlterConfigsResponse>(
        view.state, request, [&](const auto& entry, const ConfigResource& resource) {
            ConfigOperations operations;
            for (const auto& config : entry.configs) {
                if (config.config_operation < 0 || config.config_operation > 3) {
                    return Result<Records>(fail(ErrorCode::InvalidRequest,
                                                "Unknown operations type {}",
                                                config.config_operation));
                }
                operations[config.name] = {
                    static_cast<ConfigOperationType>(config.config_operation), config.value};
            }
            return alter_resource(view, resource, operations, false, forwarded);
        });
}

Decision<protocol::AlterConfigsResponse> alter_configs(const View& view,
                                                       const protocol::AlterConfigsRequest& request,
                                                       bool forwarded) {
    return decide<protocol::AlterConfigsResponse>(
        view.state, request, [&](const auto& entry, const ConfigResource& resource) {
            const ConfigMap& present = view.state.image().configs.of(resource);
            Changes changes;
            std::set<std::string, std::less<>> named;
            for (const auto& config : entry.configs) {
                named.insert(config.name);
                auto at = present.find(config.name);
                bool changed =
                    at == present.end() ? config.value.has_value() : config.value != at->second;
                if (changed || resource.type == ConfigResourceType::Broker) {
                    changes.emplace_back(config.name, config.value);
                }
            }
            for (const auto& [name, value] : present) {
                if (!named.contains(name)) {
                    changes.emplace_back(name, std::nullopt);
                }
            }
            return checked_records(view, resource, changes, false, forwarded);
        });
}

namespace {

// The dynamic value of a key that topics and brokers call by the same name.
const std::string* dynamic_value(const View& view, const std::string& topic, std::string_view key) {
    const metadata::Configs& configs = view.state.image().configs;
    for (const ConfigMap* layer :
         {&configs.of_topic(topic), &configs.of_broker(view.config.node_id()),
          &configs.cluster_default()}) {
        auto at = layer->find(key);
        if (at != layer->end()) {
            return &at->second;
        }
    }
    return nullptr;
}

}  // namespace

int32_t min_insync_replicas(const View& view, const std::string& topic) {
    const std::string* value = dynamic_value(view, topic, kMinIsr);
    std::optional<int64_t> number = value == nullptr ? std::nullopt : parse_integer(*value);
    return number ? static_cast<int32_t>(*number) : view.config.log_config().min_insync_replicas;
}

bool unclean_leader_election_enabled(const View& view, const std::string& topic) {
    const std::string* value = dynamic_value(view, topic, kUnclean);
    return value == nullptr ? view.config.log_config().unclean_leader_election : *value == "true";
}

int32_t effective_min_isr(const View& view, const Uuid& topic_id) {
    const metadata::Topic* topic = view.state.image().topics.find(topic_id);
    const metadata::Partition* first = topic == nullptr ? nullptr : topic->partitions.find(0);
    auto replication_factor =
        first == nullptr ? INT32_MAX : static_cast<int32_t>(first->replicas.size());
    return std::min(min_insync_replicas(view, topic == nullptr ? "" : topic->name),
                    replication_factor);
}

Records elr_safety_records(const View& view) {
    Records records;
    const metadata::Configs& configs = view.state.image().configs;
    if (!configs.cluster_default().contains(kMinIsr)) {
        records.push_back(
            config_record({ConfigResourceType::Broker, ""}, kMinIsr,
                          std::to_string(view.config.log_config().min_insync_replicas)));
    }
    for (const auto& [resource, values] : configs.by_resource) {
        if (resource.type == ConfigResourceType::Broker && !resource.name.empty() &&
            values.contains(kMinIsr)) {
            records.push_back(config_record(resource, kMinIsr, std::nullopt));
        }
    }
    return records;
}

}  // namespace moldau::controller
