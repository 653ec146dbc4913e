#include "controller/state.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "metadata/features.h"
#include "metadata/replay.h"
#include "metadata/topic_name.h"

namespace moldau::controller {

namespace {

using metadata::Partition;
using namespace protocol;

ReplicaKey first_key_of(int32_t broker) {
    return {broker, {kZeroUuid, std::numeric_limits<int32_t>::min()}};
}

template <typename Map>
std::vector<PartitionKey> partitions_of(const Map& members, int32_t broker) {
    std::vector<PartitionKey> found;
    for (auto at = members.lower_bound(first_key_of(broker));
         at != members.end() && at->first.broker == broker; ++at) {
        found.push_back(at->first.partition);
    }
    return found;
}

template <typename Map>
std::vector<PartitionKey> keys_of(const Map& map, size_t count_max) {
    std::vector<PartitionKey> keys;
    for (auto at = map.begin(); at != map.end() && keys.size() < count_max; ++at) {
        keys.push_back(at->first);
    }
    return keys;
}

constexpr size_t kAll = std::numeric_limits<size_t>::max();

}  // namespace

Status State::replay(const MetadataRecord& record, int64_t offset) {
    if (const auto* removal = std::get_if<RemoveTopicRecord>(&record)) {
        const metadata::Topic* found = image_.topics.find(removal->topic_id);
        metadata::Topic topic = found == nullptr ? metadata::Topic() : *found;
        MOLDAU_CHECK(metadata::replay(image_, record));
        for (const auto& [number, partition] : topic.partitions) {
            index({topic.id, number}, &partition, nullptr);
        }
        index_topic_name(topic.name, false);
    } else if (const auto* creation = std::get_if<TopicRecord>(&record)) {
        MOLDAU_CHECK(metadata::replay(image_, record));
        index_topic_name(creation->name, true);
    } else if (const auto* partition = std::get_if<PartitionRecord>(&record)) {
        PartitionKey key{partition->topic_id, partition->partition_id};
        const Partition* found = image_.topics.partition(key.topic_id, key.index);
        std::optional<Partition> before = found == nullptr ? std::nullopt : std::optional(*found);
        MOLDAU_CHECK(metadata::replay(image_, record));
        index(key, before ? &*before : nullptr, image_.topics.partition(key.topic_id, key.index));
    } else if (const auto* change = std::get_if<PartitionChangeRecord>(&record)) {
        PartitionKey key{change->topic_id, change->partition_id};
        const Partition* found = image_.topics.partition(key.topic_id, key.index);
        std::optional<Partition> before = found == nullptr ? std::nullopt : std::optional(*found);
        MOLDAU_CHECK(metadata::replay(image_, record));
        index(key, &*before, image_.topics.partition(key.topic_id, key.index));
    } else {
        MOLDAU_CHECK(metadata::replay(image_, record));
        if (const auto* registration = std::get_if<RegisterBrokerRecord>(&record)) {
            registration_offsets_.put(registration->broker_id, offset);
        } else if (const auto* removal = std::get_if<UnregisterBrokerRecord>(&record)) {
            registration_offsets_.erase(removal->broker_id);
        } else if (std::holds_alternative<ClearElrRecord>(record)) {
            // Whoever is still an ELR member somewhere is found again; this record is rare.
            elr_members_ = {};
            for (const auto& [id, topic] : image_.topics.by_id) {
                for (const auto& [number, p] : topic.partitions) {
                    for (int32_t member : p.elr) {
                        elr_members_.put({member, {id, number}}, {});
                    }
                }
            }
        }
    }
    offset_ = offset;
    return {};
}

void State::index(const PartitionKey& key, const Partition* before, const Partition* after) {
    static const Partition kNothing;
    const Partition& was = before == nullptr ? kNothing : *before;
    const Partition& is = after == nullptr ? kNothing : *after;
    for (int32_t member : was.isr) {
        isr_members_.erase(ReplicaKey{member, key});
    }
    for (int32_t member : is.isr) {
        isr_members_.put({member, key}, member == is.leader);
    }
    for (int32_t member : was.elr) {
        elr_members_.erase(ReplicaKey{member, key});
    }
    for (int32_t member : is.elr) {
        elr_members_.put({member, key}, {});
    }
    auto set = [&key](Index<PartitionKey>& index, bool present) {
        if (present) {
            index.put(key, {});
        } else {
            index.erase(key);
        }
    };
    set(leaderless_, after != nullptr && !is.has_leader());
    set(imbalanced_, after != nullptr && is.leader != is.preferred_replica());
    set(reassigning_, after != nullptr && is.is_reassigning());
}

void State::index_topic_name(const std::string& name, bool present) {
    if (!metadata::has_collision_characters(name)) {
        return;
    }
    std::string key = metadata::collision_key(name);
    std::set<std::string>& names = collision_names_.own_or_make(key);
    if (present) {
        names.insert(name);
    } else {
        names.erase(name);
    }
    if (names.empty()) {
        collision_names_.erase(key);
    }
}

bool State::is_bootstrapped() const {
    return image_.features.levels.contains(metadata::kMetadataVersionFeature);
}

int64_t State::registration_offset(int32_t broker_id) const {
    const int64_t* offset = registration_offsets_.find(broker_id);
    return offset == nullptr ? -1 : *offset;
}

std::vector<PartitionKey> State::partitions_with_isr_member(int32_t broker_id) const {
    return partitions_of(isr_members_, broker_id);
}

std::vector<PartitionKey> State::partitions_with_elr_member(int32_t broker_id) const {
    return partitions_of(elr_members_, broker_id);
}

std::vector<PartitionKey> State::partitions_without_leader() const {
    return keys_of(leaderless_, kAll);
}

bool State::has_leaderships(int32_t broker_id) const {
    for (auto at = isr_members_.lower_bound(first_key_of(broker_id));
         at != isr_members_.end() && at->first.broker == broker_id; ++at) {
        if (at->second) {
            return true;
        }
    }
    return false;
}

std::vector<PartitionKey> State::partitions_off_preferred_leader(size_t count_max) const {
    return keys_of(imbalanced_, count_max);
}

std::vector<PartitionKey> State::partitions_being_reassigned() const {
    return keys_of(reassigning_, kAll);
}

const std::string* State::colliding_topic(std::string_view name) const {
    if (!metadata::has_collision_characters(name)) {
        return nullptr;
    }
    const std::set<std::string>* names = collision_names_.find(metadata::collision_key(name));
    return names == nullptr ? nullptr : &*names->begin();
}

}  // namespace moldau::controller
