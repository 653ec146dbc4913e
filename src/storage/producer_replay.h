// Following a log's batches with a ProducerState: what one batch says of its producer. Used by Log
// when it appends, recovers and rebuilds. Pure functions.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "record/batch.h"
#include "storage/producer_state.h"

namespace moldau::storage {

ProducerBatchHeader producer_header(const record::BatchHeader& header);

// The marker in a control batch; nullopt for an empty one (compaction) or another control type.
// Errors: CorruptMessage.
Result<std::optional<EndTransactionMarker>> read_marker(const record::BatchHeader& header,
                                                        const Bytes& payload);

// Takes a batch that is in the log into the state. Returns the transactions that it ends; the
// caller completes them. A batch that contradicts the state is followed as far as it goes, with a
// warning: state follows data, not the other way round.
Result<std::vector<CompletedTxn>> replay_batch(ProducerState& state,
                                               const record::BatchView& batch);

}  // namespace moldau::storage
