// ClassicProtocol: the rules of the classic group protocol (JoinGroup, SyncGroup, Heartbeat,
// LeaveGroup), with static membership (KIP-345), required member ids (KIP-394), reasons (KIP-800)
// and skipped assignments (KIP-814). Moves ClassicGroups and says in an Outcome what should follow.
//
// Belongs to one GroupShard; one thread. Members' requests that wait are known by their ReplyToken;
// each is answered exactly once, also when a retry of the same member takes its place.
//
// The volatile part of a group moves at once, the record of it follows: an assignment is handed out
// only when its record is committed, everything else needs no record to be true.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/timeline.h"
#include "coordinator/group/classic/group.h"
#include "coordinator/group/config.h"
#include "coordinator/group/types.h"
#include "coordinator/runtime/instant.h"

namespace moldau::coordinator {

// The groups of a shard. The map remembers which groups exist; what is in a group is volatile.
using GroupMap = TimelineMap<std::string, std::shared_ptr<ClassicGroup>>;

class ClassicProtocol {
 public:
    ClassicProtocol(GroupMap& groups, const GroupConfig& config)
        : groups_(groups), config_(config) {}

    // --- requests --------------------------------------------------------------------------------
    void join(const RequestContext& context, const protocol::JoinGroupRequest& request,
              ReplyToken token, Instant now, GroupOutcome& out);
    void sync(const protocol::SyncGroupRequest& request, ReplyToken token, Instant now,
              GroupOutcome& out);
    void heartbeat(const protocol::HeartbeatRequestView& request, ReplyToken token,
                   GroupOutcome& out);
    // The request in its form of version 3 and later.
    void leave(const protocol::LeaveGroupRequest& request, ReplyToken token, Instant now,
               GroupOutcome& out);

    // An offset commit proves that the member lives.
    void keep_session(const ClassicGroup& group, const ClassicMember& member,
                      GroupOutcome& out) const;

    // --- events ----------------------------------------------------------------------------------
    void on_join_timer(std::string_view group, Instant now, GroupOutcome& out);
    void on_sync_timer(std::string_view group, Instant now, GroupOutcome& out);
    void on_heartbeat_timer(std::string_view group, std::string_view member, Instant now,
                            GroupOutcome& out);

    void on_group_created(const GroupCreated& created, ErrorCode error, GroupOutcome& out);
    void on_assignment_stored(AssignmentStored stored, ErrorCode error, Instant now,
                              GroupOutcome& out);
    void on_static_member_replaced(StaticMemberReplaced replaced, ErrorCode error,
                                   GroupOutcome& out);

    // The group came out of the log: its members have one session time to be heard of.
    void on_loaded(ClassicGroup& group, Instant now, GroupOutcome& out);
    // The shard goes away: everybody who waits must find the new coordinator.
    void on_closed(ClassicGroup& group, GroupOutcome& out);

 private:
    // Join (join.cc).
    void join_new_member(const RequestContext& context, const protocol::JoinGroupRequest& request,
                         MemberProtocols protocols, ClassicGroup& group, ReplyToken token,
                         Instant now, GroupOutcome& out);
    void join_existing_member(const RequestContext& context,
                              const protocol::JoinGroupRequest& request, MemberProtocols protocols,
                              ClassicGroup& group, ReplyToken token, Instant now,
                              GroupOutcome& out);
    void add_member(const RequestContext& context, const protocol::JoinGroupRequest& request,
                    MemberProtocols protocols, std::string member_id, ClassicGroup& group,
                    ReplyToken token, Instant now, GroupOutcome& out);
    void update_member(const protocol::JoinGroupRequest& request, MemberProtocols protocols,
                       ClassicMember& member, ClassicGroup& group, ReplyToken token,
                       GroupOutcome& out);
    void replace_static_member(const RequestContext& context,
                               const protocol::JoinGroupRequest& request, MemberProtocols protocols,
                               const std::string& old_id, std::string new_id, ClassicGroup& group,
                               ReplyToken token, Instant now, GroupOutcome& out);
    bool accepts_joining_member(const ClassicGroup& group, std::string_view member) const;

    // Rebalance (rebalance.cc).
    void rebalance_or_complete_join(ClassicGroup& group, std::string_view reason, Instant now,
                                    GroupOutcome& out);
    void prepare_rebalance(ClassicGroup& group, std::string_view reason, Instant now,
                           GroupOutcome& out);
    void complete_join_if_ready(ClassicGroup& group, Instant now, GroupOutcome& out);
    void complete_join(ClassicGroup& group, Instant now, GroupOutcome& out);
    void remove_failed_member(ClassicGroup& group, ClassicMember& member, std::string_view reason,
                              Instant now, GroupOutcome& out);
    void reset_assignments(ClassicGroup& group, ErrorCode error, GroupOutcome& out);
    void propagate_assignments(ClassicGroup& group, ErrorCode error, GroupOutcome& out);
    void clear_sync_phase(ClassicGroup& group, GroupOutcome& out);

    // Common (protocol.cc).
    ClassicGroup* find(std::string_view group) const;
    std::shared_ptr<ClassicGroup> share(const ClassicGroup& group) const;
    void answer_join(ClassicGroup& group, ClassicMember& member,
                     protocol::JoinGroupResponse response, GroupOutcome& out) const;
    void answer_sync(ClassicMember& member, protocol::SyncGroupResponse response,
                     GroupOutcome& out) const;
    void set_awaiting_join(ClassicGroup& group, ClassicMember& member, ReplyToken token,
                           GroupOutcome& out) const;
    void synced(ClassicGroup& group, std::string_view member, GroupOutcome& out) const;
    void cancel_session(const ClassicGroup& group, std::string_view member,
                        GroupOutcome& out) const;

    GroupMap& groups_;
    const GroupConfig& config_;
};

// Answers that several files build.
protocol::JoinGroupResponse join_failure(std::string member_id, ErrorCode error);
protocol::SyncGroupResponse sync_failure(ErrorCode error);
// What the group's present generation looks like to a member; only the leader sees the members.
protocol::JoinGroupResponse join_answer(const ClassicGroup& group, const ClassicMember& member);

}  // namespace moldau::coordinator
