#include "controller/partition_change.h"

#include <algorithm>

#include "metadata/features.h"
#include "metadata/registrations.h"

namespace moldau::controller {

namespace {

using metadata::kNoLeader;
using metadata::kNoLeaderChange;
using metadata::LeaderRecoveryState;
using Ids = std::vector<int32_t>;

bool contains(const Ids& ids, int32_t id) {
    return std::ranges::find(ids, id) != ids.end();
}

bool contains_all(const Ids& ids, const Ids& wanted) {
    return std::ranges::all_of(wanted, [&](int32_t id) { return contains(ids, id); });
}

Ids without(const Ids& ids, const Ids& unwanted) {
    Ids kept;
    std::ranges::copy_if(ids, std::back_inserter(kept),
                         [&](int32_t id) { return !contains(unwanted, id); });
    return kept;
}

}  // namespace

PartitionChange::PartitionChange(const State& state, const PartitionKey& key,
                                 int32_t effective_min_isr)
    : state_(state),
      key_(key),
      before_(*state.image().topics.partition(key.topic_id, key.index)),
      min_isr_(effective_min_isr),
      may_lead_([&state](int32_t broker) { return state.is_active(broker); }),
      isr_(before_.isr),
      replicas_(before_.replicas),
      adding_(before_.adding_replicas),
      removing_(before_.removing_replicas),
      elr_(before_.elr),
      recovery_state_(before_.leader_recovery_state) {}

PartitionChange& PartitionChange::election(Election election) {
    election_ = election;
    return *this;
}
PartitionChange& PartitionChange::may_lead(MayLead may_lead) {
    may_lead_ = std::move(may_lead);
    return *this;
}
PartitionChange& PartitionChange::isr(Ids isr) {
    isr_ = std::move(isr);
    return *this;
}
PartitionChange& PartitionChange::replicas(Ids replicas) {
    replicas_ = std::move(replicas);
    return *this;
}
PartitionChange& PartitionChange::adding(Ids adding) {
    adding_ = std::move(adding);
    return *this;
}
PartitionChange& PartitionChange::removing(Ids removing) {
    removing_ = std::move(removing);
    return *this;
}
PartitionChange& PartitionChange::recovery_state(LeaderRecoveryState state) {
    recovery_state_ = state;
    return *this;
}
PartitionChange& PartitionChange::uncleanly_shut_down(Ids brokers) {
    uncleanly_shut_down_ = std::move(brokers);
    return *this;
}
PartitionChange& PartitionChange::directory(int32_t broker, const Uuid& directory) {
    directories_.emplace_back(broker, directory);
    return *this;
}

std::optional<metadata::VersionedRecord> PartitionChange::build() {
    int16_t mv = state_.metadata_version();
    bool elr_enabled = state_.elr_enabled();
    protocol::PartitionChangeRecord record;
    record.topic_id = key_.topic_id;
    record.partition_id = key_.index;

    complete_reassignment();
    update_elr();
    hold_election(record);
    if (record.leader == kNoLeaderChange && !contains_all(replicas_, before_.replicas)) {
        // A removed replica must learn that it is one: the same leader in a new epoch tells it.
        record.leader = before_.leader;
    }
    write_elr(record);
    // Without ELR the last ISR member stays in the ISR of a partition that has no leader.
    if (!record.isr && (!isr_.empty() || elr_enabled) && isr_ != before_.isr) {
        record.isr = isr_;
    }
    if (metadata::is_leader_epoch_bump_required_on_isr_shrink(mv) &&
        record.leader == kNoLeaderChange && record.isr && !contains_all(*record.isr, before_.isr)) {
        record.leader = before_.leader;  // brokers before 3.6 miss a shrink otherwise (KAFKA-15021)
    }
    if (elr_enabled) {
        if (record.leader == kNoLeader && before_.last_known_elr.empty()) {
            record.last_known_elr = Ids{before_.leader};
        } else if (record.leader >= 0 && !before_.last_known_elr.empty()) {
            record.last_known_elr = Ids{};
        }
    }
    write_assignment(record);
    if (recovery_state_ != before_.leader_recovery_state) {
        record.leader_recovery_state = static_cast<int8_t>(recovery_state_);
    }

    protocol::PartitionChangeRecord nothing;
    nothing.topic_id = key_.topic_id;
    nothing.partition_id = key_.index;
    if (record == nothing) {
        return std::nullopt;
    }
    return metadata::VersionedRecord{std::move(record),
                                     metadata::partition_change_record_version(mv)};
}

// A reassignment is complete once the replicas to stay are in sync. When it shrinks the partition,
// all of them must be, or completing would leave a smaller ISR than staying.
void PartitionChange::complete_reassignment() {
    if (adding_.empty() && removing_.empty()) {
        return;
    }
    Ids target_isr = without(isr_, removing_);
    Ids target_replicas = without(replicas_, removing_);
    if (target_isr.empty() || target_replicas.empty() || !contains_all(target_isr, adding_)) {
        return;
    }
    if (adding_.size() < removing_.size() && !contains_all(target_isr, target_replicas)) {
        return;
    }
    isr_ = std::move(target_isr);
    replicas_ = std::move(target_replicas);
    adding_.clear();
    removing_.clear();
}

// Members that leave an ISR smaller than the minimum hold all committed data: the high watermark
// does not move below that size. They stay eligible until the ISR has grown again or they crash.
void PartitionChange::update_elr() {
    if (!state_.elr_enabled()) {
        return;
    }
    if (static_cast<int32_t>(isr_.size()) >= min_isr_) {
        elr_.clear();
        return;
    }
    Ids candidates = elr_;
    for (int32_t member : before_.isr) {
        if (!contains(candidates, member)) {
            candidates.push_back(member);
        }
    }
    std::ranges::sort(candidates);
    elr_ = without(without(candidates, isr_), uncleanly_shut_down_);
}

bool PartitionChange::acceptable(int32_t broker) const {
    const metadata::Broker* registration = state_.broker(broker);
    return may_lead_(broker) && registration != nullptr &&
           registration->has_online_directory(before_.directory(broker));
}

bool PartitionChange::is_valid_leader(int32_t broker) const {
    bool eligible = contains(isr_, broker) || (isr_.empty() && contains(elr_, broker));
    return eligible && acceptable(broker);
}

bool PartitionChange::may_elect_last_known_leader() const {
    return state_.elr_enabled() && elr_.empty() && isr_.empty() &&
           before_.last_known_elr.size() == 1 && acceptable(before_.last_known_elr.front());
}

PartitionChange::Elected PartitionChange::elect() const {
    if (election_ == Election::Preferred && !replicas_.empty() &&
        is_valid_leader(replicas_.front())) {
        return {replicas_.front(), false};
    }
    if (is_valid_leader(before_.leader)) {
        return {before_.leader, false};
    }
    auto online =
        std::ranges::find_if(replicas_, [this](int32_t broker) { return is_valid_leader(broker); });
    if (online != replicas_.end()) {
        return {*online, false};
    }
    if (may_elect_last_known_leader()) {
        return {before_.last_known_elr.front(), true};
    }
    if (election_ == Election::Unclean) {
        auto any =
            std::ranges::find_if(replicas_, [this](int32_t broker) { return acceptable(broker); });
        if (any != replicas_.end()) {
            return {*any, true};
        }
    }
    return {kNoLeader, false};
}

void PartitionChange::hold_election(protocol::PartitionChangeRecord& record) {
    Elected elected = elect();
    if (elected.leader == before_.leader) {
        return;
    }
    if (contains(elr_, elected.leader)) {
        isr_ = {elected.leader};
        elr_ = without(elr_, isr_);
    }
    record.leader = elected.leader;
    if (elected.unclean) {
        // Nobody else is known to hold what this leader holds.
        record.isr = Ids{elected.leader};
        if (before_.leader_recovery_state != LeaderRecoveryState::Recovering) {
            record.leader_recovery_state = static_cast<int8_t>(LeaderRecoveryState::Recovering);
        }
    }
}

void PartitionChange::write_elr(protocol::PartitionChangeRecord& record) {
    bool unclean = record.isr.has_value();
    if (unclean || !state_.elr_enabled()) {
        elr_.clear();
    }
    if (elr_ != before_.elr) {
        record.eligible_leader_replicas = elr_;
    }
}

void PartitionChange::write_assignment(protocol::PartitionChangeRecord& record) {
    if (!replicas_.empty()) {
        if (metadata::is_directory_assignment_supported(state_.metadata_version())) {
            std::vector<Uuid> directories;
            for (int32_t replica : replicas_) {
                auto chosen =
                    std::ranges::find(directories_, replica, &std::pair<int32_t, Uuid>::first);
                if (chosen != directories_.end()) {
                    directories.push_back(chosen->second);
                } else if (before_.is_replica(replica)) {
                    directories.push_back(before_.directory(replica));
                } else {
                    directories.push_back(default_directory(state_, replica));
                }
            }
            if (directories != before_.directories) {
                record.directories = std::move(directories);
            }
        }
        if (replicas_ != before_.replicas) {
            record.replicas = replicas_;
        }
    }
    if (removing_ != before_.removing_replicas) {
        record.removing_replicas = removing_;
    }
    if (adding_ != before_.adding_replicas) {
        record.adding_replicas = adding_;
    }
}

Uuid default_directory(const State& state, int32_t broker) {
    const metadata::Broker* registration = state.broker(broker);
    if (registration == nullptr) {
        return kUnassignedDirectory;  // that it is not registered is for others to say
    }
    if (registration->directories.empty()) {
        return kMigratingDirectory;
    }
    return registration->directories.size() == 1 ? registration->directories.front()
                                                 : kUnassignedDirectory;
}

}  // namespace moldau::controller
