#include "broker/handlers/13_leave_group.h"

#include <utility>

#include "broker/broker.h"
#include "broker/coordinator_host.h"

namespace moldau::broker {

namespace {

constexpr int16_t kMembersVersionMin = 3;

}  // namespace

void handle_leave_group(Broker& broker, Request request) {
    auto message = request.read<protocol::LeaveGroupRequest>();
    if (!message) {
        return;
    }
    if (request.version() < kMembersVersionMin) {
        message->members.emplace_back().member_id = message->member_id;
    }
    broker.coordinators->leave(
        *std::move(message),
        [request = std::move(request)](protocol::LeaveGroupResponse response) mutable {
            if (request.version() < kMembersVersionMin) {
                for (const auto& member : response.members) {
                    if (response.error_code == to_wire(ErrorCode::None)) {
                        response.error_code = member.error_code;
                    }
                }
                response.members.clear();
            }
            request.respond(response);
        });
}

}  // namespace moldau::broker
