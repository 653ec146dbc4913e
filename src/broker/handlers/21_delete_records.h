// DeleteRecords (key 21), versions 0-2.
// Behaviour: moves the log start up to an offset, -1 for the high watermark; an offset beyond that
// is OffsetOutOfRange. Answers with the low watermark, the log start of this, the only, replica.
// Internal topics other than __consumer_offsets are refused as Kafka does: PolicyViolation when the
// topic does not delete.
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_delete_records(Broker& broker, Request request);

}  // namespace moldau::broker
