// ListOffsets (key 2), versions 1-11.
// Behaviour: the offset at a timestamp, or a special one (-1 latest, -2 earliest, -3 of the largest
// timestamp, -4 earliest local, -5 latest tiered, -6 earliest pending upload). Consumers see up to
// the high watermark, or the last stable offset with read_committed; an offset beyond that is
// answered as "none". While a new leader's watermark is behind its epoch's start, "latest" is
// OffsetNotAvailable (KIP-207).
// Version notes: v2 isolation; v4 leader epoch; v7 max timestamp (KIP-734); v8 earliest local
// (KIP-405); v9 latest tiered (KIP-1005); v11 earliest pending upload (KIP-1023).
#pragma once

#include <optional>

#include "broker/partition.h"
#include "broker/request.h"

namespace moldau::broker {

struct Broker;

// Whether the version knows this special timestamp.
bool is_timestamp_supported(TimestampMs timestamp, int16_t version);

struct OffsetReader {
    bool is_consumer = true;  // else a replica, who sees everything
    bool read_committed = false;
};
// The answer to one partition; `found` is what its log has for the timestamp, which "latest" does
// not need. A match without an offset means that there is none. Errors: OffsetNotAvailable.
Result<storage::TimestampMatch> choose_offset(TimestampMs timestamp, OffsetReader reader,
                                              const Partition::Offsets& offsets,
                                              const std::optional<storage::TimestampMatch>& found);

void handle_list_offsets(Broker& broker, Request request);

}  // namespace moldau::broker
