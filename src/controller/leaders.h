// Leaders: who leads a partition, and what changes it: brokers that come and go, in-sync sets that
// leaders report (AlterPartition), elections on demand (ElectLeaders), reassignments, directories.
// Every change is worked out by PartitionChange. Pure functions.
#pragma once

#include "controller/decision.h"
#include "protocol/messages/alter_partition.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/assign_replicas_to_dirs.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/list_partition_reassignments.h"

namespace moldau::controller {

// What happened to brokers, as seen from the partitions it may change; -1 for "nobody".
struct BrokerEvent {
    int32_t leaving = -1;              // out of every ISR, leads nothing
    int32_t arriving = -1;             // may lead although still recorded as fenced
    int32_t uncleanly_shut_down = -1;  // as leaving, and its copy proves nothing any more
};

metadata::Records leader_and_isr_updates(const View& view, const BrokerEvent& event,
                                         const std::vector<PartitionKey>& partitions);

// A leader proposes its in-sync set. Errors: StaleBrokerEpoch, BrokerIdNotRegistered for the
// request.
Result<Decision<protocol::AlterPartitionResponse>> alter_partition(
    const View& view, const protocol::AlterPartitionRequest& request, int16_t version);

// Errors: InvalidRequest for an unknown election type.
Result<Decision<protocol::ElectLeadersResponse>> elect_leaders(
    const View& view, const protocol::ElectLeadersRequest& request);
// Moves leadership back to preferred replicas, at most `count_max` partitions.
metadata::Records rebalance_leaders(const View& view, size_t count_max);
// Elects anybody alive for leaderless partitions whose topic allows it, at most `count_max`.
metadata::Records elect_unclean_leaders(const View& view, size_t count_max);

Decision<protocol::AlterPartitionReassignmentsResponse> alter_partition_reassignments(
    const View& view, const protocol::AlterPartitionReassignmentsRequest& request);
protocol::ListPartitionReassignmentsResponse list_partition_reassignments(
    const State& state, const protocol::ListPartitionReassignmentsRequest& request);

// A broker tells in which directory it keeps replicas.
Result<Decision<protocol::AssignReplicasToDirsResponse>> assign_replicas_to_directories(
    const View& view, const protocol::AssignReplicasToDirsRequest& request);

// Errors: BrokerIdNotRegistered, StaleBrokerEpoch.
Status check_broker_epoch(const State& state, int32_t broker, int64_t epoch);

}  // namespace moldau::controller
