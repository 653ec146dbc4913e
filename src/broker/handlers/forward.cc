#include "broker/handlers/forward.h"

#include "broker/broker.h"
#include "broker/metadata_cache.h"
#include "broker/request_queue.h"
#include "quorum/controller_apis.h"
#include "quorum/controller_channel.h"

namespace moldau::broker {

namespace {

quorum::ControllerRequest forwarded(Broker& broker, const Request& request, Bytes body) {
    quorum::ControllerRequest sent;
    sent.api_key = static_cast<int16_t>(request.api_key());
    sent.api_version = request.version();
    sent.body = std::move(body);
    sent.principal = request.principal();
    sent.client_id = request.client_id();
    sent.client_host = request.client_host();
    sent.forwarded = true;
    sent.timeout = milliseconds(broker.config->get().request_timeout_ms());
    return sent;
}

}  // namespace

void forward(Broker& broker, const Request& request, Bytes body,
             std::move_only_function<void(Result<protocol::Chain>)> done) {
    broker.controller->send(forwarded(broker, request, std::move(body)), std::move(done));
}

void handle_forward(Broker& broker, Request request) {
    quorum::ControllerRequest sent = forwarded(broker, request, request.body());
    quorum::ControllerRequest kept = sent;
    broker.controller->send(std::move(sent), [request = std::move(request), kept = std::move(kept),
                                              place = broker.request_queue->enter()](
                                                 Result<protocol::Chain> answer) mutable {
        if (!answer && answer.error().code == ErrorCode::RequestTimedOut) {
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
