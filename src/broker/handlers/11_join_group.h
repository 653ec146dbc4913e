// JoinGroup (key 11), versions 0-9.
// Behaviour: parked until the group's members are gathered. Version notes: v1 rebalance timeout;
// v4 MemberIdRequired (KIP-394); v5 static members (KIP-345); v7 protocol type in the answer, null
// protocol name; v8 reason (KIP-800); v9 skip_assignment (KIP-814).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_join_group(Broker& broker, Request request);

}  // namespace moldau::broker
