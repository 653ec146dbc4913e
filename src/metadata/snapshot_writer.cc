#include "metadata/snapshot_writer.h"

#include "metadata/features.h"
#include "metadata/registrations.h"

namespace moldau::metadata {

namespace {

using namespace protocol;

void write_features(const Features& features, const RecordSink& sink) {
    FeatureLevelRecord version;
    version.name = kMetadataVersionFeature;
    version.feature_level = features.metadata_version();
    sink({version, 0});
    for (const auto& [name, level] : features.levels) {
        if (name != kMetadataVersionFeature) {
            FeatureLevelRecord record;
            record.name = name;
            record.feature_level = level;
            sink({record, 0});
        }
    }
}

void write_cluster(const Cluster& cluster, int16_t mv, const RecordSink& sink) {
    for (const auto& [id, broker] : cluster.brokers) {
        sink({to_record(broker, mv), register_broker_record_version(mv)});
    }
    if (is_controller_registration_supported(mv)) {
        for (const auto& [id, controller] : cluster.controllers) {
            sink({to_record(controller), 0});
        }
    }
}

void write_topics(const Topics& topics, int16_t mv, const RecordSink& sink) {
    for (const auto& [id, topic] : topics.by_id) {
        TopicRecord record;
        record.name = topic.name;
        record.topic_id = id;
        sink({record, 0});
        for (const auto& [index, partition] : topic.partitions) {
            sink({to_record(partition, id, index, mv), partition_record_version(mv)});
        }
    }
}

void write_configs(const Configs& configs, const RecordSink& sink) {
    for (const auto& [resource, values] : configs.by_resource) {
        for (const auto& [name, value] : values) {
            ConfigRecord record;
            record.resource_type = static_cast<int8_t>(resource.type);
            record.resource_name = resource.name;
            record.name = name;
            record.value = value;
            sink({record, 0});
        }
    }
}

void write_quotas(const ClientQuotas& quotas, const RecordSink& sink) {
    for (const auto& [entity, values] : quotas.by_entity) {
        for (const auto& [key, value] : values) {
            ClientQuotaRecord record;
            for (const auto& [type, name] : entity) {
                auto& part = record.entity.emplace_back();
                part.entity_type = type;
                part.entity_name = name;
            }
            record.key = key;
            record.value = value;
            sink({record, 0});
        }
    }
}

void write_acls(const Acls& acls, const RecordSink& sink) {
    for (const auto& [id, acl] : acls.by_id) {
        AccessControlEntryRecord record;
        record.id = id;
        record.resource_type = acl.resource_type;
        record.resource_name = acl.resource_name;
        record.pattern_type = acl.pattern_type;
        record.principal = acl.principal;
        record.host = acl.host;
        record.operation = acl.operation;
        record.permission_type = acl.permission_type;
        sink({record, 0});
    }
}

void write_scram(const Scram& scram, const RecordSink& sink) {
    for (const auto& [key, credential] : scram.credentials) {
        UserScramCredentialRecord record;
        record.name = key.user;
        record.mechanism = key.mechanism;
        record.salt = credential.salt;
        record.stored_key = credential.stored_key;
        record.server_key = credential.server_key;
        record.iterations = credential.iterations;
        sink({record, 0});
    }
}

void write_tokens(const DelegationTokens& tokens, const RecordSink& sink) {
    for (const auto& [id, token] : tokens.by_id) {
        DelegationTokenRecord record;
        record.owner = token.owner;
        record.requester = token.requester;
        record.renewers = token.renewers;
        record.issue_timestamp = token.issue_timestamp_ms;
        record.max_timestamp = token.max_timestamp_ms;
        record.expiration_timestamp = token.expiration_timestamp_ms;
        record.token_id = id;
        sink({record, 0});
    }
}

}  // namespace

void write_snapshot(const Image& image, const RecordSink& sink) {
    int16_t mv = image.features.metadata_version();
    write_features(image.features, sink);
    write_cluster(image.cluster, mv, sink);
    write_topics(image.topics, mv, sink);
    write_configs(image.configs, sink);
    write_quotas(image.client_quotas, sink);
    if (image.producer_ids.next_producer_id >= 0) {
        ProducerIdsRecord record;
        record.broker_id = -1;
        record.broker_epoch = -1;
        record.next_producer_id = image.producer_ids.next_producer_id;
        sink({record, 0});
    }
    write_acls(image.acls, sink);
    if (is_scram_supported(mv)) {
        write_scram(image.scram, sink);
    }
    if (are_delegation_tokens_supported(mv)) {
        write_tokens(image.delegation_tokens, sink);
    }
}

Records snapshot_records(const Image& image) {
    Records records;
    write_snapshot(image,
                   [&records](VersionedRecord record) { records.push_back(std::move(record)); });
    return records;
}

}  // namespace moldau::metadata
