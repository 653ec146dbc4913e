// DescribeGroups (key 15), versions 0-6.
// Version notes: v3 authorized operations (KIP-430); v4 group instance ids (KIP-345); v6
// GroupIdNotFound with a message, before that a missing group is "Dead" (KIP-1043).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_describe_groups(Broker& broker, Request request);

}  // namespace moldau::broker
