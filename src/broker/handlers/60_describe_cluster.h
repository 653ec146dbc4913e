// DescribeCluster (key 60), versions 0-2, on the broker listener.
// Behaviour: the brokers with their endpoints of the listener that the request came in on; "the
// controller" is any live broker, as admin requests are forwarded from wherever they arrive.
// Version notes: v1 endpoint type (KIP-919), a wrong one is MismatchedEndpointType; v2 fenced
// brokers (KIP-1073).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_describe_cluster(Broker& broker, Request request);

}  // namespace moldau::broker
