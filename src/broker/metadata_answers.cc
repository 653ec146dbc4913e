#include "broker/metadata_answers.h"

#include <algorithm>
#include <set>

#include "broker/authorized_operations.h"
#include "metadata/topic_name.h"

namespace moldau::broker {
namespace {

using metadata::Image;
using protocol::DescribeTopicPartitionsResponse;
using protocol::MetadataResponse;

constexpr int32_t kNobody = -1;

// The brokers among `ids` that are alive and have that listener.
std::vector<int32_t> reachable(const Image& image, const std::vector<int32_t>& ids,
                               std::string_view listener) {
    std::vector<int32_t> found;
    for (int32_t id : ids) {
        const metadata::Broker* broker = image.cluster.broker(id);
        if (broker != nullptr && !broker->fenced && broker->endpoint(listener) != nullptr) {
            found.push_back(id);
        }
    }
    return found;
}

std::vector<int32_t> offline_replicas(const Image& image, const metadata::Partition& partition,
                                      std::string_view listener) {
    std::vector<int32_t> offline;
    for (int32_t id : partition.replicas) {
        const metadata::Broker* broker = image.cluster.broker(id);
        bool online = broker != nullptr && !broker->fenced &&
                      broker->endpoint(listener) != nullptr &&
                      broker->has_online_directory(partition.directory(id));
        if (!online) {
            offline.push_back(id);
        }
    }
    return offline;
}

bool has_endpoint(const Image& image, int32_t id, std::string_view listener) {
    const metadata::Broker* broker = image.cluster.broker(id);
    return broker != nullptr && broker->endpoint(listener) != nullptr;
}

MetadataResponse::MetadataResponsePartition describe_partition(const Image& image, int32_t index,
                                                               const metadata::Partition& partition,
                                                               const AnswerContext& context) {
    // Version 0 names every replica and reports the missing ones as an error; later ones leave them
    // out.
    bool name_all = context.version == 0;
    MetadataResponse::MetadataResponsePartition out;
    out.partition_index = index;
    out.leader_epoch = partition.leader_epoch;
    out.replica_nodes =
        name_all ? partition.replicas : reachable(image, partition.replicas, context.listener_name);
    out.isr_nodes =
        name_all ? partition.isr : reachable(image, partition.isr, context.listener_name);
    out.offline_replicas = offline_replicas(image, partition, context.listener_name);
    if (has_endpoint(image, partition.leader, context.listener_name)) {
        out.leader_id = partition.leader;
        bool hidden = out.replica_nodes.size() < partition.replicas.size() ||
                      out.isr_nodes.size() < partition.isr.size();
        out.error_code = to_wire(hidden ? ErrorCode::ReplicaNotAvailable : ErrorCode::None);
        return out;
    }
    out.leader_id = kNobody;
    bool leader_known = image.cluster.broker(partition.leader) != nullptr;
    out.error_code = to_wire(leader_known && context.version >= 6 ? ErrorCode::ListenerNotFound
                                                                  : ErrorCode::LeaderNotAvailable);
    return out;
}

MetadataResponse::MetadataResponseTopic describe_topic(const Image& image,
                                                       const metadata::Topic& topic,
                                                       const AnswerContext& context) {
    MetadataResponse::MetadataResponseTopic out;
    out.name = topic.name;
    out.topic_id = topic.id;
    out.is_internal = metadata::is_internal_topic(topic.name);
    out.partitions.reserve(topic.partitions.size());
    for (const auto& [index, partition] : topic.partitions) {
        out.partitions.push_back(describe_partition(image, index, partition, context));
    }
    return out;
}

ErrorCode missing_topic_error(std::string_view name) {
    return metadata::is_legal_topic_name(name) ? ErrorCode::UnknownTopicOrPartition
                                               : ErrorCode::InvalidTopicException;
}

void add_brokers(const Image& image, std::string_view listener, MetadataResponse& response) {
    for (const auto& [id, broker] : image.cluster.brokers) {
        const metadata::Endpoint* endpoint = broker.endpoint(listener);
        if (broker.fenced || endpoint == nullptr) {
            continue;
        }
        MetadataResponse::MetadataResponseBroker out;
        out.node_id = id;
        out.host = endpoint->host;
        out.port = endpoint->port;
        out.rack = broker.rack;
        response.brokers.push_back(std::move(out));
    }
}

DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponsePartition
describe_partition_in_full(const Image& image, int32_t index, const metadata::Partition& partition,
                           std::string_view listener) {
    DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponsePartition out;
    out.partition_index = index;
    out.leader_id = has_endpoint(image, partition.leader, listener) ? partition.leader : kNobody;
    out.leader_epoch = partition.leader_epoch;
    out.replica_nodes = reachable(image, partition.replicas, listener);
    out.isr_nodes = reachable(image, partition.isr, listener);
    out.offline_replicas = offline_replicas(image, partition, listener);
    out.eligible_leader_replicas = partition.elr;
    out.last_known_elr = partition.last_known_elr;
    return out;
}

}  // namespace

int32_t any_alive_broker(const Image& image) {
    for (const auto& [id, broker] : image.cluster.brokers) {
        if (!broker.fenced) {
            return id;
        }
    }
    return kNobody;
}

Result<MetadataAnswer> answer_metadata(const Image& image, const protocol::MetadataRequest& request,
                                       const AnswerContext& context) {
    MetadataAnswer answer;
    MetadataResponse& response = answer.response;
    // Null asks for all; so does the empty list of version 0, which could not say null.
    bool all = !request.topics || (context.version == 0 && request.topics->empty());
    if (all) {
        for (const auto& [name, id] : image.topics.ids) {
            response.topics.push_back(describe_topic(image, *image.topics.find(id), context));
        }
    } else {
        bool by_id = std::ranges::any_of(
            *request.topics, [](const auto& topic) { return !topic.topic_id.is_zero(); });
        std::set<std::string_view> names;
        std::set<Uuid> ids;
        for (const auto& topic : *request.topics) {
            if (!topic.name && context.version < 12) {
                return fail(ErrorCode::InvalidRequest, "Topic name can not be null for version {}",
                            context.version);
            }
            if (!topic.topic_id.is_zero() && context.version < 12) {
                return fail(ErrorCode::InvalidRequest,
                            "Topic IDs are not supported in requests for version {}",
                            context.version);
            }
            if (by_id) {
                if (topic.topic_id.is_zero() || !ids.insert(topic.topic_id).second) {
                    continue;
                }
                if (const metadata::Topic* found = image.topics.find(topic.topic_id)) {
                    response.topics.push_back(describe_topic(image, *found, context));
                } else {
                    auto& unknown = response.topics.emplace_back();
                    unknown.error_code = to_wire(ErrorCode::UnknownTopicId);
                    unknown.name = std::nullopt;
                    unknown.topic_id = topic.topic_id;
                }
                continue;
            }
            std::string_view name = topic.name ? std::string_view(*topic.name) : std::string_view();
            if (!names.insert(name).second) {
                continue;
            }
            if (const metadata::Topic* found = image.topics.find(name)) {
                response.topics.push_back(describe_topic(image, *found, context));
                continue;
            }
            auto& unknown = response.topics.emplace_back();
            unknown.error_code = to_wire(missing_topic_error(name));
            unknown.name = std::string(name);
            unknown.is_internal = metadata::is_internal_topic(name);
            if (unknown.error_code == to_wire(ErrorCode::UnknownTopicOrPartition)) {
                answer.missing.emplace_back(name);
            }
        }
    }
    if (request.include_topic_authorized_operations && context.version >= 8) {
        for (auto& topic : response.topics) {
            topic.topic_authorized_operations = kTopicOperations;
        }
    }
    if (request.include_cluster_authorized_operations && context.version >= 8 &&
        context.version <= 10) {
        response.cluster_authorized_operations = kClusterOperations;
    }
    add_brokers(image, context.listener_name, response);
    response.cluster_id = std::string(context.cluster_id);
    response.controller_id = any_alive_broker(image);
    return answer;
}

protocol::MetadataResponse refuse_metadata(const protocol::MetadataRequest& request,
                                           ErrorCode error) {
    protocol::MetadataResponse response;
    response.error_code = to_wire(error);
    for (const auto& topic : *request.topics) {
        auto& out = response.topics.emplace_back();
        out.name = topic.name.value_or("");
        out.topic_id = topic.topic_id;
        out.error_code = to_wire(error);
    }
    return response;
}

std::vector<std::string> topics_to_create(const MetadataAnswer& answer,
                                          const protocol::MetadataRequest& request,
                                          bool broker_allows) {
    bool may_create = request.allow_auto_topic_creation && broker_allows;
    return may_create ? answer.missing : std::vector<std::string>();
}

protocol::DescribeClusterResponse answer_describe_cluster(
    const Image& image, const protocol::DescribeClusterRequest& request,
    const AnswerContext& context) {
    constexpr int8_t kBrokerEndpoints = 1;
    constexpr int8_t kControllerEndpoints = 2;
    protocol::DescribeClusterResponse response;
    auto refuse = [&](ErrorCode code, std::string message) {
        response.error_code = to_wire(context.version == 0 ? ErrorCode::InvalidRequest : code);
        response.error_message = std::move(message);
        return response;
    };
    if (request.endpoint_type == kControllerEndpoints) {
        return refuse(
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of "
            "type CONTROLLER");
    }
    if (request.endpoint_type != kBrokerEndpoints) {
        return refuse(ErrorCode::UnsupportedEndpointType,
                      fmt::format("Unsupported endpoint type {}", request.endpoint_type));
    }
    if (request.include_cluster_authorized_operations) {
        response.cluster_authorized_operations = kClusterOperations;
    }
    int32_t controller = any_alive_broker(image);
    bool controller_named = false;
    for (const auto& [id, broker] : image.cluster.brokers) {
        const metadata::Endpoint* endpoint = broker.endpoint(context.listener_name);
        if (endpoint == nullptr || (broker.fenced && !request.include_fenced_brokers)) {
            continue;
        }
        auto& out = response.brokers.emplace_back();
        out.broker_id = id;
        out.host = endpoint->host;
        out.port = endpoint->port;
        out.rack = broker.rack;
        out.is_fenced = broker.fenced;
        controller_named |= id == controller;
    }
    response.cluster_id = std::string(context.cluster_id);
    response.controller_id = controller_named ? controller : kNobody;
    response.endpoint_type = kBrokerEndpoints;
    return response;
}

Result<DescribeTopicPartitionsResponse> answer_describe_topic_partitions(
    const Image& image, const protocol::DescribeTopicPartitionsRequest& request,
    const AnswerContext& context, int32_t partitions_max) {
    std::string_view first_name =
        request.cursor ? std::string_view(request.cursor->topic_name) : std::string_view();
    bool all = request.topics.empty();
    std::set<std::string> names;
    if (all) {
        for (const auto& [name, id] : image.topics.ids) {
            if (name >= first_name) {
                names.insert(name);
            }
        }
    }
    for (const auto& topic : request.topics) {
        if (topic.name >= first_name) {
            names.insert(topic.name);
        }
    }
    if (!all && request.cursor && !names.contains(request.cursor->topic_name)) {
        return fail(ErrorCode::InvalidRequest,
                    "DescribeTopicPartitionsRequest topic list should contain the cursor topic: {}",
                    request.cursor->topic_name);
    }
    if (request.cursor && request.cursor->partition_index < 0) {
        return fail(ErrorCode::InvalidRequest,
                    "DescribeTopicPartitionsRequest cursor partition must be valid: "
                    "Cursor(topicName='{}', partitionIndex={})",
                    request.cursor->topic_name, request.cursor->partition_index);
    }

    DescribeTopicPartitionsResponse response;
    int32_t left = std::max(std::min(partitions_max, request.response_partition_limit), 1);
    auto stop_at = [&](const std::string& name, int32_t index) {
        auto& cursor = response.next_cursor.emplace();
        cursor.topic_name = name;
        cursor.partition_index = index;
    };
    for (const std::string& name : names) {
        if (left == 0) {
            stop_at(name, 0);
            break;
        }
        const metadata::Topic* topic = image.topics.find(name);
        if (topic == nullptr) {
            // A topic deleted between two pages of a walk over all is simply not there any more.
            if (!all) {
                auto& out = response.topics.emplace_back();
                out.name = name;
                out.error_code = to_wire(missing_topic_error(name));
                out.is_internal = metadata::is_internal_topic(name);
                out.topic_authorized_operations = kTopicOperations;
            }
            continue;
        }
        auto& out = response.topics.emplace_back();
        out.name = name;
        out.topic_id = topic->id;
        out.is_internal = metadata::is_internal_topic(name);
        out.topic_authorized_operations = kTopicOperations;
        int32_t index = request.cursor && name == first_name ? request.cursor->partition_index : 0;
        auto count = static_cast<int32_t>(topic->partitions.size());
        for (; index < count && left > 0; ++index, --left) {
            if (const metadata::Partition* partition = topic->partitions.find(index)) {
                out.partitions.push_back(
                    describe_partition_in_full(image, index, *partition, context.listener_name));
            }
        }
        if (index < count) {
            stop_at(name, index);
            break;
        }
    }
    return response;
}

}  // namespace moldau::broker
