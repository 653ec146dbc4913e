// ListGroups (key 16), versions 0-5.
// Behaviour: the groups whose coordinator is this broker. Version notes: v4 states (KIP-518); v5
// types (KIP-848).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_list_groups(Broker& broker, Request request);

}  // namespace moldau::broker
