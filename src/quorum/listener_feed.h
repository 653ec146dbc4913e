// ListenerFeed: tells each listener of the quorum, in order and once, what is committed and who
// leads. Batches that this leader appended itself come back from memory, all others from the log.
// Owned by QuorumDriver, on the control loop. Listeners may append, register and unregister while
// they are being told.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "consensus/types.h"
#include "quorum/metadata_log.h"
#include "quorum/raft_listener.h"

namespace moldau::quorum {

class ListenerFeed {
 public:
    explicit ListenerFeed(MetadataLog& log) : log_(log) {}

    void add(RaftListener* listener);
    void remove(RaftListener* listener);

    // Keeps a batch of the leader's own until it is delivered.
    void hold(CommittedBatch batch);
    // The log was cut: what was held from there on never came to be.
    void drop_from(Offset end);

    // What deliver() should make known.
    void set_leader(const consensus::LeaderAndEpoch& leader, std::optional<Offset> epoch_start);
    void set_log(Offset log_start, Offset committed, std::optional<consensus::SnapshotId> latest);

    // Errors: what the log or a snapshot could not give; nothing more can be delivered then.
    Status deliver();
    void fault(const Error& error);

 private:
    struct Listener {
        RaftListener* target = nullptr;  // null once removed
        Offset next{0};
        consensus::LeaderAndEpoch told;
        bool was_told = false;
    };
    Status deliver_to(Listener& listener);
    Status load_snapshot(Listener& listener);
    void tell_leader(Listener& listener);
    const CommittedBatch* held(Offset base) const;
    void forget_delivered();

    static constexpr int64_t kReadBytes = 1 << 20;

    MetadataLog& log_;
    std::vector<std::shared_ptr<Listener>> listeners_;
    std::deque<CommittedBatch> held_;  // by base offset, ascending
    consensus::LeaderAndEpoch leader_;
    std::optional<Offset> epoch_start_;
    Offset log_start_{0};
    Offset committed_{0};
    std::optional<consensus::SnapshotId> latest_snapshot_;
};

}  // namespace moldau::quorum
