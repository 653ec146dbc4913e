// PartitionChange: works out the one PartitionChangeRecord that takes a partition from its present
// state to a wished one: completes a reassignment that is due, keeps the ELR (KIP-966), elects a
// leader and says when the leader epoch has to grow. Every change of a partition in the controller
// goes through it. Pure; made, filled and built within one decision.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "controller/state.h"
#include "metadata/image.h"
#include "metadata/versioned_record.h"

namespace moldau::controller {

enum class Election {
    Preferred,  // move to the preferred replica if it may lead
    Online,     // keep the leader while it may lead, else any ISR member (or ELR member)
    Unclean,    // as Online, and any live replica as the last resort
};

class PartitionChange {
 public:
    using MayLead = std::function<bool(int32_t broker)>;
    using DefaultDirectory = std::function<Uuid(int32_t broker)>;

    // By default the acceptable leaders are the active brokers whose directory of the replica is
    // online, and the minimum in-sync count is the topic's. `state` must outlive the object.
    PartitionChange(const State& state, const PartitionKey& key, int32_t effective_min_isr);

    PartitionChange& election(Election election);
    // Narrows or widens who may lead; a replica in an offline directory never may.
    PartitionChange& may_lead(MayLead may_lead);
    PartitionChange& isr(std::vector<int32_t> isr);
    PartitionChange& replicas(std::vector<int32_t> replicas);
    PartitionChange& adding(std::vector<int32_t> adding);
    PartitionChange& removing(std::vector<int32_t> removing);
    PartitionChange& recovery_state(metadata::LeaderRecoveryState state);
    PartitionChange& uncleanly_shut_down(std::vector<int32_t> brokers);
    PartitionChange& directory(int32_t broker, const Uuid& directory);

    // nullopt when nothing would change.
    std::optional<metadata::VersionedRecord> build();

 private:
    struct Elected {
        int32_t leader;
        bool unclean;
    };

    void complete_reassignment();
    void update_elr();
    Elected elect() const;
    bool is_valid_leader(int32_t broker) const;
    bool may_elect_last_known_leader() const;
    void hold_election(protocol::PartitionChangeRecord& record);
    void write_elr(protocol::PartitionChangeRecord& record);
    void write_assignment(protocol::PartitionChangeRecord& record);
    bool acceptable(int32_t broker) const;

    const State& state_;
    PartitionKey key_;
    const metadata::Partition& before_;
    int32_t min_isr_;
    MayLead may_lead_;
    Election election_ = Election::Online;
    std::vector<int32_t> isr_;
    std::vector<int32_t> replicas_;
    std::vector<int32_t> adding_;
    std::vector<int32_t> removing_;
    std::vector<int32_t> elr_;
    std::vector<int32_t> uncleanly_shut_down_;
    std::vector<std::pair<int32_t, Uuid>> directories_;
    metadata::LeaderRecoveryState recovery_state_;
};

// The directory that a new replica on that broker starts in: the only one when there is one, "some
// directory" when the broker registered none, else the broker's choice.
Uuid default_directory(const State& state, int32_t broker);

}  // namespace moldau::controller
