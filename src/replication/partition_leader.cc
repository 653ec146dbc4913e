#include "replication/partition_leader.h"

#include <algorithm>

#include "base/assert.h"

namespace moldau::replication {

PartitionLeader::PartitionLeader(LeaderSettings settings, Registration registration, Offset log_end,
                                 Offset high_watermark, MonotonicTime now,
                                 std::optional<Offset> durable_end)
    : settings_(settings),
      registration_(std::move(registration)),
      epoch_start_(log_end),
      log_end_(log_end),
      durable_end_(durable_end.value_or(log_end)),
      high_watermark_(high_watermark),
      now_(now) {
    MOLDAU_ASSERT(high_watermark_ <= log_end_);
    MOLDAU_ASSERT(durable_end_ <= log_end_);
    reset_members(now);
    if (registration_.recovering) {
        propose({settings_.local});
    }
    maybe_raise_high_watermark(now);
}

void PartitionLeader::metadata_changed(Registration registration, MonotonicTime now) {
    if (registration.partition_epoch <= registration_.partition_epoch) {
        return;  // already known, from the answer to our own proposal
    }
    registration_ = std::move(registration);
    proposed_.reset();
    proposal_sent_ = false;
    reset_members(now);
    maybe_raise_high_watermark(now);
}

void PartitionLeader::min_insync_replicas_changed(int32_t min_insync_replicas) {
    settings_.min_insync_replicas = min_insync_replicas;
    maybe_raise_high_watermark(now_);
}

void PartitionLeader::appended(Offset log_end, std::optional<Offset> durable_end) {
    MOLDAU_ASSERT(log_end >= log_end_);
    log_end_ = log_end;
    made_durable(durable_end.value_or(log_end));
}

void PartitionLeader::made_durable(Offset durable_end) {
    MOLDAU_ASSERT(durable_end <= log_end_);
    durable_end_ = std::max(durable_end_, durable_end);
    maybe_raise_high_watermark(now_);
}

void PartitionLeader::log_start_raised(Offset log_start) {
    high_watermark_ = std::max(high_watermark_, log_start);
}

Status PartitionLeader::follower_fetched(const FollowerFetch& fetch, MonotonicTime now) {
    auto found = followers_.find(fetch.replica);
    if (found == followers_.end()) {
        return fail(ErrorCode::UnknownLeaderEpoch,
                    "fetch by a broker outside the assignment: broker={} leader_epoch={}",
                    fetch.replica, registration_.leader_epoch);
    }
    FollowerState& follower = found->second;
    if (fetch.broker_epoch != -1 && fetch.broker_epoch < follower.broker_epoch) {
        return fail(ErrorCode::NotLeaderOrFollower,
                    "fetch by an older incarnation: broker={} broker_epoch={} known={}",
                    fetch.replica, fetch.broker_epoch, follower.broker_epoch);
    }
    if (fetch.fetch_offset >= fetch.leader_end_offset) {
        follower.caught_up_at = std::max(follower.caught_up_at, now);
    } else if (fetch.fetch_offset >= follower.leader_end_at_fetch) {
        // It holds all that we had when it fetched last: it was in step then.
        follower.caught_up_at = std::max(follower.caught_up_at, follower.fetched_at);
    }
    follower.log_end_offset = fetch.fetch_offset;
    follower.log_start_offset = fetch.log_start_offset;
    follower.leader_end_at_fetch = fetch.leader_end_offset;
    follower.fetched_at = now;
    follower.broker_epoch = std::max(follower.broker_epoch, fetch.broker_epoch);
    follower.eligible = fetch.eligible;
    now_ = std::max(now_, now);
    maybe_expand(fetch.replica, follower);
    maybe_raise_high_watermark(now);
    return {};
}

void PartitionLeader::lag_checked(MonotonicTime now) {
    now_ = std::max(now_, now);
    if (proposed_) {
        return;
    }
    std::set<BrokerId> kept = isr_;
    for (const auto& [replica, follower] : followers_) {
        if (!is_caught_up(follower, now)) {
            kept.erase(replica);
        }
    }
    if (kept.size() < isr_.size()) {
        propose(std::move(kept));
    }
}

void PartitionLeader::proposal_accepted(Registration registration, MonotonicTime now) {
    metadata_changed(std::move(registration), now);
}

void PartitionLeader::proposal_rejected() {
    proposed_.reset();
    proposal_sent_ = false;
}

void PartitionLeader::proposal_retried() {
    proposal_sent_ = false;
}

Status PartitionLeader::check_append_with_all() const {
    if (is_under_min_isr()) {
        return fail(ErrorCode::NotEnoughReplicas,
                    "too few in-sync replicas for acks=all: in_sync={} min_insync_replicas={}",
                    isr_.size(), effective_min_isr());
    }
    return {};
}

std::optional<Status> PartitionLeader::acknowledged(Offset end) const {
    if (high_watermark_ < end) {
        return std::nullopt;
    }
    if (is_under_min_isr()) {
        return Status(fail(ErrorCode::NotEnoughReplicasAfterAppend,
                           "in-sync replicas fell below the minimum after the append: in_sync={} "
                           "min_insync_replicas={}",
                           isr_.size(), effective_min_isr()));
    }
    return Status();
}

IsrProposal PartitionLeader::recovery_of(BrokerId local, const Registration& registration) {
    IsrProposal proposal;
    proposal.isr.emplace_back(local, -1);
    proposal.leader_epoch = registration.leader_epoch;
    proposal.partition_epoch = registration.partition_epoch;
    return proposal;
}

std::optional<IsrProposal> PartitionLeader::take_proposal() {
    if (!proposed_ || proposal_sent_) {
        return std::nullopt;
    }
    proposal_sent_ = true;
    IsrProposal proposal;
    for (BrokerId member : *proposed_) {
        auto follower = followers_.find(member);
        proposal.isr.emplace_back(
            member, follower == followers_.end() ? -1 : follower->second.broker_epoch);
    }
    proposal.leader_epoch = registration_.leader_epoch;
    proposal.partition_epoch = registration_.partition_epoch;
    return proposal;
}

int32_t PartitionLeader::effective_min_isr() const {
    return std::min(settings_.min_insync_replicas,
                    static_cast<int32_t>(registration_.replicas.size()));
}

bool PartitionLeader::is_caught_up(const FollowerState& follower, MonotonicTime now) const {
    return follower.log_end_offset == log_end_ || now - follower.caught_up_at <= settings_.lag_max;
}

// Members of the new in-sync set start out as caught up: the leader just took over and has not
// heard from anybody yet.
void PartitionLeader::reset_members(MonotonicTime now) {
    now_ = std::max(now_, now);
    isr_ = {registration_.isr.begin(), registration_.isr.end()};
    std::map<BrokerId, FollowerState> members;
    for (BrokerId replica : registration_.replicas) {
        if (replica == settings_.local) {
            continue;
        }
        auto known = followers_.find(replica);
        if (known != followers_.end()) {
            members.emplace(replica, known->second);
            continue;
        }
        FollowerState fresh;
        if (isr_.contains(replica)) {
            fresh.caught_up_at = now;
        }
        members.emplace(replica, fresh);
    }
    followers_ = std::move(members);
}

void PartitionLeader::maybe_expand(BrokerId replica, const FollowerState& follower) {
    bool in_step =
        follower.log_end_offset >= high_watermark_ && follower.log_end_offset >= epoch_start_;
    if (proposed_ || isr_.contains(replica) || !follower.eligible || !in_step) {
        return;
    }
    std::set<BrokerId> grown = isr_;
    grown.insert(replica);
    propose(std::move(grown));
}

void PartitionLeader::maybe_raise_high_watermark(MonotonicTime now) {
    if (is_under_min_isr()) {
        return;
    }
    Offset candidate = durable_end_;
    for (const auto& [replica, follower] : followers_) {
        bool proposed = proposed_ && proposed_->contains(replica);
        bool joining = follower.eligible && is_caught_up(follower, now);
        if (isr_.contains(replica) || proposed || joining) {
            candidate = std::min(candidate, follower.log_end_offset);
        }
    }
    high_watermark_ = std::max(high_watermark_, candidate);
}

void PartitionLeader::propose(std::set<BrokerId> isr) {
    proposed_ = std::move(isr);
    proposal_sent_ = false;
}

}  // namespace moldau::replication
