#include "broker/handlers/15_describe_groups.h"

#include <utility>

#include "broker/authorized_operations.h"
#include "broker/broker.h"
#include "broker/coordinator_host.h"

namespace moldau::broker {

namespace {

constexpr int16_t kAuthorizedOperationsVersionMin = 3;

}  // namespace

void handle_describe_groups(Broker& broker, Request request) {
    auto message = request.read<protocol::DescribeGroupsRequest>();
    if (!message) {
        return;
    }
    bool with_operations = request.version() >= kAuthorizedOperationsVersionMin &&
                           message->include_authorized_operations;
    int16_t version = request.version();
    broker.coordinators->describe(
        version, std::move(message->groups),
        [with_operations,
         request = std::move(request)](protocol::DescribeGroupsResponse response) mutable {
            for (auto& group : response.groups) {
                if (with_operations && group.error_code == to_wire(ErrorCode::None)) {
                    group.authorized_operations = kGroupOperations;
                }
            }
            request.respond(response);
        });
}

}  // namespace moldau::broker
