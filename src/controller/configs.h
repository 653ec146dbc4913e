// Configs: decides IncrementalAlterConfigs and AlterConfigs, and answers what a topic's
// configuration comes to. Resources are topics, brokers (the empty name is the cluster-wide
// default), groups and client-metrics subscriptions; loggers are no business of the controller.
// Broker configs are validated by the broker that forwards them, as in Kafka; the rest here.
// Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "controller/decision.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/incremental_alter_configs.h"

namespace moldau::controller {

enum class ConfigOperationType : int8_t { Set = 0, Delete = 1, Append = 2, Subtract = 3 };

struct ConfigOperation {
    ConfigOperationType type = ConfigOperationType::Set;
    std::optional<std::string> value;
};

using ConfigOperations = std::map<std::string, ConfigOperation>;

// The records that change one resource, or why it cannot be changed. `newly_created`: the topic's
// own records are part of the same decision, so it need not exist yet. `forwarded`: through a
// broker.
Result<metadata::Records> alter_resource(const View& view, const metadata::ConfigResource& resource,
                                         const ConfigOperations& operations, bool newly_created,
                                         bool forwarded);

// A change of min.insync.replicas makes every ELR that was built with the old value void: the
// ClearElr records that belong to those config records.
metadata::Records clear_elr_records(const State& state, const metadata::Records& config_records);

Decision<protocol::IncrementalAlterConfigsResponse> incremental_alter_configs(
    const View& view, const protocol::IncrementalAlterConfigsRequest& request, bool forwarded);
Decision<protocol::AlterConfigsResponse> alter_configs(const View& view,
                                                       const protocol::AlterConfigsRequest& request,
                                                       bool forwarded);

// Effective values: the topic's own, else this controller's dynamic, else the cluster's, else the
// static one.
int32_t min_insync_replicas(const View& view, const std::string& topic);
bool unclean_leader_election_enabled(const View& view, const std::string& topic);
// min.insync.replicas bounded by the replication factor: a partition cannot be asked for more.
int32_t effective_min_isr(const View& view, const Uuid& topic_id);

// What has to go with eligible.leader.replicas.version being switched on: a cluster-wide
// min.insync.replicas, and none of single brokers.
metadata::Records elr_safety_records(const View& view);

}  // namespace moldau::controller
