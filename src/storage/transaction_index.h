// TransactionIndex: the aborted transactions that ended in one segment, in memory; read_committed
// fetches are told of them. File form `.txnindex`: 34-byte entries, present only when there is one.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/types.h"

namespace moldau::storage {

struct AbortedTxn {
    ProducerId producer_id = kNoProducerId;
    Offset first_offset = kNoOffset;
    Offset last_offset = kNoOffset;         // the abort marker's
    Offset last_stable_offset = kNoOffset;  // of the log, when the marker was written

    friend bool operator==(const AbortedTxn&, const AbortedTxn&) = default;
};

class TransactionIndex {
 public:
    static constexpr size_t kEntryBytes = 34;

    // Errors: CorruptMessage.
    static Result<TransactionIndex> parse(Offset base, std::span<const uint8_t> content);
    // The file form of the entries from number `first` on.
    Bytes encode(size_t first = 0) const;

    void append(const AbortedTxn& txn) { entries_.push_back(txn); }
    const std::vector<AbortedTxn>& entries() const { return entries_; }
    bool empty() const { return entries_.empty(); }
    void clear() { entries_.clear(); }
    // Drops transactions whose marker is at or above `offset`.
    void truncate_to(Offset offset);

    // Adds those that concern [fetch_offset, upper_bound). Returns whether no later segment can
    // hold another one.
    bool collect(Offset fetch_offset, Offset upper_bound, std::vector<AbortedTxn>& found) const;

 private:
    std::vector<AbortedTxn> entries_;
};

}  // namespace moldau::storage
