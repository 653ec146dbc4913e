// What disk and processor allow, without a broker and mostly without a network: rig.py runs these
// beside the scenarios. Each makes the file it is given and removes it. Failure ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "frames.h"
#include "histogram.h"

namespace moldau::bench {

struct ProbeResult {
    int64_t bytes = 0;
    double seconds = 0;
    double cpu_seconds = 0;  // of the thread that did the work
};

// One durable write of `write_bytes` (a multiple of 4096) at a time, past the page cache, into a
// file written beforehand.
struct WriteResult {
    Histogram latency_ns;
    double seconds = 0;
};
WriteResult write_durably(const std::string& file, size_t write_bytes, double seconds);

// Reads a file of `bytes` past the page cache, a megabyte ahead, and sends it to a socket whose
// other end is read and forgotten.
ProbeResult read_and_send(const std::string& file, int64_t bytes);

// Checksum and decompression of one batch, again and again; `bytes` are uncompressed ones.
ProbeResult unpack(const BatchSpec& spec, double seconds);

}  // namespace moldau::bench
