// RaftCore: KRaft, the quorum protocol over the metadata log (KIP-595, 630, 853, 996), for any
// number of voters and observers. A pure core: no clock, file, socket or thread. The shell
// (quorum::QuorumDriver) feeds it events with the time and carries out the effects it asks for, in
// their order.
//
//   core.step(now, event);
//   for (Effect& effect : core.take_ready()) { ... }
//   wake_at(core.next_timeout());
//
// Followers pull: a Fetch says what the follower holds and fetches what follows. A record is
// committed when a majority of voters holds it durably, and its offset lies in the leader's own
// epoch or before a record that does. States and transitions: consensus/states.h. One owner, one
// thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "consensus/event.h"
#include "consensus/log_index.h"
#include "consensus/request_tracker.h"
#include "consensus/states.h"
#include "consensus/types.h"
#include "consensus/voter_set.h"

namespace moldau::consensus {

struct RaftConfig {
    ReplicaKey self;
    std::string cluster_id;
    std::string listener = "CONTROLLER";  // by which voters reach one another
    std::vector<Endpoint> endpoints;      // of this replica
    std::vector<Peer> bootstrap;          // whom to ask while no leader is known
    int16_t kraft_version_min = 0;
    int16_t kraft_version_max = 1;

    Duration election_timeout = seconds(1);
    Duration election_backoff_max = seconds(1);
    Duration fetch_timeout = seconds(2);
    Duration request_timeout = seconds(2);
    Duration retry_backoff = milliseconds(20);
    Duration fetch_wait_max = milliseconds(500);
    int32_t fetch_bytes_max = 1 << 20;
};

// What was found on the disk, and is durable there: the first Fetch acknowledges all of it.
struct RaftDisk {
    std::optional<ElectionState> election;
    LogIndex log;
    VoterHistory history;
};

class RaftCore {
 public:
    // `seed` draws election timeouts; replicas should differ.
    RaftCore(RaftConfig config, RaftDisk disk, uint64_t seed);

    // Takes the place in the quorum that the disk tells of. Call once, before step().
    void start(MonotonicTime now);
    void step(MonotonicTime now, Event event);
    // When to step with TimePassed at the latest; max() when only others can change anything.
    MonotonicTime next_timeout() const { return next_timeout_; }
    Ready take_ready() { return std::exchange(ready_, {}); }

    const State& state() const { return state_; }
    bool is_leader() const { return std::holds_alternative<LeaderState>(state_); }
    bool is_voter() const { return voters().contains(config_.self); }
    LeaderAndEpoch leader_and_epoch() const { return {leader(), epoch_}; }
    LeaderEpoch epoch() const { return epoch_; }
    // As this replica's role knows it: a new leader's is unknown until it commits in its epoch.
    std::optional<Offset> high_watermark() const;
    const LogIndex& log() const { return log_; }
    const VoterHistory& history() const { return history_; }
    const VoterSet& voters() const { return history_.voters(); }
    int16_t kraft_version() const { return history_.kraft_version(); }
    const RaftConfig& config() const { return config_; }
    // What every answer says of the leader, with this error.
    ResponseHeader response_header(ErrorCode error) const;
    // Nothing is left to be told to others after ShutdownRequested.
    bool is_shutdown_complete() const;
    // "Leader", "Follower", ...
    const char* state_name() const;

 private:
    // raft_core.cc: transitions and timers.
    void poll(MonotonicTime now);
    MonotonicTime poll_state(MonotonicTime now);
    MonotonicTime poll_unattached(MonotonicTime now);
    MonotonicTime poll_prospective(MonotonicTime now);
    MonotonicTime poll_candidate(MonotonicTime now);
    MonotonicTime poll_leader(MonotonicTime now);
    MonotonicTime poll_follower(MonotonicTime now);
    MonotonicTime poll_resigned(MonotonicTime now);
    void become_unattached(LeaderEpoch epoch, std::optional<BrokerId> leader, MonotonicTime now);
    void become_prospective(MonotonicTime now);
    void become_candidate(MonotonicTime now);
    void become_leader(MonotonicTime now);
    void become_follower(LeaderEpoch epoch, BrokerId leader, std::vector<Endpoint> endpoints,
                         MonotonicTime now);
    void become_resigned(MonotonicTime now);
    void enter(State state, bool is_durable);
    void leave_leadership();
    ElectionState election_state() const;
    std::optional<BrokerId> leader() const;
    std::optional<ReplicaKey> voted() const;
    std::vector<Endpoint> leader_endpoints() const;
    std::vector<Endpoint> endpoints_of(BrokerId voter) const;
    MonotonicTime election_deadline(MonotonicTime now);
    std::string describe() const;

    // raft_election.cc
    void handle(RequestId id, const VoteRequest& request, MonotonicTime now);
    void handle(RequestId id, const BeginQuorumEpochRequest& request, MonotonicTime now);
    void handle(RequestId id, const EndQuorumEpochRequest& request, MonotonicTime now);
    bool handle(const Peer& peer, const VoteResponse& response, MonotonicTime now);
    bool handle(const Peer& peer, const BeginQuorumEpochResponse& response, MonotonicTime now);
    bool handle(const Peer& peer, const EndQuorumEpochResponse& response, MonotonicTime now);
    bool can_grant(const VoteRequest& request) const;
    std::optional<ErrorCode> refuse_from_voter(BrokerId sender, LeaderEpoch epoch) const;
    void lose_prospective_election(MonotonicTime now);
    MonotonicTime ask_for_votes(const Election& election, bool pre_vote, MonotonicTime now);
    MonotonicTime announce_leadership(MonotonicTime now);

    // raft_replication.cc
    void handle(RequestId id, const FetchRequest& request, MonotonicTime now);
    void handle(RequestId id, const FetchSnapshotRequest& request, MonotonicTime now);
    bool handle(const Peer& peer, const FetchResponse& response, MonotonicTime now);
    bool handle(const Peer& peer, const FetchSnapshotResponse& response, MonotonicTime now);
    bool answer_fetch(RequestId id, const FetchRequest& request, bool at_once, MonotonicTime now);
    void answer_parked(bool at_once, MonotonicTime now);
    bool truncate_for(const OffsetAndEpoch& diverging);
    bool append_fetched(const std::vector<LogEntry>& entries);
    void append(std::vector<LogEntry> entries);
    void commit_to(Offset offset);
    void leader_high_watermark_rose(MonotonicTime now);
    MonotonicTime fetch_from_leader(Follower& follower, MonotonicTime now);
    MonotonicTime fetch_from_bootstrap(MonotonicTime now);
    FetchRequest fetch_request() const;

    // raft_voters.cc
    void handle(RequestId id, const AddVoterRequest& request, MonotonicTime now);
    void handle(RequestId id, const RemoveVoterRequest& request, MonotonicTime now);
    void handle(RequestId id, const UpdateVoterRequest& request, MonotonicTime now);
    void handle(RequestId id, const KraftRangeRequest& request, MonotonicTime now);
    bool handle(const Peer& peer, const VoterChangeResponse& response, MonotonicTime now);
    void voter_range_answered(CorrelationId correlation, const KraftRangeResponse& response,
                              MonotonicTime now);
    std::optional<VoterChangeResponse> refuse_voter_request(
        std::string_view what, const std::optional<std::string>& cluster_id, LeaderEpoch epoch,
        const ReplicaKey& voter) const;
    std::optional<VoterChangeResponse> refuse_voter_change(std::string_view doing) const;
    void append_voters(VoterSet voters, MonotonicTime now);
    void finish_voter_change(ErrorCode error, std::string message);
    void voter_change_committed(Offset high_watermark);

    // Shared by the answers.
    bool is_cluster(const std::optional<std::string>& id) const;
    bool is_me(const std::optional<ReplicaKey>& voter) const;
    std::optional<ErrorCode> refuse_unless_leader(LeaderEpoch epoch) const;
    // What an answer's header alone decides: true or false when the answer is used up (false: back
    // off), nullopt when its content counts.
    std::optional<bool> handle_header(const ResponseHeader& header, MonotonicTime now);
    void maybe_transition(std::optional<BrokerId> leader, LeaderEpoch epoch,
                          std::vector<Endpoint> endpoints, MonotonicTime now);
    void answer(RequestId id, Response response);
    // Sends when the peer is ready; returns when it may be asked (again).
    MonotonicTime send(const Peer& peer, Request request, MonotonicTime now);
    std::optional<Peer> peer_of(BrokerId voter) const;

    RaftConfig config_;
    LogIndex log_;
    VoterHistory history_;
    std::optional<ElectionState> stored_election_;
    uint64_t random_;

    State state_;
    LeaderEpoch epoch_{0};
    // What this replica knows to be committed; never falls.
    std::optional<Offset> committed_;
    RequestTracker requests_;
    bool shutting_down_ = false;
    std::optional<LeaderAndEpoch> announced_;
    Ready ready_;
    MonotonicTime next_timeout_ = MonotonicTime::max();
};

}  // namespace moldau::consensus
