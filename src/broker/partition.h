// Partition: one partition that this broker hosts: its log, and, while this broker leads it, the
// replication::PartitionLeader that decides the high watermark. Any data loop appends and reads
// here, under the partition's lock; the code inside never waits for a peer.
//
// The log is opened on first use: until then a partition costs a few hundred bytes. Lock order:
// Partition's, then the Log's (which LogManager's periodic work takes too).
//
// Who waits for something (a fetch for bytes, a produce for the high watermark) leaves a waiter
// here; the append that satisfies it wakes exactly it. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "base/topic_partition.h"
#include "base/types.h"
#include "replication/partition_leader.h"
#include "storage/log.h"

namespace moldau::runtime {
class Clock;
class DiskPool;
}  // namespace moldau::runtime

namespace moldau::storage {
class LogManager;
}

namespace moldau::broker {

class Partition;

// What all partitions of a broker share.
struct PartitionContext {
    BrokerId local;
    Duration lag_max = seconds(30);
    storage::LogManager* logs = nullptr;
    runtime::Clock* clock = nullptr;
    runtime::DiskPool* disk = nullptr;
    // Takes what the leader wants of its in-sync set to the controller. Called under the
    // partition's lock: must only hand over.
    std::function<void(std::shared_ptr<Partition>, replication::IsrProposal)> propose;
    // A replica lies in another directory than the controller knows of. On the control loop.
    std::function<void(const Uuid& topic_id, int32_t partition, const Uuid& directory)>
        directory_chosen;
};

// A parked fetch. Several partitions hold it; the first that satisfies it fires it, once.
class FetchWaiter {
 public:
    explicit FetchWaiter(int64_t missing_bytes) : missing_bytes_(missing_bytes) {}
    virtual ~FetchWaiter() = default;

    // `bytes` more became visible to it. Any thread, under a partition's lock.
    void bytes_arrived(int64_t bytes) {
        if (missing_bytes_.fetch_sub(bytes, std::memory_order_relaxed) <= bytes) {
            wake();
        }
    }
    // Something other than new bytes happened: it must look again.
    void wake() {
        if (!fired_.exchange(true)) {
            fire();
        }
    }
    // Takes the right to complete it, for its own deadline. False: it was fired already.
    bool claim() { return !fired_.exchange(true); }

 protected:
    // Must only hand over to the waiter's own loop.
    virtual void fire() = 0;

 private:
    std::atomic<int64_t> missing_bytes_;
    std::atomic<bool> fired_{false};
};

// How a reader addresses a partition.
struct ReadRequest {
    Offset fetch_offset;
    int32_t bytes_max = 0;
    // The epochs that the reader believes in; none: not checked.
    std::optional<LeaderEpoch> current_leader_epoch;
    std::optional<LeaderEpoch> last_fetched_epoch;
    storage::ReadBound bound = storage::ReadBound::HighWatermark;
    bool min_one_batch = true;
    // Otherwise storage::would_wait() is the answer when a disk would have to be waited for:
    // then warm_up() on the disk pool and ask again.
    bool may_wait = true;
};

struct PartitionRead {
    storage::LogRead log;
    // The reader's log diverges from ours: it must truncate to this epoch's end (KIP-595).
    std::optional<storage::EpochEnd> diverging;
};

struct AppendRequest {
    record::AppendOrigin origin = record::AppendOrigin::Client;
    // The epoch that the writer believes in; none: not checked.
    std::optional<LeaderEpoch> current_leader_epoch;
    // acks=-1: refused while the in-sync set is below min.insync.replicas.
    bool all_replicas = true;
    // Otherwise storage::would_wait() is the answer when the log is not open: then open().
    bool may_wait = true;
};

struct AppendOutcome {
    storage::AppendResult log;
    // The append is on the device, or the topic does not ask for that (moldau.ack=memory).
    bool durable = true;
    // Everything up to the end of the append is committed, and durable as above.
    bool committed = false;
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
    Partition(const PartitionContext& context, TopicPartition topic_partition,
              const Uuid& topic_id);

    const TopicPartition& topic_partition() const { return topic_partition_; }
    const Uuid& topic_id() const { return topic_id_; }

    // --- From the metadata publisher.
    // `leader` is who leads by the image; this broker or another. Opens nothing.
    void metadata_changed(BrokerId leader, replication::Registration registration,
                          const Uuid& directory);
    // Makes the directory when it has only a place, without opening the log. Blocks. Errors:
    // KafkaStorageError.
    Status make_directory();
    void config_changed();
    // Looks for followers that fell behind.
    void check_lag();
    // The controller's answer to a proposal.
    void proposal_accepted(LeaderEpoch leader_epoch, std::vector<BrokerId> isr,
                           int32_t partition_epoch, bool recovering);
    void proposal_rejected();
    // The partition is no more: everything waiting is woken and fails.
    void stop();

    // Opens the log, or reads into memory what read(request) needs. They wait for the disk, and
    // nobody who uses the partition meanwhile waits with them. For the disk pool. What fails here
    // fails again when it is asked for.
    void open();
    void warm_up(const ReadRequest& request);
    // Whether the calls below can do without waiting for the log to open.
    bool is_open() const;

    // --- Errors of all that follows: NotLeaderOrFollower, FencedLeaderEpoch, UnknownLeaderEpoch,
    // KafkaStorageError, and those of storage::Log.

    // Appends one batch or several, in order, each for itself; what shares a write shares its fate.
    using Appended = std::expected<AppendOutcome, storage::AppendError>;
    std::vector<Appended> append(std::span<const Bytes> batches, const AppendRequest& request);
    Appended append(const Bytes& batch, const AppendRequest& request) {
        return std::move(append(std::span(&batch, 1), request).front());
    }
    // Calls `done` once everything below `end` is committed, or never will be: at once, on this
    // thread, or later under no lock on the thread that learns it. Errors:
    // NotEnoughReplicasAfterAppend, NotLeaderOrFollower, KafkaStorageError.
    void when_committed(Offset end, std::function<void(Status)> done);
    // The same for acks=1: the append is durable here, whatever the followers do.
    void when_durable(Offset end, std::function<void(Status)> done);

    Result<PartitionRead> read(const ReadRequest& request);
    // As a follower's fetch: notes how far it has come. Errors: as PartitionLeader.
    Result<PartitionRead> read_as_follower(const ReadRequest& request,
                                           const replication::FollowerFetch& fetch);

    // Leaves a waiter that is told of bytes visible under `bound`. False when there is nothing to
    // wait for: no leader here, or the offset is not the end any more; look again.
    bool add_fetch_waiter(std::shared_ptr<FetchWaiter> waiter, storage::ReadBound bound,
                          Offset visible_end);
    void remove_fetch_waiter(const FetchWaiter* waiter);

    struct Offsets {
        Offset log_start_offset;
        Offset high_watermark;
        Offset last_stable_offset;
        Offset log_end_offset;
        LeaderEpoch leader_epoch;
        bool watermark_reached_epoch_start = true;
    };
    Result<Offsets> offsets(std::optional<LeaderEpoch> current_leader_epoch);
    Result<std::optional<storage::TimestampMatch>> find_timestamp(
        std::optional<LeaderEpoch> current_leader_epoch, TimestampMs timestamp);
    Result<std::optional<storage::EpochEnd>> epoch_end(
        std::optional<LeaderEpoch> current_leader_epoch, LeaderEpoch epoch);
    // Moves the log start; kNoOffset means the high watermark. Returns the low watermark.
    Result<Offset> delete_records(Offset before);
    Result<std::vector<storage::ActiveProducer>> active_producers();

    // Called with every new high watermark, under no lock, on the thread that moved it; null stops.
    // For the coordinators, whose answers wait for it.
    void on_high_watermark(std::function<void(Offset)> listener);

    bool is_leader() const;
    LeaderEpoch leader_epoch() const;

 private:
    struct ProduceWaiter {
        Offset end;
        bool all_replicas;
        std::function<void(Status)> done;
    };
    struct ParkedFetch {
        std::shared_ptr<FetchWaiter> waiter;
        storage::ReadBound bound;
    };
    // What must happen after the lock is released; does it when it goes out of scope, so declare it
    // before the lock.
    struct Aftermath {
        std::vector<std::pair<std::function<void(Status)>, Status>> done;
        std::shared_ptr<const std::function<void(Offset)>> listener;
        Offset high_watermark;
        ~Aftermath();
    };

    // Lets go of the lock while the log opens: look at everything again.
    Status ensure_open() REQUIRES(mutex_);
    // The open log, when this broker leads and the reader's epoch is ours.
    Result<storage::Log*> led(std::optional<LeaderEpoch> current_leader_epoch, bool may_wait = true)
        REQUIRES(mutex_);
    // This broker leads, and the reader's epoch is ours.
    Status check_leadership(std::optional<LeaderEpoch> current_leader_epoch) const REQUIRES(mutex_);
    void begin_leadership() REQUIRES(mutex_);
    void submit_proposal() REQUIRES(mutex_);
    // The log's journal or a sync has made more of it durable.
    void durability_advanced();
    void note_durable(Aftermath& after) REQUIRES(mutex_);
    bool log_failed() const REQUIRES(mutex_);
    // Tells log and waiters how far the watermark is; `bytes` were appended just now.
    void settle(int64_t bytes, Aftermath& after) REQUIRES(mutex_);
    // Whether `end` may be acknowledged; nullopt: not yet.
    std::optional<Status> acknowledged(Offset end, bool all_replicas) const REQUIRES(mutex_);
    void acknowledge_waiters(Aftermath& after) REQUIRES(mutex_);
    void wait(Offset end, bool all_replicas, std::function<void(Status)> done);
    Status check_append(const AppendRequest& request) REQUIRES(mutex_);
    Result<PartitionRead> read_locked(storage::Log& log, const ReadRequest& request)
        REQUIRES(mutex_);
    // Leadership is gone: nobody here will learn more.
    void fail_waiters(const Error& error, Aftermath& after) REQUIRES(mutex_);
    // Starts a flush on the disk pool if durability waits for one and none runs; its end starts
    // the next if need be.
    void flush_if_needed(Aftermath& after) REQUIRES(mutex_);
    void flush_ended(const storage::FlushTask& task, const Status& outcome);

    const PartitionContext& context_;
    const TopicPartition topic_partition_;
    const Uuid topic_id_;

    mutable Mutex mutex_;
    std::shared_ptr<storage::Log> log_ GUARDED_BY(mutex_);
    BrokerId leader_id_ GUARDED_BY(mutex_) = kNoBroker;
    replication::Registration registration_ GUARDED_BY(mutex_);
    Uuid directory_ GUARDED_BY(mutex_);
    bool stopped_ GUARDED_BY(mutex_) = false;
    bool opening_ GUARDED_BY(mutex_) = false;  // on some thread, without the lock
    std::condition_variable_any opened_;
    // Most partitions of a large node are idle: what only a used one needs is not part of it.
    std::unique_ptr<replication::PartitionLeader> leader_ GUARDED_BY(mutex_);
    std::vector<ParkedFetch> fetch_waiters_ GUARDED_BY(mutex_);
    std::vector<ProduceWaiter> produce_waiters_ GUARDED_BY(mutex_);
    std::shared_ptr<const std::function<void(Offset)>> listener_ GUARDED_BY(mutex_);
    // Of the log under this leadership: what lies below may be acknowledged with acks=1.
    Offset durable_end_ GUARDED_BY(mutex_){0};
    // Appends that consumers do not see yet, by their end: so that a parked fetch is woken by the
    // bytes it waits for.
    struct Invisible {
        Offset end;
        int64_t bytes = 0;
    };
    std::vector<Invisible> invisible_ GUARDED_BY(mutex_);
    bool flushing_ GUARDED_BY(mutex_) = false;
};

}  // namespace moldau::broker
