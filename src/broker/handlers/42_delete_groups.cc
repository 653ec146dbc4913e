#include "broker/handlers/42_delete_groups.h"

#include <set>
#include <utility>

#include "broker/broker.h"
#include "broker/coordinator_host.h"

namespace moldau::broker {

void handle_delete_groups(Broker& broker, Request request) {
    auto message = request.read<protocol::DeleteGroupsRequest>();
    if (!message) {
        return;
    }
    std::set<std::string> seen;
    std::erase_if(message->groups_names,
                  [&](const std::string& name) { return !seen.insert(name).second; });
    broker.coordinators->delete_groups(
        std::move(message->groups_names),
        [request = std::move(request)](protocol::DeleteGroupsResponse response) mutable {
            request.respond(response);
        });
}

}  // namespace moldau::broker
