// LeaderState: how far each replica has come, as the leader of one epoch sees it; the high
// watermark and the check that a majority still listens follow from that. Owned by RaftCore while
// it leads.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/time.h"
#include "consensus/event.h"
#include "consensus/types.h"
#include "consensus/voter_set.h"

namespace moldau::consensus {

struct ReplicaProgress {
    ReplicaKey key;
    std::optional<Offset> end_offset;  // replicated and durable there
    std::optional<MonotonicTime> last_fetch;
    std::optional<MonotonicTime> last_caught_up;
    Offset leader_end_at_last_fetch = kNoOffset;
};

// A voter change waits for its record to be committed, and may be answered late.
struct PendingVoterChange {
    enum class Kind : uint8_t { Add, Remove, Update };

    Kind kind = Kind::Add;
    RequestId request = 0;
    Voter voter;
    bool ack_when_committed = true;
    MonotonicTime deadline;
    std::optional<CorrelationId> range_asked;  // Add: the question for the kraft.version range
    std::optional<Offset> record_offset;       // once appended
};

// A fetch that found nothing new and waits.
struct ParkedFetch {
    RequestId id = 0;
    FetchRequest request;
    MonotonicTime deadline;
};

class LeaderState {
 public:
    // Observers that have not fetched for so long are forgotten.
    static constexpr Duration kObserverSession = seconds(300);

    LeaderState(ReplicaKey self, Offset epoch_start, const VoterSet& voters,
                std::vector<BrokerId> granting, Duration fetch_timeout, MonotonicTime now);

    Offset epoch_start() const { return epoch_start_; }
    const std::vector<BrokerId>& granting() const { return granting_; }
    std::optional<Offset> high_watermark() const { return high_watermark_; }

    // The set in force changed.
    void set_voters(const VoterSet& voters);
    // This replica's log is durable up to `end`. True when the high watermark rose.
    bool local_synced(Offset end);
    // A replica asked for `offset`, which says that it holds everything before.
    bool replica_fetched(const ReplicaKey& key, Offset offset, Offset leader_end,
                         MonotonicTime now);
    // A voter showed that it follows.
    void replica_heard(const ReplicaKey& key, MonotonicTime now);

    // When too few voters have fetched for too long to go on leading; max() for a lone voter.
    MonotonicTime check_quorum_deadline() const;
    // Voters that have been silent for half the fetch timeout: they may not know who leads.
    std::vector<ReplicaKey> silent_voters(MonotonicTime now) const;
    // Other voters, the most advanced first.
    std::vector<ReplicaKey> successors() const;
    bool is_caught_up(const ReplicaKey& observer, MonotonicTime now) const;

    std::vector<ReplicaProgress> voters() const;
    std::vector<ReplicaProgress> observers() const;
    void forget_idle_observers(MonotonicTime now);

    MonotonicTime begin_epoch_at;  // next time to look for silent voters
    std::vector<ParkedFetch> parked;
    std::optional<PendingVoterChange> change;
    bool resign_requested = false;

 private:
    bool is_voter(const ReplicaKey& key) const;
    ReplicaProgress& progress_of(const ReplicaKey& key);
    bool advance_high_watermark();

    ReplicaKey self_;
    Offset epoch_start_;
    std::vector<BrokerId> granting_;
    Duration check_quorum_timeout_;
    Duration silence_max_;
    std::map<BrokerId, ReplicaProgress> voters_;
    std::map<ReplicaKey, ReplicaProgress> observers_;
    std::optional<Offset> high_watermark_;  // unknown until a record of this epoch is committed
    std::set<BrokerId> heard_;              // voters, since the deadline was set
    MonotonicTime check_quorum_deadline_;
};

}  // namespace moldau::consensus
