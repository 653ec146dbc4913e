#include <algorithm>

#include "client/admin.h"
#include "client/error_message.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/list_config_resources.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/list_partition_reassignments.h"

namespace moldau::client {
namespace {

int32_t wire_timeout(const Client& client) {
    return static_cast<int32_t>(to_ms(client.config().request_timeout));
}

// The controller may move while a change is on its way; the change was then not made.
template <typename Attempt>
Status until_controller(Client& client, Attempt&& attempt) {
    MonotonicTime deadline = client.now() + client.config().default_api_timeout;
    for (uint32_t failures = 1;; ++failures) {
        Status status = attempt();
        if (status || status.error().code != ErrorCode::NotController ||
            !client.pause(failures, deadline)) {
            return status;
        }
    }
}

}  // namespace

Result<std::vector<TopicListing>> Admin::list_topics() {
    MOLDAU_TRY(auto cluster, client_.fetch_all_metadata("listTopics"));
    std::vector<TopicListing> listings;
    for (const auto& [name, topic] : cluster->topics) {
        listings.push_back({name, topic.id, topic.is_internal});
    }
    return listings;
}

Status Admin::create_topic(const NewTopic& topic) {
    protocol::CreateTopicsRequest request;
    request.timeout_ms = wire_timeout(client_);
    protocol::CreateTopicsRequest::CreatableTopic creatable;
    creatable.name = topic.name;
    creatable.num_partitions = topic.assignment.empty() ? topic.partitions.value_or(-1) : -1;
    creatable.replication_factor =
        topic.assignment.empty() ? topic.replication_factor.value_or(int16_t{-1}) : int16_t{-1};
    for (const auto& [partition, brokers] : topic.assignment) {
        protocol::CreateTopicsRequest::CreatableReplicaAssignment assignment;
        assignment.partition_index = partition;
        assignment.broker_ids = brokers;
        creatable.assignments.push_back(std::move(assignment));
    }
    for (const auto& [name, value] : topic.configs) {
        protocol::CreateTopicsRequest::CreatableTopicConfig config;
        config.name = name;
        config.value = value;
        creatable.configs.push_back(std::move(config));
    }
    request.topics.push_back(std::move(creatable));
    return until_controller(client_, [&]() -> Status {
        MOLDAU_TRY(auto response, client_.call<protocol::CreateTopicsResponse>(AnyNode{}, request,
                                                                               "createTopics"));
        for (const auto& result : response.topics) {
            if (result.error_code != 0) {
                return fail(wire_error(result.error_code, result.error_message));
            }
        }
        return {};
    });
}

Status Admin::delete_topics(std::span<const std::string> names) {
    protocol::DeleteTopicsRequest request;
    request.timeout_ms = wire_timeout(client_);
    for (const std::string& name : names) {
        protocol::DeleteTopicsRequest::DeleteTopicState topic;
        topic.name = name;
        request.topics.push_back(std::move(topic));
    }
    return until_controller(client_, [&]() -> Status {
        MOLDAU_TRY(auto response, client_.call<protocol::DeleteTopicsResponse>(AnyNode{}, request,
                                                                               "deleteTopics"));
        for (const auto& result : response.responses) {
            if (result.error_code != 0) {
                return fail(wire_error(result.error_code, result.error_message));
            }
        }
        return {};
    });
}

Status Admin::create_partitions(
    const std::map<std::string, int32_t>& totals,
    const std::map<std::string, std::vector<std::vector<int32_t>>>& assignments) {
    protocol::CreatePartitionsRequest request;
    request.timeout_ms = wire_timeout(client_);
    for (const auto& [name, total] : totals) {
        protocol::CreatePartitionsRequest::CreatePartitionsTopic topic;
        topic.name = name;
        topic.count = total;
        topic.assignments = std::nullopt;
        if (auto found = assignments.find(name); found != assignments.end()) {
            topic.assignments.emplace();
            for (const auto& brokers : found->second) {
                protocol::CreatePartitionsRequest::CreatePartitionsAssignment assignment;
                assignment.broker_ids = brokers;
                topic.assignments->push_back(std::move(assignment));
            }
        }
        request.topics.push_back(std::move(topic));
    }
    return until_controller(client_, [&]() -> Status {
        MOLDAU_TRY(auto response, client_.call<protocol::CreatePartitionsResponse>(
                                      AnyNode{}, request, "createPartitions"));
        for (const auto& result : response.results) {
            if (result.error_code != 0) {
                return fail(wire_error(result.error_code, result.error_message));
            }
        }
        return {};
    });
}

Result<std::vector<TopicDescription>> Admin::describe_topics(std::span<const std::string> names,
                                                             int32_t partitions_per_response) {
    std::map<std::string, TopicDescription> described;
    protocol::DescribeTopicPartitionsRequest request;
    request.response_partition_limit = partitions_per_response;
    for (const std::string& name : names) {
        protocol::DescribeTopicPartitionsRequest::TopicRequest topic;
        topic.name = name;
        request.topics.push_back(std::move(topic));
    }
    // The node pages in order of topic names; each answer tells where the next one starts.
    std::ranges::sort(request.topics, {},
                      &protocol::DescribeTopicPartitionsRequest::TopicRequest::name);
    while (!request.topics.empty()) {
        MOLDAU_TRY(auto response, client_.call<protocol::DescribeTopicPartitionsResponse>(
                                      AnyNode{}, request, "describeTopicPartitions"));
        for (const auto& topic : response.topics) {
            if (topic.error_code != 0) {
                return fail(wire_error(topic.error_code, std::nullopt));
            }
            TopicDescription& description = described[topic.name.value_or("")];
            description.name = topic.name.value_or("");
            description.id = topic.topic_id;
            description.is_internal = topic.is_internal;
            for (const auto& partition : topic.partitions) {
                description.partitions.push_back({partition.partition_index, partition.leader_id,
                                                  partition.replica_nodes, partition.isr_nodes,
                                                  partition.eligible_leader_replicas,
                                                  partition.last_known_elr});
            }
        }
        if (!response.next_cursor) {
            break;
        }
        protocol::DescribeTopicPartitionsRequest::Cursor cursor;
        cursor.topic_name = response.next_cursor->topic_name;
        cursor.partition_index = response.next_cursor->partition_index;
        std::erase_if(request.topics,
                      [&](const auto& topic) { return topic.name < cursor.topic_name; });
        request.cursor = std::move(cursor);
    }
    std::vector<TopicDescription> descriptions;
    for (auto& [name, description] : described) {
        std::ranges::sort(description.partitions, {}, &PartitionDescription::partition);
        descriptions.push_back(std::move(description));
    }
    return descriptions;
}

Result<std::map<ConfigResource, std::vector<ConfigEntry>>> Admin::describe_configs(
    std::span<const ConfigResource> resources, bool synonyms) {
    std::map<std::optional<int32_t>, std::vector<ConfigResource>> by_node;
    for (const ConfigResource& resource : resources) {
        Target target = target_of(resource);
        const auto* broker = std::get_if<BrokerWithId>(&target);
        by_node[broker == nullptr ? std::nullopt : std::optional(broker->id)].push_back(resource);
    }
    std::map<ConfigResource, std::vector<ConfigEntry>> described;
    for (const auto& [node, asked] : by_node) {
        protocol::DescribeConfigsRequest request;
        request.include_synonyms = synonyms;
        for (const ConfigResource& resource : asked) {
            protocol::DescribeConfigsRequest::DescribeConfigsResource one;
            one.resource_type = static_cast<int8_t>(resource.type);
            one.resource_name = resource.name;
            one.configuration_keys = std::nullopt;
            request.resources.push_back(std::move(one));
        }
        Target target = AnyNode{};
        if (node) {
            target = BrokerWithId{*node};
        }
        MOLDAU_TRY(auto response, client_.call<protocol::DescribeConfigsResponse>(
                                      target, std::move(request), "describeConfigs"));
        for (auto& result : response.results) {
            if (result.error_code != 0) {
                return fail(wire_error(result.error_code, result.error_message));
            }
            std::vector<ConfigEntry> entries;
            for (auto& config : result.configs) {
                ConfigEntry entry;
                entry.name = config.name;
                entry.value = config.value;
                entry.read_only = config.read_only;
                entry.sensitive = config.is_sensitive;
                entry.source = config.config_source;
                for (auto& synonym : config.synonyms) {
                    entry.synonyms.push_back({synonym.name, synonym.value, synonym.source});
                }
                entries.push_back(std::move(entry));
            }
            described[{static_cast<ConfigResourceType>(result.resource_type),
                       result.resource_name}] = std::move(entries);
        }
    }
    return described;
}

// A broker's own configuration is a matter of that broker, everything else of any node.
Target Admin::target_of(const ConfigResource& resource) const {
    bool own = (resource.type == ConfigResourceType::Broker && !resource.name.empty()) ||
               resource.type == ConfigResourceType::BrokerLogger;
    if (!own || client_.config().controllers) {
        return AnyNode{};
    }
    return BrokerWithId{static_cast<int32_t>(std::strtol(resource.name.c_str(), nullptr, 10))};
}

Result<std::vector<std::string>> Admin::list_config_resources(ConfigResourceType type) {
    protocol::ListConfigResourcesRequest request;
    request.resource_types.push_back(static_cast<int8_t>(type));
    MOLDAU_TRY(auto response, client_.call<protocol::ListConfigResourcesResponse>(
                                  AnyNode{}, std::move(request), "listConfigResources"));
    if (response.error_code != 0) {
        return fail(wire_error(response.error_code, std::nullopt));
    }
    std::vector<std::string> names;
    for (auto& resource : response.config_resources) {
        names.push_back(std::move(resource.resource_name));
    }
    return names;
}

Status Admin::alter_configs(const ConfigResource& resource, std::span<const ConfigChange> changes,
                            bool validate_only) {
    protocol::IncrementalAlterConfigsRequest request;
    request.validate_only = validate_only;
    protocol::IncrementalAlterConfigsRequest::AlterConfigsResource one;
    one.resource_type = static_cast<int8_t>(resource.type);
    one.resource_name = resource.name;
    for (const ConfigChange& change : changes) {
        protocol::IncrementalAlterConfigsRequest::AlterableConfig config;
        config.name = change.name;
        config.config_operation = static_cast<int8_t>(change.operation);
        config.value = change.value;
        one.configs.push_back(std::move(config));
    }
    request.resources.push_back(std::move(one));
    Target target = target_of(resource);
    return until_controller(client_, [&]() -> Status {
        MOLDAU_TRY(auto response, client_.call<protocol::IncrementalAlterConfigsResponse>(
                                      target, request, "incrementalAlterConfigs"));
        for (const auto& result : response.responses) {
            if (result.error_code != 0) {
                return fail(wire_error(result.error_code, result.error_message));
            }
        }
        return {};
    });
}

Result<std::map<TopicPartition, Reassignment>> Admin::list_reassignments() {
    protocol::ListPartitionReassignmentsRequest request;
    request.timeout_ms = wire_timeout(client_);
    request.topics = std::nullopt;
    auto response = client_.call<protocol::ListPartitionReassignmentsResponse>(
        AnyNode{}, std::move(request), "listPartitionReassignments");
    std::map<TopicPartition, Reassignment> reassignments;
    if (!response) {
        bool not_told = response.error().code == ErrorCode::UnsupportedVersion;
        return not_told ? Result<std::map<TopicPartition, Reassignment>>(reassignments)
                        : fail(std::move(response).error());
    }
    if (response->error_code != 0) {
        ErrorCode code = error_code_from_wire(response->error_code);
        if (code == ErrorCode::ClusterAuthorizationFailed ||
            code == ErrorCode::UnsupportedVersion) {
            return reassignments;
        }
        return fail(wire_error(response->error_code, response->error_message));
    }
    for (const auto& topic : response->topics) {
        for (const auto& partition : topic.partitions) {
            reassignments[{topic.name, partition.partition_index}] = {
                partition.replicas, partition.adding_replicas, partition.removing_replicas};
        }
    }
    return reassignments;
}

Result<std::vector<Node>> Admin::describe_cluster() {
    protocol::DescribeClusterRequest request;
    constexpr int8_t kControllers = 2;
    if (client_.config().controllers) {
        request.endpoint_type = kControllers;
    }
    MOLDAU_TRY(auto response, client_.call<protocol::DescribeClusterResponse>(
                                  AnyNode{}, std::move(request), "listNodes"));
    if (response.error_code != 0) {
        return fail(wire_error(response.error_code, response.error_message));
    }
    std::vector<Node> nodes;
    for (const auto& broker : response.brokers) {
        Node node;
        node.id = broker.broker_id;
        node.endpoint = {broker.host, static_cast<uint16_t>(broker.port)};
        node.rack = broker.rack;
        nodes.push_back(std::move(node));
    }
    return nodes;
}

namespace {

// Partitions by the broker that leads them; those without a leader come back with their error.
struct ByLeader {
    std::map<int32_t, std::vector<TopicPartition>> led;
    std::map<TopicPartition, Error> leaderless;
};

Result<ByLeader> group_by_leader(Client& client, const std::vector<TopicPartition>& partitions,
                                 std::string_view what) {
    std::set<std::string> topics;
    for (const TopicPartition& tp : partitions) {
        topics.insert(tp.topic);
    }
    std::vector<std::string> names(topics.begin(), topics.end());
    MOLDAU_TRY(auto cluster, client.fetch_metadata(names, false, what));
    ByLeader grouped;
    for (const TopicPartition& tp : partitions) {
        if (const Node* leader = cluster->leader(tp)) {
            grouped.led[leader->id].push_back(tp);
            continue;
        }
        const TopicInfo* topic = cluster->topic(tp.topic);
        ErrorCode code = ErrorCode::UnknownTopicOrPartition;
        if (topic != nullptr && topic->error != ErrorCode::None) {
            code = topic->error;
        } else if (cluster->partition(tp) != nullptr) {
            code = ErrorCode::LeaderNotAvailable;
        }
        grouped.leaderless[tp] = {code, std::string(error_message(code))};
    }
    return grouped;
}

// Worth asking again after a look at the metadata.
bool leader_moved(ErrorCode code) {
    return code == ErrorCode::NotLeaderOrFollower || code == ErrorCode::LeaderNotAvailable ||
           code == ErrorCode::FencedLeaderEpoch || code == ErrorCode::UnknownLeaderEpoch ||
           code == ErrorCode::OffsetNotAvailable || code == ErrorCode::KafkaStorageError ||
           code == ErrorCode::ReplicaNotAvailable;
}

}  // namespace

Result<std::map<TopicPartition, Result<ListedOffset>>> Admin::list_offsets(
    const std::map<TopicPartition, int64_t>& specs, Isolation isolation) {
    std::map<TopicPartition, Result<ListedOffset>> listed;
    std::vector<TopicPartition> open;
    for (const auto& [tp, spec] : specs) {
        open.push_back(tp);
    }
    MonotonicTime deadline = client_.now() + client_.config().default_api_timeout;
    for (uint32_t failures = 1; !open.empty(); ++failures) {
        MOLDAU_TRY(ByLeader grouped, group_by_leader(client_, open, "listOffsets"));
        std::vector<TopicPartition> again;
        for (auto& [tp, error] : grouped.leaderless) {
            if (leader_moved(error.code)) {
                again.push_back(tp);
            }
            listed.insert_or_assign(tp, std::unexpected(error));
        }
        for (const auto& [broker, partitions] : grouped.led) {
            protocol::ListOffsetsRequest request;
            request.replica_id = -1;
            request.isolation_level = static_cast<int8_t>(isolation);
            for (const TopicPartition& tp : partitions) {
                if (request.topics.empty() || request.topics.back().name != tp.topic) {
                    request.topics.emplace_back().name = tp.topic;
                }
                protocol::ListOffsetsRequest::ListOffsetsPartition one;
                one.partition_index = tp.partition;
                one.timestamp = specs.at(tp);
                request.topics.back().partitions.push_back(std::move(one));
            }
            MOLDAU_TRY(auto response, client_.call<protocol::ListOffsetsResponse>(
                                          BrokerWithId{broker}, std::move(request), "listOffsets"));
            for (const auto& topic : response.topics) {
                for (const auto& partition : topic.partitions) {
                    TopicPartition tp{topic.name, partition.partition_index};
                    if (partition.error_code == 0) {
                        listed.insert_or_assign(tp,
                                                ListedOffset{partition.offset, partition.timestamp,
                                                             partition.leader_epoch});
                        continue;
                    }
                    Error error = wire_error(partition.error_code, std::nullopt);
                    if (leader_moved(error.code)) {
                        again.push_back(tp);
                    }
                    listed.insert_or_assign(tp, std::unexpected(std::move(error)));
                }
            }
        }
        open = std::move(again);
        if (!open.empty() && !client_.pause(failures, deadline)) {
            break;
        }
    }
    return listed;
}

Result<std::map<TopicPartition, Result<int64_t>>> Admin::delete_records(
    const std::map<TopicPartition, int64_t>& before) {
    std::map<TopicPartition, Result<int64_t>> deleted;
    std::vector<TopicPartition> partitions;
    for (const auto& [tp, offset] : before) {
        partitions.push_back(tp);
    }
    MOLDAU_TRY(ByLeader grouped, group_by_leader(client_, partitions, "deleteRecords"));
    for (auto& [tp, error] : grouped.leaderless) {
        deleted.insert_or_assign(tp, std::unexpected(error));
    }
    for (const auto& [broker, led] : grouped.led) {
        protocol::DeleteRecordsRequest request;
        request.timeout_ms = wire_timeout(client_);
        for (const TopicPartition& tp : led) {
            if (request.topics.empty() || request.topics.back().name != tp.topic) {
                request.topics.emplace_back().name = tp.topic;
            }
            protocol::DeleteRecordsRequest::DeleteRecordsPartition one;
            one.partition_index = tp.partition;
            one.offset = before.at(tp);
            request.topics.back().partitions.push_back(std::move(one));
        }
        MOLDAU_TRY(auto response, client_.call<protocol::DeleteRecordsResponse>(
                                      BrokerWithId{broker}, std::move(request), "deleteRecords"));
        for (const auto& topic : response.topics) {
            for (const auto& partition : topic.partitions) {
                TopicPartition tp{topic.name, partition.partition_index};
                if (partition.error_code == 0) {
                    deleted.insert_or_assign(tp, partition.low_watermark);
                } else {
                    deleted.insert_or_assign(
                        tp, std::unexpected(wire_error(partition.error_code, std::nullopt)));
                }
            }
        }
    }
    return deleted;
}

}  // namespace moldau::client
