// Changes of the voter set, one at a time (KIP-853).
#include "base/assert.h"
#include "consensus/raft_core.h"

namespace moldau::consensus {

namespace {

VoterChangeResponse refused(ResponseHeader header, ErrorCode error, std::string message) {
    header.error = error;
    return {std::move(header), std::move(message)};
}

// As Kafka prints them in what an operator reads.
std::string in_words(const ReplicaKey& key) {
    return fmt::format("ReplicaKey(id={}, directoryId={})", key.id,
                       key.has_directory() ? key.directory.str() : "<undefined>");
}

std::string in_words(const VoterSet& voters) {
    std::string text;
    for (const ReplicaKey& key : voters.keys()) {
        text += (text.empty() ? "" : ", ") + in_words(key);
    }
    return "[" + text + "]";
}

bool is_complete(const ReplicaKey& voter) {
    return voter.id >= BrokerId(0) && voter.has_directory();
}

}  // namespace

// What is wrong with the request itself.
std::optional<VoterChangeResponse> RaftCore::refuse_voter_request(
    std::string_view what, const std::optional<std::string>& cluster_id, LeaderEpoch epoch,
    const ReplicaKey& voter) const {
    ResponseHeader header = response_header(ErrorCode::None);
    if (!is_cluster(cluster_id)) {
        return refused(header, ErrorCode::InconsistentClusterId,
                       fmt::format("The given id \"{}\" doesn't match the cluster id \"{}\"",
                                   *cluster_id, config_.cluster_id));
    }
    if (std::optional<ErrorCode> refusal = refuse_unless_leader(epoch)) {
        return refused(header, *refusal, "");
    }
    if (!is_complete(voter)) {
        return refused(header, ErrorCode::InvalidRequest,
                       fmt::format("{} voter request didn't include a valid voter", what));
    }
    return std::nullopt;
}

// What stands against any change just now.
std::optional<VoterChangeResponse> RaftCore::refuse_voter_change(std::string_view doing) const {
    ResponseHeader header = response_header(ErrorCode::None);
    auto& leader = std::get<LeaderState>(state_);
    if (leader.change) {
        return refused(header, ErrorCode::RequestTimedOut,
                       "Request timed out waiting for leader to handle previous voter change "
                       "request");
    }
    // Without a committed record of this epoch an earlier leader's change could still come to
    // light, and two sets without a common majority be in use.
    if (!leader.high_watermark()) {
        return refused(header, ErrorCode::RequestTimedOut,
                       "Request timed out waiting for leader to establish HWM and fence previous "
                       "voter changes");
    }
    if (kraft_version() < 1) {
        return refused(
            header, ErrorCode::UnsupportedVersion,
            fmt::format("Cluster doesn't support {} voter because the kraft.version feature is {}",
                        doing, kraft_version()));
    }
    if (history_.voters_offset().value_or(kNoOffset) >= *leader.high_watermark()) {
        return refused(header, ErrorCode::RequestTimedOut,
                       fmt::format("Request timed out waiting for voters to commit the latest "
                                   "voter change at {} with HWM {}",
                                   *history_.voters_offset(), *leader.high_watermark()));
    }
    return std::nullopt;
}

void RaftCore::handle(RequestId id, const AddVoterRequest& request, MonotonicTime now) {
    if (auto refusal = refuse_voter_request("Add", request.cluster_id, epoch_, request.voter.key)) {
        return answer(id, std::move(*refusal));
    }
    const Endpoint* endpoint = request.voter.endpoint(config_.listener);
    if (endpoint == nullptr) {
        return answer(
            id, refused(response_header(ErrorCode::None), ErrorCode::InvalidRequest,
                        fmt::format("no endpoint for listener: listener={}", config_.listener)));
    }
    if (auto refusal = refuse_voter_change("adding")) {
        return answer(id, std::move(*refusal));
    }
    if (voters().contains_id(request.voter.key.id)) {
        return answer(id, refused(response_header(ErrorCode::None), ErrorCode::DuplicateVoter,
                                  fmt::format("The voter id for {} is already part of the set of "
                                              "voters {}.",
                                              in_words(request.voter.key), in_words(voters()))));
    }
    Peer peer{request.voter.key.id, endpoint->host, endpoint->port};
    if (!requests_.is_ready(peer.id, now)) {
        return answer(id, refused(response_header(ErrorCode::None), ErrorCode::RequestTimedOut,
                                  fmt::format("New voter {} is not ready to receive requests",
                                              request.voter.key)));
    }
    PendingVoterChange change;
    change.kind = PendingVoterChange::Kind::Add;
    change.request = id;
    change.voter = request.voter;
    change.ack_when_committed = request.ack_when_committed;
    change.deadline = now + config_.request_timeout;
    change.range_asked = requests_.sent(peer, now);
    ready_.push_back(SendRequest{*change.range_asked, peer, KraftRangeRequest{}});
    std::get<LeaderState>(state_).change = std::move(change);
}

void RaftCore::voter_range_answered(CorrelationId correlation, const KraftRangeResponse& response,
                                    MonotonicTime now) {
    auto* leader = std::get_if<LeaderState>(&state_);
    if (leader == nullptr || !leader->change || leader->change->range_asked != correlation) {
        return;
    }
    PendingVoterChange& change = *leader->change;
    change.range_asked.reset();
    if (response.error != ErrorCode::None) {
        return finish_voter_change(
            ErrorCode::RequestTimedOut,
            fmt::format("Aborted add voter operation for since API_VERSIONS returned an error {}",
                        response.error));
    }
    if (kraft_version() < response.min || kraft_version() > response.max) {
        return finish_voter_change(
            ErrorCode::InvalidRequest,
            fmt::format("Aborted add voter operation for {} since kraft.version range {} to {} "
                        "doesn't support the finalized version {}",
                        change.voter.key, response.min, response.max, kraft_version()));
    }
    // A voter that must first catch up would hold up every commit.
    if (!leader->is_caught_up(change.voter.key, now)) {
        return finish_voter_change(
            ErrorCode::RequestTimedOut,
            fmt::format("Aborted add voter operation for {} since it is lagging behind: log end "
                        "offset {}",
                        change.voter.key, log_.end_offset()));
    }
    change.voter.kraft_version_min = response.min;
    change.voter.kraft_version_max = response.max;
    std::optional<VoterSet> next = voters().with(change.voter);
    MOLDAU_ASSERT(next.has_value());
    append_voters(std::move(*next), now);
}

void RaftCore::handle(RequestId id, const RemoveVoterRequest& request, MonotonicTime now) {
    if (auto refusal = refuse_voter_request("Remove", request.cluster_id, epoch_, request.voter)) {
        return answer(id, std::move(*refusal));
    }
    if (auto refusal = refuse_voter_change("removing")) {
        return answer(id, std::move(*refusal));
    }
    std::optional<VoterSet> next = voters().without(request.voter);
    if (!next) {
        return answer(id, refused(response_header(ErrorCode::None), ErrorCode::VoterNotFound,
                                  fmt::format("Cannot remove voter {} from the set of voters {}",
                                              in_words(request.voter), in_words(voters()))));
    }
    PendingVoterChange change;
    change.kind = PendingVoterChange::Kind::Remove;
    change.request = id;
    change.voter.key = request.voter;
    change.deadline = now + config_.request_timeout;
    std::get<LeaderState>(state_).change = std::move(change);
    append_voters(std::move(*next), now);
}

void RaftCore::handle(RequestId id, const UpdateVoterRequest& request, MonotonicTime now) {
    const Voter& voter = request.voter;
    if (auto refusal =
            refuse_voter_request("Update", request.cluster_id, request.epoch, voter.key)) {
        return answer(id, std::move(*refusal));
    }
    bool is_range =
        0 <= voter.kraft_version_min && voter.kraft_version_min <= voter.kraft_version_max;
    if (voter.endpoint(config_.listener) == nullptr || !is_range) {
        return answer(id, refused(response_header(ErrorCode::None), ErrorCode::InvalidRequest, ""));
    }
    if (auto refusal = refuse_voter_change("updating")) {
        return answer(id, std::move(*refusal));
    }
    if (kraft_version() < voter.kraft_version_min || kraft_version() > voter.kraft_version_max) {
        return answer(id, refused(response_header(ErrorCode::None), ErrorCode::InvalidRequest, ""));
    }
    std::optional<VoterSet> next = voters().with_updated(request.voter);
    if (!next) {
        return answer(id, refused(response_header(ErrorCode::None), ErrorCode::VoterNotFound, ""));
    }
    PendingVoterChange change;
    change.kind = PendingVoterChange::Kind::Update;
    change.request = id;
    change.voter = request.voter;
    change.deadline = now + config_.request_timeout;
    std::get<LeaderState>(state_).change = std::move(change);
    append_voters(std::move(*next), now);
}

void RaftCore::handle(RequestId id, const KraftRangeRequest&, MonotonicTime) {
    answer(id, KraftRangeResponse{ErrorCode::None, config_.kraft_version_min,
                                  config_.kraft_version_max});
}

bool RaftCore::handle(const Peer&, const VoterChangeResponse& response, MonotonicTime now) {
    if (std::optional<bool> used = handle_header(response.header, now)) {
        return *used;
    }
    return response.header.error == ErrorCode::None;
}

void RaftCore::append_voters(VoterSet voters, MonotonicTime now) {
    auto& leader = std::get<LeaderState>(state_);
    Offset at = log_.end_offset();
    leader.change->record_offset = at;
    auto control = std::make_shared<ControlRecords>();
    control->voters = std::pair(at, std::move(voters));
    append({LogEntry{at, at + 1, epoch_, Bytes(), std::move(control)}});
    if (!leader.change->ack_when_committed) {
        ResponseHeader header = response_header(ErrorCode::None);
        answer(leader.change->request, VoterChangeResponse{std::move(header), ""});
        leader.change.reset();
    }
    answer_parked(false, now);
    ready_.push_back(SyncLog{log_.end_offset(), false});
}

void RaftCore::finish_voter_change(ErrorCode error, std::string message) {
    auto& leader = std::get<LeaderState>(state_);
    PendingVoterChange change = std::move(*leader.change);
    leader.change.reset();
    answer(change.request, VoterChangeResponse{response_header(error), std::move(message)});
}

void RaftCore::voter_change_committed(Offset high_watermark) {
    auto& leader = std::get<LeaderState>(state_);
    if (leader.change && leader.change->record_offset &&
        *leader.change->record_offset < high_watermark) {
        finish_voter_change(ErrorCode::None, "");
    }
    // A leader that removed itself led on, uncounted, until the others had agreed.
    std::optional<Offset> voters_at = history_.voters_offset();
    if (!is_voter() && voters_at && *voters_at < high_watermark) {
        leader.resign_requested = true;
    }
}

}  // namespace moldau::consensus
