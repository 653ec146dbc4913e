// PartitionLeader decides for one partition that this broker leads: how far followers have come,
// what the in-sync set is or should become, and how far the high watermark may move. It is a pure
// core: the log, the clock and the controller speak to it through arguments, and it answers with
// effects.
//
// Rules (KIP-497, KIP-841, KIP-903, KIP-966; Kafka's Partition):
// - The high watermark never falls, and stands still while the in-sync set is below
// min.insync.replicas.
// - While a larger in-sync set is proposed, the larger one counts (the "maximal" set): the
// controller may
//   have accepted it already. While a smaller one is proposed, the old one still counts.
// - One proposal is in flight at a time; only its answer or a metadata record settles it.
// - A follower counts as caught up if it holds everything, or did within the lag limit.
//
// Owned by broker::Partition and guarded by that partition's lock.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/types.h"

namespace moldau::replication {

// What the metadata log says of the partition.
struct Registration {
    std::vector<BrokerId> replicas;
    std::vector<BrokerId> isr;
    LeaderEpoch leader_epoch{0};
    int32_t partition_epoch = 0;
    bool recovering = false;  // led by an unclean election, not yet reported recovered
};

struct LeaderSettings {
    BrokerId local;
    Duration lag_max = seconds(30);  // replica.lag.time.max.ms
    int32_t min_insync_replicas = 1;
};

// A follower's fetch, after the log's own checks passed.
struct FollowerFetch {
    BrokerId replica;
    int64_t broker_epoch = -1;  // -1: unknown, old fetch version
    Offset fetch_offset;        // everything below is on the follower
    Offset log_start_offset;
    Offset leader_end_offset;  // of our log when the fetch was read
    bool eligible = false;  // alive, not shutting down, and of that broker epoch, says the metadata
};

// What to propose to the controller (AlterPartition).
struct IsrProposal {
    std::vector<std::pair<BrokerId, int64_t>> isr;  // with the broker epochs they fetched under
    LeaderEpoch leader_epoch;
    int32_t partition_epoch = 0;
    bool recovered = true;
};

class PartitionLeader {
 public:
    struct FollowerState {
        Offset log_end_offset{kNoOffset};
        Offset log_start_offset{kNoOffset};
        MonotonicTime caught_up_at{};
        MonotonicTime fetched_at{};
        Offset leader_end_at_fetch{0};
        int64_t broker_epoch = -1;
        bool eligible = false;
    };

    // What a leader after an unclean election proposes first. It needs no log for that.
    static IsrProposal recovery_of(BrokerId local, const Registration& registration);

    // Leadership begins: `log_end` is also where the epoch starts; `high_watermark` is what was
    // known. `durable_end` as in appended().
    PartitionLeader(LeaderSettings settings, Registration registration, Offset log_end,
                    Offset high_watermark, MonotonicTime now,
                    std::optional<Offset> durable_end = std::nullopt);

    // A newer registration under the same leadership (a metadata record).
    void metadata_changed(Registration registration, MonotonicTime now);
    void min_insync_replicas_changed(int32_t min_insync_replicas);

    // The local log grew to `log_end`, and counts up to `durable_end`: none, all of it.
    void appended(Offset log_end, std::optional<Offset> durable_end = std::nullopt);
    // The local log now counts up to `durable_end`: the watermark never passes what a power cut
    // could take back.
    void made_durable(Offset durable_end);
    // The local log now starts at `log_start`; the watermark is never below it.
    void log_start_raised(Offset log_start);

    // Errors: UnknownLeaderEpoch when the follower is no replica yet (it learnt of a reassignment
    // before us and retries); NotLeaderOrFollower when an older incarnation of it is speaking.
    Status follower_fetched(const FollowerFetch& fetch, MonotonicTime now);

    // Looks for members that fell behind. Called every half lag_max.
    void lag_checked(MonotonicTime now);

    // The controller's answer to the proposal in flight.
    void proposal_accepted(Registration registration, MonotonicTime now);
    // The change surely did not happen: back to the committed set.
    void proposal_rejected();
    // No answer that settles it: propose the same again.
    void proposal_retried();

    // Errors: NotEnoughReplicas, for a producer that wants all in-sync replicas.
    Status check_append_with_all() const;
    // Whether everything below `end` is committed; nullopt while not.
    // Errors inside: NotEnoughReplicasAfterAppend.
    std::optional<Status> acknowledged(Offset end) const;

    // What to send to the controller; once.
    std::optional<IsrProposal> take_proposal();

    Offset high_watermark() const { return high_watermark_; }
    // Whether the watermark has reached this leadership's first offset: before that, the answer to
    // "what is the latest offset" could go backwards (KIP-207).
    bool watermark_reached_epoch_start() const { return high_watermark_ >= epoch_start_; }
    Offset log_end_offset() const { return log_end_; }
    Offset epoch_start_offset() const { return epoch_start_; }
    LeaderEpoch leader_epoch() const { return registration_.leader_epoch; }
    const Registration& registration() const { return registration_; }
    const std::set<BrokerId>& isr() const { return isr_; }
    bool is_under_min_isr() const { return isr_.size() < static_cast<size_t>(effective_min_isr()); }
    const std::map<BrokerId, FollowerState>& followers() const { return followers_; }

 private:
    int32_t effective_min_isr() const;
    bool is_caught_up(const FollowerState& follower, MonotonicTime now) const;
    void reset_members(MonotonicTime now);
    void maybe_expand(BrokerId replica, const FollowerState& follower);
    void maybe_raise_high_watermark(MonotonicTime now);
    void propose(std::set<BrokerId> isr);

    LeaderSettings settings_;
    Registration registration_;
    std::set<BrokerId> isr_;                      // committed
    std::optional<std::set<BrokerId>> proposed_;  // in flight or to be sent
    bool proposal_sent_ = false;
    std::map<BrokerId, FollowerState> followers_;  // of the assignment, without us
    Offset epoch_start_;
    Offset log_end_;
    Offset durable_end_;  // <= log_end_
    Offset high_watermark_;
    MonotonicTime now_{};  // of the last event that carried a time
};

}  // namespace moldau::replication
