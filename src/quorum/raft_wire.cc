#include "quorum/raft_wire.h"

#include <limits>

#include "protocol/api_keys.h"
#include "protocol/messages/begin_quorum_epoch.h"
#include "protocol/messages/end_quorum_epoch.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/fetch_snapshot.h"
#include "protocol/messages/remove_raft_voter.h"
#include "protocol/messages/update_raft_voter.h"
#include "protocol/messages/vote.h"
#include "quorum/encode_chain.h"

namespace moldau::quorum {

namespace {

using protocol::ApiKey;
using protocol::Chain;

constexpr std::string_view kTopic = "__cluster_metadata";
constexpr int32_t kPartition = 0;

// --- requests -------------------------------------------------------------------------------

// The one partition of the request, or null when it names none, several or another.
const protocol::FetchRequest::FetchPartition* partition_of(const protocol::FetchRequest& request) {
    // Versions before 13 name topics by name, and Kafka looks at the id alone.
    bool is_ours = request.topics.size() == 1 && request.topics[0].topic_id == kMetadataTopicId &&
                   request.topics[0].partitions.size() == 1 &&
                   request.topics[0].partitions[0].partition == kPartition;
    return is_ours ? &request.topics[0].partitions[0] : nullptr;
}

template <typename Request>
auto* partition_of(const Request& request) {
    bool is_ours = request.topics.size() == 1 && request.topics[0].topic_name == kTopic &&
                   request.topics[0].partitions.size() == 1 &&
                   request.topics[0].partitions[0].partition_index == kPartition;
    return is_ours ? &request.topics[0].partitions[0] : nullptr;
}

template <typename Listeners>
std::vector<consensus::Endpoint> endpoints_of(const Listeners& listeners) {
    std::vector<consensus::Endpoint> endpoints;
    for (const auto& listener : listeners) {
        endpoints.push_back({listener.name, listener.host, listener.port});
    }
    return endpoints;
}

std::optional<consensus::ReplicaKey> voter_key(int32_t id, const Uuid& directory) {
    return id < 0 ? std::nullopt : std::optional(consensus::ReplicaKey{BrokerId(id), directory});
}

consensus::FetchRequest to_core(const protocol::FetchRequest& request,
                                const protocol::FetchRequest::FetchPartition& partition) {
    consensus::FetchRequest made;
    made.cluster_id = request.cluster_id;
    bool is_by_id = request.replica_id >= 0;  // up to version 14
    made.replica = {BrokerId(is_by_id ? request.replica_id : request.replica_state.replica_id),
                    partition.replica_directory_id};
    made.epoch = LeaderEpoch(partition.current_leader_epoch);
    made.position = {Offset(partition.fetch_offset), LeaderEpoch(partition.last_fetched_epoch)};
    if (partition.high_watermark != std::numeric_limits<int64_t>::max()) {
        made.high_watermark = Offset(partition.high_watermark);
    }
    made.max_wait = milliseconds(request.max_wait_ms);
    made.max_bytes = request.max_bytes;
    return made;
}

consensus::VoteRequest to_core(const protocol::VoteRequest& request,
                               const protocol::VoteRequest::PartitionData& partition) {
    consensus::VoteRequest made;
    made.cluster_id = request.cluster_id;
    made.voter = voter_key(request.voter_id, partition.voter_directory_id);
    made.candidate = {BrokerId(partition.replica_id), partition.replica_directory_id};
    made.epoch = LeaderEpoch(partition.replica_epoch);
    made.log_end = {Offset(partition.last_offset), LeaderEpoch(partition.last_offset_epoch)};
    made.pre_vote = partition.pre_vote;
    return made;
}

consensus::BeginQuorumEpochRequest to_core(
    const protocol::BeginQuorumEpochRequest& request,
    const protocol::BeginQuorumEpochRequest::PartitionData& partition) {
    consensus::BeginQuorumEpochRequest made;
    made.cluster_id = request.cluster_id;
    made.voter = voter_key(request.voter_id, partition.voter_directory_id);
    made.leader = BrokerId(partition.leader_id);
    made.epoch = LeaderEpoch(partition.leader_epoch);
    made.endpoints = endpoints_of(request.leader_endpoints);
    return made;
}

consensus::EndQuorumEpochRequest to_core(
    const protocol::EndQuorumEpochRequest& request,
    const protocol::EndQuorumEpochRequest::PartitionData& partition) {
    consensus::EndQuorumEpochRequest made;
    made.cluster_id = request.cluster_id;
    made.leader = BrokerId(partition.leader_id);
    made.epoch = LeaderEpoch(partition.leader_epoch);
    made.endpoints = endpoints_of(request.leader_endpoints);
    for (const auto& candidate : partition.preferred_candidates) {
        made.preferred_candidates.push_back(
            {BrokerId(candidate.candidate_id), candidate.candidate_directory_id});
    }
    for (int32_t successor : partition.preferred_successors) {  // version 0
        made.preferred_candidates.push_back({BrokerId(successor), kZeroUuid});
    }
    return made;
}

consensus::FetchSnapshotRequest to_core(
    const protocol::FetchSnapshotRequest& request,
    const protocol::FetchSnapshotRequest::PartitionSnapshot& partition) {
    consensus::FetchSnapshotRequest made;
    made.cluster_id = request.cluster_id;
    made.replica = {BrokerId(request.replica_id), partition.replica_directory_id};
    made.epoch = LeaderEpoch(partition.current_leader_epoch);
    made.snapshot = {Offset(partition.snapshot_id.end_offset),
                     LeaderEpoch(partition.snapshot_id.epoch)};
    made.position = partition.position;
    made.max_bytes = request.max_bytes;
    return made;
}

consensus::RemoveVoterRequest to_core(const protocol::RemoveRaftVoterRequest& request) {
    return {request.cluster_id, {BrokerId(request.voter_id), request.voter_directory_id}};
}

consensus::UpdateVoterRequest to_core(const protocol::UpdateRaftVoterRequest& request) {
    consensus::UpdateVoterRequest made;
    made.cluster_id = request.cluster_id;
    made.epoch = LeaderEpoch(request.current_leader_epoch);
    made.voter.key = {BrokerId(request.voter_id), request.voter_directory_id};
    made.voter.endpoints = endpoints_of(request.listeners);
    made.voter.kraft_version_min = request.k_raft_version_feature.min_supported_version;
    made.voter.kraft_version_max = request.k_raft_version_feature.max_supported_version;
    return made;
}

// --- responses ------------------------------------------------------------------------------

// The leader's address on the listener of the request.
template <typename Nodes>
void add_leader_endpoint(Nodes& nodes, const RaftCall& call,
                         const consensus::ResponseHeader& header) {
    for (const consensus::Endpoint& endpoint : header.leader_endpoints) {
        if (header.leader && endpoint.listener == call.listener) {
            auto& node = nodes.emplace_back();
            node.node_id = header.leader->value();
            node.host = endpoint.host;
            node.port = endpoint.port;
            return;
        }
    }
}

int32_t leader_id(const consensus::ResponseHeader& header) {
    return header.leader.value_or(kNoBroker).value();
}

// Vote, BeginQuorumEpoch, EndQuorumEpoch: they differ in whether a vote was granted.
template <typename Response>
Response election_response(const RaftCall& call, const consensus::ResponseHeader& header) {
    Response response;
    auto& topic = response.topics.emplace_back();
    topic.topic_name = kTopic;
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = kPartition;
    partition.error_code = to_wire(header.error);
    partition.leader_id = leader_id(header);
    partition.leader_epoch = header.epoch.value();
    if (call.api_version >= 1) {
        add_leader_endpoint(response.node_endpoints, call, header);
    }
    return response;
}

protocol::VoteResponse to_wire_form(const RaftCall& call, const consensus::VoteResponse& answer) {
    auto response = election_response<protocol::VoteResponse>(call, answer.header);
    response.topics[0].partitions[0].vote_granted = answer.granted;
    return response;
}

protocol::BeginQuorumEpochResponse to_wire_form(const RaftCall& call,
                                                const consensus::BeginQuorumEpochResponse& answer) {
    return election_response<protocol::BeginQuorumEpochResponse>(call, answer.header);
}

protocol::EndQuorumEpochResponse to_wire_form(const RaftCall& call,
                                              const consensus::EndQuorumEpochResponse& answer) {
    return election_response<protocol::EndQuorumEpochResponse>(call, answer.header);
}

protocol::FetchResponse to_wire_form(const RaftCall& call, const consensus::FetchResponse& answer) {
    constexpr int16_t kFirstWithEndpoints = 17;
    protocol::FetchResponse response;
    auto& topic = response.responses.emplace_back();
    topic.topic = kTopic;
    topic.topic_id = kMetadataTopicId;
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = kPartition;
    partition.error_code = to_wire(answer.header.error);
    partition.high_watermark = answer.high_watermark.value_or(kNoOffset).value();
    partition.log_start_offset = answer.log_start.value();
    partition.current_leader.leader_id = leader_id(answer.header);
    partition.current_leader.leader_epoch = answer.header.epoch.value();
    if (answer.diverging) {
        partition.diverging_epoch.epoch = answer.diverging->epoch.value();
        partition.diverging_epoch.end_offset = answer.diverging->offset.value();
    }
    if (answer.snapshot) {
        partition.snapshot_id.epoch = answer.snapshot->epoch.value();
        partition.snapshot_id.end_offset = answer.snapshot->offset.value();
    }
    partition.aborted_transactions.emplace();
    partition.records = answer.entries.empty() ? Bytes() : answer.entries.front().batch;
    if (call.api_version >= kFirstWithEndpoints) {
        add_leader_endpoint(response.node_endpoints, call, answer.header);
    }
    return response;
}

protocol::FetchSnapshotResponse to_wire_form(const RaftCall& call,
                                             const consensus::FetchSnapshotResponse& answer) {
    protocol::FetchSnapshotResponse response;
    auto& topic = response.topics.emplace_back();
    topic.name = kTopic;
    auto& partition = topic.partitions.emplace_back();
    partition.index = kPartition;
    partition.error_code = to_wire(answer.header.error);
    partition.current_leader.leader_id = leader_id(answer.header);
    partition.current_leader.leader_epoch = answer.header.epoch.value();
    partition.unaligned_records = Bytes();
    if (answer.header.error == ErrorCode::None) {
        partition.snapshot_id.end_offset = answer.snapshot.offset.value();
        partition.snapshot_id.epoch = answer.snapshot.epoch.value();
        partition.size = answer.size;
        partition.position = answer.position;
        partition.unaligned_records = answer.chunk;
    }
    if (call.api_version >= 1) {
        add_leader_endpoint(response.node_endpoints, call, answer.header);
    }
    return response;
}

protocol::RemoveRaftVoterResponse remove_voter_response(
    const consensus::VoterChangeResponse& answer) {
    protocol::RemoveRaftVoterResponse response;
    response.error_code = to_wire(answer.header.error);
    response.error_message =
        answer.header.error == ErrorCode::None ? std::nullopt : std::optional(answer.message);
    return response;
}

protocol::UpdateRaftVoterResponse update_voter_response(
    const RaftCall& call, const consensus::VoterChangeResponse& answer) {
    protocol::UpdateRaftVoterResponse response;
    response.error_code = to_wire(answer.header.error);
    response.current_leader.leader_id = leader_id(answer.header);
    response.current_leader.leader_epoch = answer.header.epoch.value();
    for (const consensus::Endpoint& endpoint : answer.header.leader_endpoints) {
        if (endpoint.listener == call.listener) {
            response.current_leader.host = endpoint.host;
            response.current_leader.port = endpoint.port;
        }
    }
    return response;
}

// A refusal of the request as a whole.
template <typename Response>
Result<Chain> refusal(const RaftCall& call, ErrorCode code) {
    Response response;
    response.error_code = to_wire(code);
    return encode_chain(response, call.api_version);
}

template <typename Response, typename Answer>
Result<Chain> write(const RaftCall& call, const Answer& answer) {
    if (answer.header.top_error != ErrorCode::None) {
        return refusal<Response>(call, answer.header.top_error);
    }
    return encode_chain(to_wire_form(call, answer), call.api_version);
}

// A request about the one partition.
template <typename Request, typename Response>
Result<RaftQuestion> read(const RaftCall& call, const Bytes& body, const RaftSelf& self) {
    MOLDAU_TRY(auto request, protocol::decode<Request>(body, call.api_version));
    if (request.cluster_id && *request.cluster_id != self.cluster_id) {
        return refusal<Response>(call, ErrorCode::InconsistentClusterId);
    }
    const auto* partition = partition_of(request);
    if (partition == nullptr) {
        return refusal<Response>(call, ErrorCode::InvalidRequest);
    }
    return consensus::Request(to_core(request, *partition));
}

// FetchSnapshot repeats the partition that it does not know.
Result<RaftQuestion> read_fetch_snapshot(const RaftCall& call, const Bytes& body,
                                         const RaftSelf& self) {
    using Response = protocol::FetchSnapshotResponse;
    MOLDAU_TRY(auto request,
               protocol::decode<protocol::FetchSnapshotRequest>(body, call.api_version));
    if (request.cluster_id && *request.cluster_id != self.cluster_id) {
        return refusal<Response>(call, ErrorCode::InconsistentClusterId);
    }
    if (request.topics.size() != 1 || request.topics[0].partitions.size() != 1) {
        return refusal<Response>(call, ErrorCode::InvalidRequest);
    }
    const auto& topic = request.topics[0];
    const auto& partition = topic.partitions[0];
    if (topic.name == kTopic && partition.partition == kPartition) {
        return consensus::Request(to_core(request, partition));
    }
    Response response;
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = topic.name;
    auto& answer = topic_answer.partitions.emplace_back();
    answer.index = partition.partition;
    answer.error_code = to_wire(ErrorCode::UnknownTopicOrPartition);
    answer.unaligned_records = Bytes();
    if (call.api_version >= 1) {
        add_leader_endpoint(response.node_endpoints, call, self.header);
    }
    return encode_chain(response, call.api_version);
}

template <typename Request>
Result<RaftQuestion> read_voter_change(const RaftCall& call, const Bytes& body) {
    MOLDAU_TRY(auto request, protocol::decode<Request>(body, call.api_version));
    return consensus::Request(to_core(request));
}

Status check_served(const RaftCall& call) {
    const protocol::ApiInfo* info = protocol::find_api(call.api_key);
    if (!is_raft_api(call.api_key) || !info->served().contains(call.api_version)) {
        return fail(ErrorCode::UnsupportedVersion,
                    "not a request of the raft protocol: api_key={} version={}", call.api_key,
                    call.api_version);
    }
    return {};
}

}  // namespace

bool is_raft_api(int16_t api_key) {
    switch (static_cast<ApiKey>(api_key)) {
        case ApiKey::Fetch:
        case ApiKey::Vote:
        case ApiKey::BeginQuorumEpoch:
        case ApiKey::EndQuorumEpoch:
        case ApiKey::FetchSnapshot:
        case ApiKey::RemoveRaftVoter:
        case ApiKey::UpdateRaftVoter:
            return true;
        default:
            return false;
    }
}

Result<RaftQuestion> read_raft_request(const RaftCall& call, const Bytes& body,
                                       const RaftSelf& self) {
    using namespace protocol;
    MOLDAU_CHECK(check_served(call));
    switch (static_cast<ApiKey>(call.api_key)) {
        case ApiKey::Fetch:
            return read<FetchRequest, FetchResponse>(call, body, self);
        case ApiKey::Vote:
            return read<VoteRequest, VoteResponse>(call, body, self);
        case ApiKey::BeginQuorumEpoch:
            return read<BeginQuorumEpochRequest, BeginQuorumEpochResponse>(call, body, self);
        case ApiKey::EndQuorumEpoch:
            return read<EndQuorumEpochRequest, EndQuorumEpochResponse>(call, body, self);
        case ApiKey::FetchSnapshot:
            return read_fetch_snapshot(call, body, self);
        case ApiKey::RemoveRaftVoter:
            return read_voter_change<RemoveRaftVoterRequest>(call, body);
        default:
            return read_voter_change<UpdateRaftVoterRequest>(call, body);
    }
}

Result<Chain> write_raft_response(const RaftCall& call, const consensus::Response& response) {
    using namespace protocol;
    switch (static_cast<ApiKey>(call.api_key)) {
        case ApiKey::Fetch:
            return write<FetchResponse>(call, std::get<consensus::FetchResponse>(response));
        case ApiKey::Vote:
            return write<VoteResponse>(call, std::get<consensus::VoteResponse>(response));
        case ApiKey::BeginQuorumEpoch:
            return write<BeginQuorumEpochResponse>(
                call, std::get<consensus::BeginQuorumEpochResponse>(response));
        case ApiKey::EndQuorumEpoch:
            return write<EndQuorumEpochResponse>(
                call, std::get<consensus::EndQuorumEpochResponse>(response));
        case ApiKey::FetchSnapshot:
            return write<FetchSnapshotResponse>(
                call, std::get<consensus::FetchSnapshotResponse>(response));
        case ApiKey::RemoveRaftVoter:
            return encode_chain(
                remove_voter_response(std::get<consensus::VoterChangeResponse>(response)),
                call.api_version);
        default:
            return encode_chain(
                update_voter_response(call, std::get<consensus::VoterChangeResponse>(response)),
                call.api_version);
    }
}

}  // namespace moldau::quorum
