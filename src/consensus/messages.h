// What replicas of the quorum say to one another, in the core's own terms; the shell turns these
// into Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch, FetchSnapshot, the voter calls and their
// answers. Plain values.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error_code.h"
#include "base/time.h"
#include "consensus/types.h"
#include "consensus/voter_set.h"

namespace moldau::consensus {

// A node to send to; below -1 is a bootstrap address whose id is not known.
struct Peer {
    BrokerId id = kNoBroker;
    std::string host;
    uint16_t port = 0;

    friend bool operator==(const Peer&, const Peer&) = default;
};

// What a control batch of the log means to the core.
struct ControlRecords {
    struct LeaderChange {
        BrokerId leader = kNoBroker;
        std::vector<BrokerId> voters;
        std::vector<BrokerId> granting;

        friend bool operator==(const LeaderChange&, const LeaderChange&) = default;
    };
    std::optional<LeaderChange> leader_change;
    // With the offset of the record.
    std::optional<std::pair<Offset, int16_t>> kraft_version;
    std::optional<std::pair<Offset, VoterSet>> voters;

    friend bool operator==(const ControlRecords&, const ControlRecords&) = default;
};

// One batch of the log. `batch` is opaque here; a control batch that the core itself makes has none
// yet, and the shell encodes `control` with the base offset and epoch given.
struct LogEntry {
    Offset base{0};
    Offset end{0};  // base of the next
    LeaderEpoch epoch{0};
    Bytes batch;
    std::shared_ptr<const ControlRecords> control;
};

struct VoteRequest {
    std::optional<std::string> cluster_id;
    std::optional<ReplicaKey> voter;  // whom the candidate means
    ReplicaKey candidate;
    LeaderEpoch epoch{0};
    OffsetAndEpoch log_end;
    bool pre_vote = false;
};

struct BeginQuorumEpochRequest {
    std::optional<std::string> cluster_id;
    std::optional<ReplicaKey> voter;
    BrokerId leader = kNoBroker;
    LeaderEpoch epoch{0};
    std::vector<Endpoint> endpoints;
};

struct EndQuorumEpochRequest {
    std::optional<std::string> cluster_id;
    BrokerId leader = kNoBroker;
    LeaderEpoch epoch{0};
    std::vector<ReplicaKey> preferred_candidates;
    std::vector<Endpoint> endpoints;
};

struct FetchRequest {
    std::optional<std::string> cluster_id;
    ReplicaKey replica;  // id -1: not a replica
    LeaderEpoch epoch{0};
    OffsetAndEpoch position;  // fetch offset, epoch of the record before it
    // What the replica knows of the high watermark (KIP-1166); nullopt from versions that do not
    // say.
    std::optional<Offset> high_watermark;
    Duration max_wait{0};
    int32_t max_bytes = 0;
};

struct FetchSnapshotRequest {
    std::optional<std::string> cluster_id;
    ReplicaKey replica;
    LeaderEpoch epoch{0};
    SnapshotId snapshot;
    int64_t position = 0;
    int32_t max_bytes = 0;
};

struct AddVoterRequest {
    std::optional<std::string> cluster_id;
    Voter voter;
    Duration timeout{0};
    bool ack_when_committed = true;
};

struct RemoveVoterRequest {
    std::optional<std::string> cluster_id;
    ReplicaKey voter;
};

struct UpdateVoterRequest {
    std::optional<std::string> cluster_id;
    LeaderEpoch epoch{0};
    Voter voter;
};

// Asks a node which kraft.version it can follow (ApiVersions).
struct KraftRangeRequest {};

using Request = std::variant<VoteRequest, BeginQuorumEpochRequest, EndQuorumEpochRequest,
                             FetchRequest, FetchSnapshotRequest, AddVoterRequest,
                             RemoveVoterRequest, UpdateVoterRequest, KraftRangeRequest>;

// What every answer says about leadership.
struct ResponseHeader {
    ErrorCode top_error = ErrorCode::None;  // of the request
    ErrorCode error = ErrorCode::None;      // of the partition
    std::optional<BrokerId> leader;
    LeaderEpoch epoch{0};
    std::vector<Endpoint> leader_endpoints;
};

struct VoteResponse {
    ResponseHeader header;
    bool granted = false;
};

struct BeginQuorumEpochResponse {
    ResponseHeader header;
};

struct EndQuorumEpochResponse {
    ResponseHeader header;
};

struct FetchResponse {
    ResponseHeader header;
    std::optional<Offset> high_watermark;
    Offset log_start{0};
    std::optional<OffsetAndEpoch> diverging;
    std::optional<SnapshotId> snapshot;
    // As sent: the shell reads [read_from, log end), up to max_bytes, from the log.
    std::optional<Offset> read_from;
    int32_t max_bytes = 0;
    // As received: whole batches, checked, in order.
    std::vector<LogEntry> entries;
};

struct FetchSnapshotResponse {
    ResponseHeader header;
    SnapshotId snapshot;
    int64_t position = 0;
    // As sent, the shell fills size and chunk, or answers PositionOutOfRange or SnapshotNotFound.
    int32_t max_bytes = 0;
    int64_t size = 0;
    Bytes chunk;
};

struct VoterChangeResponse {
    ResponseHeader header;
    std::string message;
};

struct KraftRangeResponse {
    ErrorCode error = ErrorCode::None;
    int16_t min = 0;
    int16_t max = 0;
};

using Response =
    std::variant<VoteResponse, BeginQuorumEpochResponse, EndQuorumEpochResponse, FetchResponse,
                 FetchSnapshotResponse, VoterChangeResponse, KraftRangeResponse>;

}  // namespace moldau::consensus
