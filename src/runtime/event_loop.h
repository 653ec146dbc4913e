// EventLoop: one thread's queue of work and timers. Everything that is not shared behind a lock
// lives on one loop and is touched only there.
// LoopThread is the real one (an epoll reactor with a thread of its own); ManualLoop runs when a
// test says so, with a time of its own.
// post() may be called from any thread; everything else belongs to the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"

namespace moldau::runtime {

using Task = std::move_only_function<void()>;

class EventLoop;

// A scheduled task that can be taken back. Dropping the handle cancels; the loop must outlive it.
// Belongs to the loop's thread.
class Timer {
 public:
    Timer() = default;
    Timer(Timer&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), at_(other.at_), id_(other.id_) {}
    Timer& operator=(Timer&& other) noexcept {
        if (this != &other) {
            cancel();
            loop_ = std::exchange(other.loop_, nullptr);
            at_ = other.at_;
            id_ = other.id_;
        }
        return *this;
    }
    ~Timer() { cancel(); }

    // After this the task will not run. Harmless when it already ran.
    void cancel();
    // True while a task is scheduled and neither ran nor was cancelled.
    bool armed() const;

 private:
    friend class EventLoop;
    Timer(EventLoop* loop, MonotonicTime at, uint64_t id) : loop_(loop), at_(at), id_(id) {}

    EventLoop* loop_ = nullptr;
    MonotonicTime at_{};
    uint64_t id_ = 0;
};

class EventLoop {
 public:
    EventLoop() = default;
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    virtual ~EventLoop() { drop_tasks(); }

    // Runs `task` on the loop, after everything posted before. From any thread. Tasks posted after
    // the loop stopped are destroyed without running.
    virtual void post(Task task) = 0;
    // Runs `task` now when called on the loop, otherwise posts it.
    void dispatch(Task task) {
        if (in_loop()) {
            task();
        } else {
            post(std::move(task));
        }
    }
    virtual bool in_loop() const = 0;
    virtual MonotonicTime now() const = 0;

    // Runs `task` once everything that this wake of the loop brought has been handled: for work
    // that is cheaper done for many at once. A task may add others, which run with it.
    void at_turn_end(Task task) { turn_end_.push_back(std::move(task)); }

    // The task runs on the loop no earlier than `at`; tasks of one instant run in order of
    // scheduling.
    [[nodiscard]] Timer schedule_at(MonotonicTime at, Task task);
    [[nodiscard]] Timer schedule_after(Duration delay, Task task) {
        return schedule_at(now() + delay, std::move(task));
    }

 protected:
    // Runs what is due; returns how many ran.
    size_t run_due_timers(MonotonicTime now);
    // Time of the earliest timer, or MonotonicTime::max().
    MonotonicTime next_timer() const {
        return timers_.empty() ? MonotonicTime::max() : timers_.begin()->first.first;
    }
    // The earliest timer is now `at`: wake up then.
    virtual void wake_at(MonotonicTime at) = 0;
    // Runs what at_turn_end() was given; returns how many ran.
    size_t run_turn_end();
    // Tasks own timers of this loop, which find the map empty and whole while the tasks die.
    void drop_tasks() {
        auto timers = std::exchange(timers_, {});
        auto turn_end = std::exchange(turn_end_, {});
    }

 private:
    friend class Timer;

    std::map<std::pair<MonotonicTime, uint64_t>, Task> timers_;
    uint64_t next_id_ = 1;
    std::vector<Task> turn_end_;
};

// A loop with its own thread and epoll set.
class LoopThread final : public EventLoop {
 public:
    // `name` shows in ps and debuggers (15 characters).
    explicit LoopThread(std::string name);
    // Stops and joins.
    ~LoopThread() override;

    void start();
    // Lets the running task finish, drops the rest. From any thread.
    void stop();
    void join();
    // Between start() and the end of the thread.
    bool running() const;

    void post(Task task) override;
    bool in_loop() const override;
    MonotonicTime now() const override;
    const std::string& name() const { return name_; }

    // The reactor itself, for the rest of runtime/.
    struct Impl;
    Impl& impl() { return *impl_; }

 private:
    void wake_at(MonotonicTime at) override;
    std::vector<Task> take_posted();
    void run_posted();

    std::string name_;
    std::unique_ptr<Impl> impl_;
};

// A loop for tests: nothing runs until run(), time moves only by advance().
class ManualLoop final : public EventLoop {
 public:
    explicit ManualLoop(MonotonicTime start = MonotonicTime(seconds(1))) : now_(start) {}

    // Runs posted tasks and due timers until none is left. Returns how many ran.
    size_t run();
    // Moves time forward, running timers at their own instants.
    void advance(Duration by);

    void post(Task task) override;
    bool in_loop() const override { return true; }
    MonotonicTime now() const override { return now_; }

 private:
    void wake_at(MonotonicTime) override {}

    Mutex mutex_;
    std::vector<Task> posted_ GUARDED_BY(mutex_);
    MonotonicTime now_;
};

}  // namespace moldau::runtime
