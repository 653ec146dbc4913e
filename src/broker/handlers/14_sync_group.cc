#include "broker/handlers/14_sync_group.h"

#include <utility>

#include "broker/broker.h"
#include "broker/coordinator_host.h"

namespace moldau::broker {

namespace {

constexpr int16_t kProtocolVersionMin = 5;

}  // namespace

void handle_sync_group(Broker& broker, Request request) {
    auto message = request.read<protocol::SyncGroupRequest>();
    if (!message) {
        return;
    }
    if (request.version() >= kProtocolVersionMin &&
        (!message->protocol_type || !message->protocol_name)) {
        return request.respond(coordinator::sync_failure(ErrorCode::InconsistentGroupProtocol));
    }
    broker.coordinators->sync(
        *std::move(message),
        [request = std::move(request)](protocol::SyncGroupResponse response) mutable {
            request.respond(response);
        });
}

}  // namespace moldau::broker
