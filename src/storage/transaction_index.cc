#include "storage/transaction_index.h"

#include "base/endian.h"

namespace moldau::storage {

Result<TransactionIndex> TransactionIndex::parse(Offset base, std::span<const uint8_t> content) {
    if (content.size() % kEntryBytes != 0) {
        return fail(ErrorCode::CorruptMessage,
                    "transaction index is not a whole number of entries: base={} bytes={}", base,
                    content.size());
    }
    TransactionIndex index;
    for (size_t at = 0; at < content.size(); at += kEntryBytes) {
        const uint8_t* from = content.data() + at;
        if (load_big<int16_t>(from) != 0) {
            return fail(ErrorCode::CorruptMessage,
                        "transaction index entry of unknown version: base={} version={}", base,
                        load_big<int16_t>(from));
        }
        AbortedTxn txn{ProducerId(load_big<int64_t>(from + 2)),
                       Offset(load_big<int64_t>(from + 10)), Offset(load_big<int64_t>(from + 18)),
                       Offset(load_big<int64_t>(from + 26))};
        if (txn.last_offset < txn.first_offset) {
            return fail(ErrorCode::CorruptMessage,
                        "Last offset of aborted transaction is below its start offset: base={} "
                        "first_offset={} last_offset={}",
                        base, txn.first_offset, txn.last_offset);
        }
        if (txn.last_offset < base) {
            return fail(ErrorCode::CorruptMessage,
                        "transaction index entry below its segment: base={} last_offset={}", base,
                        txn.last_offset);
        }
        index.entries_.push_back(txn);
    }
    return index;
}

Bytes TransactionIndex::encode(size_t first) const {
    Buffer buffer;
    buffer.resize((entries_.size() - first) * kEntryBytes);
    uint8_t* to = buffer.data();
    for (const AbortedTxn& txn : std::span(entries_).subspan(first)) {
        store_big<int16_t>(to, 0);
        store_big(to + 2, txn.producer_id.value());
        store_big(to + 10, txn.first_offset.value());
        store_big(to + 18, txn.last_offset.value());
        store_big(to + 26, txn.last_stable_offset.value());
        to += kEntryBytes;
    }
    return std::move(buffer).freeze();
}

void TransactionIndex::truncate_to(Offset offset) {
    while (!entries_.empty() && entries_.back().last_offset >= offset) {
        entries_.pop_back();
    }
}

bool TransactionIndex::collect(Offset fetch_offset, Offset upper_bound,
                               std::vector<AbortedTxn>& found) const {
    for (const AbortedTxn& txn : entries_) {
        if (txn.last_offset >= fetch_offset && txn.first_offset < upper_bound) {
            found.push_back(txn);
        }
        // Later markers were written when everything below this was decided.
        if (txn.last_stable_offset >= upper_bound) {
            return true;
        }
    }
    return false;
}

}  // namespace moldau::storage
