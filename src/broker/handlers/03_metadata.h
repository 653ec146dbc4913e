// Metadata (key 3), versions 0-13.
// Behaviour: answers from the present image; endpoints are those of the listener that the request
// came in on. A missing topic is created when client and auto.create.topics.enable allow it, and
// the answer waits until it exists, so that a first-time producer sees no error at all. Version
// notes: v0 empty list = all topics, dead replicas are named with ReplicaNotAvailable; v1 null =
// all; v4 allow_auto_topic_creation; v5 offline replicas (KIP-112); v6 ListenerNotFound; v7 leader
// epochs (KIP-320); v8 authorized operations (KIP-430), cluster's moved to DescribeCluster from v11
// on; v10 topic ids, v12 look-up by id (KIP-516); v13 top-level error code (KIP-1102).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_metadata(Broker& broker, Request request);

}  // namespace moldau::broker
