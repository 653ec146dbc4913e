// Schedule: when requests ought to be sent. An open loop sends by the clock, whether or not the
// answers keep up, and counts latency from the intended time: a broker that stalls for a second
// then shows a second to all that should have been sent meanwhile, not to one request alone.
// A closed loop (rate 0) sends as soon as an answer makes room; its intended time is the sending.
#pragma once

#include <cstdint>

namespace moldau::bench {

class Schedule {
 public:
    // Requests per second, of all connections together; 0: closed loop.
    Schedule(double rate, int64_t start_ns) : rate_(rate), start_ns_(start_ns) {}

    bool is_open_loop() const { return rate_ > 0; }
    // The intended time of the next request.
    int64_t next_ns() const {
        // From the count, so that errors of rounding do not add up.
        return start_ns_ + static_cast<int64_t>(static_cast<double>(taken_) * 1e9 / rate_);
    }
    bool is_due(int64_t now_ns) const { return next_ns() <= now_ns; }
    int64_t take() {
        int64_t intended = next_ns();
        ++taken_;
        return intended;
    }

 private:
    double rate_;
    int64_t start_ns_;
    int64_t taken_ = 0;
};

}  // namespace moldau::bench
