// IoThrottle decides how long the log cleaner rests, so that on average it moves no more bytes than
// log.cleaner.io.max.bytes.per.second, what it reads and what it writes together. Pure; guarded by
// whoever shares it: the threads of one cleaner share one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace moldau::storage {

class IoThrottle {
 public:
    // `bytes` were moved just now. Until when whoever moved them must rest; at or before `now`: not
    // at all. Time in which nobody moved anything is not made up for.
    MonotonicTime moved(int64_t bytes, double bytes_per_second, MonotonicTime now) {
        double seconds_needed = static_cast<double>(bytes) / bytes_per_second;
        free_at_ = std::max(free_at_, now) +
                   Duration(static_cast<int64_t>(std::min(kRestSecondsMax, seconds_needed) * 1e9));
        return free_at_;
    }

 private:
    // Of one call, so that a rate of next to nothing does not overflow the clock.
    static constexpr double kRestSecondsMax = 3600;

    // When what was moved so far has been paid for.
    MonotonicTime free_at_{};
};

}  // namespace moldau::storage
