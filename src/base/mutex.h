// Mutex with Clang's thread-safety annotations: members say GUARDED_BY(mutex_), and the compiler
// refuses code that touches them without the lock.
#pragma once

#include <mutex>

#define MOLDAU_THREAD_ATTRIBUTE(x) __attribute__((x))
#define CAPABILITY(x) MOLDAU_THREAD_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY MOLDAU_THREAD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) MOLDAU_THREAD_ATTRIBUTE(guarded_by(x))
#define PT_GUARDED_BY(x) MOLDAU_THREAD_ATTRIBUTE(pt_guarded_by(x))
#define REQUIRES(...) MOLDAU_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) MOLDAU_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) MOLDAU_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) MOLDAU_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define RETURN_CAPABILITY(x) MOLDAU_THREAD_ATTRIBUTE(lock_returned(x))
#define NO_THREAD_SAFETY_ANALYSIS MOLDAU_THREAD_ATTRIBUTE(no_thread_safety_analysis)

namespace moldau {

class CAPABILITY("mutex") Mutex {
 public:
    void lock() ACQUIRE() { mutex_.lock(); }
    void unlock() RELEASE() { mutex_.unlock(); }

    // For std::condition_variable_any and friends.
    std::mutex& native() RETURN_CAPABILITY(this) { return mutex_; }

 private:
    std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
    explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexLock() RELEASE() { mutex_.unlock(); }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

 private:
    Mutex& mutex_;
};

}  // namespace moldau
