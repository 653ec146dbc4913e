// Between records and the image's entries, both ways: the arithmetic of partition and leader
// epochs, and what a record may carry at each metadata.version. Used by replay, by snapshots and by
// the controller. Pure functions; any thread.
#pragma once

#include "metadata/image.h"
#include "protocol/records/metadata.h"

namespace moldau::metadata {

// In records, "leader unchanged".
inline constexpr int32_t kNoLeaderChange = -2;
inline constexpr int8_t kNoRecoveryStateChange = -1;

Partition partition_of(const protocol::PartitionRecord& record);
// The partition after the change: the partition epoch always grows by one, the leader epoch exactly
// when the change names a leader, even if it is the same one.
Partition merge(const Partition& before, const protocol::PartitionChangeRecord& change);
// Parts that `metadata_version` cannot express are left out.
protocol::PartitionRecord to_record(const Partition& partition, const Uuid& topic_id, int32_t index,
                                    int16_t metadata_version);

// Listeners and features, from a registration request or an image into a record.
template <typename Listeners, typename Record>
void put_endpoints(const Listeners& listeners, Record& record) {
    for (const auto& listener : listeners) {
        auto& endpoint = record.end_points.emplace_back();
        endpoint.name = listener.name;
        endpoint.host = listener.host;
        endpoint.port = listener.port;
        endpoint.security_protocol = listener.security_protocol;
    }
}
template <typename Features, typename Record>
void put_features(const Features& features, Record& record) {
    for (const auto& from : features) {
        auto& feature = record.features.emplace_back();
        feature.name = from.name;
        feature.min_supported_version = from.min_supported_version;
        feature.max_supported_version = from.max_supported_version;
    }
}

Broker broker_of(const protocol::RegisterBrokerRecord& record);
protocol::RegisterBrokerRecord to_record(const Broker& broker, int16_t metadata_version);

Controller controller_of(const protocol::RegisterControllerRecord& record);
protocol::RegisterControllerRecord to_record(const Controller& controller);

QuotaEntity quota_entity_of(const protocol::ClientQuotaRecord& record);

}  // namespace moldau::metadata
