// AlterConfigs (key 33), versions 0-2, and IncrementalAlterConfigs (key 44), versions 0-1.
// Behaviour: a broker checks what concerns itself (broker/config_admin.h), passes the rest on to
// the controller and puts the two answers together, one per resource in request order. Version
// notes: 33 replaces all of a resource's configs, 44 changes single keys (KIP-339); flexible from
// 33 v2 and 44 v1.
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_alter_configs(Broker& broker, Request request);
void handle_incremental_alter_configs(Broker& broker, Request request);

}  // namespace moldau::broker
