// Clock: the one door to the time of day and to monotonic time. Cores never see it; shells read it
// and hand times in. Thread-safe.
#pragma once

#include <atomic>

#include "base/time.h"

namespace moldau::runtime {

class Clock {
 public:
    virtual ~Clock() = default;
    virtual MonotonicTime monotonic() const = 0;
    // Milliseconds since 1970; may jump.
    virtual TimestampMs wall_ms() const = 0;
};

// The machine's clock.
Clock& system_clock();

// A clock that moves when told.
class ManualClock final : public Clock {
 public:
    explicit ManualClock(TimestampMs wall_ms = 1'700'000'000'000) : wall_ms_(wall_ms) {}

    MonotonicTime monotonic() const override {
        return MonotonicTime(Duration(monotonic_ns_.load()));
    }
    TimestampMs wall_ms() const override { return wall_ms_.load(); }

    // Both clocks move.
    void advance(Duration by) {
        monotonic_ns_ += by.count();
        wall_ms_ += to_ms(by);
    }
    // Only the wall clock jumps.
    void set_wall_ms(TimestampMs wall_ms) { wall_ms_ = wall_ms; }

 private:
    std::atomic<int64_t> monotonic_ns_{1'000'000'000};
    std::atomic<int64_t> wall_ms_;
};

}  // namespace moldau::runtime
