// Votes, and the beginning and end of epochs.
#include <algorithm>

#include "base/assert.h"
#include "consensus/raft_core.h"

namespace moldau::consensus {

Election::Election(const VoterSet& voters, const ReplicaKey& self) {
    for (const auto& [id, voter] : voters.voters()) {
        votes_[id] = {voter.key, std::nullopt};
    }
    record(self.id, true);
}

void Election::record(BrokerId voter, bool granted) {
    auto at = votes_.find(voter);
    // A vote given stands: a late refusal of the same voter answers an older question.
    if (at != votes_.end() && !at->second.granted) {
        at->second.granted = granted;
    }
}

size_t Election::count(std::optional<bool> what) const {
    return static_cast<size_t>(std::ranges::count_if(
        votes_, [&](const auto& entry) { return entry.second.granted == what; }));
}

bool Election::is_granted() const {
    return count(true) >= votes_.size() / 2 + 1;
}

bool Election::is_rejected() const {
    return count(true) + count(std::nullopt) < votes_.size() / 2 + 1;
}

std::vector<BrokerId> Election::granting() const {
    std::vector<BrokerId> ids;
    for (const auto& [id, vote] : votes_) {
        if (vote.granted == true) {
            ids.push_back(id);
        }
    }
    return ids;
}

std::vector<ReplicaKey> Election::unrecorded() const {
    std::vector<ReplicaKey> keys;
    for (const auto& [id, vote] : votes_) {
        if (!vote.granted) {
            keys.push_back(vote.voter);
        }
    }
    return keys;
}

void RaftCore::handle(RequestId id, const VoteRequest& request, MonotonicTime now) {
    VoteResponse response;
    if (!is_cluster(request.cluster_id)) {
        response.header.top_error = ErrorCode::InconsistentClusterId;
        return answer(id, std::move(response));
    }
    // A candidate's epoch is beyond every record: it has just raised it. One that only asks whether
    // it could win has not.
    bool is_epoch_illegal = request.pre_vote ? request.log_end.epoch > request.epoch
                                             : request.log_end.epoch >= request.epoch;
    std::optional<ErrorCode> refusal;
    if (request.log_end.offset < Offset(0) || request.log_end.epoch < LeaderEpoch(0) ||
        is_epoch_illegal) {
        refusal = ErrorCode::InvalidRequest;
    } else {
        refusal = refuse_from_voter(request.candidate.id, request.epoch);
    }
    if (refusal) {
        response.header = response_header(*refusal);
        return answer(id, std::move(response));
    }
    if (request.epoch > epoch_) {
        become_unattached(request.epoch, std::nullopt, now);
    }
    if (!is_me(request.voter)) {
        response.header = response_header(ErrorCode::InvalidVoterKey);
        return answer(id, std::move(response));
    }
    response.granted = can_grant(request);
    if (response.granted && !request.pre_vote && voted() != request.candidate) {
        // The vote is durable before it is told. Whoever gets it has as good a chance to lead as we
        // do, so our own election waits anew.
        if (auto* unattached = std::get_if<Unattached>(&state_)) {
            enter(Unattached{unattached->leader, request.candidate, election_deadline(now)}, true);
        } else if (auto* prospective = std::get_if<Prospective>(&state_)) {
            Prospective next = std::move(*prospective);
            next.voted = request.candidate;
            next.election = Election(voters(), config_.self);
            next.election_deadline = election_deadline(now);
            enter(std::move(next), true);
        }
    }
    response.header = response_header(ErrorCode::None);
    answer(id, std::move(response));
}

// What a message between voters is refused for.
std::optional<ErrorCode> RaftCore::refuse_from_voter(BrokerId sender, LeaderEpoch epoch) const {
    if (epoch < epoch_) {
        return ErrorCode::FencedLeaderEpoch;
    }
    if (sender < BrokerId(0)) {
        return ErrorCode::InvalidRequest;
    }
    return shutting_down_ ? std::optional(ErrorCode::BrokerNotAvailable) : std::nullopt;
}

bool RaftCore::can_grant(const VoteRequest& request) const {
    bool is_up_to_date = is_at_least_as_up_to_date(request.log_end, log_.end());
    if (is_leader()) {
        return false;
    }
    if (request.pre_vote) {
        // A follower that heard from its leader would only disturb it.
        auto* follower = std::get_if<Follower>(&state_);
        return is_up_to_date && (follower == nullptr || !follower->has_fetched);
    }
    if (!std::holds_alternative<Unattached>(state_) &&
        !std::holds_alternative<Prospective>(state_)) {
        return false;
    }
    if (std::optional<ReplicaKey> vote = voted()) {
        return vote->id == request.candidate.id &&
               (!vote->has_directory() || *vote == request.candidate);
    }
    return is_up_to_date && !leader();
}

bool RaftCore::handle(const Peer& peer, const VoteResponse& response, MonotonicTime now) {
    if (response.header.top_error == ErrorCode::UnsupportedVersion &&
        std::holds_alternative<Prospective>(state_)) {
        become_candidate(now);
        return true;
    }
    if (std::optional<bool> used = handle_header(response.header, now)) {
        return *used;
    }
    if (response.header.error != ErrorCode::None) {
        return false;
    }
    if (auto* prospective = std::get_if<Prospective>(&state_)) {
        prospective->election.record(peer.id, response.granted);
        if (prospective->election.is_granted()) {
            become_candidate(now);
        } else if (prospective->election.is_rejected()) {
            lose_prospective_election(now);
        }
    } else if (auto* candidate = std::get_if<Candidate>(&state_)) {
        // A lost election is waited out: its deadline leads back to Prospective.
        candidate->election.record(peer.id, response.granted);
        if (candidate->election.is_granted()) {
            become_leader(now);
        }
    }
    return true;
}

void RaftCore::lose_prospective_election(MonotonicTime now) {
    auto& prospective = std::get<Prospective>(state_);
    if (prospective.leader && !prospective.leader_endpoints.empty()) {
        become_follower(epoch_, *prospective.leader, prospective.leader_endpoints, now);
    } else {
        become_unattached(epoch_, prospective.leader, now);
    }
}

MonotonicTime RaftCore::ask_for_votes(const Election& election, bool pre_vote, MonotonicTime now) {
    MonotonicTime next = MonotonicTime::max();
    if (election.is_rejected()) {
        return next;
    }
    for (const ReplicaKey& voter : election.unrecorded()) {
        if (std::optional<Peer> peer = peer_of(voter.id)) {
            next = std::min(next, send(*peer,
                                       VoteRequest{config_.cluster_id, voter, config_.self, epoch_,
                                                   log_.end(), pre_vote},
                                       now));
        }
    }
    return next;
}

void RaftCore::handle(RequestId id, const BeginQuorumEpochRequest& request, MonotonicTime now) {
    BeginQuorumEpochResponse response;
    if (!is_cluster(request.cluster_id)) {
        response.header.top_error = ErrorCode::InconsistentClusterId;
        return answer(id, std::move(response));
    }
    if (std::optional<ErrorCode> refusal = refuse_from_voter(request.leader, request.epoch)) {
        response.header = response_header(*refusal);
        return answer(id, std::move(response));
    }
    maybe_transition(request.leader, request.epoch,
                     request.endpoints.empty() ? endpoints_of(request.leader) : request.endpoints,
                     now);
    response.header =
        response_header(is_me(request.voter) ? ErrorCode::None : ErrorCode::InvalidVoterKey);
    answer(id, std::move(response));
}

bool RaftCore::handle(const Peer& peer, const BeginQuorumEpochResponse& response,
                      MonotonicTime now) {
    if (std::optional<bool> used = handle_header(response.header, now)) {
        return *used;
    }
    (void)peer;  // the acknowledgement that counts is its first Fetch
    return response.header.error == ErrorCode::None;
}

MonotonicTime RaftCore::announce_leadership(MonotonicTime now) {
    auto& leader = std::get<LeaderState>(state_);
    if (voters().size() == 1 && is_voter()) {
        return MonotonicTime::max();
    }
    if (now < leader.begin_epoch_at) {
        return leader.begin_epoch_at;
    }
    for (const ReplicaKey& voter : leader.silent_voters(now)) {
        if (std::optional<Peer> peer = peer_of(voter.id)) {
            send(*peer,
                 BeginQuorumEpochRequest{config_.cluster_id, voter, config_.self.id, epoch_,
                                         config_.endpoints},
                 now);
        }
    }
    leader.begin_epoch_at = now + config_.fetch_timeout / 2;
    return leader.begin_epoch_at;
}

void RaftCore::handle(RequestId id, const EndQuorumEpochRequest& request, MonotonicTime now) {
    EndQuorumEpochResponse response;
    if (!is_cluster(request.cluster_id)) {
        response.header.top_error = ErrorCode::InconsistentClusterId;
        return answer(id, std::move(response));
    }
    if (std::optional<ErrorCode> refusal = refuse_from_voter(request.leader, request.epoch)) {
        response.header = response_header(*refusal);
        return answer(id, std::move(response));
    }
    maybe_transition(request.leader, request.epoch,
                     request.endpoints.empty() ? endpoints_of(request.leader) : request.endpoints,
                     now);
    auto* follower = std::get_if<Follower>(&state_);
    if (follower != nullptr && follower->leader == request.leader) {
        // The first of the list stands at once, the others at growing distances, so that they do
        // not split the vote.
        size_t position = 0;
        size_t count = request.preferred_candidates.size();
        while (position < count && !is_me(request.preferred_candidates[position])) {
            ++position;
        }
        Duration backoff = config_.election_backoff_max;
        if (position == 0 && count > 0) {
            backoff = Duration(0);
        } else if (position < count) {
            Duration base =
                config_.election_backoff_max / (int64_t{1} << std::min<size_t>(count - 1, 30));
            backoff = std::min(backoff, base * (int64_t{1} << std::min<size_t>(position - 1, 30)));
        }
        follower->fetch_deadline = now + backoff;
        follower->has_fetched = false;  // that leader is gone: others may be voted for
    }
    response.header = response_header(ErrorCode::None);
    answer(id, std::move(response));
}

bool RaftCore::handle(const Peer& peer, const EndQuorumEpochResponse& response, MonotonicTime now) {
    if (std::optional<bool> used = handle_header(response.header, now)) {
        return *used;
    }
    if (response.header.error != ErrorCode::None) {
        return false;
    }
    if (auto* resigned = std::get_if<Resigned>(&state_)) {
        resigned->unacknowledged.erase(peer.id);
    }
    return true;
}

}  // namespace moldau::consensus
