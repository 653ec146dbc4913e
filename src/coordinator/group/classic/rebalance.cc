// The rebalance: gathering the members of the next generation, choosing leader and protocol, and
// the time limits of both phases.
#include <algorithm>
#include <utility>

#include "coordinator/group/classic/protocol.h"
#include "coordinator/runtime/coordinator_error.h"

namespace moldau::coordinator {

using enum ClassicState;
using Kind = GroupTimerKey::Kind;

void ClassicProtocol::rebalance_or_complete_join(ClassicGroup& group, std::string_view reason,
                                                 Instant now, GroupOutcome& out) {
    group.can_rebalance() ? prepare_rebalance(group, reason, now, out)
                          : complete_join_if_ready(group, now, out);
}

void ClassicProtocol::prepare_rebalance(ClassicGroup& group, std::string_view reason, Instant now,
                                        GroupOutcome& out) {
    if (group.is(CompletingRebalance)) {
        reset_assignments(group, ErrorCode::RebalanceInProgress, out);
    }
    clear_sync_phase(group, out);
    bool is_first = group.is(Empty);
    group.transition_to(PreparingRebalance, now.wall);
    out.note(NoteLevel::Info,
             "Preparing to rebalance group {} in state {} with old generation {} (reason: {}).",
             group.id(), state_name(group.state()), group.generation(), reason);
    if (is_first) {
        // Consumers of one application start within moments of each other: waiting a little saves a
        // rebalance for each.
        milliseconds rebalance_timeout(group.rebalance_timeout_ms());
        milliseconds delay = config_.initial_rebalance_delay;
        group.initial_delay = {delay, std::max(rebalance_timeout - delay, milliseconds(0)), false};
        return out.schedule({Kind::Join, group.id(), ""}, delay);
    }
    if (group.all_members_joined()) {
        return complete_join(group, now, out);
    }
    out.schedule({Kind::Join, group.id(), ""}, milliseconds(group.rebalance_timeout_ms()));
}

void ClassicProtocol::complete_join_if_ready(ClassicGroup& group, Instant now, GroupOutcome& out) {
    // The first rebalance of a group ends by its delay alone.
    if (group.is(PreparingRebalance) && group.previous_state() != Empty &&
        group.all_members_joined()) {
        complete_join(group, now, out);
    }
}

void ClassicProtocol::on_join_timer(std::string_view id, Instant now, GroupOutcome& out) {
    ClassicGroup* group = find(id);
    if (group == nullptr || !group->is(PreparingRebalance)) {
        return;
    }
    ClassicGroup::InitialDelay& initial = group->initial_delay;
    if (group->previous_state() == Empty && initial.member_added &&
        initial.remaining.count() != 0) {
        milliseconds delay = std::min(config_.initial_rebalance_delay, initial.remaining);
        initial = {delay, std::max(initial.remaining - initial.delay, milliseconds(0)), false};
        return out.schedule({Kind::Join, group->id(), ""}, delay);
    }
    complete_join(*group, now, out);
}

void ClassicProtocol::complete_join(ClassicGroup& group, Instant now, GroupOutcome& out) {
    out.cancel({Kind::Join, group.id(), ""});

    // A static member keeps its place until its session ends, whether or not it rejoined in time.
    std::vector<std::string> too_slow;
    for (const auto& [id, member] : group.members()) {
        if (!member.awaiting_join && !member.is_static()) {
            too_slow.push_back(id);
        }
    }
    for (const std::string& id : too_slow) {
        answer_sync(*group.find(id), sync_failure(ErrorCode::UnknownMemberId), out);
        cancel_session(group, id, out);
        group.remove(id);
    }
    if (!too_slow.empty()) {
        out.note(NoteLevel::Info, "Group {} removed dynamic members who haven't joined: [{}]",
                 group.id(), fmt::join(too_slow, ", "));
    }

    if (!group.elect_joined_leader() && group.size() > 0) {
        // Only static members are left and none of them is here. They are asked again after another
        // round, until they come or their sessions end.
        out.note(NoteLevel::Error,
                 "Group {} could not complete rebalance because no members rejoined.", group.id());
        return out.schedule({Kind::Join, group.id(), ""},
                            milliseconds(group.rebalance_timeout_ms()));
    }

    group.start_next_generation(now.wall);
    if (group.is(Empty)) {
        out.note(NoteLevel::Info, "Group {} with generation {} is now empty.", group.id(),
                 group.generation());
        out.records.push_back(group.record([](const ClassicMember&) { return Bytes(); }));
        out.replay = false;
        out.then = GroupEmptied{share(group)};
        return;
    }
    out.note(NoteLevel::Info, "Stabilized group {} generation {} with {} members.", group.id(),
             group.generation(), group.size());
    group.for_each_member([&](ClassicMember& member) {
        if (member.awaiting_join) {
            answer_join(group, member, join_answer(group, member), out);
        }
        keep_session(group, member, out);
        member.is_new = false;
        group.add_pending_sync(member.id);
    });
    out.schedule({Kind::Sync, group.id(), ""}, milliseconds(group.rebalance_timeout_ms()));
}

void ClassicProtocol::on_sync_timer(std::string_view id, Instant now, GroupOutcome& out) {
    ClassicGroup* group = find(id);
    if (group == nullptr || !group->is_any(CompletingRebalance, Stable) ||
        group->pending_sync().empty()) {
        return;
    }
    std::vector<std::string> missing(group->pending_sync().begin(), group->pending_sync().end());
    for (const std::string& member : missing) {
        if (ClassicMember* known = group->find(member)) {
            answer_join(*group, *known, join_failure("", ErrorCode::UnknownMemberId), out);
        }
        group->remove(member);
        cancel_session(*group, member, out);
    }
    prepare_rebalance(
        *group,
        fmt::format("Removing [{}] on pending sync request expiration", fmt::join(missing, ", ")),
        now, out);
}

void ClassicProtocol::on_heartbeat_timer(std::string_view group_id, std::string_view member_id,
                                         Instant now, GroupOutcome& out) {
    ClassicGroup* group = find(group_id);
    if (group == nullptr || group->is(Dead)) {
        return;
    }
    if (group->is_pending(member_id)) {
        out.note(NoteLevel::Info,
                 "Pending member {} in group {} has been removed after session timeout expiration.",
                 member_id, group->id());
        group->remove(member_id);
        if (group->is(PreparingRebalance) && group->all_members_joined()) {
            complete_join(*group, now, out);
        }
        return;
    }
    ClassicMember* member = group->find(member_id);
    if (member == nullptr || member->has_satisfied_heartbeat()) {
        return;
    }
    out.note(NoteLevel::Info, "Member {} in group {} has failed, removing it from the group.",
             member_id, group->id());
    remove_failed_member(*group, *member,
                         fmt::format("removing member {} on heartbeat expiration.", member_id), now,
                         out);
}

void ClassicProtocol::remove_failed_member(ClassicGroup& group, ClassicMember& member,
                                           std::string_view reason, Instant now,
                                           GroupOutcome& out) {
    answer_join(group, member, join_failure("", ErrorCode::UnknownMemberId), out);
    answer_sync(member, sync_failure(ErrorCode::UnknownMemberId), out);
    group.remove(member.id);
    if (group.is_any(Stable, CompletingRebalance)) {
        prepare_rebalance(group, reason, now, out);
    } else if (group.is(PreparingRebalance) && group.all_members_joined()) {
        complete_join(group, now, out);
    }
}

void ClassicProtocol::reset_assignments(ClassicGroup& group, ErrorCode error, GroupOutcome& out) {
    group.for_each_member([](ClassicMember& member) { member.assignment = Bytes(); });
    propagate_assignments(group, error, out);
}

void ClassicProtocol::propagate_assignments(ClassicGroup& group, ErrorCode error,
                                            GroupOutcome& out) {
    group.for_each_member([&](ClassicMember& member) {
        if (!member.awaiting_sync) {
            return;
        }
        protocol::SyncGroupResponse response = sync_failure(error);
        if (error == ErrorCode::None) {
            if (member.assignment.empty()) {
                out.note(
                    NoteLevel::Warn,
                    "Sending empty assignment to member {} of {} for generation {} with no errors",
                    member.id, group.id(), group.generation());
            }
            response.protocol_type = group.protocol_type();
            response.protocol_name = group.protocol_name();
            response.assignment = member.assignment;
        }
        answer_sync(member, std::move(response), out);
        // While it waited, the end of its session was passed over: it starts anew.
        keep_session(group, member, out);
    });
}

void ClassicProtocol::clear_sync_phase(ClassicGroup& group, GroupOutcome& out) {
    group.clear_pending_sync();
    out.cancel({Kind::Sync, group.id(), ""});
}

}  // namespace moldau::coordinator
