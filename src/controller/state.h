// State: what the active controller knows, as of the last record it replayed, committed or not. It
// is the image of the metadata log plus the indexes that decisions need. replay() is the only thing
// that changes it; all deciders take it by const reference.
//
// Everything inside is persistent: a copy costs a dozen references. The host keeps such a copy for
// each append that is not committed yet and goes back to one of them when leadership is lost; no
// decider knows of that. One thread.
#pragma once

#include <compare>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "metadata/image.h"
#include "metadata/versioned_record.h"

namespace moldau::controller {

struct PartitionKey {
    Uuid topic_id;
    int32_t index = -1;

    friend auto operator<=>(const PartitionKey&, const PartitionKey&) = default;
};

struct ReplicaKey {
    int32_t broker = -1;
    PartitionKey partition;

    friend auto operator<=>(const ReplicaKey&, const ReplicaKey&) = default;
};

class State {
 public:
    // Errors: as metadata::replay; the state is then unchanged.
    Status replay(const protocol::MetadataRecord& record, int64_t offset);

    const metadata::Image& image() const { return image_; }
    // Offset of the last replayed record, -1 before the first.
    int64_t offset() const { return offset_; }

    int16_t metadata_version() const { return image_.features.metadata_version(); }
    // Whether any record finalized a metadata.version: a log without one was never bootstrapped.
    bool is_bootstrapped() const;
    bool elr_enabled() const { return image_.features.eligible_leader_replicas_enabled(); }

    const metadata::Broker* broker(int32_t id) const { return image_.cluster.broker(id); }
    bool is_active(int32_t broker_id) const {
        const metadata::Broker* found = broker(broker_id);
        return found != nullptr && found->active();
    }
    // Offset of the record that registered the broker last; -1 when it is not registered.
    int64_t registration_offset(int32_t broker_id) const;

    std::vector<PartitionKey> partitions_with_isr_member(int32_t broker_id) const;
    std::vector<PartitionKey> partitions_with_elr_member(int32_t broker_id) const;
    std::vector<PartitionKey> partitions_without_leader() const;
    bool has_leaderships(int32_t broker_id) const;
    // Partitions that have a leader other than their preferred one.
    std::vector<PartitionKey> partitions_off_preferred_leader(size_t count_max) const;
    bool has_imbalance() const { return !imbalanced_.empty(); }
    std::vector<PartitionKey> partitions_being_reassigned() const;

    // A topic whose name equals `name` when '.' and '_' are the same; nullptr when none does.
    const std::string* colliding_topic(std::string_view name) const;

 private:
    struct Present {
        friend bool operator==(const Present&, const Present&) = default;
    };
    template <typename Key>
    using Index = metadata::PersistentMap<Key, Present>;

    void index(const PartitionKey& key, const metadata::Partition* before,
               const metadata::Partition* after);
    void index_topic_name(const std::string& name, bool present);

    metadata::Image image_;
    int64_t offset_ = -1;
    metadata::PersistentMap<int32_t, int64_t> registration_offsets_;
    // Value: whether the broker leads the partition.
    metadata::PersistentMap<ReplicaKey, bool> isr_members_;
    Index<ReplicaKey> elr_members_;
    Index<PartitionKey> leaderless_;
    Index<PartitionKey> imbalanced_;
    Index<PartitionKey> reassigning_;
    // Topic names with '.' or '_', by their form with '_' only.
    metadata::PersistentMap<std::string, std::set<std::string>> collision_names_;
};

}  // namespace moldau::controller
