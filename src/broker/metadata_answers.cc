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

// Which brokers a client can reach by its listener, looked up for every replica of an answer.
class Reach {
 public:
    Reach(const Image& image, std::string_view listener) {
        for (const auto& [id, broker] : image.cluster.brokers) {
            brokers_.push_back({id, &broker, broker.endpoint(listener) != nullptr});
        }
    }
    struct Entry {
        int32_t id;
        const metadata::Broker* broker;
        bool has_listener;

        bool reachable() const { return has_listener && !broker->fenced; }
    };

    // nullptr for a broker that is not registered.
    const Entry* find(int32_t id) const {
        auto at = std::ranges::lower_bound(brokers_, id, {}, &Entry::id);
        return at != brokers_.end() && at->id == id ? &*at : nullptr;
    }
    bool reachable(int32_t id) const {
        const Entry* found = find(id);
        return found != nullptr && found->reachable();
    }

 private:
    std::vector<Entry> brokers_;  // by id
};

// Fills `out`, which may have served for another partition before.
void describe_partition(const Reach& reach, int32_t index, const metadata::Partition& partition,
                        int16_t version, MetadataResponse::MetadataResponsePartition& out) {
    // Version 0 names every replica and reports the missing ones as an error; later ones leave them
    // out.
    bool name_all = version == 0;
    out.partition_index = index;
    out.leader_epoch = partition.leader_epoch;
    out.replica_nodes.clear();
    out.isr_nodes.clear();
    out.offline_replicas.clear();
    for (int32_t id : partition.replicas) {
        const Reach::Entry* replica = reach.find(id);
        bool reachable = replica != nullptr && replica->reachable();
        if (name_all || reachable) {
            out.replica_nodes.push_back(id);
        }
        if (!reachable || !replica->broker->has_online_directory(partition.directory(id))) {
            out.offline_replicas.push_back(id);
        }
    }
    for (int32_t id : partition.isr) {
        if (name_all || reach.reachable(id)) {
            out.isr_nodes.push_back(id);
        }
    }
    const Reach::Entry* leader = reach.find(partition.leader);
    if (leader != nullptr && leader->has_listener) {
        out.leader_id = partition.leader;
        bool hidden = out.replica_nodes.size() < partition.replicas.size() ||
                      out.isr_nodes.size() < partition.isr.size();
        out.error_code = to_wire(hidden ? ErrorCode::ReplicaNotAvailable : ErrorCode::None);
        return;
    }
    out.leader_id = kNobody;
    out.error_code = to_wire(leader != nullptr && version >= 6 ? ErrorCode::ListenerNotFound
                                                               : ErrorCode::LeaderNotAvailable);
}

ErrorCode missing_topic_error(std::string_view name) {
    return metadata::is_legal_topic_name(name) ? ErrorCode::UnknownTopicOrPartition
                                               : ErrorCode::InvalidTopicException;
}

void add_brokers(const Image& image, std::string_view listener, MetadataResponse& response) {
    response.brokers.reserve(image.cluster.brokers.size());
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

Result<MetadataAnswer> MetadataAnswer::find(const Image& image,
                                            const protocol::MetadataRequestView& request,
                                            const AnswerContext& context) {
    MetadataAnswer answer(image, context);
    // Null asks for all; so does the empty list of version 0, which could not say null.
    if (!request.topics || (context.version == 0 && request.topics->empty())) {
        answer.find_all();
    } else {
        MOLDAU_CHECK(answer.find_asked(request));
        answer.drop_repeated();
    }
    answer.client_allows_creation_ = request.allow_auto_topic_creation;
    answer.with_topic_operations_ =
        request.include_topic_authorized_operations && context.version >= 8;
    answer.with_cluster_operations_ = request.include_cluster_authorized_operations &&
                                      context.version >= 8 && context.version <= 10;
    return answer;
}

void MetadataAnswer::find_all() {
    entries_.reserve(image_->topics.ids.size());
    for (const auto& [name, id] : image_->topics.ids) {
        entries_.push_back({.topic = image_->topics.find(id), .name = name, .id = id});
    }
}

Status MetadataAnswer::find_asked(const protocol::MetadataRequestView& request) {
    const metadata::Topics& topics = image_->topics;
    entries_.reserve(request.topics->size());
    bool by_id = false;
    for (const auto& asked : *request.topics) {
        if (!asked.name && context_.version < 12) {
            return fail(ErrorCode::InvalidRequest, "Topic name can not be null for version {}",
                        context_.version);
        }
        if (!asked.topic_id.is_zero() && context_.version < 12) {
            return fail(ErrorCode::InvalidRequest,
                        "Topic IDs are not supported in requests for version {}", context_.version);
        }
        by_id = by_id || !asked.topic_id.is_zero();
    }
    for (const auto& asked : *request.topics) {
        if (by_id && asked.topic_id.is_zero()) {
            continue;  // one id makes ids count, and names no longer
        }
        Entry& entry = entries_.emplace_back();
        if (by_id) {
            entry.id = asked.topic_id;
            entry.topic = topics.find(entry.id);
        } else {
            entry.name = asked.name.value_or("");
            entry.topic = topics.find(*entry.name);
        }
        if (entry.topic != nullptr) {
            entry.name = entry.topic->name;
            entry.id = entry.topic->id;
        } else {
            entry.error = by_id ? ErrorCode::UnknownTopicId : missing_topic_error(*entry.name);
        }
    }
    return {};
}

// A topic asked for twice is told once, where it was asked for first.
void MetadataAnswer::drop_repeated() {
    auto key = [](const Entry& entry) {
        return std::pair(entry.id, entry.name.value_or(std::string_view()));
    };
    std::vector<std::pair<Uuid, std::string_view>> keys;
    keys.reserve(entries_.size());
    std::ranges::transform(entries_, std::back_inserter(keys), key);
    std::ranges::sort(keys);
    if (std::ranges::adjacent_find(keys) == keys.end()) {
        return;
    }
    std::set<std::pair<Uuid, std::string_view>> seen;
    std::erase_if(entries_, [&](const Entry& entry) { return !seen.insert(key(entry)).second; });
}

std::vector<std::string> MetadataAnswer::topics_to_create(bool broker_allows) const {
    std::vector<std::string> names;
    if (!client_allows_creation_ || !broker_allows) {
        return names;
    }
    for (const Entry& entry : entries_) {
        if (entry.error == ErrorCode::UnknownTopicOrPartition) {
            names.emplace_back(*entry.name);
        }
    }
    return names;
}

void MetadataAnswer::write(protocol::Writer& writer, int16_t version) const {
    MetadataResponse response;
    add_brokers(*image_, context_.listener_name, response);
    response.cluster_id = std::string(context_.cluster_id);
    response.controller_id = any_alive_broker(*image_);
    if (with_cluster_operations_) {
        response.cluster_authorized_operations = kClusterOperations;
    }
    response.write_before_topics(writer, version, entries_.size());
    Reach reach(*image_, context_.listener_name);
    // One of each serves for all, so that their memory is taken once.
    MetadataResponse::MetadataResponseTopic topic;
    MetadataResponse::MetadataResponsePartition partition;
    if (with_topic_operations_) {
        topic.topic_authorized_operations = kTopicOperations;
    }
    for (const Entry& entry : entries_) {
        topic.error_code = to_wire(entry.error);
        topic.name = entry.name;
        topic.topic_id = entry.id;
        topic.is_internal = entry.name && metadata::is_internal_topic(*entry.name);
        topic.write_before_partitions(writer, version,
                                      entry.topic == nullptr ? 0 : entry.topic->partitions.size());
        if (entry.topic != nullptr) {
            for (const auto& [index, state] : entry.topic->partitions) {
                describe_partition(reach, index, state, version, partition);
                partition.write(writer, version);
            }
        }
        topic.write_after_partitions(writer, version);
    }
    response.write_after_topics(writer, version);
}

protocol::MetadataResponse refuse_metadata(const protocol::MetadataRequestView& request,
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
