// Instant: the two times that a coordinator decision is given. Timers run on the monotonic one;
// record timestamps, state timestamps and retention use wall time. No coordinator reads a clock.
#pragma once

#include "base/time.h"

namespace moldau::coordinator {

struct Instant {
    MonotonicTime monotonic;
    TimestampMs wall = 0;
};

}  // namespace moldau::coordinator
