#include "server/controller_registration.h"

#include <algorithm>

#include "metadata/features.h"
#include "protocol/messages/controller_registration.h"
#include "quorum/controller_channel.h"
#include "runtime/logging.h"

namespace moldau::server {
namespace {

runtime::Logger log("kafka.server.ControllerRegistrationManager");

constexpr Duration kBackoffMin = milliseconds(100);
constexpr Duration kBackoffMax = seconds(60);

}  // namespace

ControllerRegistration::ControllerRegistration(int32_t node_id, Uuid incarnation_id,
                                               std::vector<config::Endpoint> listeners,
                                               quorum::ControllerChannel& controller,
                                               runtime::EventLoop& loop)
    : node_id_(node_id),
      incarnation_id_(incarnation_id),
      listeners_(std::move(listeners)),
      controller_(controller),
      loop_(loop),
      backoff_(kBackoffMin) {}

void ControllerRegistration::publish(const metadata::Delta&, const metadata::ImagePtr& image) {
    image_ = image;
    register_unless_known();
}

void ControllerRegistration::stop() {
    stopped_ = true;
    retry_.cancel();
}

void ControllerRegistration::register_unless_known() {
    if (stopped_ || in_flight_ || retry_.armed() ||
        !metadata::is_controller_registration_supported(image_->features.metadata_version())) {
        return;
    }
    const metadata::Controller* known = image_->cluster.controllers.find(node_id_);
    if (known != nullptr && known->incarnation_id == incarnation_id_) {
        return;
    }
    protocol::ControllerRegistrationRequest request;
    request.controller_id = node_id_;
    request.incarnation_id = incarnation_id_;
    for (const config::Endpoint& endpoint : listeners_) {
        auto& listener = request.listeners.emplace_back();
        listener.name = endpoint.listener_name;
        listener.host = endpoint.host;
        listener.port = static_cast<uint16_t>(endpoint.port);
        listener.security_protocol = static_cast<int16_t>(endpoint.protocol);
    }
    for (const auto& [name, range] : metadata::supported_features()) {
        auto& feature = request.features.emplace_back();
        feature.name = name;
        feature.min_supported_version = range.min;
        feature.max_supported_version = range.max;
    }
    in_flight_ = true;
    controller_.call<protocol::ControllerRegistrationResponse>(
        request, protocol::ControllerRegistrationRequest::kVersions.last,
        [this](Result<protocol::ControllerRegistrationResponse> response) {
            if (!response) {
                return answered(std::unexpected(std::move(response).error()));
            }
            ErrorCode code = error_code_from_wire(response->error_code);
            if (code != ErrorCode::None) {
                return answered(fail(code, "{}", response->error_message.value_or("")));
            }
            answered({});
        });
}

void ControllerRegistration::answered(Result<void> outcome) {
    in_flight_ = false;
    if (stopped_) {
        return;
    }
    if (outcome) {
        MOLDAU_LOG_INFO(log,
                        "[ControllerRegistrationManager id={} incarnation={}] Our registration has "
                        "been persisted to the metadata log.",
                        node_id_, incarnation_id_);
        backoff_ = kBackoffMin;
        return register_unless_known();
    }
    MOLDAU_LOG_WARN(log,
                    "controller registration failed, will retry: id={} error={} reason={} "
                    "retry_ms={}",
                    node_id_, outcome.error().code, outcome.error().message, to_ms(backoff_));
    retry_ = loop_.schedule_after(backoff_, [this] { register_unless_known(); });
    backoff_ = std::min(backoff_ * 2, kBackoffMax);
}

}  // namespace moldau::server
