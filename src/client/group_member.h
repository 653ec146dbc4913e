// GroupMember decides what one member of a classic consumer group does: when to look for the
// coordinator, join, share out partitions as leader, sync, send heartbeats, give partitions back,
// leave. No socket, clock or lock inside; Consumer is its shell.
//
//   member.subscribe(now, topics); ... member.on_join(now, answer); ... Ready r =
//   member.take_ready();
//
// States, with what leads on:
//   Resting    -> Looking    on a subscription while the application polls
//   Looking    -> Stable     coordinator found, and the member was stable before it was lost
//   Looking    -> Revoking   coordinator found, partitions must be given back; -> Joining when none
//   Revoking   -> Joining    when the shell says that the partitions are given back (committed)
//   Joining    -> Syncing    on a successful JoinGroup answer
//   Syncing    -> Stable     on a successful SyncGroup answer: partitions are assigned
//   Syncing    -> Revoking   (cooperative) the assignment left out partitions that are owned
//   Stable     -> Revoking   on REBALANCE_IN_PROGRESS, a new subscription, or new partitions
//   (leader);
//                            -> Joining when none must be given back
//   any        -> Looking    when the coordinator moved or is silent
//   any        -> Failed     on an error that no retry can mend
//   any        -> Resting    on leave(), or when the application stopped polling
//
// When one of the assignors offered is not cooperative, everything is given back before each join
// (KIP-429: the protocol that all of them know). Else what is owned is kept over the join and told
// to the leader; what the new assignment leaves out is given back, and another join lets others
// have it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "client/assignor.h"
#include "client/cluster.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/sync_group.h"

namespace moldau::client {

struct GroupMemberConfig {
    std::string group_id;
    std::optional<std::string> group_instance_id;
    Duration session_timeout = seconds(45);
    Duration heartbeat_interval = seconds(3);
    Duration poll_interval_max = seconds(300);
    Duration retry_backoff = milliseconds(100);
    std::vector<const Assignor*> assignors;  // preferred first
    std::string rack;                        // empty: none
};

class GroupMember {
 public:
    // What the shell has to do, in the order of the members.
    struct Ready {
        bool find_coordinator = false;
        // Partitions to give back: commit what was consumed, then call revoked().
        std::optional<std::set<TopicPartition>> revoke;
        // Partitions that already belong to others; nothing can be committed.
        std::optional<std::set<TopicPartition>> lost;
        std::optional<protocol::JoinGroupRequest> join;
        std::optional<protocol::SyncGroupRequest> sync;
        std::optional<protocol::HeartbeatRequest> heartbeat;
        std::optional<protocol::LeaveGroupRequest> leave;
        // To be read from now on, besides what is owned already.
        std::optional<std::set<TopicPartition>> assigned;
        std::optional<Error> failed;
    };

    explicit GroupMember(GroupMemberConfig config);

    // Events.
    void subscribe(MonotonicTime now, std::set<std::string> topics);
    // Partition counts of subscribed topics, as known now.
    void on_partition_counts(MonotonicTime now, std::map<std::string, int32_t> counts);
    void on_poll(MonotonicTime now);
    void tick(MonotonicTime now);
    void on_coordinator(MonotonicTime now, bool found);
    void revoked(MonotonicTime now);
    void on_join(MonotonicTime now, const Result<protocol::JoinGroupResponse>& answer);
    void on_sync(MonotonicTime now, const Result<protocol::SyncGroupResponse>& answer);
    void on_heartbeat(MonotonicTime now, const Result<protocol::HeartbeatResponse>& answer);
    // A commit in that generation told that the group moved on, or that the coordinator did.
    void on_commit_error(MonotonicTime now, ErrorCode error, int32_t generation);
    // Says goodbye. A static member only stops: its place waits for it.
    void leave(MonotonicTime now);

    Ready take_ready() { return std::exchange(ready_, {}); }
    // When tick() would do something.
    MonotonicTime next_timeout() const;

    bool is_stable() const { return state_ == State::Stable; }
    bool is_member() const { return generation_ >= 0; }
    // Between two assignments: a commit would wait behind the join, and fail by what it brings.
    bool is_joining() const { return state_ == State::Joining || state_ == State::Syncing; }
    int32_t generation() const { return generation_; }
    const std::string& member_id() const { return member_id_; }
    const std::optional<std::string>& group_instance_id() const {
        return config_.group_instance_id;
    }
    const std::set<TopicPartition>& owned() const { return owned_; }
    Duration rebalance_timeout() const { return config_.poll_interval_max; }

 private:
    enum class State { Resting, Looking, Revoking, Joining, Syncing, Stable, Failed };

    void look(MonotonicTime now);
    void rejoin(MonotonicTime now);
    void revoke(const std::set<TopicPartition>& partitions);
    void send_join();
    void assign(MonotonicTime now, const std::vector<TopicPartition>& assigned);
    void send_sync(const protocol::JoinGroupResponse& joined);
    void forget_membership(bool keep_member_id);
    void lose_partitions();
    void fail_for_good(Error error);
    void retry_join(MonotonicTime now);
    bool handle_common(MonotonicTime now, ErrorCode error);

    const GroupMemberConfig config_;
    const bool cooperative_;
    State state_ = State::Resting;
    Ready ready_;
    std::set<std::string> topics_;
    std::map<std::string, int32_t> counts_;
    std::map<std::string, int32_t> counts_assigned_;  // when this leader shared out
    bool leads_ = false;
    bool keeps_place_ = false;  // Looking: was Stable before
    std::string member_id_;
    std::string protocol_name_;
    int32_t generation_ = -1;
    std::set<TopicPartition> owned_;
    std::set<TopicPartition> revoking_;
    // The latest assignment that arrived, which outlives giving it back, and its generation. Not
    // that of the latest join: a member that missed an assignment must not claim to have had it.
    std::vector<TopicPartition> assigned_;
    int32_t assigned_generation_ = -1;
    MonotonicTime last_poll_{};
    MonotonicTime last_heard_{};  // of the coordinator
    MonotonicTime heartbeat_due_{};
    bool heartbeat_in_flight_ = false;
    std::optional<MonotonicTime> retry_at_;  // of the search or the join
};

// The blobs inside JoinGroup and SyncGroup: a version number and the message.
Bytes encode_subscription(const AssignorMember& member, const std::string& rack);
// Everything but the member's names.
Result<AssignorMember> decode_subscription(const Bytes& bytes);
Bytes encode_assignment(const std::vector<TopicPartition>& partitions);
Result<std::vector<TopicPartition>> decode_assignment(const Bytes& bytes);

}  // namespace moldau::client
