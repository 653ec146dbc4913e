// Produce (key 0), versions 3-13.
// Behaviour: partitions are appended each on its own: one failure spares the others. What requests
// of one turn of the loop want is appended when the turn ends, or when the connection asks for
// something else. acks=0 gets no answer, and a closed connection when anything failed; acks=1 is
// answered when the append is durable here, acks=-1 when the high watermark has passed it, which
// waits for the same. After timeout_ms, but no less than Broker::device_wait_min, the answer is
// RequestTimedOut, and the records stay. Transactions are not served: a transactional batch is
// refused with InvalidTxnState.
// Version notes: v7 zstd (KIP-110); v8 errors of single records (KIP-467); v10 leader hints
// (KIP-951); v13 topic ids (KIP-516).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_produce(Broker& broker, Request request);
// Appends what earlier requests of this loop are waiting for: before anything is handled that may
// look at it.
void run_queued_appends();

}  // namespace moldau::broker
