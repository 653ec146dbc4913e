// OffsetStore: the committed offsets of a shard's groups, and those of transactions that are still
// open. Changed by replay alone; every change can be taken back through the SnapshotRegistry.
// One thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "base/time.h"
#include "base/timeline.h"
#include "base/uuid.h"
#include "coordinator/group/records.h"

namespace moldau::coordinator {

struct OffsetKey {
    std::string group;
    std::string topic;
    int32_t partition = 0;

    friend auto operator<=>(const OffsetKey&, const OffsetKey&) = default;
};

// Looks up an OffsetKey without building one.
struct OffsetKeyView {
    std::string_view group;
    std::string_view topic;
    int32_t partition = INT32_MIN;

    friend bool operator<(const OffsetKeyView& a, const OffsetKey& b) {
        return std::tuple(a.group, a.topic, a.partition) <
               std::tuple(std::string_view(b.group), std::string_view(b.topic), b.partition);
    }
    friend bool operator<(const OffsetKey& a, const OffsetKeyView& b) {
        return std::tuple(std::string_view(a.group), std::string_view(a.topic), a.partition) <
               std::tuple(b.group, b.topic, b.partition);
    }
};

struct CommittedOffset {
    int64_t record_offset = -1;  // where its record lies in the log
    int64_t offset = -1;
    int32_t leader_epoch = -1;  // -1 when the client did not say
    std::string metadata;
    TimestampMs commit_timestamp = kNoTimestamp;
    TimestampMs expire_timestamp = kNoTimestamp;  // only of commits with their own retention
    Uuid topic_id;                                // zero in records before version 4

    friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

class OffsetStore {
 public:
    explicit OffsetStore(SnapshotRegistry& registry)
        : offsets_(registry), pending_(registry), open_(registry) {}

    const CommittedOffset* find(std::string_view group, std::string_view topic,
                                int32_t partition) const {
        return offsets_.find(OffsetKeyView{group, topic, partition});
    }
    // visit(const OffsetKey&, const CommittedOffset&) for each offset of the group, by topic and
    // partition.
    template <typename Visit>
    void for_each_of(std::string_view group, Visit&& visit) const {
        auto at = offsets_.lower_bound(OffsetKeyView{group, "", INT32_MIN});
        for (; at != offsets_.end() && at->first.group == group; ++at) {
            visit(at->first, at->second);
        }
    }
    bool has_offsets(std::string_view group) const {
        auto at = offsets_.lower_bound(OffsetKeyView{group, "", INT32_MIN});
        return at != offsets_.end() && at->first.group == group;
    }
    // Whether an open transaction has an offset for the partition, or for any of the group's.
    bool has_open_transaction(std::string_view group, std::string_view topic,
                              int32_t partition) const;
    bool has_open_transaction(std::string_view group) const;
    // visit(const OffsetKey&) for each partition of the group with an open transaction.
    template <typename Visit>
    void for_each_open_of(std::string_view group, Visit&& visit) const {
        const OffsetKey* previous = nullptr;
        auto at = open_.lower_bound(OffsetKeyView{group, "", INT32_MIN});
        for (; at != open_.end() && at->first.offset.group == group; ++at) {
            if (previous == nullptr || *previous != at->first.offset) {
                visit(at->first.offset);
            }
            previous = &at->first.offset;
        }
    }
    size_t size() const { return offsets_.size(); }

    void replay(int64_t record_offset, int64_t producer_id, const OffsetCommitRecord& record);
    void replay_end_transaction(int64_t producer_id, bool committed);

 private:
    struct OpenKey {
        OffsetKey offset;
        int64_t producer_id = 0;

        friend auto operator<=>(const OpenKey&, const OpenKey&) = default;
        friend bool operator<(const OffsetKeyView& a, const OpenKey& b) { return a < b.offset; }
        friend bool operator<(const OpenKey& a, const OffsetKeyView& b) { return a.offset < b; }
    };
    using PendingKey = std::pair<int64_t, OffsetKey>;  // producer id, partition

    TimelineMap<OffsetKey, CommittedOffset> offsets_;
    // pending_ and open_ hold the same commits: by producer for the end of its transaction, and by
    // partition for those who ask about it.
    TimelineMap<PendingKey, CommittedOffset> pending_;
    TimelineMap<OpenKey, bool> open_;
};

}  // namespace moldau::coordinator
