// GroupShard: the group coordinator's state for one partition of __consumer_offsets: its groups and
// their committed offsets. Every request about a group comes here, each as one operation of a
// ShardRuntime; requests name their answer by a ReplyToken. Pure: time and randomness are
// arguments. One thread, the coordinator loop.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/timeline.h"
#include "coordinator/group/classic/protocol.h"
#include "coordinator/group/config.h"
#include "coordinator/group/types.h"
#include "coordinator/offsets/offset_rules.h"
#include "coordinator/offsets/offset_store.h"
#include "coordinator/runtime/encoded_record.h"
#include "coordinator/runtime/instant.h"

namespace moldau::coordinator {

struct DeletedTopic {
    std::string name;
    Uuid id;
};

class GroupShard {
 public:
    using Types = GroupTypes;

    explicit GroupShard(GroupConfig config);
    GroupShard(const GroupShard&) = delete;
    GroupShard& operator=(const GroupShard&) = delete;

    // --- requests --------------------------------------------------------------------------------
    void join(const RequestContext& context, const protocol::JoinGroupRequest& request,
              ReplyToken token, Instant now, GroupOutcome& out);
    void sync(const protocol::SyncGroupRequest& request, ReplyToken token, Instant now,
              GroupOutcome& out);
    void heartbeat(const protocol::HeartbeatRequestView& request, ReplyToken token,
                   GroupOutcome& out);
    // The request in its form of version 3 and later, with a list of members.
    void leave(const protocol::LeaveGroupRequest& request, ReplyToken token, Instant now,
               GroupOutcome& out);
    // Topics carry name and id; which of them exist was checked before.
    void commit_offsets(int16_t api_version, const protocol::OffsetCommitRequest& request,
                        ReplyToken token, Instant now, GroupOutcome& out);
    void fetch_offsets(const OffsetFetchGroup& request, bool require_stable, ReplyToken token,
                       GroupOutcome& out) const;
    void delete_offsets(const protocol::OffsetDeleteRequest& request, ReplyToken token,
                        GroupOutcome& out) const;
    void describe(int16_t api_version, const std::vector<std::string>& groups, ReplyToken token,
                  GroupOutcome& out) const;
    void list(const protocol::ListGroupsRequest& request, ReplyToken token,
              GroupOutcome& out) const;
    void delete_groups(const std::vector<std::string>& groups, ReplyToken token,
                       GroupOutcome& out) const;

    // --- events ----------------------------------------------------------------------------------
    void on_topics_deleted(const std::vector<DeletedTopic>& topics, GroupOutcome& out) const;
    void on_loaded(Instant now, GroupOutcome& out);
    void on_closed(GroupOutcome& out);
    void on_timer(const GroupTimerKey& key, Instant now, GroupOutcome& out);
    void on_written(GroupTypes::Continuation then, ErrorCode error, Instant now, GroupOutcome& out);

    // --- state -----------------------------------------------------------------------------------
    SnapshotRegistry& registry() { return registry_; }
    void replay(int64_t offset, int64_t producer_id, const GroupRecord& record);
    void replay_end_transaction(int64_t producer_id, bool committed) {
        offsets_.replay_end_transaction(producer_id, committed);
    }
    static EncodedRecord encode(const GroupRecord& record) { return encode_group_record(record); }
    // Turns an answer into that of the same request when its records could not be written.
    static void fail_response(GroupResponse& response, ErrorCode error);

    const ClassicGroup* group(std::string_view id) const;
    size_t group_count() const { return groups_.size(); }
    const OffsetStore& offsets() const { return offsets_; }

 private:
    // Looks for offsets and groups that have outlived their retention, and sets the next time to
    // look.
    void expire(Instant now, GroupOutcome& out) const;
    void schedule_expiration(GroupOutcome& out) const;

    GroupConfig config_;
    SnapshotRegistry registry_;
    GroupMap groups_{registry_};
    OffsetStore offsets_{registry_};
    ClassicProtocol classic_{groups_, config_};
    OffsetRules rules_{offsets_, config_};
};

}  // namespace moldau::coordinator
