// ProducerConfig: how a producer batches, retries and acknowledges, by Kafka's producer properties.
#pragma once

#include <cstdint>
#include <limits>

#include "client/client_config.h"
#include "record/compression.h"

namespace moldau::client {

struct ProducerConfig {
    int16_t acks = -1;  // -1 is "all"
    bool idempotent = true;
    size_t batch_bytes = 16384;
    size_t request_bytes_max = 1'048'576;
    size_t buffer_bytes = 33'554'432;
    Duration linger = milliseconds(5);
    Duration block_max = seconds(60);
    Duration delivery_timeout = seconds(120);
    Duration request_timeout = seconds(30);
    Duration retry_backoff = milliseconds(100);
    Duration retry_backoff_max = milliseconds(1000);
    uint32_t retries = std::numeric_limits<int32_t>::max();
    size_t in_flight_max = 5;
    record::Compression compression;

    // Errors: InvalidConfig with Kafka's words, for single values and for combinations.
    static Result<ProducerConfig> from_properties(const Properties& properties);
};

}  // namespace moldau::client
