#include "metadata/registrations.h"

#include <algorithm>

#include "metadata/features.h"

namespace moldau::metadata {

namespace {

// Replicas of a partition written before directories had ids live in "some directory".
std::vector<Uuid> directories_for(std::vector<Uuid> directories, size_t replica_count) {
    if (directories.empty()) {
        directories.assign(replica_count, kMigratingDirectory);
    }
    return directories;
}

template <typename Record, typename Node>
void take_listeners_and_features(const Record& record, Node& node) {
    for (const auto& endpoint : record.end_points) {
        node.endpoints.push_back(
            {endpoint.name, endpoint.host, endpoint.port, endpoint.security_protocol});
    }
    for (const auto& feature : record.features) {
        node.supported_features[feature.name] = {feature.min_supported_version,
                                                 feature.max_supported_version};
    }
}

template <typename Node, typename Record>
void put_listeners_and_features(const Node& node, Record& record) {
    put_endpoints(node.endpoints, record);
    for (const auto& [name, range] : node.supported_features) {
        auto& feature = record.features.emplace_back();
        feature.name = name;
        feature.min_supported_version = range.min;
        feature.max_supported_version = range.max;
    }
}

}  // namespace

Partition partition_of(const protocol::PartitionRecord& record) {
    Partition partition;
    partition.replicas = record.replicas;
    partition.directories = directories_for(record.directories, record.replicas.size());
    partition.isr = record.isr;
    partition.removing_replicas = record.removing_replicas;
    partition.adding_replicas = record.adding_replicas;
    partition.elr = record.eligible_leader_replicas.value_or(std::vector<int32_t>());
    partition.last_known_elr = record.last_known_elr.value_or(std::vector<int32_t>());
    partition.leader = record.leader;
    partition.leader_recovery_state =
        static_cast<LeaderRecoveryState>(record.leader_recovery_state);
    partition.leader_epoch = record.leader_epoch;
    partition.partition_epoch = record.partition_epoch;
    return partition;
}

Partition merge(const Partition& before, const protocol::PartitionChangeRecord& change) {
    Partition after = before;
    if (change.replicas) {
        after.replicas = *change.replicas;
    }
    if (change.directories) {
        after.directories = *change.directories;
    }
    after.directories = directories_for(std::move(after.directories), after.replicas.size());
    if (change.isr) {
        after.isr = *change.isr;
    }
    if (change.removing_replicas) {
        after.removing_replicas = *change.removing_replicas;
    }
    if (change.adding_replicas) {
        after.adding_replicas = *change.adding_replicas;
    }
    if (change.leader != kNoLeaderChange) {
        after.leader = change.leader;
        after.leader_epoch = before.leader_epoch + 1;
    }
    if (change.leader_recovery_state != kNoRecoveryStateChange) {
        after.leader_recovery_state =
            static_cast<LeaderRecoveryState>(change.leader_recovery_state);
    }
    if (change.eligible_leader_replicas) {
        after.elr = *change.eligible_leader_replicas;
    }
    if (change.last_known_elr) {
        after.last_known_elr = *change.last_known_elr;
    }
    after.partition_epoch = before.partition_epoch + 1;
    return after;
}

protocol::PartitionRecord to_record(const Partition& partition, const Uuid& topic_id, int32_t index,
                                    int16_t metadata_version) {
    protocol::PartitionRecord record;
    record.partition_id = index;
    record.topic_id = topic_id;
    record.replicas = partition.replicas;
    record.isr = partition.isr;
    record.removing_replicas = partition.removing_replicas;
    record.adding_replicas = partition.adding_replicas;
    record.leader = partition.leader;
    record.leader_recovery_state = static_cast<int8_t>(partition.leader_recovery_state);
    record.leader_epoch = partition.leader_epoch;
    record.partition_epoch = partition.partition_epoch;
    if (is_directory_assignment_supported(metadata_version)) {
        record.directories = partition.directories;
    }
    if (is_elr_supported(metadata_version)) {
        if (!partition.elr.empty()) {
            record.eligible_leader_replicas = partition.elr;
        }
        if (!partition.last_known_elr.empty()) {
            record.last_known_elr = partition.last_known_elr;
        }
    }
    return record;
}

Broker broker_of(const protocol::RegisterBrokerRecord& record) {
    Broker broker;
    broker.id = record.broker_id;
    broker.epoch = record.broker_epoch;
    broker.incarnation_id = record.incarnation_id;
    take_listeners_and_features(record, broker);
    broker.rack = record.rack;
    broker.fenced = record.fenced;
    broker.in_controlled_shutdown = record.in_controlled_shutdown;
    broker.is_migrating_zk_broker = record.is_migrating_zk_broker;
    broker.directories = record.log_dirs;
    std::ranges::sort(broker.directories);
    broker.cordoned_directories = record.cordoned_log_dirs;
    return broker;
}

protocol::RegisterBrokerRecord to_record(const Broker& broker, int16_t metadata_version) {
    int16_t version = register_broker_record_version(metadata_version);
    protocol::RegisterBrokerRecord record;
    record.broker_id = broker.id;
    record.broker_epoch = broker.epoch;
    record.incarnation_id = broker.incarnation_id;
    put_listeners_and_features(broker, record);
    record.rack = broker.rack;
    record.fenced = broker.fenced;
    record.in_controlled_shutdown = broker.in_controlled_shutdown;
    if (version >= 2) {
        record.is_migrating_zk_broker = broker.is_migrating_zk_broker;
    }
    if (version >= 3) {
        record.log_dirs = broker.directories;
    }
    if (version >= 4) {
        record.cordoned_log_dirs = broker.cordoned_directories;
    }
    return record;
}

Controller controller_of(const protocol::RegisterControllerRecord& record) {
    Controller controller;
    controller.id = record.controller_id;
    controller.incarnation_id = record.incarnation_id;
    controller.zk_migration_ready = record.zk_migration_ready;
    take_listeners_and_features(record, controller);
    return controller;
}

protocol::RegisterControllerRecord to_record(const Controller& controller) {
    protocol::RegisterControllerRecord record;
    record.controller_id = controller.id;
    record.incarnation_id = controller.incarnation_id;
    record.zk_migration_ready = controller.zk_migration_ready;
    put_listeners_and_features(controller, record);
    return record;
}

QuotaEntity quota_entity_of(const protocol::ClientQuotaRecord& record) {
    QuotaEntity entity;
    for (const auto& part : record.entity) {
        entity.emplace(part.entity_type, part.entity_name);
    }
    return entity;
}

}  // namespace moldau::metadata
