// Control batches of the metadata log and of snapshots: between bytes and consensus::ControlRecords
// (layout: docs/formats/metadata_log.md). Free functions; any thread.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/types.h"
#include "consensus/messages.h"
#include "consensus/voter_set.h"
#include "record/batch.h"

namespace moldau::quorum {

// What a control batch says; unknown control records are skipped, as newer versions may add some.
struct ControlContent {
    consensus::ControlRecords records;
    std::optional<TimestampMs> snapshot_timestamp;  // of a SnapshotHeader
    bool is_snapshot_footer = false;
};

// Leader change, kraft.version and voters, in this order, as far as present.
Bytes encode_control_batch(const consensus::ControlRecords& records, Offset base, LeaderEpoch epoch,
                           TimestampMs now);
// First batch of a snapshot; its record offsets count from 0.
Bytes encode_snapshot_header(TimestampMs last_contained_log_timestamp,
                             std::optional<int16_t> kraft_version,
                             const std::optional<consensus::VoterSet>& voters, LeaderEpoch epoch,
                             TimestampMs now);
Bytes encode_snapshot_footer(Offset base, LeaderEpoch epoch, TimestampMs now);

// Errors: CorruptMessage for a malformed record; UnsupportedVersion for a version of a known record
// that this program cannot read.
Result<ControlContent> decode_control_batch(const record::BatchView& batch);

}  // namespace moldau::quorum
