#include "storage/cleaned_transactions.h"

#include <utility>

namespace moldau::storage {

void CleanedTransactions::add_aborted(const std::vector<AbortedTxn>& aborted) {
    for (const AbortedTxn& txn : aborted) {
        coming_.emplace(txn.first_offset, txn);
    }
}

void CleanedTransactions::begin_aborted_up_to(Offset offset) {
    while (!coming_.empty() && coming_.begin()->first <= offset) {
        const AbortedTxn& txn = coming_.begin()->second;
        aborted_.try_emplace(txn.producer_id, Aborted{txn, false});
        coming_.erase(coming_.begin());
    }
}

bool CleanedTransactions::is_aborted(const record::BatchHeader& batch) {
    begin_aborted_up_to(batch.last_offset());
    if (!batch.is_transactional()) {
        return false;
    }
    ProducerId producer(batch.producer_id);
    auto found = aborted_.find(producer);
    if (found != aborted_.end()) {
        found->second.seen = true;
        return true;
    }
    committed_.insert(producer);
    return false;
}

bool CleanedTransactions::is_marker_superfluous(const record::BatchHeader& batch,
                                                std::optional<bool> committed) {
    begin_aborted_up_to(batch.last_offset());
    if (!committed) {
        return true;
    }
    ProducerId producer(batch.producer_id);
    if (*committed) {
        return committed_.erase(producer) == 0;
    }
    auto found = aborted_.find(producer);
    if (found == aborted_.end()) {
        return true;
    }
    Aborted ended = found->second;
    aborted_.erase(found);
    if (ended.seen) {
        retained_.push_back(ended.txn);
    }
    return !ended.seen;
}

std::vector<AbortedTxn> CleanedTransactions::take_retained() {
    return std::exchange(retained_, {});
}

}  // namespace moldau::storage
