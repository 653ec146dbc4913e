// Watches process signals (SIGTERM, SIGINT, SIGHUP) and reports them on a loop.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "runtime/event_loop.h"

namespace moldau::runtime {

class SignalWatch {
 public:
    // `on_signal(number)` runs on the loop for every signal until the watch is destroyed.
    SignalWatch(LoopThread& loop, std::initializer_list<int> signals,
                std::function<void(int)> on_signal);
    ~SignalWatch();

 private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace moldau::runtime
