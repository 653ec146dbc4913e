// The states of a replica, as types; RaftCore holds one of them. Epoch and log live beside it.
//
//   Unattached  -> Prospective  election timeout (voters only)
//   Unattached  -> Follower     a leader of this or a higher epoch is known, with its address
//   Prospective -> Candidate    a majority would vote for it (or it is a voter's only peer)
//   Prospective -> Follower     the election is lost or timed out, and the leader is known
//   Prospective -> Unattached   the same without a known leader
//   Candidate   -> Leader       on a majority of granted votes
//   Candidate   -> Prospective  election timeout
//   Leader      -> Resigned     check-quorum, shutdown, removal from the voters, or on request
//   Follower    -> Prospective  fetch timeout (voters only)
//   Resigned    -> Unattached   election timeout, in the next epoch
//   any         -> Unattached   a higher epoch, leader unknown
//   any         -> Follower     a higher epoch, leader known
// Observers are Unattached or Follower.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "base/time.h"
#include "consensus/leader_state.h"
#include "consensus/types.h"
#include "consensus/voter_set.h"

namespace moldau::consensus {

// Votes of one election.
class Election {
 public:
    Election() = default;
    // The replica has its own vote.
    Election(const VoterSet& voters, const ReplicaKey& self);

    void record(BrokerId voter, bool granted);
    bool is_granted() const;
    // Too few voters are left to win.
    bool is_rejected() const;
    std::vector<BrokerId> granting() const;
    std::vector<ReplicaKey> unrecorded() const;

 private:
    struct Vote {
        ReplicaKey voter;
        std::optional<bool> granted;
    };
    size_t count(std::optional<bool> what) const;

    std::map<BrokerId, Vote> votes_;
};

struct Unattached {
    std::optional<BrokerId> leader;  // known by id only
    std::optional<ReplicaKey> voted;
    MonotonicTime election_deadline;
};

struct Prospective {
    std::optional<BrokerId> leader;
    std::vector<Endpoint> leader_endpoints;
    std::optional<ReplicaKey> voted;
    Election election;
    MonotonicTime election_deadline;
};

struct Candidate {
    Election election;
    MonotonicTime election_deadline;
};

struct SnapshotDownload {
    SnapshotId id;
    int64_t position = 0;
    bool is_complete = false;  // being installed: nothing more to fetch until then
};

struct Follower {
    BrokerId leader = kNoBroker;
    std::vector<Endpoint> leader_endpoints;
    std::optional<ReplicaKey> voted;
    MonotonicTime fetch_deadline;
    bool has_fetched = false;  // from this leader: it is alive, so no pre-vote for others
    std::optional<SnapshotDownload> download;
    MonotonicTime update_voter_at;  // when to compare our voter entry with ourselves
};

struct Resigned {
    MonotonicTime election_deadline;
    std::vector<ReplicaKey> preferred_candidates;
    std::set<BrokerId> unacknowledged;
};

using State = std::variant<Unattached, Prospective, Candidate, LeaderState, Follower, Resigned>;

}  // namespace moldau::consensus
