// FindCoordinator (key 10), versions 0-6.
// Behaviour: the broker that leads the group's partition of __consumer_offsets. A missing topic is
// created, and the answer waits until it exists. Transactions and share groups are not served here:
// UnsupportedVersion, so that clients fail at once. Version notes: v1 key types and error message;
// v4 several keys (KIP-699); v6 share coordinators (KIP-932).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_find_coordinator(Broker& broker, Request request);

}  // namespace moldau::broker
