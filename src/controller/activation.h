// Activation: what a controller writes before anything else when it begins to lead. Pure.
#pragma once

#include "controller/decision.h"

namespace moldau::controller {

struct Activation {
    metadata::Records records;
    bool atomic = true;
    std::string message;  // for the log
};

// On a log without a finalized metadata.version: the bootstrap records, with a cluster-wide
// min.insync.replicas when they switch ELR on, inside a metadata transaction where that is allowed.
// On any other log: an abort of the transaction that a former leader left open, or nothing.
// `transaction_offset` is where that one began, -1 for none.
Activation activation_records(const View& view, const metadata::Records& bootstrap,
                              const std::string& bootstrap_source, int64_t transaction_offset);

}  // namespace moldau::controller
