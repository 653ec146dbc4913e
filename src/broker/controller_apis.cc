#include "broker/controller_apis.h"

#include <memory>

#include "broker/handlers/18_api_versions.h"
#include "broker/handlers/32_describe_configs.h"
#include "broker/handlers/58_envelope.h"
#include "broker/metadata_cache.h"
#include "metadata/features.h"
#include "protocol/messages/describe_cluster.h"
#include "quorum/controller_apis.h"
#include "quorum/controller_host.h"
#include "quorum/metadata_loader.h"
#include "quorum/quorum_driver.h"
#include "runtime/event_loop.h"

namespace moldau::broker {

namespace {

using protocol::ApiKey;
using protocol::DescribeClusterRequest;
using protocol::DescribeClusterResponse;

constexpr int8_t kBrokerEndpoints = 1;
constexpr int8_t kControllerEndpoints = 2;

DescribeClusterResponse failed(ErrorCode code, std::string message) {
    DescribeClusterResponse response;
    response.error_code = to_wire(code);
    response.error_message = std::move(message);
    return response;
}

// The controllers as clients of the listener reach them (KIP-919).
DescribeClusterResponse describe_controllers(const metadata::Image& image,
                                             const DescribeClusterRequest& request, int16_t version,
                                             const std::string& cluster_id,
                                             std::string_view listener, int32_t leader) {
    if (request.endpoint_type != kControllerEndpoints) {
        bool known = request.endpoint_type == kBrokerEndpoints;
        ErrorCode code = version == 0 ? ErrorCode::InvalidRequest
                         : known      ? ErrorCode::MismatchedEndpointType
                                      : ErrorCode::UnsupportedEndpointType;
        return failed(code,
                      known ? "The request was sent to an endpoint of type CONTROLLER, but we "
                              "wanted an endpoint of type BROKER"
                            : fmt::format("Unsupported endpoint type {}", request.endpoint_type));
    }
    if (!metadata::is_controller_registration_supported(image.features.metadata_version())) {
        return failed(ErrorCode::UnsupportedVersion,
                      "Direct-to-controller communication is not supported with the current "
                      "MetadataVersion.");
    }
    DescribeClusterResponse response;
    response.endpoint_type = kControllerEndpoints;
    response.cluster_id = cluster_id;
    for (const auto& [id, controller] : image.cluster.controllers) {
        for (const metadata::Endpoint& endpoint : controller.endpoints) {
            if (endpoint.name == listener) {
                auto& node = response.brokers.emplace_back();
                node.broker_id = id;
                node.host = endpoint.host;
                node.port = endpoint.port;
                response.controller_id = id == leader ? id : response.controller_id;
            }
        }
    }
    return response;
}

}  // namespace

ControllerApis::ControllerApis(std::string cluster_id, const CurrentConfig& config,
                               quorum::QuorumDriver& quorum, quorum::MetadataLoader& loader,
                               quorum::ControllerHost& host, runtime::EventLoop& control_loop)
    : cluster_id_(std::move(cluster_id)),
      config_(config),
      quorum_(quorum),
      loader_(loader),
      host_(host),
      control_loop_(control_loop) {}

bool ControllerApis::serves(ApiKey key) const {
    return key == ApiKey::ApiVersions || key == ApiKey::DescribeCluster ||
           key == ApiKey::DescribeConfigs || key == ApiKey::Envelope ||
           quorum::ControllerHost::serves(static_cast<int16_t>(key));
}

void ControllerApis::handle(Request request) {
    control_loop_.post([this, request = std::move(request)]() mutable {
        handle_on_control_loop(std::move(request));
    });
}

void ControllerApis::handle_on_control_loop(Request request) {
    switch (request.api_key()) {
        case ApiKey::ApiVersions:
            return respond_api_versions(
                std::move(request), [this](ApiKey key) { return serves(key); }, *loader_.image(),
                quorum_.kraft_version());
        case ApiKey::DescribeCluster:
            return handle_describe_cluster(std::move(request));
        case ApiKey::DescribeConfigs:
            return handle_describe_configs(std::move(request));
        case ApiKey::Envelope:
            return handle_envelope(std::move(request));
        default:
            return pass_on(std::move(request));
    }
}

void ControllerApis::handle_describe_cluster(Request request) {
    auto message = request.read<DescribeClusterRequest>();
    if (message) {
        int32_t leader = quorum_.leader_and_epoch().leader.value_or(kNoBroker).value();
        request.respond(describe_controllers(*loader_.image(), *message, request.version(),
                                             cluster_id_, request.listener_name(), leader));
    }
}

void ControllerApis::handle_describe_configs(Request request) {
    auto message = request.read<protocol::DescribeConfigsRequest>();
    if (message) {
        request.respond(answer_describe_configs(config_.get(), *loader_.image(),
                                                quorum_.options().node_id.value(), *message));
    }
}

void ControllerApis::handle_envelope(Request request) {
    auto message = request.read<protocol::EnvelopeRequest>();
    if (!message) {
        return;
    }
    Result<OpenedEnvelope> opened = open_envelope(*message);
    if (!opened) {
        protocol::EnvelopeResponse refusal;
        refusal.error_code = to_wire(opened.error().code);
        return request.respond(refusal);
    }
    opened->request.listener = request.listener_name();
    host_.handle(std::move(opened->request),
                 [request = std::move(request),
                  header = std::move(opened->header)](Result<protocol::Chain> answer) mutable {
                     request.respond(seal_envelope(header, std::move(answer)));
                 });
}

void ControllerApis::pass_on(Request request) {
    quorum::ControllerRequest asked;
    asked.api_key = static_cast<int16_t>(request.api_key());
    asked.api_version = request.version();
    asked.body = request.body();
    asked.principal = request.principal();
    asked.client_id = request.client_id();
    asked.client_host = request.client_host();
    asked.listener = request.listener_name();
    quorum::ControllerRequest kept = asked;
    host_.handle(std::move(asked), [request = std::move(request), kept = std::move(kept)](
                                       Result<protocol::Chain> answer) mutable {
        if (!answer && answer.error().code == ErrorCode::NotController) {
            answer = quorum::error_response_for(kept, answer.error());
        }
        if (!answer) {
            request.refuse(answer.error());
            return;
        }
        request.respond_encoded(std::move(*answer));
    });
}

}  // namespace moldau::broker
