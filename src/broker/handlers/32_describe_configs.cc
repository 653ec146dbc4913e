#include "broker/handlers/32_describe_configs.h"

#include <algorithm>
#include <charconv>

#include "broker/broker.h"
#include "broker/metadata_cache.h"
#include "config/describe.h"
#include "metadata/topic_name.h"
#include "runtime/logging.h"

namespace moldau::broker {

namespace {

using config::DescribedConfig;
using metadata::ConfigResourceType;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using Described = std::vector<DescribedConfig>;

Result<int32_t> parse_broker_id(const std::string& name) {
    int32_t id = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error != std::errc() || end != name.data() + name.size()) {
        return fail(ErrorCode::InvalidRequest, "Broker id must be an integer, but it is: {}", name);
    }
    return id;
}

config::ConfigMap overrides_of(const metadata::Image& image, ConfigResourceType type,
                               const std::string& name) {
    const metadata::ConfigMap& stored = image.configs.of({type, name});
    return config::ConfigMap(stored.begin(), stored.end());
}

Described describe_loggers() {
    Described loggers;
    for (const runtime::LoggerLevel& logger : runtime::logger_levels()) {
        DescribedConfig& described = loggers.emplace_back();
        described.name = logger.name;
        described.value = std::string(runtime::to_string(logger.level));
        described.source = config::ConfigSource::DynamicBrokerLogger;
        described.type = config::ConfigType::Unknown;
    }
    return loggers;
}

Result<Described> describe(const config::ServerConfig& config, const metadata::Image& image,
                           int32_t node_id, ConfigResourceType type, const std::string& name) {
    switch (type) {
        case ConfigResourceType::Topic:
            MOLDAU_CHECK(metadata::validate_topic_name(name));
            if (image.topics.find(name) == nullptr) {
                return fail({ErrorCode::UnknownTopicOrPartition, ""});
            }
            return config::describe_topic(config, overrides_of(image, type, name));
        case ConfigResourceType::Broker: {
            if (name.empty()) {
                return config::describe_broker_defaults(config);
            }
            MOLDAU_TRY(int32_t id, parse_broker_id(name));
            if (id != node_id) {
                return fail(ErrorCode::InvalidRequest,
                            "Unexpected broker id, expected {} or empty string, but received {}",
                            node_id, name);
            }
            return config::describe_broker(config);
        }
        case ConfigResourceType::BrokerLogger: {
            if (name.empty()) {
                return fail(ErrorCode::InvalidRequest, "Broker id must not be empty");
            }
            MOLDAU_TRY(int32_t id, parse_broker_id(name));
            if (id != node_id) {
                return fail(ErrorCode::InvalidRequest,
                            "Unexpected broker id, expected {} but received {}", node_id, name);
            }
            return describe_loggers();
        }
        case ConfigResourceType::ClientMetrics:
            if (name.empty()) {
                return fail(ErrorCode::InvalidRequest,
                            "Client metrics subscription name must not be empty");
            }
            return config::describe_client_metrics(overrides_of(image, type, name));
        case ConfigResourceType::Group:
            if (name.empty()) {
                return fail(ErrorCode::InvalidRequest, "Group name must not be empty");
            }
            return config::describe_group(config, overrides_of(image, type, name));
        default:
            return fail(ErrorCode::InvalidRequest,
                        "Unexpected resource type UNKNOWN for resource {}", name);
    }
}

bool is_known_type(const DescribeConfigsRequest::DescribeConfigsResource& resource) {
    switch (static_cast<ConfigResourceType>(resource.resource_type)) {
        case ConfigResourceType::Topic:
        case ConfigResourceType::Broker:
        case ConfigResourceType::BrokerLogger:
        case ConfigResourceType::ClientMetrics:
        case ConfigResourceType::Group:
            return true;
        default:
            return false;
    }
}

bool is_asked_for(const DescribeConfigsRequest::DescribeConfigsResource& resource,
                  const std::string& key) {
    return !resource.configuration_keys || resource.configuration_keys->empty() ||
           std::ranges::find(*resource.configuration_keys, key) !=
               resource.configuration_keys->end();
}

}  // namespace

DescribeConfigsResponse answer_describe_configs(const config::ServerConfig& config,
                                                const metadata::Image& image, int32_t node_id,
                                                const DescribeConfigsRequest& request) {
    DescribeConfigsResponse response;
    if (!std::ranges::all_of(request.resources, is_known_type)) {
        // One resource of no known type makes the whole request invalid.
        for (const auto& resource : request.resources) {
            auto& result = response.results.emplace_back();
            result.resource_type = resource.resource_type;
            result.resource_name = resource.resource_name;
            result.error_code = to_wire(ErrorCode::InvalidRequest);
            result.error_message =
                "This most likely occurs because of a request being malformed by the client "
                "library or the message was sent to an incompatible broker. See the broker logs "
                "for more details.";
        }
        return response;
    }
    for (const auto& resource : request.resources) {
        auto& result = response.results.emplace_back();
        result.resource_type = resource.resource_type;
        result.resource_name = resource.resource_name;
        Result<Described> described = describe(
            config, image, node_id, static_cast<ConfigResourceType>(resource.resource_type),
            resource.resource_name);
        if (!described) {
            result.error_code = to_wire(described.error().code);
            result.error_message = described.error().message;
            continue;
        }
        for (const DescribedConfig& from : *described) {
            if (!is_asked_for(resource, from.name)) {
                continue;
            }
            auto& to = result.configs.emplace_back();
            to.name = from.name;
            to.value = from.sensitive ? std::nullopt : from.value;
            to.read_only = from.read_only;
            to.config_source = static_cast<int8_t>(from.source);
            to.is_sensitive = from.sensitive;
            to.config_type = static_cast<int8_t>(from.type);
            to.documentation = std::nullopt;
            if (!request.include_synonyms) {
                continue;
            }
            for (const config::DescribedSynonym& synonym : from.synonyms) {
                auto& entry = to.synonyms.emplace_back();
                entry.name = synonym.name;
                entry.value = from.sensitive ? std::nullopt : synonym.value;
                entry.source = static_cast<int8_t>(synonym.source);
            }
        }
    }
    return response;
}

void handle_describe_configs(Broker& broker, Request request) {
    auto message = request.read<DescribeConfigsRequest>();
    if (!message) {
        return;
    }
    request.respond(answer_describe_configs(broker.config->get(), *broker.metadata->image(),
                                            broker.node_id, *message));
}

}  // namespace moldau::broker
