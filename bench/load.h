// ProduceLoad: Produce requests on many connections from one thread. Frames are encoded once;
// between two sendings only numbers change. Latency is the time from when a request ought to have
// been sent (schedule.h) to its answer. Any error of the broker ends the program: a run that was
// refused measures nothing, except errors that the caller says to count.
#pragma once

#include <cstdint>
#include <string>

#include "frames.h"
#include "histogram.h"

namespace moldau::bench {

struct LoadSettings {
    std::string host = "127.0.0.1";
    int port = 9092;
    std::string topic = "bench";
    int topics = 0;      // above 0: TOPIC0, TOPIC1, ...; connections take them in turn
    int partitions = 1;  // of each topic
    int connections = 1;
    int in_flight = 5;  // on each connection
    int16_t acks = -1;
    BatchSpec batch;
    bool idempotent = false;
    bool stamp = false;   // the intended time goes into each batch
    double rate = 0;      // requests per second, all together; 0: as fast as answers come
    double seconds = 10;  // unless `bytes` is given
    int64_t bytes = 0;
    double warm_up_seconds = 0;  // sent, but not counted
};

struct LoadResult {
    Histogram latency_ns;
    int64_t requests = 0;
    int64_t bytes = 0;  // of batches
    int64_t records = 0;
    double seconds = 0;
};

LoadResult run_produce_load(const LoadSettings& settings);

int64_t now_ns();

}  // namespace moldau::bench
