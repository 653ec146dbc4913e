#include "runtime/event_loop.h"

#include <boost/asio/post.hpp>

#include <pthread.h>
#include <signal.h>

#include "base/assert.h"
#include "runtime/clock.h"
#include "runtime/loop_impl.h"

namespace moldau::runtime {

namespace {

// Handlers of sockets and posts that make a turn of the loop, at most.
constexpr int kHandlersPerTurn = 128;
// Whether more is ready is asked of the system, which costs a round trip of one request a
// twentieth. A loop that found nothing more asks again after so many turns.
constexpr int kTurnsUnasked = 8;

}  // namespace

Timer EventLoop::schedule_at(MonotonicTime at, Task task) {
    MonotonicTime earliest = next_timer();
    uint64_t id = next_id_++;
    timers_.emplace(std::pair(at, id), std::move(task));
    if (at < earliest) {
        wake_at(at);
    }
    return Timer(this, at, id);
}

size_t EventLoop::run_due_timers(MonotonicTime now) {
    size_t ran = 0;
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        // Taken out first: the task may schedule and cancel as it likes.
        auto due = timers_.extract(timers_.begin());
        due.mapped()();
        ++ran;
    }
    return ran;
}

size_t EventLoop::run_turn_end() {
    size_t ran = 0;
    for (; ran < turn_end_.size(); ++ran) {
        Task task = std::move(turn_end_[ran]);
        task();
    }
    turn_end_.clear();
    return ran;
}

void Timer::cancel() {
    EventLoop* loop = std::exchange(loop_, nullptr);
    if (loop != nullptr) {
        // A spurious wake of the loop later on is cheaper than re-arming now. The task dies when it
        // is out of the map and nothing here is touched any more: it may own this very timer, and
        // others of the loop.
        auto dropped = loop->timers_.extract({at_, id_});
    }
}

bool Timer::armed() const {
    return loop_ != nullptr && loop_->timers_.contains({at_, id_});
}

LoopThread::LoopThread(std::string name)
    : name_(std::move(name)), impl_(std::make_unique<Impl>()) {}

LoopThread::~LoopThread() {
    stop();
    join();
    // Tasks own things whose destructors may still use the loop's interface: drop them while the
    // loop is whole.
    drop_tasks();
    while (!take_posted().empty()) {
    }
    impl_.reset();
}

void LoopThread::start() {
    MOLDAU_ASSERT(!impl_->thread.joinable());
    impl_->running.store(true);
    impl_->thread = std::thread([this] {
        pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
        impl_->thread_id.store(std::this_thread::get_id());
        bool busy = true;
        int unasked = 0;
        while (impl_->context.run_one() > 0) {
            if (busy || ++unasked > kTurnsUnasked) {
                unasked = 0;
                int handlers = 1;
                while (handlers < kHandlersPerTurn && impl_->context.poll_one() > 0) {
                    ++handlers;
                }
                busy = handlers > 1;
            }
            run_turn_end();
        }
        impl_->running.store(false);
    });
}

void LoopThread::stop() {
    impl_->context.stop();
}

void LoopThread::join() {
    if (impl_->thread.joinable()) {
        impl_->thread.join();
    }
}

bool LoopThread::running() const {
    return impl_->running.load();
}

void LoopThread::post(Task task) {
    {
        MutexLock lock(impl_->posted_mutex);
        impl_->posted.push_back(std::move(task));
        if (impl_->posted.size() > 1) {
            return;  // the loop is awake, or about to be
        }
    }
    boost::asio::post(impl_->context, [this] { run_posted(); });
}

std::vector<Task> LoopThread::take_posted() {
    MutexLock lock(impl_->posted_mutex);
    return std::exchange(impl_->posted, {});
}

void LoopThread::run_posted() {
    for (Task& task : take_posted()) {
        if (impl_->context.stopped()) {
            return;
        }
        task();
        task = nullptr;
    }
}

bool LoopThread::in_loop() const {
    return impl_->thread_id.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

MonotonicTime LoopThread::now() const {
    return system_clock().monotonic();
}

void LoopThread::wake_at(MonotonicTime at) {
    if (at >= impl_->wake_timer_at) {
        return;
    }
    impl_->wake_timer_at = at;
    Duration delay = std::max(at - now(), Duration::zero());
    impl_->wake_timer.expires_after(delay);
    impl_->wake_timer.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;  // armed anew for an earlier time
        }
        impl_->wake_timer_at = MonotonicTime::max();
        run_due_timers(now());
        if (next_timer() != MonotonicTime::max()) {
            wake_at(next_timer());
        }
    });
}

size_t ManualLoop::run() {
    size_t ran = 0;
    while (true) {
        std::vector<Task> tasks;
        {
            MutexLock lock(mutex_);
            tasks.swap(posted_);
        }
        for (Task& task : tasks) {
            task();
        }
        size_t more = run_due_timers(now_) + run_turn_end();
        if (tasks.empty() && more == 0) {
            return ran;
        }
        ran += tasks.size() + more;
    }
}

void ManualLoop::advance(Duration by) {
    MonotonicTime target = now_ + by;
    run();
    while (next_timer() <= target) {
        now_ = std::max(now_, next_timer());
        run();
    }
    now_ = target;
    run();
}

void ManualLoop::post(Task task) {
    MutexLock lock(mutex_);
    posted_.push_back(std::move(task));
}

}  // namespace moldau::runtime
