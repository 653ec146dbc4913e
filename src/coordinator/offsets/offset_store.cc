#include "coordinator/offsets/offset_store.h"

#include <utility>
#include <vector>

#include "base/types.h"

namespace moldau::coordinator {

bool OffsetStore::has_open_transaction(std::string_view group, std::string_view topic,
                                       int32_t partition) const {
    auto at = open_.lower_bound(OffsetKeyView{group, topic, partition});
    return at != open_.end() && at->first.offset.group == group &&
           at->first.offset.topic == topic && at->first.offset.partition == partition;
}

bool OffsetStore::has_open_transaction(std::string_view group) const {
    auto at = open_.lower_bound(OffsetKeyView{group, "", INT32_MIN});
    return at != open_.end() && at->first.offset.group == group;
}

void OffsetStore::replay(int64_t record_offset, int64_t producer_id,
                         const OffsetCommitRecord& record) {
    OffsetKey key{record.key.group, record.key.topic, record.key.partition};
    if (!record.value) {
        // A tombstone also takes back what open transactions hold for the partition.
        std::vector<int64_t> producers;
        auto at = open_.lower_bound(OffsetKeyView{key.group, key.topic, key.partition});
        for (; at != open_.end() && at->first.offset == key; ++at) {
            producers.push_back(at->first.producer_id);
        }
        for (int64_t producer : producers) {
            open_.erase(OpenKey{key, producer});
            pending_.erase(PendingKey{producer, key});
        }
        offsets_.erase(key);
        return;
    }
    CommittedOffset committed{
        record_offset,          record.value->offset,           record.value->leader_epoch,
        record.value->metadata, record.value->commit_timestamp, record.value->expire_timestamp,
        record.value->topic_id};
    if (producer_id == kNoProducerId.value()) {
        offsets_.put(key, std::move(committed));
    } else {
        pending_.put(PendingKey{producer_id, key}, std::move(committed));
        open_.put(OpenKey{std::move(key), producer_id}, true);
    }
}

void OffsetStore::replay_end_transaction(int64_t producer_id, bool committed) {
    std::vector<std::pair<OffsetKey, CommittedOffset>> ended;
    auto at = pending_.lower_bound(PendingKey{producer_id, OffsetKey{"", "", INT32_MIN}});
    for (; at != pending_.end() && at->first.first == producer_id; ++at) {
        ended.emplace_back(at->first.second, at->second);
    }
    for (auto& [key, offset] : ended) {
        pending_.erase(PendingKey{producer_id, key});
        open_.erase(OpenKey{key, producer_id});
        // A plain commit that was written after the transactional one stays: the log decides by the
        // place of the commit records, not of the marker, or compaction would change the result.
        const CommittedOffset* present = offsets_.find(key);
        if (committed && (present == nullptr || offset.record_offset > present->record_offset)) {
            offsets_.put(key, std::move(offset));
        }
    }
}

}  // namespace moldau::coordinator
