#include "consensus/leader_state.h"

#include <algorithm>

#include "base/assert.h"

namespace moldau::consensus {

LeaderState::LeaderState(ReplicaKey self, Offset epoch_start, const VoterSet& voters,
                         std::vector<BrokerId> granting, Duration fetch_timeout, MonotonicTime now)
    : begin_epoch_at(now),
      self_(self),
      epoch_start_(epoch_start),
      granting_(std::move(granting)),
      // Half as long again as followers wait for us: they give up first, in an orderly way.
      check_quorum_timeout_(fetch_timeout * 3 / 2),
      silence_max_(fetch_timeout / 2),
      check_quorum_deadline_(now + check_quorum_timeout_) {
    set_voters(voters);
}

void LeaderState::set_voters(const VoterSet& voters) {
    std::map<BrokerId, ReplicaProgress> before = std::exchange(voters_, {});
    for (const auto& [id, voter] : voters.voters()) {
        ReplicaProgress progress;
        auto known = before.find(id);
        auto observed = observers_.find(voter.key);
        if (known != before.end() &&
            (!known->second.key.has_directory() || known->second.key == voter.key)) {
            progress = known->second;
            before.erase(known);
        } else if (observed != observers_.end()) {
            progress = observed->second;
        }
        observers_.erase(voter.key);
        progress.key = voter.key;
        voters_.emplace(id, progress);
    }
    for (const auto& [id, progress] : before) {
        observers_.emplace(progress.key, progress);
    }
    std::erase_if(heard_, [&](BrokerId id) { return !voters_.contains(id); });
}

bool LeaderState::is_voter(const ReplicaKey& key) const {
    auto at = voters_.find(key.id);
    return at != voters_.end() &&
           (!at->second.key.has_directory() || at->second.key.directory == key.directory);
}

ReplicaProgress& LeaderState::progress_of(const ReplicaKey& key) {
    if (is_voter(key)) {
        return voters_.at(key.id);
    }
    auto [at, is_new] = observers_.try_emplace(key);
    if (is_new) {
        at->second.key = key;
    }
    return at->second;
}

bool LeaderState::local_synced(Offset end) {
    ReplicaProgress& own = progress_of(self_);
    // Syncs may be reported out of order.
    own.end_offset = std::max(own.end_offset.value_or(end), end);
    return advance_high_watermark();
}

bool LeaderState::replica_fetched(const ReplicaKey& key, Offset offset, Offset leader_end,
                                  MonotonicTime now) {
    ReplicaProgress& progress = progress_of(key);
    if (offset >= leader_end) {
        progress.last_caught_up = now;
    } else if (progress.leader_end_at_last_fetch > Offset(0) &&
               offset >= progress.leader_end_at_last_fetch) {
        // It holds what we held when it asked before: it was level with us then.
        progress.last_caught_up = std::max(progress.last_caught_up, progress.last_fetch);
    }
    progress.leader_end_at_last_fetch = leader_end;
    progress.last_fetch = now;
    progress.end_offset = offset;
    replica_heard(key, now);
    return is_voter(key) && advance_high_watermark();
}

void LeaderState::replica_heard(const ReplicaKey& key, MonotonicTime now) {
    if (!is_voter(key)) {
        return;
    }
    heard_.insert(key.id);
    size_t majority = voters_.size() / 2 + 1;
    size_t others_needed = is_voter(self_) ? majority - 1 : majority;
    if (heard_.size() >= others_needed) {
        heard_.clear();
        check_quorum_deadline_ = now + check_quorum_timeout_;
    }
}

MonotonicTime LeaderState::check_quorum_deadline() const {
    bool alone = voters_.size() == 1 && is_voter(self_);
    return alone ? MonotonicTime::max() : check_quorum_deadline_;
}

// The offset that a majority of voters holds is committed, but only once it covers a record of this
// epoch: an older record on a majority may still lose to a log with a newer last epoch
// (Raft 5.4.2).
bool LeaderState::advance_high_watermark() {
    std::vector<Offset> ends;
    for (const auto& [id, progress] : voters_) {
        ends.push_back(progress.end_offset.value_or(kNoOffset));
    }
    std::ranges::sort(ends, std::greater());
    Offset held = ends[ends.size() / 2];
    if (held <= epoch_start_ || (high_watermark_ && held <= *high_watermark_)) {
        return false;
    }
    high_watermark_ = held;
    return true;
}

std::vector<ReplicaKey> LeaderState::silent_voters(MonotonicTime now) const {
    std::vector<ReplicaKey> silent;
    for (const auto& [id, progress] : voters_) {
        bool fetched_lately = progress.last_fetch && now - *progress.last_fetch < silence_max_;
        if (id != self_.id && !fetched_lately) {
            silent.push_back(progress.key);
        }
    }
    return silent;
}

std::vector<ReplicaKey> LeaderState::successors() const {
    std::vector<const ReplicaProgress*> others;
    for (const auto& [id, progress] : voters_) {
        if (id != self_.id) {
            others.push_back(&progress);
        }
    }
    std::ranges::sort(others, [](const ReplicaProgress* a, const ReplicaProgress* b) {
        Offset a_end = a->end_offset.value_or(kNoOffset);
        Offset b_end = b->end_offset.value_or(kNoOffset);
        return a_end != b_end ? a_end > b_end : a->key < b->key;
    });
    std::vector<ReplicaKey> keys;
    for (const ReplicaProgress* progress : others) {
        keys.push_back(progress->key);
    }
    return keys;
}

bool LeaderState::is_caught_up(const ReplicaKey& observer, MonotonicTime now) const {
    auto at = observers_.find(observer);
    return at != observers_.end() && at->second.last_caught_up && at->second.last_fetch &&
           now - *at->second.last_fetch < std::chrono::hours(1);
}

std::vector<ReplicaProgress> LeaderState::voters() const {
    std::vector<ReplicaProgress> all;
    for (const auto& [id, progress] : voters_) {
        all.push_back(progress);
    }
    return all;
}

std::vector<ReplicaProgress> LeaderState::observers() const {
    std::vector<ReplicaProgress> all;
    for (const auto& [key, progress] : observers_) {
        all.push_back(progress);
    }
    return all;
}

void LeaderState::forget_idle_observers(MonotonicTime now) {
    std::erase_if(observers_, [&](const auto& entry) {
        const ReplicaProgress& progress = entry.second;
        return entry.first.id != self_.id &&
               (!progress.last_fetch || now - *progress.last_fetch >= kObserverSession);
    });
}

}  // namespace moldau::consensus
