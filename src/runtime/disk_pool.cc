#include "runtime/disk_pool.h"

#include <pthread.h>

namespace moldau::runtime {

DiskPool::DiskPool(size_t threads_max, std::string name)
    : threads_max_(threads_max == 0 ? 1 : threads_max), name_(std::move(name)) {}

DiskPool::~DiskPool() {
    stop();
}

void DiskPool::submit(Task task) {
    MutexLock lock(mutex_);
    if (stopping_) {
        return;
    }
    tasks_.push_back(std::move(task));
    // Every idle thread may already have been woken for an earlier task of the queue.
    if (tasks_.size() > idle_ && threads_.size() < threads_max_) {
        threads_.emplace_back([this] { run(); });
    }
    wake_.notify_one();
}

void DiskPool::stop() {
    std::vector<std::thread> threads;
    {
        MutexLock lock(mutex_);
        stopping_ = true;
        threads.swap(threads_);
    }
    wake_.notify_all();
    for (std::thread& thread : threads) {
        thread.join();
    }
}

void DiskPool::run() {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    while (true) {
        Task task;
        {
            MutexLock lock(mutex_);
            ++idle_;
            while (tasks_.empty() && !stopping_) {
                wake_.wait(mutex_.native());
            }
            --idle_;
            if (tasks_.empty()) {
                return;
            }
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        task();
    }
}

}  // namespace moldau::runtime
