// DescribeProducers (key 61), version 0 (KIP-664).
// Behaviour: the producers that the leader of each partition remembers.
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_describe_producers(Broker& broker, Request request);

}  // namespace moldau::broker
