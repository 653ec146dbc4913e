#include "quorum/raft_wire.h"

#include <gtest/gtest.h>

#include "protocol/api_keys.h"
#include "protocol/messages/begin_quorum_epoch.h"
#include "protocol/messages/end_quorum_epoch.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/fetch_snapshot.h"
#include "protocol/messages/remove_raft_voter.h"
#include "protocol/messages/update_raft_voter.h"
#include "protocol/messages/vote.h"

namespace moldau::quorum {
namespace {

using namespace protocol;

constexpr Uuid kDirectory{7, 8};

consensus::ResponseHeader header(ErrorCode error = ErrorCode::None) {
    consensus::ResponseHeader made;
    made.error = error;
    made.leader = BrokerId(3);
    made.epoch = LeaderEpoch(9);
    made.leader_endpoints = {{"INTERNAL", "inside", 1}, {"CONTROLLER", "outside", 9093}};
    return made;
}

RaftSelf self() {
    return {"cluster", header()};
}

template <typename Request>
RaftCall call_of(int16_t version) {
    return {Request::kApiKey, version, "CONTROLLER"};
}

template <typename Request>
Result<RaftQuestion> read(const Request& request, int16_t version) {
    return read_raft_request(call_of<Request>(version), encode(request, version), self());
}

template <typename Core, typename Request>
Core core_of(const Request& request, int16_t version) {
    auto question = read(request, version);
    EXPECT_TRUE(question.has_value()) << Request::kApiKey << " v" << version;
    return std::get<Core>(std::get<consensus::Request>(question.value()));
}

// The code with which the whole request was refused, without asking the core.
template <typename Response, typename Request>
ErrorCode refusal_of(const Request& request, int16_t version) {
    auto question = read(request, version);
    auto* answer = question ? std::get_if<Chain>(&*question) : nullptr;
    if (answer == nullptr) {
        return ErrorCode::None;
    }
    return static_cast<ErrorCode>(decode<Response>(join(*answer), version).value().error_code);
}

template <typename Request, typename Response>
Response written(const consensus::Response& answer, int16_t version) {
    auto chain = write_raft_response(call_of<Request>(version), answer);
    EXPECT_TRUE(chain.has_value()) << Request::kApiKey << " v" << version;
    return decode<Response>(join(chain.value()), version).value();
}

template <typename Request>
std::vector<int16_t> versions() {
    VersionRange range = find_api(Request::kApiKey)->served();
    std::vector<int16_t> all;
    for (int16_t version = range.first; version <= range.last; ++version) {
        all.push_back(version);
    }
    return all;
}

template <typename Request>
Request about_the_metadata_partition() {
    Request request;
    auto& topic = request.topics.emplace_back();
    topic.topic_name = "__cluster_metadata";
    topic.partitions.emplace_back();
    return request;
}

FetchRequest fetch(int16_t version) {
    FetchRequest request;
    auto& topic = request.topics.emplace_back();
    auto& partition = topic.partitions.emplace_back();
    topic.topic_id = version >= 13 ? kMetadataTopicId : kZeroUuid;
    (version >= 15 ? request.replica_state.replica_id : request.replica_id) = 5;
    partition.fetch_offset = 40;
    request.max_wait_ms = 500;
    request.max_bytes = 1000;
    if (version >= 12) {
        partition.current_leader_epoch = 9;
        partition.last_fetched_epoch = 8;
    }
    return request;
}

TEST(RaftWire, fetch_is_read_in_every_version_that_names_the_topic_by_id) {
    for (int16_t version : versions<FetchRequest>()) {
        SCOPED_TRACE(version);
        FetchRequest request = fetch(version);
        if (version < 13) {
            request.topics[0].topic = "__cluster_metadata";
            auto question = read(request, version);
            ASSERT_TRUE(question);
            EXPECT_TRUE(std::holds_alternative<Chain>(*question));
            continue;
        }
        if (version >= 17) {
            request.topics[0].partitions[0].replica_directory_id = kDirectory;
        }
        auto core = core_of<consensus::FetchRequest>(request, version);
        EXPECT_EQ(core.replica.id, BrokerId(5));
        EXPECT_EQ(core.replica.directory, version >= 17 ? kDirectory : kZeroUuid);
        EXPECT_EQ(core.epoch, LeaderEpoch(9));
        EXPECT_EQ(core.position, (consensus::OffsetAndEpoch{Offset(40), LeaderEpoch(8)}));
        EXPECT_EQ(core.max_wait, milliseconds(500));
        EXPECT_EQ(core.max_bytes, 1000);
        EXPECT_FALSE(core.high_watermark) << "nothing was said of it";
    }
}

TEST(RaftWire, fetch_says_what_it_knows_of_the_high_watermark_from_version_18) {
    FetchRequest request = fetch(18);
    request.topics[0].partitions[0].high_watermark = -1;
    auto core = core_of<consensus::FetchRequest>(request, 18);
    EXPECT_EQ(core.high_watermark, Offset(-1));
}

TEST(RaftWire, fetch_of_anything_else_is_invalid_as_a_whole) {
    FetchRequest request = fetch(18);
    request.topics[0].partitions[0].partition = 1;
    EXPECT_EQ(refusal_of<FetchResponse>(request, 18), ErrorCode::InvalidRequest);
    request = fetch(18);
    request.topics[0].partitions.emplace_back();
    EXPECT_EQ(refusal_of<FetchResponse>(request, 18), ErrorCode::InvalidRequest);
    request = fetch(18);
    request.topics[0].topic_id = kDirectory;
    EXPECT_EQ(refusal_of<FetchResponse>(request, 18), ErrorCode::InvalidRequest);
    request.topics.clear();
    EXPECT_EQ(refusal_of<FetchResponse>(request, 18), ErrorCode::InvalidRequest);
    request.cluster_id = "elsewhere";
    EXPECT_EQ(refusal_of<FetchResponse>(request, 18), ErrorCode::InconsistentClusterId);
}

TEST(RaftWire, fetch_answer_has_leader_watermark_and_records_in_every_version) {
    consensus::FetchResponse answer;
    answer.header = header();
    answer.high_watermark = Offset(50);
    answer.log_start = Offset(2);
    answer.diverging = consensus::OffsetAndEpoch{Offset(30), LeaderEpoch(4)};
    answer.snapshot = consensus::SnapshotId{Offset(20), LeaderEpoch(3)};
    answer.entries.emplace_back().batch = Bytes::copy_of("records");
    for (int16_t version : versions<FetchRequest>()) {
        if (version < 13) {
            continue;
        }
        SCOPED_TRACE(version);
        auto response = written<FetchRequest, FetchResponse>(answer, version);
        const auto& partition = response.responses.at(0).partitions.at(0);
        EXPECT_EQ(response.responses[0].topic_id, kMetadataTopicId);
        EXPECT_EQ(partition.high_watermark, 50);
        EXPECT_EQ(partition.log_start_offset, 2);
        EXPECT_EQ(partition.current_leader.leader_id, 3);
        EXPECT_EQ(partition.current_leader.leader_epoch, 9);
        EXPECT_EQ(partition.diverging_epoch.epoch, 4);
        EXPECT_EQ(partition.diverging_epoch.end_offset, 30);
        EXPECT_EQ(partition.snapshot_id.epoch, 3);
        EXPECT_EQ(partition.snapshot_id.end_offset, 20);
        EXPECT_EQ(partition.records.value(), Bytes::copy_of("records"));
        ASSERT_EQ(response.node_endpoints.size(), version >= 17 ? 1u : 0u);
        if (version >= 17) {
            EXPECT_EQ(response.node_endpoints[0].node_id, 3);
            EXPECT_EQ(response.node_endpoints[0].host, "outside") << "of the listener asked";
            EXPECT_EQ(response.node_endpoints[0].port, 9093);
        }
    }
}

TEST(RaftWire, an_unknown_leader_has_no_endpoint) {
    consensus::FetchResponse answer;
    answer.header.error = ErrorCode::NotLeaderOrFollower;
    answer.header.epoch = LeaderEpoch(9);
    auto response = written<FetchRequest, FetchResponse>(answer, 18);
    EXPECT_EQ(response.responses.at(0).partitions.at(0).error_code,
              to_wire(ErrorCode::NotLeaderOrFollower));
    EXPECT_EQ(response.responses[0].partitions[0].current_leader.leader_id, -1);
    EXPECT_EQ(response.responses[0].partitions[0].high_watermark, -1);
    EXPECT_TRUE(response.node_endpoints.empty());
}

TEST(RaftWire, a_refused_request_is_answered_at_the_top_alone) {
    consensus::FetchResponse answer;
    answer.header.top_error = ErrorCode::InconsistentClusterId;
    auto response = written<FetchRequest, FetchResponse>(answer, 18);
    EXPECT_EQ(response.error_code, to_wire(ErrorCode::InconsistentClusterId));
    EXPECT_TRUE(response.responses.empty());
}

TEST(RaftWire, vote_is_read_and_answered_in_every_version) {
    for (int16_t version : versions<VoteRequest>()) {
        SCOPED_TRACE(version);
        auto request = about_the_metadata_partition<VoteRequest>();
        auto& partition = request.topics[0].partitions[0];
        partition.replica_epoch = 10;
        partition.replica_id = 5;
        partition.last_offset = 70;
        partition.last_offset_epoch = 9;
        if (version >= 1) {
            request.voter_id = 3;
            partition.voter_directory_id = kDirectory;
            partition.replica_directory_id = Uuid{1, 1};
        }
        partition.pre_vote = version >= 2;
        auto core = core_of<consensus::VoteRequest>(request, version);
        EXPECT_EQ(core.candidate.id, BrokerId(5));
        EXPECT_EQ(core.candidate.directory, version >= 1 ? (Uuid{1, 1}) : kZeroUuid);
        EXPECT_EQ(core.voter.has_value(), version >= 1);
        if (core.voter) {
            EXPECT_EQ(*core.voter, (consensus::ReplicaKey{BrokerId(3), kDirectory}));
        }
        EXPECT_EQ(core.epoch, LeaderEpoch(10));
        EXPECT_EQ(core.log_end, (consensus::OffsetAndEpoch{Offset(70), LeaderEpoch(9)}));
        EXPECT_EQ(core.pre_vote, version >= 2);

        consensus::VoteResponse answer{header(), true};
        auto response = written<VoteRequest, VoteResponse>(answer, version);
        const auto& said = response.topics.at(0).partitions.at(0);
        EXPECT_TRUE(said.vote_granted);
        EXPECT_EQ(said.leader_id, 3);
        EXPECT_EQ(said.leader_epoch, 9);
        EXPECT_EQ(response.node_endpoints.size(), version >= 1 ? 1u : 0u);
    }
}

TEST(RaftWire, beginning_of_an_epoch_is_read_and_answered_in_every_version) {
    for (int16_t version : versions<BeginQuorumEpochRequest>()) {
        SCOPED_TRACE(version);
        auto request = about_the_metadata_partition<BeginQuorumEpochRequest>();
        request.topics[0].partitions[0].leader_id = 5;
        request.topics[0].partitions[0].leader_epoch = 10;
        if (version >= 1) {
            auto& endpoint = request.leader_endpoints.emplace_back();
            endpoint.name = "CONTROLLER";
            endpoint.host = "there";
            endpoint.port = 40000;
        }
        auto core = core_of<consensus::BeginQuorumEpochRequest>(request, version);
        EXPECT_EQ(core.leader, BrokerId(5));
        EXPECT_EQ(core.epoch, LeaderEpoch(10));
        ASSERT_EQ(core.endpoints.size(), version >= 1 ? 1u : 0u);
        if (version >= 1) {
            EXPECT_EQ(core.endpoints[0], (consensus::Endpoint{"CONTROLLER", "there", 40000}));
        }
        auto response = written<BeginQuorumEpochRequest, BeginQuorumEpochResponse>(
            consensus::BeginQuorumEpochResponse{header(ErrorCode::FencedLeaderEpoch)}, version);
        EXPECT_EQ(response.topics.at(0).partitions.at(0).error_code,
                  to_wire(ErrorCode::FencedLeaderEpoch));
        EXPECT_EQ(response.node_endpoints.size(), version >= 1 ? 1u : 0u);
    }
}

TEST(RaftWire, end_of_an_epoch_names_successors_by_id_then_by_key) {
    for (int16_t version : versions<EndQuorumEpochRequest>()) {
        SCOPED_TRACE(version);
        auto request = about_the_metadata_partition<EndQuorumEpochRequest>();
        auto& partition = request.topics[0].partitions[0];
        partition.leader_id = 5;
        partition.leader_epoch = 10;
        if (version == 0) {
            partition.preferred_successors = {4, 3};
        } else {
            auto& candidate = partition.preferred_candidates.emplace_back();
            candidate.candidate_id = 4;
            candidate.candidate_directory_id = kDirectory;
        }
        auto core = core_of<consensus::EndQuorumEpochRequest>(request, version);
        ASSERT_EQ(core.preferred_candidates.size(), version == 0 ? 2u : 1u);
        EXPECT_EQ(core.preferred_candidates[0].id, BrokerId(4));
        EXPECT_EQ(core.preferred_candidates[0].directory, version == 0 ? kZeroUuid : kDirectory);
        auto response = written<EndQuorumEpochRequest, EndQuorumEpochResponse>(
            consensus::EndQuorumEpochResponse{header()}, version);
        EXPECT_EQ(response.topics.at(0).partitions.at(0).leader_id, 3);
    }
}

TEST(RaftWire, messages_between_voters_about_another_partition_are_invalid_as_a_whole) {
    auto vote = about_the_metadata_partition<VoteRequest>();
    vote.topics[0].partitions[0].partition_index = 1;
    EXPECT_EQ(refusal_of<VoteResponse>(vote, 2), ErrorCode::InvalidRequest);
    auto begin = about_the_metadata_partition<BeginQuorumEpochRequest>();
    begin.topics[0].topic_name = "orders";
    EXPECT_EQ(refusal_of<BeginQuorumEpochResponse>(begin, 1), ErrorCode::InvalidRequest);
    EXPECT_EQ(refusal_of<EndQuorumEpochResponse>(EndQuorumEpochRequest(), 1),
              ErrorCode::InvalidRequest);
}

FetchSnapshotRequest fetch_snapshot() {
    FetchSnapshotRequest request;
    request.replica_id = 5;
    request.max_bytes = 100;
    auto& topic = request.topics.emplace_back();
    topic.name = "__cluster_metadata";
    auto& partition = topic.partitions.emplace_back();
    partition.current_leader_epoch = 9;
    partition.snapshot_id.end_offset = 20;
    partition.snapshot_id.epoch = 3;
    partition.position = 11;
    return request;
}

TEST(RaftWire, fetch_snapshot_is_read_and_answered_in_every_version) {
    for (int16_t version : versions<FetchSnapshotRequest>()) {
        SCOPED_TRACE(version);
        auto core = core_of<consensus::FetchSnapshotRequest>(fetch_snapshot(), version);
        consensus::SnapshotId id{Offset(20), LeaderEpoch(3)};
        EXPECT_EQ(core.snapshot, id);
        EXPECT_EQ(core.position, 11);
        EXPECT_EQ(core.max_bytes, 100);
        EXPECT_EQ(core.replica.id, BrokerId(5));

        consensus::FetchSnapshotResponse answer;
        answer.header = header();
        answer.snapshot = id;
        answer.position = 11;
        answer.size = 500;
        answer.chunk = Bytes::copy_of("piece");
        auto response = written<FetchSnapshotRequest, FetchSnapshotResponse>(answer, version);
        const auto& said = response.topics.at(0).partitions.at(0);
        EXPECT_EQ(said.snapshot_id.end_offset, 20);
        EXPECT_EQ(said.size, 500);
        EXPECT_EQ(said.position, 11);
        EXPECT_EQ(said.unaligned_records, Bytes::copy_of("piece"));
        EXPECT_EQ(said.current_leader.leader_id, 3);
        EXPECT_EQ(response.node_endpoints.size(), version >= 1 ? 1u : 0u);

        answer.header.error = ErrorCode::SnapshotNotFound;
        response = written<FetchSnapshotRequest, FetchSnapshotResponse>(answer, version);
        EXPECT_EQ(response.topics.at(0).partitions.at(0).error_code,
                  to_wire(ErrorCode::SnapshotNotFound));
        EXPECT_EQ(response.topics[0].partitions[0].size, 0);
    }
}

TEST(RaftWire, fetch_snapshot_repeats_a_partition_it_does_not_know) {
    auto request = fetch_snapshot();
    request.topics[0].name = "orders";
    request.topics[0].partitions[0].partition = 6;
    auto question = read(request, 1);
    ASSERT_TRUE(question);
    auto response = decode<FetchSnapshotResponse>(join(std::get<Chain>(*question)), 1).value();
    EXPECT_EQ(response.topics.at(0).name, "orders");
    EXPECT_EQ(response.topics[0].partitions.at(0).index, 6);
    EXPECT_EQ(response.topics[0].partitions[0].error_code,
              to_wire(ErrorCode::UnknownTopicOrPartition));
    EXPECT_EQ(response.node_endpoints.size(), 1u);
    EXPECT_EQ(refusal_of<FetchSnapshotResponse>(FetchSnapshotRequest(), 1),
              ErrorCode::InvalidRequest);
}

TEST(RaftWire, removal_of_a_voter_is_answered_with_words) {
    RemoveRaftVoterRequest request;
    request.voter_id = 4;
    request.voter_directory_id = kDirectory;
    auto core = core_of<consensus::RemoveVoterRequest>(request, 0);
    EXPECT_EQ(core.voter, (consensus::ReplicaKey{BrokerId(4), kDirectory}));
    auto refused = written<RemoveRaftVoterRequest, RemoveRaftVoterResponse>(
        consensus::VoterChangeResponse{header(ErrorCode::VoterNotFound), "not there"}, 0);
    EXPECT_EQ(refused.error_code, to_wire(ErrorCode::VoterNotFound));
    EXPECT_EQ(refused.error_message, "not there");
    auto done = written<RemoveRaftVoterRequest, RemoveRaftVoterResponse>(
        consensus::VoterChangeResponse{header(), ""}, 0);
    EXPECT_FALSE(done.error_message);
}

TEST(RaftWire, update_of_a_voter_is_answered_with_the_leader) {
    UpdateRaftVoterRequest request;
    request.current_leader_epoch = 9;
    request.voter_id = 4;
    request.voter_directory_id = kDirectory;
    request.k_raft_version_feature.max_supported_version = 1;
    auto& listener = request.listeners.emplace_back();
    listener.name = "CONTROLLER";
    listener.host = "there";
    listener.port = 9;
    auto core = core_of<consensus::UpdateVoterRequest>(request, 0);
    EXPECT_EQ(core.epoch, LeaderEpoch(9));
    EXPECT_EQ(core.voter.key.id, BrokerId(4));
    EXPECT_EQ(core.voter.kraft_version_max, 1);
    EXPECT_EQ(core.voter.endpoints.at(0).host, "there");
    auto response = written<UpdateRaftVoterRequest, UpdateRaftVoterResponse>(
        consensus::VoterChangeResponse{header(), ""}, 0);
    EXPECT_EQ(response.current_leader.leader_id, 3);
    EXPECT_EQ(response.current_leader.host, "outside");
    EXPECT_EQ(response.current_leader.port, 9093);
}

TEST(RaftWire, unreadable_and_unknown_requests_are_errors) {
    RaftCall vote = call_of<VoteRequest>(2);
    EXPECT_EQ(read_raft_request(vote, Bytes::copy_of("x"), self()).error().code,
              ErrorCode::InvalidRequest);
    vote.api_version = 99;
    EXPECT_EQ(read_raft_request(vote, Bytes(), self()).error().code, ErrorCode::UnsupportedVersion);
    EXPECT_FALSE(is_raft_api(0));
}

}  // namespace
}  // namespace moldau::quorum
