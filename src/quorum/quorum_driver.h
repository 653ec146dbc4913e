// QuorumDriver: the shell of consensus::RaftCore. It owns the directory __cluster_metadata-0 (log,
// quorum-state, checkpoints), does what the core asks in the core's order, and hands committed
// batches to its listeners.
//
// Lives on the control loop: every call and every callback happens there. After open() and
// register_listener(), start() runs the election; a lone voter leads when start() returns to the
// loop. A record counts as replicated here only after it was synced: high_watermark() never covers
// bytes that a power cut could take back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/types.h"
#include "base/uuid.h"
#include "consensus/messages.h"
#include "consensus/types.h"
#include "consensus/voter_set.h"
#include "metadata/versioned_record.h"
#include "quorum/raft_listener.h"

namespace moldau::runtime {
class Clock;
class EventLoop;
class FileSystem;
}  // namespace moldau::runtime

namespace moldau::quorum {

struct QuorumOptions {
    BrokerId node_id{0};
    Uuid directory_id;  // of the metadata log directory, from meta.properties
    std::string cluster_id;
    std::string metadata_log_dir;  // the log directory that holds __cluster_metadata-0
    bool is_controller = true;     // may vote and lead

    // controller.quorum.voters; empty for a dynamic quorum, whose voters are in its log.
    std::vector<consensus::Voter> static_voters;
    // What this node tells others about itself: one endpoint per controller listener.
    std::vector<consensus::Endpoint> endpoints;

    Duration election_timeout = seconds(1);      // controller.quorum.election.timeout.ms
    Duration election_backoff_max = seconds(1);  // controller.quorum.election.backoff.max.ms
    Duration fetch_timeout = seconds(2);         // controller.quorum.fetch.timeout.ms
    Duration request_timeout = seconds(2);       // controller.quorum.request.timeout.ms
    Duration retry_backoff = milliseconds(20);   // controller.quorum.retry.backoff.ms

    int32_t segment_bytes = 1 << 30;                   // metadata.log.segment.bytes
    Duration segment_age = std::chrono::hours(168);    // metadata.log.segment.ms
    int64_t retention_bytes = 100 << 20;               // metadata.max.retention.bytes
    Duration retention_age = std::chrono::hours(168);  // metadata.max.retention.ms
    int32_t batch_bytes_max = 8 << 20;                 // as Kafka's

    uint64_t seed = 0;  // for election timeouts
};

// One replica as DescribeQuorum shows it; times are wall milliseconds, -1 when unknown.
struct ReplicaInfo {
    consensus::ReplicaKey key;
    Offset log_end_offset = kNoOffset;
    TimestampMs last_fetch_timestamp = kNoTimestamp;
    TimestampMs last_caught_up_timestamp = kNoTimestamp;
};

struct QuorumInfo {
    BrokerId leader = kNoBroker;
    LeaderEpoch epoch{0};
    Offset high_watermark = kNoOffset;
    std::vector<ReplicaInfo> voters;
    std::vector<ReplicaInfo> observers;
    std::vector<consensus::Voter> nodes;  // endpoints by voter
};

class QuorumDriver {
 public:
    // Reads and recovers the directory. Errors: KafkaStorageError when the device fails;
    // CorruptMessage or InconsistentVoterSet for a directory that must not be used.
    // Nothing is elected before start(). All references must outlive the driver.
    static Result<std::unique_ptr<QuorumDriver>> open(QuorumOptions options,
                                                      runtime::FileSystem& files,
                                                      runtime::EventLoop& loop,
                                                      runtime::Clock& clock);
    ~QuorumDriver();
    QuorumDriver(const QuorumDriver&) = delete;
    QuorumDriver& operator=(const QuorumDriver&) = delete;

    // The listener hears everything from the beginning: the latest snapshot, then committed
    // batches. It must outlive the driver or be unregistered.
    void register_listener(RaftListener* listener);
    void unregister_listener(RaftListener* listener);

    // Joins the quorum. Call once.
    void start();
    // Leaves it: a leader resigns, nothing is appended any more. The log is closed cleanly.
    Status shutdown();

    // --- the leader's appends -------------------------------------------------------------------
    // Reserves the next offsets for the records, which become one batch, and returns the last of
    // them; nothing is written before schedule_append(). Errors: NotLeaderOrFollower when this node
    // does not lead in `epoch`; RecordListTooLarge for more than kRecordsPerAppendMax records or
    // batch_bytes_max bytes; ThrottlingQuotaExceeded when too much is waiting for the device.
    Result<Offset> prepare_append(LeaderEpoch epoch,
                                  std::vector<metadata::VersionedRecord> records);
    // Everything prepared goes to the log, is synced and replicated. Commits arrive by listeners,
    // never from inside this call.
    void schedule_append();
    // Gives up leadership of that epoch; without effect when it is over already.
    void resign(LeaderEpoch epoch);

    static constexpr size_t kRecordsPerAppendMax = 10'000;

    // --- snapshots ------------------------------------------------------------------------------
    // A writer for the state after the batch that ends before `id.offset`. A null pointer: a
    // snapshot of that id exists. Errors: InvalidRequest when the id is not committed or cuts a
    // batch.
    Result<std::unique_ptr<SnapshotWriter>> create_snapshot(
        const consensus::SnapshotId& id, TimestampMs last_contained_log_timestamp);
    std::optional<consensus::SnapshotId> latest_snapshot_id() const;

    // --- what is known --------------------------------------------------------------------------
    consensus::LeaderAndEpoch leader_and_epoch() const;
    // First offset that is not committed; nullopt while unknown.
    std::optional<Offset> high_watermark() const;
    Offset log_start_offset() const;
    Offset log_end_offset() const;
    int16_t kraft_version() const;
    const consensus::VoterSet& voters() const;
    const QuorumOptions& options() const;
    // Any request of the raft protocol, from another node. `reply` is called once, on the control
    // loop, possibly before this returns.
    using RaftReply = std::move_only_function<void(consensus::Response)>;
    void handle(consensus::Request request, RaftReply reply);

    // What every answer of the raft protocol says of the leader, as of now.
    consensus::ResponseHeader response_header() const;

    // Data of DescribeQuorum. Errors: NotLeaderOrFollower unless this node leads.
    Result<QuorumInfo> describe() const;

    struct Impl;

 private:
    explicit QuorumDriver(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace moldau::quorum
