#include "quorum/listener_feed.h"

#include <algorithm>

#include "base/assert.h"
#include "runtime/logging.h"

namespace moldau::quorum {

namespace {

runtime::Logger logger("org.apache.kafka.raft.KafkaRaftClient");

}  // namespace

void ListenerFeed::add(RaftListener* listener) {
    auto entry = std::make_shared<Listener>();
    entry->target = listener;
    listeners_.push_back(std::move(entry));
}

void ListenerFeed::remove(RaftListener* listener) {
    std::erase_if(listeners_, [&](const std::shared_ptr<Listener>& entry) {
        if (entry->target != listener) {
            return false;
        }
        entry->target = nullptr;
        return true;
    });
}

void ListenerFeed::hold(CommittedBatch batch) {
    held_.push_back(std::move(batch));
}

void ListenerFeed::drop_from(Offset end) {
    while (!held_.empty() && held_.back().last_offset >= end) {
        held_.pop_back();
    }
}

void ListenerFeed::set_leader(const consensus::LeaderAndEpoch& leader,
                              std::optional<Offset> epoch_start) {
    leader_ = leader;
    epoch_start_ = epoch_start;
}

void ListenerFeed::set_log(Offset log_start, Offset committed,
                           std::optional<consensus::SnapshotId> latest) {
    log_start_ = log_start;
    committed_ = std::max(committed_, committed);
    latest_snapshot_ = latest;
}

Status ListenerFeed::deliver() {
    // A listener may be added or removed by what another one does.
    std::vector<std::shared_ptr<Listener>> present = listeners_;
    for (const std::shared_ptr<Listener>& listener : present) {
        if (listener->target != nullptr) {
            MOLDAU_CHECK(deliver_to(*listener));
        }
    }
    forget_delivered();
    return {};
}

Status ListenerFeed::deliver_to(Listener& listener) {
    while (listener.target != nullptr && listener.next < committed_) {
        bool is_new = listener.next == Offset(0);
        bool has_snapshot = latest_snapshot_ && latest_snapshot_->offset > Offset(0);
        if (has_snapshot && (is_new || listener.next < log_start_)) {
            MOLDAU_CHECK(load_snapshot(listener));
            continue;
        }
        if (const CommittedBatch* batch = held(listener.next)) {
            listener.next = batch->last_offset + 1;
            listener.target->on_commit(*batch);
            continue;
        }
        MOLDAU_TRY(std::vector<CommittedBatch> batches,
                   log_.read(listener.next, committed_, kReadBytes));
        if (batches.empty()) {
            return fail(ErrorCode::CorruptMessage,
                        "metadata log ends before what is committed: offset={} committed={}",
                        listener.next, committed_);
        }
        for (const CommittedBatch& batch : batches) {
            if (listener.target == nullptr) {
                return {};
            }
            listener.next = batch.last_offset + 1;
            listener.target->on_commit(batch);
        }
    }
    tell_leader(listener);
    return {};
}

Status ListenerFeed::load_snapshot(Listener& listener) {
    consensus::SnapshotId id = *latest_snapshot_;
    MOLDAU_LOG_INFO(logger, "Loading snapshot {} into a listener that is at {}", id, listener.next);
    MOLDAU_TRY(auto reader, log_.open_snapshot(id));
    listener.next = id.offset;
    listener.target->on_load_snapshot(*reader);
    return {};
}

// Leadership of this node is told once the first batch of its epoch was delivered: only then is
// everything that earlier leaders committed known. Its loss, and others' leadership, is told at
// once.
void ListenerFeed::tell_leader(Listener& listener) {
    if (listener.target == nullptr || (listener.was_told && listener.told == leader_)) {
        return;
    }
    if (epoch_start_ && listener.next <= *epoch_start_) {
        return;
    }
    listener.told = leader_;
    listener.was_told = true;
    listener.target->on_leader_change(leader_);
}

const CommittedBatch* ListenerFeed::held(Offset base) const {
    auto at = std::ranges::lower_bound(held_, base, {}, &CommittedBatch::base_offset);
    return at != held_.end() && at->base_offset == base ? &*at : nullptr;
}

void ListenerFeed::forget_delivered() {
    Offset delivered = committed_;
    for (const std::shared_ptr<Listener>& listener : listeners_) {
        delivered = std::min(delivered, listener->next);
    }
    while (!held_.empty() && held_.front().last_offset < delivered) {
        held_.pop_front();
    }
}

void ListenerFeed::fault(const Error& error) {
    std::vector<std::shared_ptr<Listener>> present = listeners_;
    for (const std::shared_ptr<Listener>& listener : present) {
        if (listener->target != nullptr) {
            listener->target->on_fault(error);
        }
    }
}

}  // namespace moldau::quorum
