// The rules that tie several keys together, as Kafka's KafkaConfig, DynamicBrokerConfig and
// GroupConfig hold them. Texts are Kafka's. Pure functions.
#pragma once

#include "config/server_state.h"

namespace moldau::config {

// Fills what is derived from several keys and adds one error per broken rule.
void check_server(ServerState& state, ConfigReport& report);

// Whether a broker (or, not per_broker, the whole cluster) may be set to `proposed` at run time.
Status check_dynamic(const ServerState& state, const ConfigMap& proposed, bool per_broker);

// Whether a group may be set to `configs`, within the bounds that the broker's keys give.
Status check_group_configs(const ServerState& state, const ConfigMap& defaults,
                           const ConfigMap& configs);

}  // namespace moldau::config
