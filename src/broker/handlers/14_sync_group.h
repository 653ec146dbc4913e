// SyncGroup (key 14), versions 0-5.
// Behaviour: parked until the leader's assignment is committed. Version notes: v3 static members
// (KIP-345); v5 protocol type and name, which must be there (KIP-559).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_sync_group(Broker& broker, Request request);

}  // namespace moldau::broker
