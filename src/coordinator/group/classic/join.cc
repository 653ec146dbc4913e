// JoinGroup: who may enter, under which id, and whether that starts a rebalance.
#include <utility>

#include "coordinator/group/classic/protocol.h"
#include "coordinator/runtime/coordinator_error.h"

namespace moldau::coordinator {

using enum ClassicState;
using Kind = GroupTimerKey::Kind;

namespace {

// From this version on a dynamic member first asks for an id and joins with it (KIP-394).
constexpr int16_t kMemberIdRequiredVersionMin = 4;
// From this version on a leader may be told to keep the assignment (KIP-814).
constexpr int16_t kSkipAssignmentVersionMin = 9;

// Java's form of a uuid, as Kafka's member ids carry it.
std::string dashed(const Uuid& id) {
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", id.high >> 32,
                       (id.high >> 16) & 0xffff, id.high & 0xffff, id.low >> 48,
                       id.low & 0xffffffffffffULL);
}

std::string new_member_id(const RequestContext& context,
                          const protocol::JoinGroupRequest& request) {
    return request.group_instance_id.value_or(context.client_id) + "-" + dashed(context.fresh_id);
}

std::string_view reason_of(const protocol::JoinGroupRequest& request) {
    return request.reason && !request.reason->empty() ? std::string_view(*request.reason)
                                                      : std::string_view("not provided");
}

}  // namespace

void ClassicProtocol::join(const RequestContext& context, const protocol::JoinGroupRequest& request,
                           ReplyToken token, Instant now, GroupOutcome& out) {
    if (request.group_id.empty()) {
        return out.reply(token, join_failure(request.member_id, ErrorCode::InvalidGroupId));
    }
    if (request.session_timeout_ms < config_.session_timeout_ms_min ||
        request.session_timeout_ms > config_.session_timeout_ms_max) {
        return out.reply(token, join_failure(request.member_id, ErrorCode::InvalidSessionTimeout));
    }
    bool has_no_id = request.member_id.empty();
    ClassicGroup* group = find(request.group_id);
    bool is_new_group = group == nullptr;
    if (is_new_group) {
        if (!has_no_id) {
            return out.reply(token, join_failure(request.member_id, ErrorCode::UnknownMemberId));
        }
        auto created = std::make_shared<ClassicGroup>(request.group_id, now.wall);
        group = created.get();
        groups_.put(request.group_id, std::move(created));
    }

    if (!accepts_joining_member(*group, request.member_id)) {
        if (ClassicMember* member = group->find(request.member_id)) {
            cancel_session(*group, member->id, out);
            answer_sync(*member, sync_failure(ErrorCode::UnknownMemberId), out);
        }
        group->remove(request.member_id);
        out.reply(token, join_failure("", ErrorCode::GroupMaxSizeReached));
    } else if (group->is(Dead)) {
        out.reply(token, join_failure(request.member_id, ErrorCode::CoordinatorNotAvailable));
    } else if (MemberProtocols protocols = member_protocols(request.protocols);
               !group->supports(request.protocol_type, protocols)) {
        out.reply(token, join_failure(request.member_id, ErrorCode::InconsistentGroupProtocol));
    } else if (has_no_id) {
        join_new_member(context, request, std::move(protocols), *group, token, now, out);
    } else {
        join_existing_member(context, request, std::move(protocols), *group, token, now, out);
    }

    if (is_new_group && out.records.empty()) {
        // The record makes the new group part of the log's history, so that it goes again if the
        // shard is taken back to an earlier offset.
        out.records.push_back(group->created_record());
        out.replay = false;
        out.then = GroupCreated{share(*group)};
    }
}

void ClassicProtocol::on_group_created(const GroupCreated& created, ErrorCode error,
                                       GroupOutcome& out) {
    if (error == ErrorCode::None) {
        return;
    }
    out.note(NoteLevel::Warn, "Failed to write empty metadata for group {}: {}",
             created.group->id(), error_name(error));
    ClassicGroup& group = *created.group;
    group.for_each_member([&](ClassicMember& member) {
        answer_join(group, member, join_failure(member.id, coordinator_error(error)), out);
    });
}

void ClassicProtocol::join_new_member(const RequestContext& context,
                                      const protocol::JoinGroupRequest& request,
                                      MemberProtocols protocols, ClassicGroup& group,
                                      ReplyToken token, Instant now, GroupOutcome& out) {
    std::string member_id = new_member_id(context, request);
    if (request.group_instance_id) {
        const std::string* owner = group.static_member(*request.group_instance_id);
        if (owner == nullptr) {
            out.note(
                NoteLevel::Info,
                "Static member with groupInstanceId={} and unknown member id joins group {} in {} "
                "state. Created a new member id {} for this member and added to the group.",
                *request.group_instance_id, group.id(), state_name(group.state()), member_id);
            return add_member(context, request, std::move(protocols), std::move(member_id), group,
                              token, now, out);
        }
        out.note(NoteLevel::Info,
                 "Static member with groupInstanceId={} and unknown member id joins group {} in {} "
                 "state. "
                 "Replacing previously mapped member {} with this groupInstanceId.",
                 *request.group_instance_id, group.id(), state_name(group.state()), *owner);
        return replace_static_member(context, request, std::move(protocols), std::string(*owner),
                                     std::move(member_id), group, token, now, out);
    }
    if (context.api_version >= kMemberIdRequiredVersionMin) {
        out.note(NoteLevel::Info,
                 "Dynamic member with unknown member id joins group {} in {} state. Created a new "
                 "member "
                 "id {} and requesting the member to rejoin with this id.",
                 group.id(), state_name(group.state()), member_id);
        group.add_pending(member_id);
        out.schedule({Kind::Heartbeat, group.id(), member_id},
                     milliseconds(request.session_timeout_ms));
        return out.reply(token, join_failure(std::move(member_id), ErrorCode::MemberIdRequired));
    }
    out.note(NoteLevel::Info,
             "Dynamic member with unknown member id joins group {} in state {}. Created a new "
             "member id {} "
             "and added the member to the group.",
             group.id(), state_name(group.state()), member_id);
    add_member(context, request, std::move(protocols), std::move(member_id), group, token, now,
               out);
}

void ClassicProtocol::join_existing_member(const RequestContext& context,
                                           const protocol::JoinGroupRequest& request,
                                           MemberProtocols protocols, ClassicGroup& group,
                                           ReplyToken token, Instant now, GroupOutcome& out) {
    // A static member never waits for an id, so a pending id together with an instance is nobody's.
    if (group.is_pending(request.member_id) && !request.group_instance_id) {
        return add_member(context, request, std::move(protocols), request.member_id, group, token,
                          now, out);
    }
    ErrorCode invalid = group.validate_member(request.member_id, request.group_instance_id);
    if (invalid != ErrorCode::None) {
        return out.reply(token, join_failure(request.member_id, invalid));
    }
    ClassicMember& member = *group.find(request.member_id);
    bool same_protocols = member.protocols == protocols;
    auto rejoin = [&](std::string_view why) {
        std::string reason = fmt::format("{} {} during {}; client reason: {}", why, member.id,
                                         state_name(group.state()), reason_of(request));
        update_member(request, std::move(protocols), member, group, token, out);
        rebalance_or_complete_join(group, reason, now, out);
    };
    switch (group.state()) {
        case PreparingRebalance:
            return rejoin("Member joining:");
        case CompletingRebalance:
            // The same metadata again: the answer to the first JoinGroup was probably lost.
            return same_protocols ? out.reply(token, join_answer(group, member))
                                  : rejoin("Updating metadata for member");
        case Stable:
            // A leader rejoins to have changes seen that are in nobody's metadata, such as
            // partitions added to a topic.
            if (group.is_leader(member.id)) {
                return rejoin("Leader re-joining group:");
            }
            return same_protocols ? out.reply(token, join_answer(group, member))
                                  : rejoin("Updating metadata for member");
        case Empty:
        case Dead:
            return out.reply(token, join_failure(request.member_id, ErrorCode::UnknownMemberId));
    }
}

void ClassicProtocol::add_member(const RequestContext& context,
                                 const protocol::JoinGroupRequest& request,
                                 MemberProtocols protocols, std::string member_id,
                                 ClassicGroup& group, ReplyToken token, Instant now,
                                 GroupOutcome& out) {
    ClassicMember member;
    member.id = std::move(member_id);
    member.instance_id = request.group_instance_id;
    member.client_id = context.client_id;
    member.client_host = context.client_host;
    member.rebalance_timeout_ms = request.rebalance_timeout_ms;
    member.session_timeout_ms = request.session_timeout_ms;
    member.protocols = std::move(protocols);
    member.awaiting_join = token;
    member.is_new = true;
    if (group.is(PreparingRebalance) && group.previous_state() == Empty) {
        group.initial_delay.member_added = true;
    }
    const ClassicMember& added = group.add(std::move(member), request.protocol_type);
    out.schedule({Kind::Heartbeat, group.id(), added.id}, config_.new_member_join_timeout);
    rebalance_or_complete_join(
        group,
        fmt::format("Adding new member {} with group instance id {}; client reason: {}", added.id,
                    request.group_instance_id.value_or("null"), reason_of(request)),
        now, out);
}

void ClassicProtocol::update_member(const protocol::JoinGroupRequest& request,
                                    MemberProtocols protocols, ClassicMember& member,
                                    ClassicGroup& group, ReplyToken token, GroupOutcome& out) {
    group.set_protocols(member, std::move(protocols));
    member.rebalance_timeout_ms = request.rebalance_timeout_ms;
    member.session_timeout_ms = request.session_timeout_ms;
    set_awaiting_join(group, member, token, out);
}

void ClassicProtocol::replace_static_member(const RequestContext& context,
                                            const protocol::JoinGroupRequest& request,
                                            MemberProtocols protocols, const std::string& old_id,
                                            std::string new_id, ClassicGroup& group,
                                            ReplyToken token, Instant now, GroupOutcome& out) {
    const std::string& instance = *request.group_instance_id;
    StaticMemberReplaced replaced;
    replaced.join = token;
    replaced.api_version = context.api_version;
    replaced.instance = instance;
    replaced.old_member = old_id;
    replaced.new_member = new_id;
    replaced.old_leader = group.leader();

    // Whoever still waits under the old id is a second process with the same instance: it is
    // fenced.
    ClassicMember& old_member = *group.find(old_id);
    replaced.old_rebalance_timeout_ms = old_member.rebalance_timeout_ms;
    replaced.old_session_timeout_ms = old_member.session_timeout_ms;
    for (const MemberProtocol& entry : old_member.protocols) {
        replaced.old_protocols.push_back({entry.name, entry.metadata});
    }
    answer_join(group, old_member, join_failure(old_id, ErrorCode::FencedInstanceId), out);
    answer_sync(old_member, sync_failure(ErrorCode::FencedInstanceId), out);
    cancel_session(group, old_id, out);
    ClassicMember& member = group.replace_static_member(instance, old_id, std::move(new_id));
    keep_session(group, member, out);
    update_member(request, std::move(protocols), member, group, token, out);

    if (group.is(Stable)) {
        if (group.protocol_name() == group.select_protocol()) {
            // Nothing that the leader's assignment depends on has changed: store the new id, and
            // leave the other members in peace.
            out.note(
                NoteLevel::Info,
                "Static member which joins during Stable stage and doesn't affect the selected "
                "protocol will not trigger a rebalance.");
            out.records.push_back(
                group.record([](const ClassicMember& each) { return each.assignment; }));
            out.replay = false;
            replaced.group = share(group);
            out.then = std::move(replaced);
            return;
        }
        return rebalance_or_complete_join(
            group,
            fmt::format(
                "Group's selectedProtocol will change because static member {} with instance id "
                "{} joined with change of protocol; client reason: {}",
                member.id, instance, reason_of(request)),
            now, out);
    }
    if (group.is(CompletingRebalance)) {
        // The leader may already be assigning to the old id; only a new round gives the new one a
        // share.
        return prepare_rebalance(
            group,
            fmt::format(
                "Updating metadata for static member {} with instance id {}; client reason: {}",
                member.id, instance, reason_of(request)),
            now, out);
    }
    complete_join_if_ready(group, now, out);
}

void ClassicProtocol::on_static_member_replaced(StaticMemberReplaced replaced, ErrorCode error,
                                                GroupOutcome& out) {
    ClassicGroup& group = *replaced.group;
    ClassicMember* member = group.find(replaced.new_member);
    // Meanwhile the member may be gone again, or a rebalance has begun and answers its join in
    // time.
    if (member == nullptr || member->awaiting_join != replaced.join || !group.is(Stable)) {
        return;
    }
    protocol::JoinGroupResponse response = join_answer(group, *member);
    if (error != ErrorCode::None) {
        response.error_code = to_wire(coordinator_error(error));
        response.member_id.clear();
        response.members.clear();
        response.leader = replaced.old_leader.value_or("");
        answer_join(group, *member, std::move(response), out);
        MemberProtocols protocols;
        for (StaticMemberReplaced::Protocol& entry : replaced.old_protocols) {
            protocols.push_back({std::move(entry.name), std::move(entry.metadata)});
        }
        group.set_protocols(*member, std::move(protocols));
        member->rebalance_timeout_ms = replaced.old_rebalance_timeout_ms;
        member->session_timeout_ms = replaced.old_session_timeout_ms;
        cancel_session(group, replaced.new_member, out);
        keep_session(group,
                     group.replace_static_member(replaced.instance, replaced.new_member,
                                                 replaced.old_member),
                     out);
        return;
    }
    if (replaced.api_version >= kSkipAssignmentVersionMin) {
        response.skip_assignment = group.is_leader(member->id);
    } else {
        // An older client that is told it leads would assign anew to nobody's use: it is shown the
        // old leader's id and only syncs.
        response.members.clear();
        response.leader = replaced.old_leader.value_or("");
    }
    answer_join(group, *member, std::move(response), out);
}

bool ClassicProtocol::accepts_joining_member(const ClassicGroup& group,
                                             std::string_view member) const {
    const ClassicMember* known = group.find(member);
    auto size_max = static_cast<size_t>(config_.group_size_max);
    switch (group.state()) {
        case Empty:
        case Dead:
            return true;
        case PreparingRebalance:
            // Counted by those who have rejoined, so that a group over its limit loses the last to
            // come.
            return (known != nullptr && known->awaiting_join) ||
                   group.awaiting_join_count() < size_max;
        case CompletingRebalance:
        case Stable:
            return known != nullptr || group.size() < size_max;
    }
    return true;
}

}  // namespace moldau::coordinator
