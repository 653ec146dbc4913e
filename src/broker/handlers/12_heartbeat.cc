#include "broker/handlers/12_heartbeat.h"

#include <utility>

#include "broker/broker.h"
#include "broker/coordinator_host.h"

namespace moldau::broker {

void handle_heartbeat(Broker& broker, Request request) {
    auto message = request.view<protocol::HeartbeatRequestView>();
    if (!message) {
        return;
    }
    broker.coordinators->heartbeat(
        *message, [request = std::move(request)](protocol::HeartbeatResponse response) mutable {
            request.respond(response);
        });
}

}  // namespace moldau::broker
