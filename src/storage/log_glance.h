// LogGlance: what retention must know of a log that is not open, from its directory's listing and
// one index entry. Nothing changes in the files of an unopened log, so one glance is good until it
// opens. Taken by LogManager on the disk pool; plain values, any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "base/types.h"

namespace moldau::config {
struct LogConfig;
}
namespace moldau::runtime {
class FileSystem;
}

namespace moldau::storage {

struct LogGlance {
    int64_t total_bytes = 0;
    int64_t first_bytes = 0;  // of the oldest segment
    // As Segment::largest_timestamp() of the oldest segment.
    TimestampMs first_timestamp = kNoTimestamp;
    Offset second_base = kNoOffset;  // none: one segment
    Offset last_base = kNoOffset;    // of the segment being written
};

// A log that a clean stop left. Opens no data file.
Result<LogGlance> glance_at_log(runtime::FileSystem& files, const std::string& dir);

// Whether the directory holds one empty segment and nothing besides that a crash may have damaged:
// then there is nothing to recover. False when it cannot be read.
bool is_untouched_log(runtime::FileSystem& files, const std::string& dir);

// Whether Log::apply_retention() may find something to delete; it has the last word.
bool may_have_expired(const LogGlance& glance, const config::LogConfig& config,
                      Offset log_start_offset, Offset high_watermark, TimestampMs now);

}  // namespace moldau::storage
