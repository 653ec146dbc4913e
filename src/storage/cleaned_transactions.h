// CleanedTransactions follows the transactions of a log while it is compacted from its start: which
// data was aborted, and which markers have no data left before them. Kafka's rules. Batches are
// shown in the order of the log. Pure; one thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/types.h"
#include "record/batch.h"
#include "storage/transaction_index.h"

namespace moldau::storage {

class CleanedTransactions {
 public:
    // What the transaction indexes say of the segments that come next.
    void add_aborted(const std::vector<AbortedTxn>& aborted);

    // Whether the data batch belongs to an aborted transaction.
    bool is_aborted(const record::BatchHeader& batch);
    // Whether a marker decides about nothing that is left. `committed`: nullopt for an empty
    // control batch. An abort marker that still decides is noted in retained().
    bool is_marker_superfluous(const record::BatchHeader& batch, std::optional<bool> committed);

    // Aborted transactions whose markers stay, since the last call: the new transaction index.
    std::vector<AbortedTxn> take_retained();

 private:
    struct Aborted {
        AbortedTxn txn;
        bool seen = false;  // data of it was there
    };
    void begin_aborted_up_to(Offset offset);

    std::multimap<Offset, AbortedTxn> coming_;  // by first offset
    std::map<ProducerId, Aborted> aborted_;     // begun and not ended
    std::set<ProducerId> committed_;            // data was there, the marker was not yet
    std::vector<AbortedTxn> retained_;
};

}  // namespace moldau::storage
