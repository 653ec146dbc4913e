// Topics: decides CreateTopics, DeleteTopics and CreatePartitions, with Kafka's checks, codes and
// sentences. Pure functions; ids and placement come from the random bits handed in.
#pragma once

#include "controller/decision.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"

namespace moldau::controller {

// One atomic list: per topic the Topic record, its Config records, its Partition records. A topic
// that fails leaves the others alone; too many partitions at once fail them all.
Decision<protocol::CreateTopicsResponse> create_topics(const View& view,
                                                       const protocol::CreateTopicsRequest& request,
                                                       bool forwarded, const Draw& draw);

// Topics may be named or given by id, each once. Errors: TopicDeletionDisabled (InvalidRequest
// below version 3) when delete.topic.enable is off.
Result<Decision<protocol::DeleteTopicsResponse>> delete_topics(
    const View& view, const protocol::DeleteTopicsRequest& request, int16_t version);

Decision<protocol::CreatePartitionsResponse> create_partitions(
    const View& view, const protocol::CreatePartitionsRequest& request, const Draw& draw);

// Checks brokers that a user chose for one partition. Errors: InvalidReplicaAssignment.
Status validate_manual_assignment(const State& state, std::vector<int32_t> replicas,
                                  std::optional<size_t> replication_factor);

}  // namespace moldau::controller
