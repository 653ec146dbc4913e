// Heartbeat (key 12), versions 0-4.
// Version notes: v3 static members (KIP-345).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_heartbeat(Broker& broker, Request request);

}  // namespace moldau::broker
