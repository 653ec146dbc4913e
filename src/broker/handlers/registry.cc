#include "broker/handlers/registry.h"

#include <array>

#include "broker/handlers/00_produce.h"
#include "broker/handlers/01_fetch.h"
#include "broker/handlers/02_list_offsets.h"
#include "broker/handlers/03_metadata.h"
#include "broker/handlers/08_offset_commit.h"
#include "broker/handlers/09_offset_fetch.h"
#include "broker/handlers/10_find_coordinator.h"
#include "broker/handlers/11_join_group.h"
#include "broker/handlers/12_heartbeat.h"
#include "broker/handlers/13_leave_group.h"
#include "broker/handlers/14_sync_group.h"
#include "broker/handlers/15_describe_groups.h"
#include "broker/handlers/16_list_groups.h"
#include "broker/handlers/18_api_versions.h"
#include "broker/handlers/21_delete_records.h"
#include "broker/handlers/22_init_producer_id.h"
#include "broker/handlers/23_offset_for_leader_epoch.h"
#include "broker/handlers/32_describe_configs.h"
#include "broker/handlers/35_describe_log_dirs.h"
#include "broker/handlers/42_delete_groups.h"
#include "broker/handlers/47_offset_delete.h"
#include "broker/handlers/60_describe_cluster.h"
#include "broker/handlers/61_describe_producers.h"
#include "broker/handlers/74_list_config_resources.h"
#include "broker/handlers/75_describe_topic_partitions.h"
#include "broker/handlers/alter_configs.h"
#include "broker/handlers/forward.h"

namespace moldau::broker {

namespace {

using protocol::ApiKey;

struct Line {
    ApiKey key;
    Handler handler;
};

// By ascending key.
constexpr auto kHandlers = std::to_array<Line>({
    {ApiKey::Produce, handle_produce},
    {ApiKey::Fetch, handle_fetch},
    {ApiKey::ListOffsets, handle_list_offsets},
    {ApiKey::Metadata, handle_metadata},
    {ApiKey::OffsetCommit, handle_offset_commit},
    {ApiKey::OffsetFetch, handle_offset_fetch},
    {ApiKey::FindCoordinator, handle_find_coordinator},
    {ApiKey::JoinGroup, handle_join_group},
    {ApiKey::Heartbeat, handle_heartbeat},
    {ApiKey::LeaveGroup, handle_leave_group},
    {ApiKey::SyncGroup, handle_sync_group},
    {ApiKey::DescribeGroups, handle_describe_groups},
    {ApiKey::ListGroups, handle_list_groups},
    {ApiKey::ApiVersions, handle_api_versions},
    {ApiKey::CreateTopics, handle_forward},
    {ApiKey::DeleteTopics, handle_forward},
    {ApiKey::DeleteRecords, handle_delete_records},
    {ApiKey::InitProducerId, handle_init_producer_id},
    {ApiKey::OffsetForLeaderEpoch, handle_offset_for_leader_epoch},
    {ApiKey::DescribeConfigs, handle_describe_configs},
    {ApiKey::AlterConfigs, handle_alter_configs},
    {ApiKey::DescribeLogDirs, handle_describe_log_dirs},
    {ApiKey::CreatePartitions, handle_forward},
    {ApiKey::DeleteGroups, handle_delete_groups},
    {ApiKey::ElectLeaders, handle_forward},
    {ApiKey::IncrementalAlterConfigs, handle_incremental_alter_configs},
    {ApiKey::AlterPartitionReassignments, handle_forward},
    {ApiKey::ListPartitionReassignments, handle_forward},
    {ApiKey::OffsetDelete, handle_offset_delete},
    {ApiKey::DescribeQuorum, handle_forward},
    {ApiKey::UpdateFeatures, handle_forward},
    {ApiKey::DescribeCluster, handle_describe_cluster},
    {ApiKey::DescribeProducers, handle_describe_producers},
    {ApiKey::UnregisterBroker, handle_forward},
    {ApiKey::ListConfigResources, handle_list_config_resources},
    {ApiKey::DescribeTopicPartitions, handle_describe_topic_partitions},
    {ApiKey::RemoveRaftVoter, handle_forward},
});

constexpr auto kTable = [] {
    std::array<Handler, protocol::kApiCount> table{};
    for (const Line& line : kHandlers) {
        table[static_cast<size_t>(line.key)] = line.handler;
    }
    return table;
}();

}  // namespace

Handler find_handler(ApiKey key) {
    return kTable[static_cast<size_t>(key)];
}

}  // namespace moldau::broker
