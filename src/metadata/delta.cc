#include "metadata/delta.h"

#include <type_traits>

#include "metadata/registrations.h"
#include "metadata/replay.h"

namespace moldau::metadata {

using namespace protocol;

// Notes what a record touches, before it is replayed.
struct Delta::Note {
    Delta& delta;

    TopicChange& topic(const Uuid& id) {
        auto [at, added] = delta.topics_.try_emplace(id);
        if (added) {
            at->second.created = delta.previous_->topics.find(id) == nullptr;
            if (const Topic* topic = delta.next_.topics.find(id)) {
                at->second.name = topic->name;
            }
        }
        return at->second;
    }

    void operator()(const FeatureLevelRecord& r) { delta.features_.insert(r.name); }
    void operator()(const RegisterBrokerRecord& r) { delta.brokers_.insert(r.broker_id); }
    void operator()(const UnregisterBrokerRecord& r) { delta.brokers_.insert(r.broker_id); }
    void operator()(const FenceBrokerRecord& r) { delta.brokers_.insert(r.id); }
    void operator()(const UnfenceBrokerRecord& r) { delta.brokers_.insert(r.id); }
    void operator()(const BrokerRegistrationChangeRecord& r) { delta.brokers_.insert(r.broker_id); }
    void operator()(const RegisterControllerRecord& r) {
        delta.controllers_.insert(r.controller_id);
    }
    void operator()(const TopicRecord& r) { topic(r.topic_id).name = r.name; }
    void operator()(const PartitionRecord& r) {
        topic(r.topic_id).partitions.insert(r.partition_id);
    }
    void operator()(const PartitionChangeRecord& r) {
        topic(r.topic_id).partitions.insert(r.partition_id);
    }
    void operator()(const RemoveTopicRecord& r) {
        delta.topics_.erase(r.topic_id);
        const Topic* topic = delta.next_.topics.find(r.topic_id);
        if (delta.next_.configs.by_resource.contains(
                ConfigResource{ConfigResourceType::Topic, topic->name})) {
            delta.configs_.insert({ConfigResourceType::Topic, topic->name});
        }
        if (delta.previous_->topics.find(r.topic_id) != nullptr) {
            delta.deleted_topics_[r.topic_id] = topic->name;
        }
    }
    void operator()(const ClearElrRecord& r) {
        for (const auto& [name, id] : delta.next_.topics.ids) {
            if (!r.topic_name.empty() && r.topic_name != name) {
                continue;
            }
            for (const auto& [index, partition] : delta.next_.topics.find(id)->partitions) {
                if (!partition.elr.empty() || !partition.last_known_elr.empty()) {
                    topic(id).partitions.insert(index);
                }
            }
        }
    }
    void operator()(const ConfigRecord& r) {
        delta.configs_.insert({static_cast<ConfigResourceType>(r.resource_type), r.resource_name});
    }
    void operator()(const ClientQuotaRecord& r) { delta.quotas_.insert(quota_entity_of(r)); }
    void operator()(const ProducerIdsRecord&) { delta.producer_ids_ = true; }
    void operator()(const AccessControlEntryRecord&) { delta.acls_ = true; }
    void operator()(const RemoveAccessControlEntryRecord&) { delta.acls_ = true; }
    void operator()(const UserScramCredentialRecord&) { delta.scram_ = true; }
    void operator()(const RemoveUserScramCredentialRecord&) { delta.scram_ = true; }
    void operator()(const DelegationTokenRecord&) { delta.delegation_tokens_ = true; }
    void operator()(const RemoveDelegationTokenRecord&) { delta.delegation_tokens_ = true; }
    void operator()(const NoOpRecord&) {}
    void operator()(const ZkMigrationStateRecord&) {}
    void operator()(const BeginTransactionRecord&) {}
    void operator()(const EndTransactionRecord&) {}
    void operator()(const AbortTransactionRecord&) {}
};

Delta::Delta(ImagePtr previous) : previous_(std::move(previous)), next_(*previous_) {}

Delta Delta::of_snapshot(ImagePtr previous) {
    Delta delta(std::move(previous));
    delta.next_ = Image();
    delta.is_snapshot_ = true;
    return delta;
}

Delta Delta::between(ImagePtr previous, const Image& next) {
    Delta delta(std::move(previous));
    delta.next_ = next;
    delta.compare_with_previous();
    return delta;
}

Status Delta::replay(const MetadataRecord& record) {
    if (is_snapshot_) {
        return metadata::replay(next_, record);  // changes are found by comparing, at the end
    }
    // A removed topic can be named only before it is gone, every other record only after it held
    // good.
    const auto* removal = std::get_if<RemoveTopicRecord>(&record);
    if (removal != nullptr && next_.topics.find(removal->topic_id) != nullptr) {
        Note{*this}(*removal);
    }
    const auto* clearing = std::get_if<ClearElrRecord>(&record);
    if (clearing != nullptr) {
        Note{*this}(*clearing);
    }
    MOLDAU_CHECK(metadata::replay(next_, record));
    if (removal == nullptr && clearing == nullptr) {
        std::visit(Note{*this}, record);
    }
    return {};
}

ImagePtr Delta::apply(const Provenance& provenance) {
    next_.provenance = provenance;
    if (is_snapshot_) {
        compare_with_previous();
    }
    return std::make_shared<const Image>(next_);
}

namespace {

// Calls `differs(key)` for each key that one map lacks or that has another value in the other.
template <typename Map, typename Differs>
void compare(const Map& before, const Map& after, Differs&& differs) {
    for (const auto& [key, value] : before) {
        const auto* other = after.find(key);
        if (other == nullptr || !(*other == value)) {
            differs(key);
        }
    }
    for (const auto& [key, value] : after) {
        if (!before.contains(key)) {
            differs(key);
        }
    }
}

}  // namespace

void Delta::compare_with_previous() {
    const Image& before = *previous_;
    compare(before.features.levels, next_.features.levels,
            [&](const std::string& name) { features_.insert(name); });
    compare(before.cluster.brokers, next_.cluster.brokers,
            [&](int32_t id) { brokers_.insert(id); });
    compare(before.cluster.controllers, next_.cluster.controllers,
            [&](int32_t id) { controllers_.insert(id); });
    compare(before.configs.by_resource, next_.configs.by_resource,
            [&](const ConfigResource& resource) { configs_.insert(resource); });
    compare(before.client_quotas.by_entity, next_.client_quotas.by_entity,
            [&](const QuotaEntity& entity) { quotas_.insert(entity); });
    compare(before.topics.by_id, next_.topics.by_id, [&](const Uuid& id) {
        const Topic* was = before.topics.find(id);
        const Topic* is = next_.topics.find(id);
        if (is == nullptr) {
            deleted_topics_[id] = was->name;
            return;
        }
        TopicChange& change = topics_[id];
        change.name = is->name;
        change.created = was == nullptr;
        static const Topic kNothing;
        compare((was == nullptr ? kNothing : *was).partitions, is->partitions,
                [&](int32_t index) { change.partitions.insert(index); });
    });
    producer_ids_ = !(before.producer_ids == next_.producer_ids);
    acls_ = !(before.acls == next_.acls);
    scram_ = !(before.scram == next_.scram);
    delegation_tokens_ = !(before.delegation_tokens == next_.delegation_tokens);
}

}  // namespace moldau::metadata
