// OffsetForLeaderEpoch (key 23), versions 2-4.
// Behaviour: the end of the largest epoch not above the one asked for (KIP-101, KIP-279), by which
// clients and followers find where logs part; -1 and -1 when the log knows none.
// Version notes: v3 replica id (KIP-392).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_offset_for_leader_epoch(Broker& broker, Request request);

}  // namespace moldau::broker
