#include "broker/handlers/74_list_config_resources.h"

#include <set>

#include "broker/broker.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {

namespace {

using metadata::ConfigResourceType;
using protocol::ListConfigResourcesRequest;
using protocol::ListConfigResourcesResponse;

void add(ListConfigResourcesResponse& response, ConfigResourceType type, std::string name) {
    auto& resource = response.config_resources.emplace_back();
    resource.resource_type = static_cast<int8_t>(type);
    resource.resource_name = std::move(name);
}

void add_configured(ListConfigResourcesResponse& response, const metadata::Image& image,
                    ConfigResourceType type) {
    for (auto at = image.configs.by_resource.lower_bound(metadata::ConfigResource{type, ""});
         at != image.configs.by_resource.end() && at->first.type == type; ++at) {
        add(response, type, at->first.name);
    }
}

void add_brokers(ListConfigResourcesResponse& response, const metadata::Image& image,
                 ConfigResourceType type) {
    for (const auto& [id, broker] : image.cluster.brokers) {
        if (!broker.fenced) {
            add(response, type, std::to_string(id));
        }
    }
}

}  // namespace

ListConfigResourcesResponse answer_list_config_resources(const metadata::Image& image,
                                                         const ListConfigResourcesRequest& request,
                                                         int16_t version) {
    using enum ConfigResourceType;
    std::set<int8_t> known{static_cast<int8_t>(ClientMetrics)};
    if (version >= 1) {
        for (ConfigResourceType type : {Topic, Broker, BrokerLogger, Group}) {
            known.insert(static_cast<int8_t>(type));
        }
    }
    std::set<int8_t> wanted(request.resource_types.begin(), request.resource_types.end());
    if (wanted.empty()) {
        wanted = known;
    }
    ListConfigResourcesResponse response;
    for (int8_t type : wanted) {
        if (!known.contains(type)) {
            response.error_code = to_wire(ErrorCode::UnsupportedVersion);
            return response;
        }
    }
    auto asked = [&wanted](ConfigResourceType type) {
        return wanted.contains(static_cast<int8_t>(type));
    };
    if (asked(Group)) {
        add_configured(response, image, Group);
    }
    if (asked(ClientMetrics)) {
        add_configured(response, image, ClientMetrics);
    }
    if (asked(BrokerLogger)) {
        add_brokers(response, image, BrokerLogger);
    }
    if (asked(Broker)) {
        add_brokers(response, image, Broker);
    }
    if (asked(Topic)) {
        for (const auto& [name, id] : image.topics.ids) {
            add(response, Topic, name);
        }
    }
    return response;
}

void handle_list_config_resources(Broker& broker, Request request) {
    auto message = request.read<ListConfigResourcesRequest>();
    if (!message) {
        return;
    }
    request.respond(
        answer_list_config_resources(*broker.metadata->image(), *message, request.version()));
}

}  // namespace moldau::broker
