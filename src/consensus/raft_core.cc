#include "consensus/raft_core.h"

#include <algorithm>

#include "base/assert.h"

namespace moldau::consensus {

namespace {

// xorshift64*: small, seeded, the same everywhere.
uint64_t draw(uint64_t& state) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}

template <typename... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};

}  // namespace

RaftCore::RaftCore(RaftConfig config, RaftDisk disk, uint64_t seed)
    : config_(std::move(config)),
      log_(std::move(disk.log)),
      history_(std::move(disk.history)),
      stored_election_(std::move(disk.election)),
      random_(seed * 0x9e3779b97f4a7c15ULL + 0x1234567ULL),
      state_(Unattached{}),
      requests_(config_.request_timeout, config_.retry_backoff) {}

void RaftCore::start(MonotonicTime now) {
    ElectionState stored = stored_election_.value_or(ElectionState{});
    std::vector<Endpoint> leader_endpoints =
        stored.leader ? endpoints_of(*stored.leader) : std::vector<Endpoint>();
    epoch_ = stored.epoch;
    if (stored.epoch < log_.last_epoch()) {
        epoch_ = log_.last_epoch();
        enter(Unattached{{}, {}, election_deadline(now)}, true);
    } else if (stored.leader == config_.self.id) {
        // The same epoch must not be led twice: records lost with a crash could otherwise be
        // replaced by others at the same offset and epoch.
        Resigned resigned{election_deadline(now), {}, {}};
        for (BrokerId id : voters().ids()) {
            if (id != config_.self.id) {
                resigned.unacknowledged.insert(id);
            }
        }
        enter(std::move(resigned), true);
    } else if (stored.voted && stored.voted->id == config_.self.id &&
               (!stored.voted->has_directory() || *stored.voted == config_.self) && is_voter()) {
        enter(Candidate{Election(voters(), config_.self), election_deadline(now)}, true);
    } else if (stored.leader && !leader_endpoints.empty()) {
        enter(Follower{*stored.leader, leader_endpoints, stored.voted, now + config_.fetch_timeout,
                       false, std::nullopt, now + config_.fetch_timeout},
              true);
    } else {
        enter(Unattached{stored.leader, stored.voted, election_deadline(now)}, true);
    }

    if (auto* candidate = std::get_if<Candidate>(&state_)) {
        if (candidate->election.is_granted()) {
            become_leader(now);
        }
    } else if (voters().is_only_voter(config_.self)) {
        // Nobody else could win or be disturbed: there is nothing to wait for.
        become_prospective(now);
    }
    poll(now);
}

void RaftCore::step(MonotonicTime now, Event event) {
    std::visit(
        Overloaded{
            [](TimePassed&) {},
            [&](RequestReceived& received) {
                std::visit([&](const auto& request) { handle(received.id, request, now); },
                           received.request);
            },
            [&](ResponseReceived& received) {
                std::optional<Peer> peer = requests_.peer_of(received.correlation);
                if (!peer) {
                    return;  // late: its question was given up
                }
                bool success = std::visit(
                    Overloaded{[&](const KraftRangeResponse& response) {
                                   voter_range_answered(received.correlation, response, now);
                                   return true;
                               },
                               [&](const auto& response) { return handle(*peer, response, now); }},
                    received.response);
                requests_.finished(received.correlation, success, now);
            },
            [&](RequestFailed& failed) {
                bool was_expected = requests_.peer_of(failed.correlation).has_value();
                requests_.finished(failed.correlation, false, now);
                if (was_expected && failed.is_version_unsupported &&
                    std::holds_alternative<Prospective>(state_)) {
                    // A voter that knows no pre-vote: ask for real votes, as before KIP-996.
                    become_candidate(now);
                }
                voter_range_answered(failed.correlation,
                                     KraftRangeResponse{ErrorCode::NetworkException, 0, 0}, now);
            },
            [&](EntriesProposed& proposed) {
                if (!is_leader() || proposed.epoch != epoch_ || proposed.entries.empty()) {
                    return;
                }
                append(std::move(proposed.entries));
                answer_parked(false, now);
                ready_.push_back(SyncLog{log_.end_offset(), false});
            },
            [&](LogSynced& synced) {
                auto* leader = std::get_if<LeaderState>(&state_);
                if (leader != nullptr && synced.end <= log_.end_offset() &&
                    leader->local_synced(synced.end)) {
                    leader_high_watermark_rose(now);
                }
            },
            [&](SnapshotTaken& taken) { log_.add_snapshot(taken.id); },
            [&](SnapshotInstalled& installed) {
                log_.reset_to(installed.id);
                history_.clear();
                Offset last = installed.id.offset - 1;
                if (installed.kraft_version) {
                    history_.put_kraft_version(last, *installed.kraft_version);
                }
                if (installed.voters) {
                    history_.put_voters(last, std::move(*installed.voters));
                }
                if (auto* follower = std::get_if<Follower>(&state_)) {
                    follower->download.reset();
                }
                commit_to(installed.id.offset);
            },
            [&](LogStartMoved& moved) {
                log_.start_at(moved.start);
                history_.forget_before(moved.start);
            },
            [&](ResignRequested& request) {
                auto* leader = std::get_if<LeaderState>(&state_);
                if (leader != nullptr && request.epoch == epoch_) {
                    leader->resign_requested = true;
                }
            },
            [&](ShutdownRequested&) { shutting_down_ = true; },
        },
        event);
    poll(now);
}

void RaftCore::poll(MonotonicTime now) {
    // A transition changes what there is to do; a few follow one another at most.
    for (int round = 0; round < 8; ++round) {
        size_t before = state_.index();
        LeaderEpoch epoch_before = epoch_;
        next_timeout_ = poll_state(now);
        if (state_.index() == before && epoch_ == epoch_before) {
            return;
        }
    }
    next_timeout_ = now;
}

MonotonicTime RaftCore::poll_state(MonotonicTime now) {
    return std::visit(Overloaded{[&](Unattached&) { return poll_unattached(now); },
                                 [&](Prospective&) { return poll_prospective(now); },
                                 [&](Candidate&) { return poll_candidate(now); },
                                 [&](LeaderState&) { return poll_leader(now); },
                                 [&](Follower&) { return poll_follower(now); },
                                 [&](Resigned&) { return poll_resigned(now); }},
                      state_);
}

MonotonicTime RaftCore::poll_unattached(MonotonicTime now) {
    if (!is_voter()) {
        return fetch_from_bootstrap(now);
    }
    if (shutting_down_) {
        return MonotonicTime::max();
    }
    MonotonicTime deadline = std::get<Unattached>(state_).election_deadline;
    if (now >= deadline) {
        become_prospective(now);
        return now;
    }
    return std::min(fetch_from_bootstrap(now), deadline);
}

MonotonicTime RaftCore::poll_prospective(MonotonicTime now) {
    auto& prospective = std::get<Prospective>(state_);
    if (!is_voter()) {
        // An installed snapshot took the right to stand for election away.
        become_unattached(epoch_, prospective.leader, now);
        return now;
    }
    if (!shutting_down_ && now >= prospective.election_deadline) {
        lose_prospective_election(now);
        return now;
    }
    return std::min(ask_for_votes(prospective.election, true, now), prospective.election_deadline);
}

MonotonicTime RaftCore::poll_candidate(MonotonicTime now) {
    auto& candidate = std::get<Candidate>(state_);
    if (!is_voter()) {
        become_unattached(epoch_, std::nullopt, now);
        return now;
    }
    if (!shutting_down_ && now >= candidate.election_deadline) {
        become_prospective(now);
        return now;
    }
    return std::min(ask_for_votes(candidate.election, false, now), candidate.election_deadline);
}

MonotonicTime RaftCore::poll_leader(MonotonicTime now) {
    auto& leader = std::get<LeaderState>(state_);
    if (shutting_down_ || leader.resign_requested || now >= leader.check_quorum_deadline()) {
        become_resigned(now);
        return now;
    }
    MonotonicTime next = leader.check_quorum_deadline();
    if (leader.change) {
        if (now >= leader.change->deadline) {
            finish_voter_change(ErrorCode::RequestTimedOut, "");
        } else {
            next = std::min(next, leader.change->deadline);
        }
    }
    // Parked fetches that waited long enough are answered with nothing.
    std::vector<ParkedFetch> still;
    for (ParkedFetch& fetch : std::exchange(leader.parked, {})) {
        if (now >= fetch.deadline) {
            answer_fetch(fetch.id, fetch.request, true, now);
        } else {
            next = std::min(next, fetch.deadline);
            still.push_back(std::move(fetch));
        }
    }
    leader.parked = std::move(still);
    leader.forget_idle_observers(now);
    return std::min(next, announce_leadership(now));
}

MonotonicTime RaftCore::poll_follower(MonotonicTime now) {
    auto& follower = std::get<Follower>(state_);
    if (shutting_down_) {
        return MonotonicTime::max();
    }
    if (!is_voter()) {
        if (now >= follower.fetch_deadline) {
            // An observer never stands for election: it goes on asking, wherever it can.
            follower.fetch_deadline = now + config_.fetch_timeout;
            requests_.reset(follower.leader);
            return std::min(fetch_from_bootstrap(now), follower.fetch_deadline);
        }
        return std::min(fetch_from_leader(follower, now), follower.fetch_deadline);
    }
    if (now >= follower.fetch_deadline) {
        become_prospective(now);
        return now;
    }
    if (now >= follower.update_voter_at) {
        const Voter* entry = voters().find(config_.self.id);
        Voter self{config_.self, config_.endpoints, config_.kraft_version_min,
                   config_.kraft_version_max};
        std::optional<Peer> leader_peer = peer_of(follower.leader);
        if (kraft_version() >= 1 && *entry != self && leader_peer) {
            if (!requests_.has_any_in_flight(now) && requests_.is_ready(leader_peer->id, now)) {
                follower.update_voter_at = now + config_.fetch_timeout;
                send(*leader_peer, UpdateVoterRequest{config_.cluster_id, epoch_, self}, now);
            }
        } else {
            follower.update_voter_at = now + config_.fetch_timeout;
        }
    }
    return std::min({fetch_from_leader(follower, now), follower.fetch_deadline});
}

MonotonicTime RaftCore::poll_resigned(MonotonicTime now) {
    auto& resigned = std::get<Resigned>(state_);
    if (now >= resigned.election_deadline && !shutting_down_) {
        // The next epoch: nobody may be told again that this replica leads the old one.
        become_unattached(epoch_ + 1, std::nullopt, now);
        return now;
    }
    MonotonicTime next = shutting_down_ ? MonotonicTime::max() : resigned.election_deadline;
    for (BrokerId id : std::set(resigned.unacknowledged)) {
        if (std::optional<Peer> peer = peer_of(id)) {
            next = std::min(
                next, send(*peer,
                           EndQuorumEpochRequest{config_.cluster_id, config_.self.id, epoch_,
                                                 resigned.preferred_candidates, config_.endpoints},
                           now));
        }
    }
    return next;
}

void RaftCore::become_unattached(LeaderEpoch epoch, std::optional<BrokerId> leader,
                                 MonotonicTime now) {
    MOLDAU_ASSERT(epoch >= epoch_);
    // Who was about to stand for election anyway does not begin to wait again.
    MonotonicTime deadline =
        std::visit(Overloaded{[](const Candidate& s) { return s.election_deadline; },
                              [](const Unattached& s) { return s.election_deadline; },
                              [](const Resigned& s) { return s.election_deadline; },
                              [&](const Prospective& s) {
                                  return s.election.is_rejected() ? election_deadline(now)
                                                                  : s.election_deadline;
                              },
                              [&](const auto&) { return election_deadline(now); }},
                   state_);
    if (deadline <= now) {
        deadline = election_deadline(now);
    }
    std::optional<ReplicaKey> vote = epoch == epoch_ ? voted() : std::nullopt;
    leave_leadership();
    epoch_ = epoch;
    enter(Unattached{leader, vote, deadline}, true);
}

void RaftCore::become_prospective(MonotonicTime now) {
    MOLDAU_ASSERT(is_voter());
    Prospective next{leader(), leader_endpoints(), voted(), Election(voters(), config_.self),
                     election_deadline(now)};
    if (next.leader == config_.self.id) {
        next.leader.reset();  // resigned: it leads no more
    }
    bool is_granted = next.election.is_granted();
    enter(std::move(next), false);
    if (is_granted) {
        become_candidate(now);
    }
}

void RaftCore::become_candidate(MonotonicTime now) {
    epoch_ = epoch_ + 1;
    Candidate next{Election(voters(), config_.self), election_deadline(now)};
    bool is_granted = next.election.is_granted();
    enter(std::move(next), true);
    if (is_granted) {
        become_leader(now);
    }
}

void RaftCore::become_leader(MonotonicTime now) {
    std::vector<BrokerId> granting = std::get<Candidate>(state_).election.granting();
    Offset start = log_.end_offset();
    enter(LeaderState(config_.self, start, voters(), granting, config_.fetch_timeout, now), true);

    // Nothing older can be committed before a record of this epoch is: so the first one is written
    // at once.
    auto control = std::make_shared<ControlRecords>();
    control->leader_change =
        ControlRecords::LeaderChange{config_.self.id, voters().ids(), granting};
    Offset next = start + 1;
    if (kraft_version() >= 1) {
        Voter self{config_.self, config_.endpoints, config_.kraft_version_min,
                   config_.kraft_version_max};
        // The voters are in the bootstrap checkpoint only, or have us at another address.
        if (history_.voters_offset() == kNoOffset || *voters().find(config_.self.id) != self) {
            std::optional<VoterSet> updated = voters().with_updated(self);
            MOLDAU_ASSERT(updated.has_value());
            control->kraft_version = std::pair(next, kraft_version());
            control->voters = std::pair(next + 1, std::move(*updated));
            next = next + 2;
        }
    }
    append({LogEntry{start, next, epoch_, Bytes(), std::move(control)}});
    ready_.push_back(SyncLog{log_.end_offset(), false});
}

void RaftCore::become_follower(LeaderEpoch epoch, BrokerId leader, std::vector<Endpoint> endpoints,
                               MonotonicTime now) {
    MOLDAU_ASSERT(epoch >= epoch_);
    MOLDAU_ASSERT(leader != config_.self.id);
    std::optional<ReplicaKey> vote = epoch == epoch_ ? voted() : std::nullopt;
    leave_leadership();
    epoch_ = epoch;
    enter(Follower{leader, std::move(endpoints), vote, now + config_.fetch_timeout, false,
                   std::nullopt, now + config_.fetch_timeout},
          true);
}

void RaftCore::become_resigned(MonotonicTime now) {
    auto& leader = std::get<LeaderState>(state_);
    Resigned next{election_deadline(now), leader.successors(), {}};
    for (const ReplicaKey& key : next.preferred_candidates) {
        next.unacknowledged.insert(key.id);
    }
    leave_leadership();
    enter(std::move(next), false);
}

void RaftCore::leave_leadership() {
    auto* leader = std::get_if<LeaderState>(&state_);
    if (leader == nullptr) {
        return;
    }
    if (leader->change) {
        finish_voter_change(ErrorCode::NotLeaderOrFollower, "");
    }
    for (const ParkedFetch& fetch : std::exchange(leader->parked, {})) {
        FetchResponse response;
        response.header = response_header(ErrorCode::NotLeaderOrFollower);
        response.header.leader.reset();
        answer(fetch.id, std::move(response));
    }
}

void RaftCore::enter(State state, bool is_durable) {
    state_ = std::move(state);
    requests_.reset_all();
    if (is_durable) {
        ready_.push_back(PersistElection{election_state(), kraft_version(), voters().ids()});
    }
    ready_.push_back(StateEntered{describe()});
    LeaderAndEpoch now_known = leader_and_epoch();
    if (std::holds_alternative<Resigned>(state_)) {
        now_known.leader.reset();
    }
    if (announced_ != now_known) {
        announced_ = now_known;
        auto* leading = std::get_if<LeaderState>(&state_);
        ready_.push_back(LeaderChanged{
            now_known, leading == nullptr ? std::nullopt : std::optional(leading->epoch_start())});
    }
}

std::optional<BrokerId> RaftCore::leader() const {
    return std::visit(Overloaded{[](const Unattached& s) { return s.leader; },
                                 [](const Prospective& s) { return s.leader; },
                                 [](const Candidate&) { return std::optional<BrokerId>(); },
                                 [&](const LeaderState&) { return std::optional(config_.self.id); },
                                 [](const Follower& s) { return std::optional(s.leader); },
                                 [&](const Resigned&) { return std::optional(config_.self.id); }},
                      state_);
}

std::optional<ReplicaKey> RaftCore::voted() const {
    return std::visit(Overloaded{[](const Unattached& s) { return s.voted; },
                                 [](const Prospective& s) { return s.voted; },
                                 [&](const Candidate&) { return std::optional(config_.self); },
                                 [](const Follower& s) { return s.voted; },
                                 [](const auto&) { return std::optional<ReplicaKey>(); }},
                      state_);
}

std::vector<Endpoint> RaftCore::leader_endpoints() const {
    return std::visit(Overloaded{[](const Prospective& s) { return s.leader_endpoints; },
                                 [](const Follower& s) { return s.leader_endpoints; },
                                 [&](const LeaderState&) { return config_.endpoints; },
                                 [](const auto&) { return std::vector<Endpoint>(); }},
                      state_);
}

std::vector<Endpoint> RaftCore::endpoints_of(BrokerId voter) const {
    const Voter* found = voters().find(voter);
    return found == nullptr ? std::vector<Endpoint>() : found->endpoints;
}

ElectionState RaftCore::election_state() const {
    return {epoch_, leader(), voted()};
}

MonotonicTime RaftCore::election_deadline(MonotonicTime now) {
    if (config_.election_timeout <= Duration(0)) {
        return now;
    }
    auto range = static_cast<uint64_t>(config_.election_timeout.count());
    return now + config_.election_timeout + Duration(static_cast<int64_t>(draw(random_) % range));
}

std::optional<Offset> RaftCore::high_watermark() const {
    auto* leading = std::get_if<LeaderState>(&state_);
    return leading == nullptr ? committed_ : leading->high_watermark();
}

bool RaftCore::is_shutdown_complete() const {
    auto* resigned = std::get_if<Resigned>(&state_);
    return shutting_down_ && !is_leader() &&
           (resigned == nullptr || resigned->unacknowledged.empty());
}

const char* RaftCore::state_name() const {
    static constexpr const char* kNames[] = {"Unattached", "Prospective", "Candidate",
                                             "Leader",     "Follower",    "Resigned"};
    static_assert(std::variant_size_v<State> == std::size(kNames));
    return kNames[state_.index()];
}

std::string RaftCore::describe() const {
    std::string text = fmt::format("{} epoch={}", state_name(), epoch_);
    if (std::optional<BrokerId> known = leader();
        known &&
        (std::holds_alternative<Follower>(state_) || std::holds_alternative<Unattached>(state_) ||
         std::holds_alternative<Prospective>(state_))) {
        text += fmt::format(" leader={}", *known);
    }
    if (std::optional<ReplicaKey> vote = voted();
        vote && !std::holds_alternative<Candidate>(state_)) {
        text += fmt::format(" voted={}", vote->id);
    }
    if (auto* leading = std::get_if<LeaderState>(&state_)) {
        text += fmt::format(" epoch_start={}", leading->epoch_start());
    }
    return text;
}

ResponseHeader RaftCore::response_header(ErrorCode error) const {
    ResponseHeader header;
    header.error = error;
    header.leader = leader();
    header.epoch = epoch_;
    header.leader_endpoints = leader_endpoints();
    return header;
}

bool RaftCore::is_cluster(const std::optional<std::string>& id) const {
    return !id || *id == config_.cluster_id;
}

bool RaftCore::is_me(const std::optional<ReplicaKey>& voter) const {
    return !voter || (voter->id == config_.self.id &&
                      (!voter->has_directory() || voter->directory == config_.self.directory));
}

std::optional<ErrorCode> RaftCore::refuse_unless_leader(LeaderEpoch epoch) const {
    if (epoch < epoch_) {
        return ErrorCode::FencedLeaderEpoch;
    }
    if (epoch > epoch_) {
        return ErrorCode::UnknownLeaderEpoch;
    }
    if (!is_leader()) {
        return ErrorCode::NotLeaderOrFollower;
    }
    return shutting_down_ ? std::optional(ErrorCode::BrokerNotAvailable) : std::nullopt;
}

std::optional<bool> RaftCore::handle_header(const ResponseHeader& header, MonotonicTime now) {
    if (header.top_error != ErrorCode::None) {
        return false;
    }
    if (header.epoch < epoch_ || header.error == ErrorCode::UnknownLeaderEpoch) {
        return true;
    }
    std::vector<Endpoint> endpoints = header.leader_endpoints;
    if (endpoints.empty() && header.leader) {
        endpoints = endpoints_of(*header.leader);
    }
    if (header.epoch > epoch_ || header.error == ErrorCode::FencedLeaderEpoch ||
        header.error == ErrorCode::NotLeaderOrFollower) {
        maybe_transition(header.leader, header.epoch, std::move(endpoints), now);
        return true;
    }
    if (header.leader && !leader() && header.leader != config_.self.id && !endpoints.empty()) {
        become_follower(header.epoch, *header.leader, std::move(endpoints), now);
        return header.error == ErrorCode::None ? std::nullopt : std::optional(true);
    }
    if (header.error == ErrorCode::BrokerNotAvailable ||
        header.error == ErrorCode::InvalidRequest) {
        return false;
    }
    if (header.error == ErrorCode::InvalidVoterKey) {
        return true;
    }
    return std::nullopt;
}

// News of an epoch and its leader. News that contradicts what is known is dropped: two leaders of
// one epoch cannot be, so the message is wrong, and a wrong message must not stop this node.
void RaftCore::maybe_transition(std::optional<BrokerId> known, LeaderEpoch epoch,
                                std::vector<Endpoint> endpoints, MonotonicTime now) {
    if (epoch < epoch_ || (known == config_.self.id && !is_leader())) {
        return;
    }
    if (epoch > epoch_) {
        if (known && known != config_.self.id && !endpoints.empty()) {
            become_follower(epoch, *known, std::move(endpoints), now);
        } else if (known != config_.self.id) {
            become_unattached(epoch, known, now);
        }
        return;
    }
    if (!known || *known == config_.self.id || endpoints.empty() || is_leader() ||
        std::holds_alternative<Resigned>(state_)) {
        return;
    }
    std::optional<BrokerId> present = leader();
    bool is_news = !present || (present == known && endpoints.size() > leader_endpoints().size());
    if (is_news) {
        become_follower(epoch, *known, std::move(endpoints), now);
    }
}

void RaftCore::answer(RequestId id, Response response) {
    ready_.push_back(SendResponse{id, std::move(response)});
}

MonotonicTime RaftCore::send(const Peer& peer, Request request, MonotonicTime now) {
    if (!requests_.is_ready(peer.id, now)) {
        return requests_.ready_at(peer.id, now);
    }
    CorrelationId correlation = requests_.sent(peer, now);
    ready_.push_back(SendRequest{correlation, peer, std::move(request)});
    return requests_.ready_at(peer.id, now);
}

std::optional<Peer> RaftCore::peer_of(BrokerId voter) const {
    const Voter* found = voters().find(voter);
    const Endpoint* endpoint = found == nullptr ? nullptr : found->endpoint(config_.listener);
    if (endpoint == nullptr) {
        return std::nullopt;
    }
    return Peer{voter, endpoint->host, endpoint->port};
}

}  // namespace moldau::consensus
