#include "coordinator/group/classic/protocol.h"

#include <utility>

#include "base/error_code.h"
#include "coordinator/runtime/coordinator_error.h"

namespace moldau::coordinator {

using enum ClassicState;
using Kind = GroupTimerKey::Kind;

protocol::JoinGroupResponse join_failure(std::string member_id, ErrorCode error) {
    protocol::JoinGroupResponse response;
    response.error_code = to_wire(error);
    response.member_id = std::move(member_id);
    response.protocol_name = std::nullopt;
    response.protocol_type = std::nullopt;
    return response;
}

protocol::SyncGroupResponse sync_failure(ErrorCode error) {
    protocol::SyncGroupResponse response;
    response.error_code = to_wire(error);
    return response;
}

protocol::JoinGroupResponse join_answer(const ClassicGroup& group, const ClassicMember& member) {
    protocol::JoinGroupResponse response;
    response.generation_id = group.generation();
    response.protocol_type = group.protocol_type();
    response.protocol_name = group.protocol_name();
    response.leader = group.leader().value_or("");
    response.member_id = member.id;
    if (group.is_leader(member.id)) {
        for (const auto& [id, other] : group.members()) {
            protocol::JoinGroupResponse::JoinGroupResponseMember entry;
            entry.member_id = id;
            entry.group_instance_id = other.instance_id;
            if (const Bytes* metadata = other.metadata(group.protocol_name().value_or(""))) {
                entry.metadata = *metadata;
            }
            response.members.push_back(std::move(entry));
        }
    }
    return response;
}

void ClassicProtocol::sync(const protocol::SyncGroupRequest& request, ReplyToken token, Instant,
                           GroupOutcome& out) {
    ClassicGroup* group = find(request.group_id);
    if (group == nullptr || group->is(Empty)) {
        return out.reply(token, sync_failure(ErrorCode::UnknownMemberId));
    }
    if (group->is(Dead)) {
        return out.reply(token, sync_failure(ErrorCode::CoordinatorNotAvailable));
    }
    ErrorCode invalid = group->validate_member(request.member_id, request.group_instance_id);
    if (invalid != ErrorCode::None) {
        return out.reply(token, sync_failure(invalid));
    }
    if (request.generation_id != group->generation()) {
        return out.reply(token, sync_failure(ErrorCode::IllegalGeneration));
    }
    auto differs = [](const std::optional<std::string>& theirs,
                      const std::optional<std::string>& ours) {
        return theirs && ours && *theirs != *ours;
    };
    if (differs(request.protocol_type, group->protocol_type()) ||
        differs(request.protocol_name, group->protocol_name())) {
        return out.reply(token, sync_failure(ErrorCode::InconsistentGroupProtocol));
    }
    if (group->is(PreparingRebalance)) {
        return out.reply(token, sync_failure(ErrorCode::RebalanceInProgress));
    }

    ClassicMember& member = *group->find(request.member_id);
    synced(*group, member.id, out);
    if (group->is(Stable)) {
        protocol::SyncGroupResponse response;
        response.protocol_type = group->protocol_type();
        response.protocol_name = group->protocol_name();
        response.assignment = member.assignment;
        return out.reply(token, std::move(response));
    }

    answer_sync(member, sync_failure(ErrorCode::RebalanceInProgress), out);
    member.awaiting_sync = token;
    if (!group->is_leader(member.id)) {
        return;
    }
    out.note(NoteLevel::Info,
             "Assignment received from leader {} for group {} for generation {}. The group has {} "
             "members, "
             "{} of which are static.",
             member.id, group->id(), group->generation(), group->size(),
             group->static_member_count());
    AssignmentStored stored;
    stored.generation = group->generation();
    stored.leader = member.id;
    for (const auto& entry : request.assignments) {
        stored.assignments[entry.member_id] = Bytes::copy_of(entry.assignment.span());
    }
    out.records.push_back(group->record([&](const ClassicMember& each) {
        auto at = stored.assignments.find(each.id);
        return at == stored.assignments.end() ? Bytes() : at->second;
    }));
    out.replay = false;
    stored.group = share(*group);
    out.then = std::move(stored);
}

void ClassicProtocol::on_assignment_stored(AssignmentStored stored, ErrorCode error, Instant now,
                                           GroupOutcome& out) {
    ClassicGroup& group = *stored.group;
    // Another member may have joined while the record was written; then this assignment is history.
    if (!group.is(CompletingRebalance) || group.generation() != stored.generation) {
        return;
    }
    if (error != ErrorCode::None) {
        reset_assignments(group, error, out);
        return rebalance_or_complete_join(
            group,
            fmt::format("Error {} when storing group assignment during SyncGroup (member: {}).",
                        error_name(error), stored.leader),
            now, out);
    }
    group.for_each_member([&](ClassicMember& member) {
        auto at = stored.assignments.find(member.id);
        member.assignment = at == stored.assignments.end() ? Bytes() : at->second;
    });
    propagate_assignments(group, ErrorCode::None, out);
    group.transition_to(Stable, now.wall);
}

void ClassicProtocol::heartbeat(const protocol::HeartbeatRequestView& request, ReplyToken token,
                                GroupOutcome& out) {
    protocol::HeartbeatResponse response;
    auto refuse = [&](ErrorCode error) {
        response.error_code = to_wire(error);
        out.reply(token, response);
    };
    ClassicGroup* group = find(request.group_id);
    if (group == nullptr) {
        return refuse(ErrorCode::UnknownMemberId);
    }
    if (group->is(Dead)) {
        return refuse(ErrorCode::CoordinatorNotAvailable);
    }
    ErrorCode invalid = group->validate_member(request.member_id, request.group_instance_id);
    if (invalid != ErrorCode::None) {
        return refuse(invalid);
    }
    if (request.generation_id != group->generation()) {
        return refuse(ErrorCode::IllegalGeneration);
    }
    keep_session(*group, *group->find(request.member_id), out);
    if (group->is(PreparingRebalance)) {
        response.error_code = to_wire(ErrorCode::RebalanceInProgress);
    }
    out.reply_when_committed(token, std::move(response));
}

void ClassicProtocol::leave(const protocol::LeaveGroupRequest& request, ReplyToken token,
                            Instant now, GroupOutcome& out) {
    protocol::LeaveGroupResponse response;
    ClassicGroup* group = find(request.group_id);
    if (group != nullptr && group->is(Dead)) {
        response.error_code = to_wire(ErrorCode::CoordinatorNotAvailable);
        return out.reply(token, std::move(response));
    }

    std::string left;
    for (const auto& identity : request.members) {
        protocol::LeaveGroupResponse::MemberResponse result;
        result.member_id = identity.member_id;
        result.group_instance_id = identity.group_instance_id;
        // An administrator removes a static member by its instance alone, without a member id.
        std::string member_id = identity.member_id;
        ErrorCode error = ErrorCode::UnknownMemberId;
        if (group != nullptr && member_id.empty()) {
            const std::string* owner = identity.group_instance_id
                                           ? group->static_member(*identity.group_instance_id)
                                           : nullptr;
            if (owner != nullptr) {
                member_id = *owner;
                error = ErrorCode::None;
            }
        } else if (group != nullptr) {
            error = group->is_pending(member_id)
                        ? ErrorCode::None
                        : group->validate_member(member_id, identity.group_instance_id);
        }
        if (error == ErrorCode::None) {
            out.note(
                NoteLevel::Info,
                "[Group {}] Member {} has left group through explicit `LeaveGroup` request; client "
                "reason: {}",
                group->id(), member_id, identity.reason.value_or("not provided"));
            cancel_session(*group, member_id, out);
            if (ClassicMember* member = group->find(member_id)) {
                answer_join(*group, *member, join_failure("", ErrorCode::UnknownMemberId), out);
                answer_sync(*member, sync_failure(ErrorCode::UnknownMemberId), out);
            }
            group->remove(member_id);
            left += (left.empty() ? "" : ", ") + identity.member_id;
        }
        result.error_code = to_wire(error);
        response.members.push_back(std::move(result));
    }

    bool any_left = std::ranges::any_of(response.members, [](const auto& result) {
        return result.error_code == to_wire(ErrorCode::None);
    });
    if (any_left && group->is_any(Stable, CompletingRebalance)) {
        prepare_rebalance(
            *group, fmt::format("explicit `LeaveGroup` request for ({}) members.", left), now, out);
    } else if (any_left && group->is(PreparingRebalance)) {
        complete_join_if_ready(*group, now, out);
    }
    if (group == nullptr) {
        return out.reply(token, std::move(response));
    }
    out.reply_when_committed(token, std::move(response));
}

void ClassicProtocol::on_loaded(ClassicGroup& group, Instant now, GroupOutcome& out) {
    for (const auto& [id, member] : group.members()) {
        keep_session(group, member, out);
    }
    if (group.size() > static_cast<size_t>(config_.group_size_max)) {
        prepare_rebalance(
            group,
            fmt::format("Freshly-loaded group {} (size {}) is over capacity {}. Rebalancing "
                        "in order to give a chance for consumers to commit offsets",
                        group.id(), group.size(), config_.group_size_max),
            now, out);
    }
}

void ClassicProtocol::on_closed(ClassicGroup& group, GroupOutcome& out) {
    group.for_each_member([&](ClassicMember& member) {
        answer_join(group, member, join_failure(member.id, ErrorCode::NotCoordinator), out);
        answer_sync(member, sync_failure(ErrorCode::NotCoordinator), out);
    });
    group.transition_to(Dead, 0);
}

void ClassicProtocol::keep_session(const ClassicGroup& group, const ClassicMember& member,
                                   GroupOutcome& out) const {
    out.schedule({Kind::Heartbeat, group.id(), member.id}, milliseconds(member.session_timeout_ms));
}

void ClassicProtocol::cancel_session(const ClassicGroup& group, std::string_view member,
                                     GroupOutcome& out) const {
    out.cancel({Kind::Heartbeat, group.id(), std::string(member)});
}

ClassicGroup* ClassicProtocol::find(std::string_view group) const {
    const std::shared_ptr<ClassicGroup>* found = groups_.find(group);
    return found == nullptr ? nullptr : found->get();
}

std::shared_ptr<ClassicGroup> ClassicProtocol::share(const ClassicGroup& group) const {
    return *groups_.find(group.id());
}

void ClassicProtocol::answer_join(ClassicGroup& group, ClassicMember& member,
                                  protocol::JoinGroupResponse response, GroupOutcome& out) const {
    if (member.awaiting_join) {
        out.reply(*member.awaiting_join, std::move(response));
        group.set_awaiting_join(member, std::nullopt);
    }
}

void ClassicProtocol::answer_sync(ClassicMember& member, protocol::SyncGroupResponse response,
                                  GroupOutcome& out) const {
    if (member.awaiting_sync) {
        out.reply(*member.awaiting_sync, std::move(response));
        member.awaiting_sync.reset();
    }
}

void ClassicProtocol::set_awaiting_join(ClassicGroup& group, ClassicMember& member,
                                        ReplyToken token, GroupOutcome& out) const {
    // A retry takes the place of the request before it, whose sender has given up on it.
    answer_join(group, member, join_failure(member.id, ErrorCode::RebalanceInProgress), out);
    group.set_awaiting_join(member, token);
}

void ClassicProtocol::synced(ClassicGroup& group, std::string_view member,
                             GroupOutcome& out) const {
    group.remove_pending_sync(member);
    if (group.pending_sync().empty()) {
        out.cancel({Kind::Sync, group.id(), ""});
    }
}

}  // namespace moldau::coordinator
