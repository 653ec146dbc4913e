#include "metadata/replay.h"

#include <type_traits>

#include "metadata/features.h"
#include "metadata/registrations.h"

namespace moldau::metadata {

namespace {

using namespace protocol;

Status apply(Image& image, const FeatureLevelRecord& record) {
    if (record.name == kKraftVersionFeature) {
        return {};  // lives in control records; old snapshots may carry one here by mistake
    }
    if (record.name == kMetadataVersionFeature) {
        if (record.feature_level < kMetadataVersionMin ||
            record.feature_level > kMetadataVersionLatest) {
            return fail(
                ErrorCode::UnsupportedVersion,
                "this directory belongs to a cluster at metadata.version {}; supported here are {} "
                "to {}: run the release that wrote it",
                record.feature_level, kMetadataVersionMin, kMetadataVersionLatest);
        }
    } else if (record.feature_level != 0) {
        auto supported = supported_features().find(record.name);
        int16_t max = supported == supported_features().end() ? int16_t{0} : supported->second.max;
        if (record.feature_level > max) {
            return fail(
                ErrorCode::UnsupportedVersion,
                "this directory belongs to a cluster that uses {}={}; supported here is 0 to "
                "{}: format with --feature {}={}, or lower the level with Kafka's "
                "kafka-features.sh before moving the directory",
                record.name, record.feature_level, max, record.name, max);
        }
    }
    if (record.feature_level == 0) {
        image.features.levels.erase(record.name);
    } else {
        image.features.levels.put(record.name, record.feature_level);
    }
    return {};
}

Status apply(Image& image, const RegisterBrokerRecord& record) {
    image.cluster.brokers.put(record.broker_id, broker_of(record));
    return {};
}

Status apply(Image& image, const UnregisterBrokerRecord& record) {
    image.cluster.brokers.erase(record.broker_id);
    return {};
}

Status apply(Image& image, const RegisterControllerRecord& record) {
    image.cluster.controllers.put(record.controller_id, controller_of(record));
    return {};
}

template <typename Change>
Status change_broker(Image& image, int32_t id, int64_t epoch, Change&& change) {
    const Broker* broker = image.cluster.broker(id);
    if (broker == nullptr) {
        return fail(ErrorCode::UnknownServerError, "change of an unregistered broker: broker={}",
                    id);
    }
    if (broker->epoch != epoch) {
        return fail(ErrorCode::UnknownServerError,
                    "change of another broker epoch: broker={} epoch={} registered={}", id, epoch,
                    broker->epoch);
    }
    change(image.cluster.brokers.own(id));
    return {};
}

Status apply(Image& image, const FenceBrokerRecord& record) {
    return change_broker(image, record.id, record.epoch, [](Broker& b) { b.fenced = true; });
}

Status apply(Image& image, const UnfenceBrokerRecord& record) {
    return change_broker(image, record.id, record.epoch, [](Broker& b) { b.fenced = false; });
}

Status apply(Image& image, const BrokerRegistrationChangeRecord& record) {
    return change_broker(image, record.broker_id, record.broker_epoch, [&](Broker& broker) {
        if (record.fenced != 0) {
            broker.fenced = record.fenced > 0;
        }
        if (record.in_controlled_shutdown > 0) {
            broker.in_controlled_shutdown = true;
        }
        if (!record.log_dirs.empty()) {
            broker.directories = record.log_dirs;
            std::ranges::sort(broker.directories);
        }
        if (record.cordoned_log_dirs) {
            broker.cordoned_directories = record.cordoned_log_dirs;
        }
    });
}

Status apply(Image& image, const TopicRecord& record) {
    Topic topic;
    topic.name = record.name;
    topic.id = record.topic_id;
    image.topics.by_id.put(record.topic_id, std::move(topic));
    image.topics.ids.put(record.name, record.topic_id);
    return {};
}

std::unexpected<Error> no_such_topic(const Uuid& id) {
    return fail(ErrorCode::UnknownServerError, "record of an unknown topic: topic_id={}", id);
}

Status apply(Image& image, const PartitionRecord& record) {
    if (image.topics.find(record.topic_id) == nullptr) {
        return no_such_topic(record.topic_id);
    }
    image.topics.by_id.own(record.topic_id)
        .partitions.put(record.partition_id, partition_of(record));
    return {};
}

Status apply(Image& image, const PartitionChangeRecord& record) {
    const Partition* before = image.topics.partition(record.topic_id, record.partition_id);
    if (before == nullptr) {
        return fail(ErrorCode::UnknownServerError,
                    "change of an unknown partition: topic_id={} partition={}", record.topic_id,
                    record.partition_id);
    }
    Partition after = merge(*before, record);
    image.topics.by_id.own(record.topic_id).partitions.own(record.partition_id) = std::move(after);
    return {};
}

Status apply(Image& image, const RemoveTopicRecord& record) {
    const Topic* topic = image.topics.find(record.topic_id);
    if (topic == nullptr) {
        return no_such_topic(record.topic_id);
    }
    std::string name = topic->name;
    image.configs.by_resource.erase(ConfigResource{ConfigResourceType::Topic, name});
    image.topics.by_id.erase(record.topic_id);
    const Uuid* current = image.topics.ids.find(name);
    if (current != nullptr && *current == record.topic_id) {
        image.topics.ids.erase(name);
    }
    return {};
}

void clear_elr(Image& image, const Uuid& topic_id) {
    std::vector<int32_t> affected;
    for (const auto& [index, partition] : image.topics.find(topic_id)->partitions) {
        if (!partition.elr.empty() || !partition.last_known_elr.empty()) {
            affected.push_back(index);
        }
    }
    for (int32_t index : affected) {
        Partition& partition = image.topics.by_id.own(topic_id).partitions.own(index);
        partition.elr.clear();
        partition.last_known_elr.clear();
        ++partition.partition_epoch;
    }
}

Status apply(Image& image, const ClearElrRecord& record) {
    if (!record.topic_name.empty()) {
        const Topic* topic = image.topics.find(record.topic_name);
        if (topic == nullptr) {
            return fail(ErrorCode::UnknownServerError, "ELR cleared of an unknown topic: topic={}",
                        record.topic_name);
        }
        clear_elr(image, topic->id);
        return {};
    }
    std::vector<Uuid> ids;
    for (const auto& [id, topic] : image.topics.by_id) {
        ids.push_back(id);
    }
    for (const Uuid& id : ids) {
        clear_elr(image, id);
    }
    return {};
}

Status apply(Image& image, const ConfigRecord& record) {
    ConfigResource resource{static_cast<ConfigResourceType>(record.resource_type),
                            record.resource_name};
    if (record.value) {
        image.configs.by_resource.own_or_make(resource)[record.name] = *record.value;
        return {};
    }
    const ConfigMap* present = image.configs.by_resource.find(resource);
    if (present == nullptr || !present->contains(record.name)) {
        return {};
    }
    if (present->size() == 1) {
        image.configs.by_resource.erase(resource);
    } else {
        image.configs.by_resource.own(resource).erase(record.name);
    }
    return {};
}

Status apply(Image& image, const ClientQuotaRecord& record) {
    QuotaEntity entity = quota_entity_of(record);
    auto& by_entity = image.client_quotas.by_entity;
    if (!record.remove) {
        by_entity.own_or_make(entity)[record.key] = record.value;
        return {};
    }
    const auto* present = by_entity.find(entity);
    if (present == nullptr || !present->contains(record.key)) {
        return {};
    }
    if (present->size() == 1) {
        by_entity.erase(entity);
    } else {
        by_entity.own(entity).erase(record.key);
    }
    return {};
}

Status apply(Image& image, const ProducerIdsRecord& record) {
    image.producer_ids.next_producer_id = record.next_producer_id;
    return {};
}

Status apply(Image& image, const AccessControlEntryRecord& record) {
    Acl acl;
    acl.resource_type = record.resource_type;
    acl.resource_name = record.resource_name;
    acl.pattern_type = record.pattern_type;
    acl.principal = record.principal;
    acl.host = record.host;
    acl.operation = record.operation;
    acl.permission_type = record.permission_type;
    image.acls.by_id.put(record.id, std::move(acl));
    return {};
}

Status apply(Image& image, const RemoveAccessControlEntryRecord& record) {
    image.acls.by_id.erase(record.id);
    return {};
}

Status apply(Image& image, const UserScramCredentialRecord& record) {
    image.scram.credentials.put(
        {record.mechanism, record.name},
        {record.salt, record.stored_key, record.server_key, record.iterations});
    return {};
}

Status apply(Image& image, const RemoveUserScramCredentialRecord& record) {
    image.scram.credentials.erase(ScramKey{record.mechanism, record.name});
    return {};
}

Status apply(Image& image, const DelegationTokenRecord& record) {
    DelegationToken token;
    token.owner = record.owner;
    token.requester = record.requester;
    token.renewers = record.renewers;
    token.issue_timestamp_ms = record.issue_timestamp;
    token.max_timestamp_ms = record.max_timestamp;
    token.expiration_timestamp_ms = record.expiration_timestamp;
    image.delegation_tokens.by_id.put(record.token_id, std::move(token));
    return {};
}

Status apply(Image& image, const RemoveDelegationTokenRecord& record) {
    image.delegation_tokens.by_id.erase(record.token_id);
    return {};
}

// Of meaning to whoever reads the log, not to the image.
Status apply(Image&, const NoOpRecord&) {
    return {};
}
Status apply(Image&, const ZkMigrationStateRecord&) {
    return {};
}
Status apply(Image&, const BeginTransactionRecord&) {
    return {};
}
Status apply(Image&, const EndTransactionRecord&) {
    return {};
}
Status apply(Image&, const AbortTransactionRecord&) {
    return {};
}

}  // namespace

Status replay(Image& image, const MetadataRecord& record) {
    return std::visit([&image](const auto& content) { return apply(image, content); }, record);
}

}  // namespace moldau::metadata
