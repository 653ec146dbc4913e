#include "runtime/clock.h"

#include <ctime>

namespace moldau::runtime {

namespace {

int64_t read_clock(clockid_t id) {
    timespec time{};
    clock_gettime(id, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

class SystemClock final : public Clock {
 public:
    MonotonicTime monotonic() const override {
        return MonotonicTime(Duration(read_clock(CLOCK_MONOTONIC)));
    }
    TimestampMs wall_ms() const override { return read_clock(CLOCK_REALTIME) / 1'000'000; }
};

}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

}  // namespace moldau::runtime
