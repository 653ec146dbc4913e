// OffsetDelete (key 47), version 0 (KIP-496).
// Behaviour: topics and partitions that do not exist are answered one by one; topics that members
// subscribe to are refused.
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_offset_delete(Broker& broker, Request request);

}  // namespace moldau::broker
