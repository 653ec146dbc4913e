// Fetch (key 1), versions 4-18.
// Behaviour: partitions are served in request order until max_bytes; the first batch of the first
// partition with data always goes out whole. Below min_bytes the request parks, for max_wait_ms at
// most; the append that satisfies it wakes exactly it. An error of one partition answers at once.
// Consumers see up to the high watermark, or the last stable offset with read_committed; replicas
// see everything.
// Version notes: v7 sessions (KIP-227); v9 leader epoch (KIP-320); v11 rack (KIP-392); v12
// divergence (KIP-595); v13 topic ids (KIP-516); v15 replica state (KIP-903); v16 leader hints
// (KIP-951).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_fetch(Broker& broker, Request request);

}  // namespace moldau::broker
