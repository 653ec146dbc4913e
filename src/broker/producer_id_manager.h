// ProducerIdManager: hands out producer ids from the block that the controller gave this broker,
// and asks for the next block before the present one runs out. An id is never handed out twice, in
// this life of the cluster or another. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"

namespace moldau::quorum {
class ControllerChannel;
}

namespace moldau::broker {

class ProducerIdManager {
 public:
    // Callers that wait for a block at the same time.
    static constexpr size_t kWaitersMax = 10'000;

    using Done = std::move_only_function<void(Result<int64_t>)>;

    // `broker_epoch` is that of the present registration.
    ProducerIdManager(int32_t broker_id, const std::atomic<int64_t>& broker_epoch)
        : broker_id_(broker_id), broker_epoch_(broker_epoch) {}

    void set_controller(quorum::ControllerChannel& controller) { controller_ = &controller; }

    // Calls `done` at once or from the control loop. Errors: CoordinatorLoadInProgress when no
    // block is to be had, which clients retry.
    void next(Done done);

 private:
    void request_block();
    void block_arrived(Result<std::pair<int64_t, int32_t>> block);

    const int32_t broker_id_;
    const std::atomic<int64_t>& broker_epoch_;
    quorum::ControllerChannel* controller_ = nullptr;

    Mutex mutex_;
    int64_t next_ GUARDED_BY(mutex_) = 0;
    int64_t block_end_ GUARDED_BY(mutex_) = 0;
    // The block after this one, once asked for.
    int64_t spare_begin_ GUARDED_BY(mutex_) = 0;
    int64_t spare_end_ GUARDED_BY(mutex_) = 0;
    int64_t prefetch_at_ GUARDED_BY(mutex_) = 0;
    bool asking_ GUARDED_BY(mutex_) = false;
    std::vector<Done> waiters_ GUARDED_BY(mutex_);
};

}  // namespace moldau::broker
