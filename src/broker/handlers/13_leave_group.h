// LeaveGroup (key 13), versions 0-5.
// Version notes: v0-2 one member, whose error is that of the answer; v3 several members, static
// ones by their instance id (KIP-345); v5 reason (KIP-800).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_leave_group(Broker& broker, Request request);

}  // namespace moldau::broker
