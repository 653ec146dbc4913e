// InitProducerId (key 22), versions 0-5, for idempotent producers.
// Behaviour: a fresh producer id with epoch 0 for everyone without a transactional id; ids come
// from blocks that the controller hands out. A transactional id is answered UnsupportedVersion:
// this node has no transaction coordinator, and says so at once instead of letting clients retry.
// Version notes: v3 the producer's present id and epoch, both or neither (KIP-360).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_init_producer_id(Broker& broker, Request request);

}  // namespace moldau::broker
