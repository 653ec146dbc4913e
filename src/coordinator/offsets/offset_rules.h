// The decisions about committed offsets: what a commit, a fetch, a delete or the passing of time
// does to an OffsetStore. All const: they return records and answers; replaying the records changes
// the store. `group` is the group the request names, nullptr when it does not exist.
#pragma once

#include <optional>
#include <string_view>

#include "coordinator/group/classic/group.h"
#include "coordinator/group/config.h"
#include "coordinator/group/types.h"
#include "coordinator/offsets/offset_store.h"
#include "coordinator/runtime/instant.h"

namespace moldau::coordinator {

class OffsetRules {
 public:
    OffsetRules(const OffsetStore& store, const GroupConfig& config)
        : store_(store), config_(config) {}

    // None, or why the group's state forbids the commit. A group that does not exist accepts
    // commits of a simple consumer, which has no generation.
    static ErrorCode validate_commit(const ClassicGroup* group, int16_t api_version,
                                     const protocol::OffsetCommitRequest& request);
    // Offsets of partitions whose metadata is too long are refused one by one; the rest are
    // written.
    void commit(const protocol::OffsetCommitRequest& request, ReplyToken token, Instant now,
                GroupOutcome& out) const;

    // A group that does not exist has no offsets, which is not an error.
    FetchedOffsets fetch(const ClassicGroup* group, const OffsetFetchGroup& request,
                         bool require_stable) const;

    void remove(const ClassicGroup* group, const protocol::OffsetDeleteRequest& request,
                ReplyToken token, GroupOutcome& out) const;
    // Tombstones for everything the group has committed; returns how many.
    size_t remove_all(std::string_view group, GroupOutcome& out) const;

    // Tombstones for offsets whose retention has passed. Returns true when nothing of the group is
    // left, so that an empty group can go too.
    bool expire(const ClassicGroup& group, Instant now, GroupOutcome& out) const;
    // Tombstones for the offsets of a deleted topic, of all groups.
    void remove_topic(std::string_view topic, const Uuid& topic_id, GroupOutcome& out,
                      std::string_view group) const;

 private:
    bool is_expired(const ClassicGroup& group, const CommittedOffset& offset,
                    TimestampMs now) const;

    const OffsetStore& store_;
    const GroupConfig& config_;
};

// The answer to a commit in which every partition failed for one reason.
protocol::OffsetCommitResponse commit_failure(const protocol::OffsetCommitRequest& request,
                                              ErrorCode error);

}  // namespace moldau::coordinator
