// The broker settings that group decisions depend on; read once from the server's configuration.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace moldau::coordinator {

struct GroupConfig {
    // group.initial.rebalance.delay.ms: how long the first rebalance of a group waits for more
    // members.
    milliseconds initial_rebalance_delay{3000};
    // group.min.session.timeout.ms, group.max.session.timeout.ms; both inclusive.
    int32_t session_timeout_ms_min = 6000;
    int32_t session_timeout_ms_max = 1800000;
    // group.max.size
    int32_t group_size_max = INT32_MAX;
    // A member that has not heard its id yet cannot send heartbeats; it is dropped after this.
    milliseconds new_member_join_timeout{300000};
    // offset.metadata.max.bytes, counted as Kafka does, in UTF-16 code units.
    int32_t offset_metadata_length_max = 4096;
    // offsets.retention.minutes
    milliseconds offsets_retention{std::chrono::hours(168)};
    // offsets.retention.check.interval.ms
    milliseconds offsets_retention_check_interval{600000};
};

}  // namespace moldau::coordinator
