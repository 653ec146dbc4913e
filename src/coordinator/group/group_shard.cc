#include "coordinator/group/group_shard.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

namespace moldau::coordinator {

using enum ClassicState;
using Kind = GroupTimerKey::Kind;

namespace {

// From this version on DescribeGroups says that a group does not exist.
constexpr int16_t kDescribeNotFoundVersionMin = 6;
constexpr std::string_view kClassicType = "classic";

std::string lower_trimmed(std::string_view text) {
    while (!text.empty() && text.front() <= ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && text.back() <= ' ') {
        text.remove_suffix(1);
    }
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    return lower;
}

template <typename Response>
Response refusal(ErrorCode error) {
    Response response;
    response.error_code = to_wire(error);
    return response;
}

protocol::DescribeGroupsResponse::DescribedGroup described(const ClassicGroup& group) {
    protocol::DescribeGroupsResponse::DescribedGroup result;
    result.group_id = group.id();
    result.group_state = std::string(state_name(group.state()));
    result.protocol_type = group.protocol_type().value_or("");
    // Only a stable group has a protocol and subscriptions that mean something.
    bool is_stable = group.is(Stable);
    if (is_stable) {
        result.protocol_data = group.protocol_name().value_or("");
    }
    for (const auto& [id, member] : group.members()) {
        protocol::DescribeGroupsResponse::DescribedGroupMember entry;
        entry.member_id = id;
        entry.group_instance_id = member.instance_id;
        entry.client_id = member.client_id;
        entry.client_host = member.client_host;
        entry.member_assignment = member.assignment;
        if (const Bytes* metadata =
                is_stable ? member.metadata(group.protocol_name().value_or("")) : nullptr) {
            entry.member_metadata = *metadata;
        }
        result.members.push_back(std::move(entry));
    }
    return result;
}

}  // namespace

GroupShard::GroupShard(GroupConfig config) : config_(config) {}

const ClassicGroup* GroupShard::group(std::string_view id) const {
    const std::shared_ptr<ClassicGroup>* found = groups_.find(id);
    return found == nullptr ? nullptr : found->get();
}

void GroupShard::join(const RequestContext& context, const protocol::JoinGroupRequest& request,
                      ReplyToken token, Instant now, GroupOutcome& out) {
    classic_.join(context, request, token, now, out);
}

void GroupShard::sync(const protocol::SyncGroupRequest& request, ReplyToken token, Instant now,
                      GroupOutcome& out) {
    if (request.group_id.empty()) {
        return out.reply(token, sync_failure(ErrorCode::InvalidGroupId));
    }
    classic_.sync(request, token, now, out);
}

void GroupShard::heartbeat(const protocol::HeartbeatRequestView& request, ReplyToken token,
                           GroupOutcome& out) {
    if (request.group_id.empty()) {
        return out.reply(token, refusal<protocol::HeartbeatResponse>(ErrorCode::InvalidGroupId));
    }
    classic_.heartbeat(request, token, out);
}

void GroupShard::leave(const protocol::LeaveGroupRequest& request, ReplyToken token, Instant now,
                       GroupOutcome& out) {
    if (request.group_id.empty()) {
        return out.reply(token, refusal<protocol::LeaveGroupResponse>(ErrorCode::InvalidGroupId));
    }
    classic_.leave(request, token, now, out);
}

void GroupShard::commit_offsets(int16_t api_version, const protocol::OffsetCommitRequest& request,
                                ReplyToken token, Instant now, GroupOutcome& out) {
    const ClassicGroup* target = group(request.group_id);
    ErrorCode error = OffsetRules::validate_commit(target, api_version, request);
    if (error != ErrorCode::None) {
        return out.reply(token, commit_failure(request, error));
    }
    if (target != nullptr && target->is_any(Stable, PreparingRebalance)) {
        classic_.keep_session(*target, *target->find(request.member_id), out);
    }
    rules_.commit(request, token, now, out);
}

void GroupShard::fetch_offsets(const OffsetFetchGroup& request, bool require_stable,
                               ReplyToken token, GroupOutcome& out) const {
    // Waits for what was written before, so that no offset is seen that could still be taken back.
    out.reply_when_committed(token, rules_.fetch(group(request.group_id), request, require_stable));
}

void GroupShard::delete_offsets(const protocol::OffsetDeleteRequest& request, ReplyToken token,
                                GroupOutcome& out) const {
    if (request.group_id.empty()) {
        return out.reply(token, refusal<protocol::OffsetDeleteResponse>(ErrorCode::InvalidGroupId));
    }
    rules_.remove(group(request.group_id), request, token, out);
}

void GroupShard::describe(int16_t api_version, const std::vector<std::string>& groups,
                          ReplyToken token, GroupOutcome& out) const {
    protocol::DescribeGroupsResponse response;
    for (const std::string& id : groups) {
        if (const ClassicGroup* found = group(id)) {
            response.groups.push_back(described(*found));
            continue;
        }
        protocol::DescribeGroupsResponse::DescribedGroup missing;
        missing.group_id = id;
        missing.group_state = std::string(state_name(Dead));
        if (api_version >= kDescribeNotFoundVersionMin) {
            missing.error_code = to_wire(ErrorCode::GroupIdNotFound);
            missing.error_message = fmt::format("Group {} not found.", id);
        }
        response.groups.push_back(std::move(missing));
    }
    out.reply_when_committed(token, std::move(response));
}

void GroupShard::list(const protocol::ListGroupsRequest& request, ReplyToken token,
                      GroupOutcome& out) const {
    std::set<std::string> states;
    for (const std::string& state : request.states_filter) {
        states.insert(lower_trimmed(state));
    }
    bool type_matches = request.types_filter.empty() ||
                        std::ranges::any_of(request.types_filter, [](const std::string& type) {
                            return lower_trimmed(type) == kClassicType;
                        });
    protocol::ListGroupsResponse response;
    for (const auto& [id, found] : groups_) {
        if (!type_matches) {
            break;
        }
        std::string_view state = state_name(found->state());
        if (!states.empty() && !states.contains(lower_trimmed(state))) {
            continue;
        }
        protocol::ListGroupsResponse::ListedGroup entry;
        entry.group_id = id;
        entry.protocol_type = found->protocol_type().value_or("");
        entry.group_state = std::string(state);
        entry.group_type = kClassicType;
        response.groups.push_back(std::move(entry));
    }
    out.reply_when_committed(token, std::move(response));
}

void GroupShard::delete_groups(const std::vector<std::string>& groups, ReplyToken token,
                               GroupOutcome& out) const {
    protocol::DeleteGroupsResponse response;
    std::vector<std::string> deleted;
    size_t offsets = 0;
    for (const std::string& id : groups) {
        protocol::DeleteGroupsResponse::DeletableGroupResult result;
        result.group_id = id;
        const ClassicGroup* found = group(id);
        if (found == nullptr || found->is(Dead)) {
            result.error_code = to_wire(ErrorCode::GroupIdNotFound);
        } else if (!found->is(Empty)) {
            result.error_code = to_wire(ErrorCode::NonEmptyGroup);
        } else {
            offsets += rules_.remove_all(id, out);
            out.records.push_back(group_tombstone(id));
            deleted.push_back(id);
        }
        response.results.push_back(std::move(result));
    }
    if (!deleted.empty()) {
        out.note(NoteLevel::Info,
                 "The following groups were deleted: {}. A total of {} offsets were removed.",
                 fmt::join(deleted, ", "), offsets);
    }
    out.reply_when_committed(token, std::move(response));
}

void GroupShard::on_topics_deleted(const std::vector<DeletedTopic>& topics,
                                   GroupOutcome& out) const {
    for (const auto& [id, found] : groups_) {
        for (const DeletedTopic& topic : topics) {
            rules_.remove_topic(topic.name, topic.id, out, id);
        }
    }
    out.atomic = false;
}

void GroupShard::on_loaded(Instant now, GroupOutcome& out) {
    for (const auto& [id, found] : groups_) {
        classic_.on_loaded(*found, now, out);
    }
    schedule_expiration(out);
}

void GroupShard::on_closed(GroupOutcome& out) {
    for (const auto& [id, found] : groups_) {
        classic_.on_closed(*found, out);
    }
}

void GroupShard::on_timer(const GroupTimerKey& key, Instant now, GroupOutcome& out) {
    switch (key.kind) {
        case Kind::Join:
            return classic_.on_join_timer(key.group, now, out);
        case Kind::Sync:
            return classic_.on_sync_timer(key.group, now, out);
        case Kind::Heartbeat:
            return classic_.on_heartbeat_timer(key.group, key.member, now, out);
        case Kind::Expiration:
            expire(now, out);
            return schedule_expiration(out);
    }
}

void GroupShard::on_written(GroupTypes::Continuation then, ErrorCode error, Instant now,
                            GroupOutcome& out) {
    if (const auto* created = std::get_if<GroupCreated>(&then)) {
        classic_.on_group_created(*created, error, out);
    } else if (auto* stored = std::get_if<AssignmentStored>(&then)) {
        classic_.on_assignment_stored(std::move(*stored), error, now, out);
    } else if (auto* replaced = std::get_if<StaticMemberReplaced>(&then)) {
        classic_.on_static_member_replaced(std::move(*replaced), error, out);
    } else if (const auto* emptied = std::get_if<GroupEmptied>(&then);
               emptied != nullptr && error != ErrorCode::None) {
        // Harmless: the generation before stays in the log, and its members time out after a
        // restart.
        out.note(NoteLevel::Warn, "Failed to write empty metadata for group {}: {}",
                 emptied->group->id(), error_name(error));
    }
}

void GroupShard::replay(int64_t offset, int64_t producer_id, const GroupRecord& record) {
    if (const auto* commit = std::get_if<OffsetCommitRecord>(&record)) {
        // A consumer that only commits has a group too: one without members and protocol.
        if (commit->value && !groups_.contains(commit->key.group)) {
            groups_.put(commit->key.group, std::make_shared<ClassicGroup>(
                                               commit->key.group, commit->value->commit_timestamp));
        }
        return offsets_.replay(offset, producer_id, *commit);
    }
    const auto& metadata = std::get<GroupMetadataRecord>(record);
    if (metadata.value) {
        groups_.put(metadata.key.group,
                    std::make_shared<ClassicGroup>(metadata.key.group, *metadata.value));
    } else {
        groups_.erase(metadata.key.group);
    }
}

void GroupShard::expire(Instant now, GroupOutcome& out) const {
    for (const auto& [id, found] : groups_) {
        if (rules_.expire(*found, now, out) && found->is(Empty)) {
            out.records.push_back(group_tombstone(id));
        }
    }
    out.atomic = false;
    if (!out.records.empty()) {
        out.note(NoteLevel::Info,
                 "Generated {} tombstone records while cleaning up group metadata.",
                 out.records.size());
    }
}

void GroupShard::schedule_expiration(GroupOutcome& out) const {
    out.schedule({Kind::Expiration, "", ""}, config_.offsets_retention_check_interval);
}

void GroupShard::fail_response(GroupResponse& response, ErrorCode error) {
    int16_t code = to_wire(error);
    if (auto* commit = std::get_if<protocol::OffsetCommitResponse>(&response)) {
        for (auto& topic : commit->topics) {
            for (auto& partition : topic.partitions) {
                partition.error_code = code;
            }
        }
    } else if (auto* describe = std::get_if<protocol::DescribeGroupsResponse>(&response)) {
        for (auto& group : describe->groups) {
            std::string id = std::move(group.group_id);
            group = {};
            group.group_id = std::move(id);
            group.error_code = code;
        }
    } else if (auto* deleted = std::get_if<protocol::DeleteGroupsResponse>(&response)) {
        for (auto& result : deleted->results) {
            result.error_code = code;
        }
    } else if (auto* fetched = std::get_if<FetchedOffsets>(&response)) {
        fetched->error_code = code;
        fetched->topics.clear();
    } else {
        std::visit(
            [&](auto& other) {
                if constexpr (requires { other.error_code; }) {
                    other = {};
                    other.error_code = code;
                }
            },
            response);
    }
}

}  // namespace moldau::coordinator
