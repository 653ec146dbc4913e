// DeleteGroups (key 42), versions 0-2 (KIP-229).
// Behaviour: a group named twice is deleted once; NonEmptyGroup while it has members.
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_delete_groups(Broker& broker, Request request);

}  // namespace moldau::broker
