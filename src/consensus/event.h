// Events go into RaftCore::step(), effects come out of take_ready(). Plain values.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "consensus/messages.h"

namespace moldau::consensus {

using RequestId = uint64_t;      // the shell's number of a request that waits for its answer
using CorrelationId = uint64_t;  // the core's number of a request it sent

// Nothing happened but time.
struct TimePassed {};
struct RequestReceived {
    RequestId id = 0;
    Request request;
};
struct ResponseReceived {
    CorrelationId correlation = 0;
    Response response;
};
// The connection broke, or the peer's answer made no sense.
struct RequestFailed {
    CorrelationId correlation = 0;
    bool is_version_unsupported = false;
};
// The leader's state machine appends whole batches; offsets continue the log.
struct EntriesProposed {
    LeaderEpoch epoch{0};
    std::vector<LogEntry> entries;
};
// The log is on the device up to here.
struct LogSynced {
    Offset end{0};
};
// A local snapshot was completed.
struct SnapshotTaken {
    SnapshotId id;
};
// A snapshot from the leader replaced the log.
struct SnapshotInstalled {
    SnapshotId id;
    std::optional<int16_t> kraft_version;
    std::optional<VoterSet> voters;
};
// Retention removed what lies before.
struct LogStartMoved {
    Offset start{0};
};
struct ResignRequested {
    LeaderEpoch epoch{0};
};
// The node stops: it leads no more and asks nobody for votes.
struct ShutdownRequested {};

using Event = std::variant<TimePassed, RequestReceived, ResponseReceived, RequestFailed,
                           EntriesProposed, LogSynced, SnapshotTaken, SnapshotInstalled,
                           LogStartMoved, ResignRequested, ShutdownRequested>;

// Write quorum-state and sync it.
struct PersistElection {
    ElectionState election;
    int16_t kraft_version = 0;
    std::vector<BrokerId> voters;
};
// Drop the log from here on.
struct TruncateLog {
    Offset end{0};
};
struct AppendToLog {
    std::vector<LogEntry> entries;
};
// Sync the log, then report LogSynced. `is_barrier`: what follows in the list must wait for it.
struct SyncLog {
    Offset end{0};
    bool is_barrier = false;
};
// Append a piece to the snapshot being fetched. When it is complete: sync it, make it the latest
// snapshot, drop the log for it, and report SnapshotInstalled.
struct StoreSnapshotChunk {
    SnapshotId id;
    int64_t position = 0;
    Bytes chunk;
    bool is_complete = false;
};
struct SendRequest {
    CorrelationId correlation = 0;
    Peer peer;
    Request request;
};
struct SendResponse {
    RequestId id = 0;
    Response response;
};
// Everything before the offset is committed.
struct HighWatermarkAdvanced {
    Offset offset{0};
};
// `epoch_start`: first offset of the epoch, when this replica is the leader.
struct LeaderChanged {
    LeaderAndEpoch leader;
    std::optional<Offset> epoch_start;
};
// For the log and for tests; nothing depends on it.
struct StateEntered {
    std::string description;
};

using Effect =
    std::variant<PersistElection, TruncateLog, AppendToLog, SyncLog, StoreSnapshotChunk,
                 SendRequest, SendResponse, HighWatermarkAdvanced, LeaderChanged, StateEntered>;

// In the order in which the shell must carry them out, each before the next.
using Ready = std::vector<Effect>;

}  // namespace moldau::consensus
