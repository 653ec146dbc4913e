// OffsetFetch (key 9), versions 1-10.
// Behaviour: an offset that was never committed is -1 without error; null topics are all of the
// group's. Version notes: v1 has partition errors only; v2 null topics and a group error; v5 leader
// epoch (KIP-320); v7 require_stable (KIP-447); v8 several groups (KIP-709); v9 member id and
// epoch; v10 topic ids instead of names (KIP-848).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_offset_fetch(Broker& broker, Request request);

}  // namespace moldau::broker
