#include "controller/topics.h"

#include <algorithm>
#include <map>
#include <set>

#include "config/describe.h"
#include "controller/configs.h"
#include "controller/partition_change.h"
#include "controller/placement.h"
#include "metadata/features.h"
#include "metadata/registrations.h"
#include "metadata/topic_name.h"

namespace moldau::controller {

namespace {

using metadata::Partition;
using metadata::Records;
using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;

using Ids = std::vector<int32_t>;

Partition new_partition(const State& state, Ids replicas, const Ids& isr) {
    Partition partition;
    for (int32_t replica : replicas) {
        partition.directories.push_back(default_directory(state, replica));
    }
    partition.replicas = std::move(replicas);
    partition.isr = isr;
    partition.leader = isr.front();
    return partition;
}

Ids active_of(const State& state, const Ids& brokers) {
    Ids active;
    std::ranges::copy_if(brokers, std::back_inserter(active),
                         [&state](int32_t id) { return state.is_active(id); });
    return active;
}

bool has_uncordoned_directory(const metadata::Broker& broker) {
    return broker.directories.empty() || !broker.cordoned_directories ||
           !std::ranges::all_of(broker.directories, [&](const Uuid& directory) {
               return std::ranges::find(*broker.cordoned_directories, directory) !=
                      broker.cordoned_directories->end();
           });
}

void append_partitions(const State& state, const Uuid& topic_id,
                       const std::map<int32_t, Partition>& partitions, Records& records) {
    int16_t mv = state.metadata_version();
    for (const auto& [index, partition] : partitions) {
        records.push_back({metadata::to_record(partition, topic_id, index, mv),
                           metadata::partition_record_version(mv)});
    }
}

using NewPartitions = std::map<int32_t, Partition>;

Result<NewPartitions> assigned_partitions(const State& state,
                                          const CreateTopicsRequest::CreatableTopic& topic) {
    if (topic.replication_factor != -1) {
        return fail(ErrorCode::InvalidRequest,
                    "A manual partition assignment was specified, but replication factor was not "
                    "set to -1.");
    }
    if (topic.num_partitions != -1) {
        return fail(ErrorCode::InvalidRequest,
                    "A manual partition assignment was specified, but numPartitions was not set to "
                    "-1.");
    }
    NewPartitions partitions;
    std::optional<size_t> replication_factor;
    for (const auto& assignment : topic.assignments) {
        if (partitions.contains(assignment.partition_index)) {
            return fail(ErrorCode::InvalidReplicaAssignment,
                        "Found multiple manual partition assignments for partition {}",
                        assignment.partition_index);
        }
        MOLDAU_CHECK(validate_manual_assignment(state, assignment.broker_ids, replication_factor));
        replication_factor = assignment.broker_ids.size();
        Ids isr = active_of(state, assignment.broker_ids);
        if (isr.empty()) {
            return fail(ErrorCode::InvalidReplicaAssignment,
                        "All brokers specified in the manual partition assignment for partition {} "
                        "are fenced or in controlled shutdown.",
                        assignment.partition_index);
        }
        partitions.emplace(assignment.partition_index,
                           new_partition(state, assignment.broker_ids, isr));
    }
    if (partitions.begin()->first != 0 ||
        partitions.rbegin()->first != static_cast<int32_t>(partitions.size()) - 1) {
        return fail(ErrorCode::InvalidReplicaAssignment,
                    "partitions should be a consecutive 0-based integer sequence");
    }
    return partitions;
}

std::string unable_to_replicate(int32_t replication_factor, std::string_view reason) {
    return fmt::format("Unable to replicate the partition {} time(s): {}", replication_factor,
                       reason);
}

constexpr std::string_view kNobodyActive =
    "All brokers are currently fenced or in controlled shutdown.";

Result<NewPartitions> placed_partitions(const View& view,
                                        const CreateTopicsRequest::CreatableTopic& topic,
                                        const Draw& draw) {
    if (topic.replication_factor < -1 || topic.replication_factor == 0) {
        return fail(ErrorCode::InvalidReplicationFactor,
                    "Replication factor must be larger than 0, or -1 to use the default value.");
    }
    if (topic.num_partitions < -1 || topic.num_partitions == 0) {
        return fail(ErrorCode::InvalidPartitions,
                    "Number of partitions was set to an invalid non-positive value.");
    }
    int32_t count =
        topic.num_partitions == -1 ? view.config.num_partitions() : topic.num_partitions;
    int32_t replication_factor = topic.replication_factor == -1
                                     ? view.config.default_replication_factor()
                                     : topic.replication_factor;
    auto placed = place_replicas(view.state, count, replication_factor, draw);
    if (!placed) {
        return fail(ErrorCode::InvalidReplicationFactor, "{}",
                    unable_to_replicate(replication_factor, placed.error().message));
    }
    NewPartitions partitions;
    for (int32_t index = 0; index < count; ++index) {
        Ids& replicas = (*placed)[static_cast<size_t>(index)];
        Ids isr = active_of(view.state, replicas);
        if (isr.empty()) {
            return fail(ErrorCode::InvalidReplicationFactor, "{}",
                        unable_to_replicate(replication_factor, kNobodyActive));
        }
        partitions.emplace(index, new_partition(view.state, std::move(replicas), isr));
    }
    return partitions;
}

Status check_name(const State& state, const std::string& name) {
    if (const std::string* other = state.colliding_topic(name);
        other != nullptr && metadata::is_legal_topic_name(name) && *other != name) {
        return fail(ErrorCode::InvalidTopicException, "Topic '{}' collides with existing topic: {}",
                    name, *other);
    }
    MOLDAU_CHECK(metadata::validate_topic_name(name));
    if (state.image().topics.find(name) != nullptr) {
        return fail(ErrorCode::TopicAlreadyExists, "Topic '{}' already exists.", name);
    }
    return {};
}

Result<Records> creation_configs(const View& view, const CreateTopicsRequest::CreatableTopic& topic,
                                 config::ConfigMap& overrides, bool forwarded) {
    std::vector<std::string> without_value;
    ConfigOperations operations;
    for (const auto& config : topic.configs) {
        if (!config.value) {
            without_value.push_back(config.name);
            continue;
        }
        operations[config.name] = {ConfigOperationType::Set, config.value};
        overrides[config.name] = *config.value;
    }
    if (!without_value.empty()) {
        return fail(ErrorCode::InvalidConfig, "Null value not supported for topic configs: {}",
                    fmt::join(without_value, ","));
    }
    if (operations.empty()) {
        return Records();
    }
    metadata::ConfigResource resource{metadata::ConfigResourceType::Topic, topic.name};
    MOLDAU_TRY(Records records, alter_resource(view, resource, operations, true, forwarded));
    Records clearing = clear_elr_records(view.state, records);
    std::ranges::move(clearing, std::back_inserter(records));
    return records;
}

// CreateTopics knows more broker keys behind a topic's default than DescribeConfigs does: a
// retention given in hours is a static value here, and a default there.
int8_t source_of(const config::ServerConfig& effective, const config::DescribedConfig& described) {
    config::ConfigSource source = described.source;
    const config::ConfigKey* key = config::topic_config_def().find(described.name);
    if (source == config::ConfigSource::Default && key != nullptr) {
        auto any_in = [key](const config::ConfigMap& layer) {
            return std::ranges::any_of(key->synonyms, [&layer](const config::Synonym& synonym) {
                return layer.contains(std::string(synonym.name));
            });
        };
        source = any_in(effective.dynamic_overrides())  ? config::ConfigSource::DynamicBroker
                 : any_in(effective.dynamic_defaults()) ? config::ConfigSource::DynamicDefaultBroker
                 : any_in(effective.static_configs())   ? config::ConfigSource::StaticBroker
                                                        : source;
    }
    return static_cast<int8_t>(source);
}

Result<CreateTopicsResponse::CreatableTopicResult> create_topic(
    const View& view, const config::ServerConfig& effective,
    const CreateTopicsRequest::CreatableTopic& topic, bool forwarded, const Draw& draw,
    Records& records) {
    MOLDAU_CHECK(check_name(view.state, topic.name));
    config::ConfigMap overrides;
    MOLDAU_TRY(Records configs, creation_configs(view, topic, overrides, forwarded));
    MOLDAU_TRY(NewPartitions partitions, topic.assignments.empty()
                                             ? placed_partitions(view, topic, draw)
                                             : assigned_partitions(view.state, topic));
    protocol::TopicRecord record;
    record.name = topic.name;
    record.topic_id = Uuid::random(draw);
    records.push_back({record, 0});
    std::ranges::move(configs, std::back_inserter(records));
    append_partitions(view.state, record.topic_id, partitions, records);

    CreateTopicsResponse::CreatableTopicResult result;
    result.name = topic.name;
    result.topic_id = record.topic_id;
    result.error_message = std::nullopt;
    result.num_partitions = static_cast<int32_t>(partitions.size());
    result.replication_factor = static_cast<int16_t>(partitions.begin()->second.replicas.size());
    result.configs.emplace();
    for (const auto& described : config::describe_topic(effective, overrides)) {
        auto& to = result.configs->emplace_back();
        to.name = described.name;
        // A value of the request comes back as it was written, not as it is understood.
        auto own = overrides.find(described.name);
        to.value = described.sensitive      ? std::nullopt
                   : own != overrides.end() ? std::optional(own->second)
                                            : described.value;
        to.read_only = described.read_only;
        to.config_source = source_of(effective, described);
        to.is_sensitive = described.sensitive;
    }
    return result;
}

CreateTopicsResponse::CreatableTopicResult failed_topic(const std::string& name,
                                                        const Error& error) {
    CreateTopicsResponse::CreatableTopicResult result;
    result.name = name;
    result.error_code = to_wire(error.code);
    result.error_message = error.message;
    result.configs.emplace();
    return result;
}

int64_t partitions_asked_for(const View& view, const CreateTopicsRequest& request) {
    int64_t total = 0;
    for (const auto& topic : request.topics) {
        if (!topic.assignments.empty()) {
            total += static_cast<int64_t>(topic.assignments.size());
        } else if (topic.num_partitions == -1) {
            total += view.config.num_partitions();
        } else if (topic.num_partitions > 0) {
            total += topic.num_partitions;
        }
    }
    return total;
}

template <typename Items>
std::set<std::string> repeated_names(const Items& items) {
    std::set<std::string> seen;
    std::set<std::string> twice;
    for (const auto& item : items) {
        if (!seen.insert(item.name).second) {
            twice.insert(item.name);
        }
    }
    return twice;
}

Decision<CreateTopicsResponse> all_fail(const CreateTopicsRequest& request, const Error& error) {
    Decision<CreateTopicsResponse> decision;
    for (const auto& topic : request.topics) {
        decision.response.topics.push_back(failed_topic(topic.name, error));
    }
    return decision;
}

const Error kBatchTooLarge{ErrorCode::PolicyViolation,
                           "Unable to perform excessively large batch operation."};

}  // namespace

Status validate_manual_assignment(const State& state, Ids replicas,
                                  std::optional<size_t> replication_factor) {
    if (replicas.empty()) {
        return fail(ErrorCode::InvalidReplicaAssignment,
                    "The manual partition assignment includes an empty replica list.");
    }
    std::ranges::sort(replicas);
    const int32_t* previous = nullptr;
    for (const int32_t& id : replicas) {
        const metadata::Broker* broker = state.broker(id);
        if (broker == nullptr) {
            return fail(ErrorCode::InvalidReplicaAssignment,
                        "The manual partition assignment includes broker {}, but no such broker is "
                        "registered.",
                        id);
        }
        if (!has_uncordoned_directory(*broker)) {
            return fail(ErrorCode::InvalidReplicaAssignment,
                        "The manual partition assignment includes broker {}, but all its log "
                        "directories are cordoned.",
                        id);
        }
        if (previous != nullptr && *previous == id) {
            return fail(ErrorCode::InvalidReplicaAssignment,
                        "The manual partition assignment includes the broker {} more than once.",
                        id);
        }
        previous = &id;
    }
    if (replication_factor && replicas.size() != *replication_factor) {
        return fail(ErrorCode::InvalidReplicaAssignment,
                    "The manual partition assignment includes a partition with {} replica(s), but "
                    "this is not consistent with previous partitions, which have {} replica(s).",
                    replicas.size(), *replication_factor);
    }
    return {};
}

Decision<CreateTopicsResponse> create_topics(const View& view, const CreateTopicsRequest& request,
                                             bool forwarded, const Draw& draw) {
    std::set<std::string> twice = repeated_names(request.topics);
    if (partitions_asked_for(view, request) > static_cast<int64_t>(kRecordsPerOperationMax)) {
        return all_fail(request, {ErrorCode::PolicyViolation,
                                  "Excessively large number of partitions per request."});
    }
    const metadata::Configs& configs = view.state.image().configs;
    auto as_map = [](const metadata::ConfigMap& from) {
        return config::ConfigMap(from.begin(), from.end());
    };
    config::ServerConfig effective = view.config.with_dynamic(
        as_map(configs.cluster_default()), as_map(configs.of_broker(view.config.node_id())));

    Decision<CreateTopicsResponse> decision;
    // Names that cannot be meant are answered after the others.
    bool names_internal = false;
    for (const auto& topic : request.topics) {
        if (twice.contains(topic.name)) {
            continue;
        }
        if (topic.name == metadata::kClusterMetadataTopic) {
            names_internal = true;
            continue;
        }
        auto result = create_topic(view, effective, topic, forwarded, draw, decision.records);
        decision.response.topics.push_back(result ? std::move(*result)
                                                  : failed_topic(topic.name, result.error()));
    }
    for (const std::string& name : twice) {
        decision.response.topics.push_back(
            failed_topic(name, {ErrorCode::InvalidRequest, "Duplicate topic name."}));
    }
    if (names_internal) {
        decision.response.topics.push_back(
            failed_topic(std::string(metadata::kClusterMetadataTopic),
                         {ErrorCode::InvalidRequest,
                          "Creation of internal topic __cluster_metadata is prohibited."}));
    }
    if (decision.records.size() > kRecordsPerOperationMax) {
        return all_fail(request, kBatchTooLarge);
    }
    if (request.validate_only) {
        decision.records.clear();
    }
    return decision;
}

Result<Decision<DeleteTopicsResponse>> delete_topics(const View& view,
                                                     const DeleteTopicsRequest& request,
                                                     int16_t version) {
    if (!view.config.delete_topic_enable()) {
        return version < 3 ? fail(ErrorCode::InvalidRequest,
                                  "This version does not support topic deletion.")
                           : fail(ErrorCode::TopicDeletionDisabled, "Topic deletion is disabled.");
    }
    const metadata::Topics& topics = view.state.image().topics;
    Decision<DeleteTopicsResponse> decision;
    auto answer = [&decision](std::optional<std::string> name, const Uuid& id, ErrorCode code,
                              std::optional<std::string> message) {
        auto& result = decision.response.responses.emplace_back();
        result.name = std::move(name);
        result.topic_id = id;
        result.error_code = to_wire(code);
        result.error_message = std::move(message);
    };

    std::vector<std::string> names(request.topic_names.begin(), request.topic_names.end());
    std::vector<Uuid> ids;
    for (const auto& topic : request.topics) {
        bool has_id = !topic.topic_id.is_zero();
        if (!topic.name && !has_id) {
            answer(std::nullopt, kZeroUuid, ErrorCode::InvalidRequest,
                   "Neither topic name nor id were specified.");
        } else if (topic.name && has_id) {
            answer(topic.name, topic.topic_id, ErrorCode::InvalidRequest,
                   "You may not specify both topic name and topic id.");
        } else if (topic.name) {
            names.push_back(*topic.name);
        } else {
            ids.push_back(topic.topic_id);
        }
    }
    std::map<Uuid, std::string> doomed;
    std::set<Uuid> refused_ids;
    for (const Uuid& id : std::set<Uuid>(ids.begin(), ids.end())) {
        const metadata::Topic* topic = topics.find(id);
        if (std::ranges::count(ids, id) > 1) {
            refused_ids.insert(id);
            answer(std::nullopt, id, ErrorCode::InvalidRequest, "Duplicate topic id.");
        } else if (topic == nullptr) {
            answer(std::nullopt, id, ErrorCode::UnknownTopicId,
                   "This server does not host this topic ID.");
        } else {
            doomed.emplace(id, topic->name);
        }
    }
    for (const std::string& name : std::set<std::string>(names.begin(), names.end())) {
        const metadata::Topic* topic = topics.find(name);
        if (std::ranges::count(names, name) > 1) {
            answer(name, kZeroUuid, ErrorCode::InvalidRequest, "Duplicate topic name.");
        } else if (topic == nullptr) {
            answer(name, kZeroUuid, ErrorCode::UnknownTopicOrPartition,
                   "This server does not host this topic-partition.");
        } else if (refused_ids.contains(topic->id) || doomed.contains(topic->id)) {
            doomed.erase(topic->id);
            answer(name, topic->id, ErrorCode::InvalidRequest,
                   "The provided topic name maps to an ID that was already supplied.");
        } else {
            doomed.emplace(topic->id, name);
        }
    }
    if (doomed.size() > kRecordsPerOperationMax) {
        return fail(kBatchTooLarge);
    }
    for (const auto& [id, name] : doomed) {
        protocol::RemoveTopicRecord record;
        record.topic_id = id;
        decision.records.push_back({record, 0});
        answer(name, id, ErrorCode::None, std::nullopt);
    }
    return decision;
}

namespace {

// Errors with an empty message are answered with a null one, as Kafka does for the unknown topic.
Status grow_topic(const State& state, const CreatePartitionsRequest::CreatePartitionsTopic& wanted,
                  const Draw& draw, Records& records) {
    const metadata::Topic* topic = state.image().topics.find(wanted.name);
    if (topic == nullptr) {
        return fail({ErrorCode::UnknownTopicOrPartition, ""});
    }
    auto present = static_cast<int32_t>(topic->partitions.size());
    if (wanted.count == present) {
        return fail(ErrorCode::InvalidPartitions, "Topic already has {} partition(s).", present);
    }
    if (wanted.count < present) {
        return fail(ErrorCode::InvalidPartitions,
                    "The topic {} currently has {} partition(s); {} would not be an increase.",
                    wanted.name, present, wanted.count);
    }
    int32_t additional = wanted.count - present;
    if (wanted.assignments && static_cast<int32_t>(wanted.assignments->size()) != additional) {
        return fail(ErrorCode::InvalidReplicaAssignment,
                    "Attempted to add {} additional partition(s), but only {} assignment(s) were "
                    "specified.",
                    additional, wanted.assignments->size());
    }
    if (additional > static_cast<int32_t>(kRecordsPerOperationMax)) {
        return fail(kBatchTooLarge);
    }
    size_t replication_factor = topic->partitions.begin()->second.replicas.size();
    std::vector<Ids> placed;
    if (wanted.assignments) {
        for (const auto& assignment : *wanted.assignments) {
            MOLDAU_CHECK(
                validate_manual_assignment(state, assignment.broker_ids, replication_factor));
            if (active_of(state, assignment.broker_ids).empty()) {
                return fail(ErrorCode::InvalidReplicaAssignment,
                            "All brokers specified in the manual partition assignment for "
                            "partition {} are fenced or in controlled shutdown.",
                            present + static_cast<int32_t>(placed.size()));
            }
            placed.push_back(assignment.broker_ids);
        }
    } else {
        MOLDAU_TRY(placed, place_replicas(state, additional,
                                          static_cast<int32_t>(replication_factor), draw));
    }
    NewPartitions partitions;
    for (Ids& replicas : placed) {
        Ids isr = active_of(state, replicas);
        if (isr.empty()) {
            return fail(
                ErrorCode::InvalidReplicationFactor, "{}",
                unable_to_replicate(static_cast<int32_t>(replication_factor), kNobodyActive));
        }
        int32_t index = present + static_cast<int32_t>(partitions.size());
        partitions.emplace(index, new_partition(state, std::move(replicas), isr));
    }
    append_partitions(state, topic->id, partitions, records);
    return {};
}

}  // namespace

Decision<CreatePartitionsResponse> create_partitions(const View& view,
                                                     const CreatePartitionsRequest& request,
                                                     const Draw& draw) {
    Decision<CreatePartitionsResponse> decision;
    std::set<std::string> twice = repeated_names(request.topics);
    std::set<std::string> answered_twice;
    for (const auto& topic : request.topics) {
        Status status;
        if (twice.contains(topic.name)) {
            if (!answered_twice.insert(topic.name).second) {
                continue;
            }
            status = fail(ErrorCode::InvalidRequest, "Duplicate topic name.");
        } else {
            status = grow_topic(view.state, topic, draw, decision.records);
        }
        auto& result = decision.response.results.emplace_back();
        result.name = topic.name;
        if (!status) {
            result.error_code = to_wire(status.error().code);
            if (!status.error().message.empty()) {
                result.error_message = status.error().message;
            }
        }
    }
    if (decision.records.size() > kRecordsPerOperationMax) {
        decision.records.clear();
        for (auto& result : decision.response.results) {
            result.error_code = to_wire(kBatchTooLarge.code);
            result.error_message = kBatchTooLarge.message;
        }
    }
    if (request.validate_only) {
        decision.records.clear();
    }
    return decision;
}

}  // namespace moldau::controller
