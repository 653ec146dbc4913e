// The vocabulary of the group coordinator: what it answers, which timers it keeps, and what it goes
// on with once its records are committed. See runtime/outcome.h.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "coordinator/group/records.h"
#include "coordinator/runtime/outcome.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/sync_group.h"
#include "protocol/views/heartbeat.h"

namespace moldau::coordinator {

class ClassicGroup;

using OffsetFetchGroup = protocol::OffsetFetchRequest::OffsetFetchRequestGroup;
using FetchedOffsets = protocol::OffsetFetchResponse::OffsetFetchResponseGroup;

// The answer of one shard. Describe, delete and list are answered in part by each shard concerned.
using GroupResponse = std::variant<protocol::JoinGroupResponse, protocol::SyncGroupResponse,
                                   protocol::HeartbeatResponse, protocol::LeaveGroupResponse,
                                   protocol::OffsetCommitResponse, FetchedOffsets,
                                   protocol::OffsetDeleteResponse, protocol::DescribeGroupsResponse,
                                   protocol::ListGroupsResponse, protocol::DeleteGroupsResponse>;

// Who asks, as far as a group needs to know.
struct RequestContext {
    int16_t api_version = 0;
    std::string client_id;
    // As Java prints an address: "/127.0.0.1".
    std::string client_host;
    // Fresh randomness for the id of a new member.
    Uuid fresh_id;
};

struct GroupTimerKey {
    enum class Kind {
        Join,        // the join phase of a group ends
        Sync,        // members that have not synced are dropped
        Heartbeat,   // a member's session
        Expiration,  // offsets and empty groups are looked through; of the shard, no group
    };
    Kind kind = Kind::Expiration;
    std::string group;
    std::string member;

    friend auto operator<=>(const GroupTimerKey&, const GroupTimerKey&) = default;
};

// A join created the group, and the record of the empty group was written for it.
struct GroupCreated {
    std::shared_ptr<ClassicGroup> group;
};
// The leader's assignment was written; members may have it unless the group has moved on.
struct AssignmentStored {
    std::shared_ptr<ClassicGroup> group;
    int32_t generation = 0;
    std::string leader;
    std::map<std::string, Bytes, std::less<>> assignments;
};
// A static member came back under a new id in a stable group (KIP-345); what it was is kept in case
// the write fails.
struct StaticMemberReplaced {
    struct Protocol {
        std::string name;
        Bytes metadata;
    };
    std::shared_ptr<ClassicGroup> group;
    ReplyToken join = 0;
    int16_t api_version = 0;
    std::string instance;
    std::string old_member;
    std::string new_member;
    std::optional<std::string> old_leader;
    std::vector<Protocol> old_protocols;
    int32_t old_rebalance_timeout_ms = 0;
    int32_t old_session_timeout_ms = 0;
};
// The last member left.
struct GroupEmptied {
    std::shared_ptr<ClassicGroup> group;
};

struct GroupTypes {
    using Record = GroupRecord;
    using Response = GroupResponse;
    using Continuation =
        std::variant<GroupCreated, AssignmentStored, StaticMemberReplaced, GroupEmptied>;
    using TimerKey = GroupTimerKey;
};

using GroupOutcome = Outcome<GroupTypes>;

}  // namespace moldau::coordinator
