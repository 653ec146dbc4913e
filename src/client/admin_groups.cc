#include <algorithm>

#include "client/admin.h"
#include "client/error_message.h"
#include "client/group_member.h"
#include "protocol/messages/consumer_group_describe.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"

namespace moldau::client {
namespace {

// One group and names of topics at the top level: what these calls need.
constexpr int16_t kOffsetFetchVersionMax = 7;
constexpr int16_t kOffsetCommitVersionMax = 9;

bool coordinator_moved(ErrorCode code) {
    return code == ErrorCode::NotCoordinator || code == ErrorCode::CoordinatorNotAvailable ||
           code == ErrorCode::CoordinatorLoadInProgress;
}

// Repeats the attempt while the group's coordinator moves or loads.
template <typename Attempt>
auto until_coordinator(Client& client, const std::string& group, Attempt&& attempt)
    -> decltype(attempt()) {
    MonotonicTime deadline = client.now() + client.config().default_api_timeout;
    for (uint32_t failures = 1;; ++failures) {
        auto result = attempt();
        if (result || !coordinator_moved(result.error().code) ||
            !client.pause(failures, deadline)) {
            return result;
        }
        client.forget_coordinator(group);
    }
}

// "classic" on the wire is "Classic" to people.
std::string capitalized(std::string text) {
    if (!text.empty()) {
        text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    }
    return text;
}

std::set<TopicPartition> flatten(
    const protocol::ConsumerGroupDescribeResponse::Assignment& assignment) {
    std::set<TopicPartition> partitions;
    for (const auto& topic : assignment.topic_partitions) {
        for (int32_t partition : topic.partitions) {
            partitions.insert({topic.topic_name, partition});
        }
    }
    return partitions;
}

// The one group that the answer tells of. Errors: GroupIdNotFound, and the group's own.
template <typename Response, typename Request>
auto describe_one(Client& client, const std::string& group, Request request)
    -> Result<typename decltype(Response::groups)::value_type> {
    MOLDAU_TRY(auto response, client.call<Response>(GroupCoordinator{group}, std::move(request),
                                                    "describeConsumerGroups"));
    if (response.groups.empty()) {
        return fail(ErrorCode::GroupIdNotFound, "Group {} not found.", group);
    }
    auto& told = response.groups.front();
    if (told.error_code != 0) {
        return fail(wire_error(told.error_code, told.error_message));
    }
    return std::move(told);
}

Result<GroupDescription> describe_consumer_group(Client& client, const std::string& group) {
    protocol::ConsumerGroupDescribeRequest request;
    request.group_ids.push_back(group);
    MOLDAU_TRY(auto told, describe_one<protocol::ConsumerGroupDescribeResponse>(
                              client, group, std::move(request)));
    GroupDescription description;
    description.id = told.group_id;
    description.type = "Consumer";
    description.protocol_type = "consumer";
    description.state = told.group_state;
    description.assignor = told.assignor_name;
    description.group_epoch = told.group_epoch;
    description.target_epoch = told.assignment_epoch;
    for (auto& member : told.members) {
        MemberDescription one;
        one.member_id = member.member_id;
        one.group_instance_id = member.instance_id;
        one.client_id = member.client_id;
        one.host = member.client_host;
        one.assignment = flatten(member.assignment);
        one.target_assignment = flatten(member.target_assignment);
        one.epoch = member.member_epoch;
        if (member.member_type >= 0) {
            one.upgraded = member.member_type == 1;
        }
        description.members.push_back(std::move(one));
    }
    return description;
}

Result<GroupDescription> describe_classic_group(Client& client, const std::string& group) {
    protocol::DescribeGroupsRequest request;
    request.groups.push_back(group);
    MOLDAU_TRY(auto told,
               describe_one<protocol::DescribeGroupsResponse>(client, group, std::move(request)));
    GroupDescription description;
    description.id = told.group_id;
    description.type = "Classic";
    description.protocol_type = told.protocol_type;
    description.state = told.group_state;
    description.assignor = told.protocol_data;
    for (auto& member : told.members) {
        MemberDescription one;
        one.member_id = member.member_id;
        one.group_instance_id = member.group_instance_id;
        one.client_id = member.client_id;
        one.host = member.client_host;
        auto assigned = decode_assignment(member.member_assignment);
        if (assigned) {
            one.assignment.insert(assigned->begin(), assigned->end());
        }
        description.members.push_back(std::move(one));
    }
    return description;
}

}  // namespace

Error wire_error(int16_t code, const std::optional<std::string>& message) {
    ErrorCode known = error_code_from_wire(code);
    if (message && !message->empty()) {
        return {known, *message};
    }
    return {known, std::string(error_message(known))};
}

Result<std::vector<GroupListing>> Admin::list_groups(std::span<const std::string> states,
                                                     std::span<const std::string> types) {
    MOLDAU_TRY(auto nodes, describe_cluster());
    std::map<std::string, GroupListing> listed;
    for (const Node& node : nodes) {
        MonotonicTime deadline = client_.now() + client_.config().default_api_timeout;
        for (uint32_t failures = 1;; ++failures) {
            protocol::ListGroupsRequest request;
            request.states_filter.assign(states.begin(), states.end());
            request.types_filter.assign(types.begin(), types.end());
            MOLDAU_TRY(auto response, client_.call<protocol::ListGroupsResponse>(
                                          BrokerWithId{node.id}, std::move(request), "listGroups"));
            ErrorCode error = error_code_from_wire(response.error_code);
            if (coordinator_moved(error) && client_.pause(failures, deadline)) {
                continue;
            }
            if (error != ErrorCode::None) {
                return fail(wire_error(response.error_code, std::nullopt));
            }
            for (auto& group : response.groups) {
                listed[group.group_id] = {group.group_id, group.protocol_type, group.group_state,
                                          capitalized(group.group_type)};
            }
            break;
        }
    }
    std::vector<GroupListing> listings;
    for (auto& [id, listing] : listed) {
        listings.push_back(std::move(listing));
    }
    return listings;
}

Result<GroupDescription> Admin::describe_group(const std::string& group) {
    MOLDAU_TRY(auto description,
               until_coordinator(client_, group, [&]() -> Result<GroupDescription> {
                   auto modern = describe_consumer_group(client_, group);
                   bool classic = !modern && (modern.error().code == ErrorCode::GroupIdNotFound ||
                                              modern.error().code == ErrorCode::UnsupportedVersion);
                   return classic ? describe_classic_group(client_, group) : modern;
               }));
    MOLDAU_TRY(description.coordinator, client_.coordinator(group));
    return description;
}

Result<std::map<TopicPartition, OffsetAndMetadata>> Admin::committed_offsets(
    const std::string& group) {
    return until_coordinator(
        client_, group, [&]() -> Result<std::map<TopicPartition, OffsetAndMetadata>> {
            protocol::OffsetFetchRequest request;
            request.group_id = group;
            request.topics = std::nullopt;
            MOLDAU_TRY(auto response, client_.call<protocol::OffsetFetchResponse>(
                                          GroupCoordinator{group}, std::move(request),
                                          "listConsumerGroupOffsets", kOffsetFetchVersionMax));
            if (response.error_code != 0) {
                return fail(wire_error(response.error_code, std::nullopt));
            }
            std::map<TopicPartition, OffsetAndMetadata> offsets;
            for (const auto& topic : response.topics) {
                for (const auto& partition : topic.partitions) {
                    if (partition.error_code != 0) {
                        return fail(wire_error(partition.error_code, std::nullopt));
                    }
                    if (partition.committed_offset >= 0) {
                        offsets[{topic.name, partition.partition_index}] = {
                            partition.committed_offset, partition.committed_leader_epoch,
                            partition.metadata.value_or("")};
                    }
                }
            }
            return offsets;
        });
}

Result<std::map<TopicPartition, Status>> Admin::alter_offsets(
    const std::string& group, const std::map<TopicPartition, OffsetAndMetadata>& offsets) {
    return until_coordinator(client_, group, [&]() -> Result<std::map<TopicPartition, Status>> {
        protocol::OffsetCommitRequest request;
        request.group_id = group;
        for (const auto& [tp, offset] : offsets) {
            if (request.topics.empty() || request.topics.back().name != tp.topic) {
                request.topics.emplace_back().name = tp.topic;
            }
            protocol::OffsetCommitRequest::OffsetCommitRequestPartition one;
            one.partition_index = tp.partition;
            one.committed_offset = offset.offset;
            one.committed_leader_epoch = offset.leader_epoch;
            one.committed_metadata = offset.metadata;
            request.topics.back().partitions.push_back(std::move(one));
        }
        MOLDAU_TRY(auto response, client_.call<protocol::OffsetCommitResponse>(
                                      GroupCoordinator{group}, std::move(request),
                                      "alterConsumerGroupOffsets", kOffsetCommitVersionMax));
        std::map<TopicPartition, Status> results;
        for (const auto& topic : response.topics) {
            for (const auto& partition : topic.partitions) {
                Status status;
                if (partition.error_code != 0) {
                    Error error = wire_error(partition.error_code, std::nullopt);
                    if (coordinator_moved(error.code)) {
                        return fail(std::move(error));
                    }
                    status = fail(std::move(error));
                }
                results[{topic.name, partition.partition_index}] = std::move(status);
            }
        }
        return results;
    });
}

Status Admin::delete_group(const std::string& group) {
    return until_coordinator(client_, group, [&]() -> Status {
        protocol::DeleteGroupsRequest request;
        request.groups_names.push_back(group);
        MOLDAU_TRY(auto response,
                   client_.call<protocol::DeleteGroupsResponse>(
                       GroupCoordinator{group}, std::move(request), "deleteConsumerGroups"));
        for (const auto& result : response.results) {
            if (result.error_code != 0) {
                return fail(wire_error(result.error_code, std::nullopt));
            }
        }
        return {};
    });
}

Result<std::map<TopicPartition, Status>> Admin::delete_offsets(const std::string& group,
                                                               const std::set<TopicPartition>& of) {
    return until_coordinator(client_, group, [&]() -> Result<std::map<TopicPartition, Status>> {
        protocol::OffsetDeleteRequest request;
        request.group_id = group;
        for (const TopicPartition& tp : of) {
            if (request.topics.empty() || request.topics.back().name != tp.topic) {
                request.topics.emplace_back().name = tp.topic;
            }
            request.topics.back().partitions.emplace_back().partition_index = tp.partition;
        }
        MOLDAU_TRY(auto response, client_.call<protocol::OffsetDeleteResponse>(
                                      GroupCoordinator{group}, std::move(request), "offsetDelete"));
        if (response.error_code != 0) {
            return fail(wire_error(response.error_code, std::nullopt));
        }
        std::map<TopicPartition, Status> results;
        for (const auto& topic : response.topics) {
            for (const auto& partition : topic.partitions) {
                Status status;
                if (partition.error_code != 0) {
                    status = fail(wire_error(partition.error_code, std::nullopt));
                }
                results[{topic.name, partition.partition_index}] = std::move(status);
            }
        }
        return results;
    });
}

}  // namespace moldau::client
