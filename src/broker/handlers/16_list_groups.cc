#include "broker/handlers/16_list_groups.h"

#include <utility>

#include "broker/broker.h"
#include "broker/coordinator_host.h"

namespace moldau::broker {

void handle_list_groups(Broker& broker, Request request) {
    auto message = request.read<protocol::ListGroupsRequest>();
    if (!message) {
        return;
    }
    broker.coordinators->list(
        *std::move(message),
        [request = std::move(request)](protocol::ListGroupsResponse response) mutable {
            request.respond(response);
        });
}

}  // namespace moldau::broker
