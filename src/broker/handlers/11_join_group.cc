#include "broker/handlers/11_join_group.h"

#include <utility>

#include "broker/broker.h"
#include "broker/coordinator_host.h"
#include "broker/group_requests.h"

namespace moldau::broker {

namespace {

constexpr int16_t kRebalanceTimeoutVersionMin = 1;
constexpr int16_t kNullProtocolNameVersionMin = 7;

}  // namespace

void handle_join_group(Broker& broker, Request request) {
    auto message = request.read<protocol::JoinGroupRequest>();
    if (!message) {
        return;
    }
    if (request.version() < kRebalanceTimeoutVersionMin) {
        message->rebalance_timeout_ms = message->session_timeout_ms;
    }
    coordinator::RequestContext context = group_context(request);
    broker.coordinators->join(
        std::move(context), *std::move(message),
        [request = std::move(request)](protocol::JoinGroupResponse response) mutable {
            if (request.version() < kNullProtocolNameVersionMin && !response.protocol_name) {
                response.protocol_name = "";
            }
            request.respond(response);
        });
}

}  // namespace moldau::broker
