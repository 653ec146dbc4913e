// Time as the cores see it: handed in as an argument, never read from a clock.
// Monotonic time drives every timer; wall time appears only in record timestamps, retention,
// token expiry and logs, because a wall clock may jump.
#pragma once

#include <chrono>
#include <cstdint>

namespace moldau {

using Duration = std::chrono::nanoseconds;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Monotonic time since an arbitrary origin of this process.
struct MonotonicClockTag {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonotonicClockTag>;
    static constexpr bool is_steady = true;
};
using MonotonicTime = MonotonicClockTag::time_point;

// Wall time in milliseconds since 1970-01-01 UTC, Kafka's timestamp; -1 is "none".
using TimestampMs = int64_t;
inline constexpr TimestampMs kNoTimestamp = -1;

inline constexpr int64_t to_ms(Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace moldau
