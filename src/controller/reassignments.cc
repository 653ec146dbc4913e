// The reassignment half of leaders.h: AlterPartitionReassignments and ListPartitionReassignments.
#include <algorithm>
#include <set>

#include "controller/configs.h"
#include "controller/leaders.h"
#include "controller/partition_change.h"
#include "controller/topics.h"

namespace moldau::controller {

namespace {

using metadata::Partition;
using metadata::Records;
using protocol::AlterPartitionReassignmentsRequest;
using protocol::ListPartitionReassignmentsRequest;
using protocol::ListPartitionReassignmentsResponse;
using Ids = std::vector<int32_t>;

bool contains(const Ids& ids, int32_t id) {
    return std::ranges::find(ids, id) != ids.end();
}

Ids without(const Ids& ids, const Ids& unwanted) {
    Ids kept;
    std::ranges::copy_if(ids, std::back_inserter(kept),
                         [&](int32_t id) { return !contains(unwanted, id); });
    return kept;
}

Ids sorted_without(const Ids& ids, const Ids& unwanted) {
    Ids kept = without(ids, unwanted);
    std::ranges::sort(kept);
    return kept;
}

// Back to the replicas from before: the added ones go, the ones on their way out stay.
Status cancel(const View& view, const metadata::Topic& topic, int32_t index,
              const Partition& partition, Records& records) {
    if (!partition.is_reassigning()) {
        return fail({ErrorCode::NoReassignmentInProgress, ""});
    }
    Ids replicas = without(partition.replicas, partition.adding_replicas);
    Ids isr = without(partition.isr, partition.adding_replicas);
    if (replicas.empty()) {
        return fail(ErrorCode::InvalidReplicaAssignment,
                    "Invalid replica assignment: addingReplicas contains all replicas.");
    }
    bool unclean_allowed = unclean_leader_election_enabled(view, topic.name);
    if (isr.empty()) {
        if (!unclean_allowed) {
            return fail(ErrorCode::InvalidReplicaAssignment,
                        "Unable to revert partition assignment for {}:{} because it would require "
                        "an unclean leader election.",
                        topic.name, index);
        }
        isr = {replicas.front()};
    }
    PartitionChange change(view.state, {topic.id, index}, effective_min_isr(view, topic.id));
    if (unclean_allowed) {
        change.election(Election::Unclean);
    }
    auto record = change.isr(isr).replicas(replicas).removing({}).adding({}).build();
    if (record) {
        records.push_back(std::move(*record));
    }
    return {};
}

Status begin(const View& view, const metadata::Topic& topic, int32_t index,
             const Partition& partition, const Ids& target, bool size_may_change,
             Records& records) {
    MOLDAU_CHECK(validate_manual_assignment(view.state, target, std::nullopt));
    if (!size_may_change) {
        size_t present = without(partition.replicas, partition.removing_replicas).size();
        if (target.size() != present) {
            return fail(ErrorCode::InvalidReplicationFactor,
                        "The replication factor is changed from {} to {}", present, target.size());
        }
    }
    Ids removing = sorted_without(partition.replicas, target);
    Ids adding = sorted_without(target, partition.replicas);
    Ids replicas = target;
    replicas.insert(replicas.end(), removing.begin(), removing.end());
    PartitionChange change(view.state, {topic.id, index}, effective_min_isr(view, topic.id));
    change.replicas(std::move(replicas));
    if (!removing.empty()) {
        change.removing(std::move(removing));
    }
    if (!adding.empty()) {
        change.adding(std::move(adding));
    }
    if (auto record = change.build()) {
        records.push_back(std::move(*record));
    }
    return {};
}

Status alter(const View& view, const std::string& name,
             const AlterPartitionReassignmentsRequest::ReassignablePartition& wanted,
             bool size_may_change, Records& records) {
    const metadata::Topic* topic = view.state.image().topics.find(name);
    if (topic == nullptr) {
        return fail(ErrorCode::UnknownTopicOrPartition, "Unable to find a topic named {}.", name);
    }
    const Partition* partition = topic->partitions.find(wanted.partition_index);
    if (partition == nullptr) {
        return fail(ErrorCode::UnknownTopicOrPartition, "Unable to find partition {}:{}.", name,
                    wanted.partition_index);
    }
    if (!wanted.replicas) {
        return cancel(view, *topic, wanted.partition_index, *partition, records);
    }
    return begin(view, *topic, wanted.partition_index, *partition, *wanted.replicas,
                 size_may_change, records);
}

void list_topic(const metadata::Topic& topic, const Ids& indexes,
                ListPartitionReassignmentsResponse& response) {
    ListPartitionReassignmentsResponse::OngoingTopicReassignment ongoing;
    ongoing.name = topic.name;
    for (int32_t index : indexes) {
        const Partition* partition = topic.partitions.find(index);
        if (partition == nullptr || !partition->is_reassigning()) {
            continue;
        }
        auto& entry = ongoing.partitions.emplace_back();
        entry.partition_index = index;
        entry.replicas = partition->replicas;
        entry.adding_replicas = partition->adding_replicas;
        entry.removing_replicas = partition->removing_replicas;
    }
    if (!ongoing.partitions.empty()) {
        response.topics.push_back(std::move(ongoing));
    }
}

}  // namespace

Decision<protocol::AlterPartitionReassignmentsResponse> alter_partition_reassignments(
    const View& view, const AlterPartitionReassignmentsRequest& request) {
    Decision<protocol::AlterPartitionReassignmentsResponse> decision;
    if (request.topics.empty()) {
        return decision;
    }
    decision.response.error_message = std::nullopt;
    decision.response.allow_replication_factor_change = request.allow_replication_factor_change;
    for (const auto& topic : request.topics) {
        auto& topic_answer = decision.response.responses.emplace_back();
        topic_answer.name = topic.name;
        for (const auto& partition : topic.partitions) {
            Status status = alter(view, topic.name, partition,
                                  request.allow_replication_factor_change, decision.records);
            auto& answer = topic_answer.partitions.emplace_back();
            answer.partition_index = partition.partition_index;
            answer.error_message = std::nullopt;
            if (!status) {
                answer.error_code = to_wire(status.error().code);
                if (!status.error().message.empty()) {
                    answer.error_message = status.error().message;
                }
            }
        }
    }
    return decision;
}

ListPartitionReassignmentsResponse list_partition_reassignments(
    const State& state, const ListPartitionReassignmentsRequest& request) {
    ListPartitionReassignmentsResponse response;
    response.error_message = std::nullopt;
    const metadata::Topics& topics = state.image().topics;
    if (request.topics) {
        for (const auto& wanted : *request.topics) {
            if (const metadata::Topic* topic = topics.find(wanted.name)) {
                list_topic(*topic, wanted.partition_indexes, response);
            }
        }
        return response;
    }
    std::map<Uuid, Ids> reassigning;
    for (const PartitionKey& key : state.partitions_being_reassigned()) {
        reassigning[key.topic_id].push_back(key.index);
    }
    for (const auto& [id, indexes] : reassigning) {
        list_topic(*topics.find(id), indexes, response);
    }
    return response;
}

}  // namespace moldau::controller
