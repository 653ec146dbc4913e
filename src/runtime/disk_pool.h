// DiskPool: the threads on which anything may block: cold reads, fsync, create, rename, recovery.
// Threads start when there is work for them and stay. Tasks run in order of submission, several at
// a time; a result goes back to its loop with post(). Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "runtime/event_loop.h"

namespace moldau::runtime {

class DiskPool {
 public:
    explicit DiskPool(size_t threads_max, std::string name = "disk");
    // Finishes what was submitted.
    ~DiskPool();

    void submit(Task task);
    // Runs what was submitted, then ends the threads. Later submissions are dropped.
    void stop();

 private:
    void run();

    const size_t threads_max_;
    const std::string name_;
    Mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Task> tasks_ GUARDED_BY(mutex_);
    std::vector<std::thread> threads_ GUARDED_BY(mutex_);
    size_t idle_ GUARDED_BY(mutex_) = 0;
    bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace moldau::runtime
