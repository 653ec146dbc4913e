// DescribeLogDirs (key 35), versions 1-5.
// Behaviour: each log directory with the sizes of the partitions asked for, null for all. An
// offline directory is answered with KafkaStorageError.
// Version notes: v3 error code of the whole; v4 total and usable bytes (KIP-827); v5 cordoned
// (KIP-1066).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_describe_log_dirs(Broker& broker, Request request);

}  // namespace moldau::broker
