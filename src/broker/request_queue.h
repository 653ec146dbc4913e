// RequestQueue: how many requests of clients wait for a thread other than the one that read them:
// the group coordinator's, the controller's, one of the disk pool. What queued.max.requests bounds:
// once there are as many, a connection is served one request at a time, as Kafka always does it,
// and what else it sends stays in its socket. Nobody waits for a queue in order to leave it, so a
// full one holds up nobody for good. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "runtime/event_loop.h"

namespace moldau::broker {

class RequestQueue : public std::enable_shared_from_this<RequestQueue> {
 public:
    // One request's place, until it is dropped.
    class Place {
     public:
        Place(Place&& other) noexcept = default;
        Place& operator=(Place&&) = delete;
        ~Place() { leave(); }
        void leave() {
            if (auto queue = std::move(queue_)) {
                --queue->length_;
            }
        }

     private:
        friend class RequestQueue;
        explicit Place(std::shared_ptr<RequestQueue> queue) : queue_(std::move(queue)) {
            ++queue_->length_;
        }

        std::shared_ptr<RequestQueue> queue_;
    };

    static std::shared_ptr<RequestQueue> of(int32_t length_max) {
        return std::shared_ptr<RequestQueue>(new RequestQueue(length_max));
    }

    bool is_full() const { return length() >= length_max_; }
    int32_t length() const { return length_.load(std::memory_order_relaxed); }
    Place enter() { return Place(shared_from_this()); }
    // The task, which has a place from now until it starts.
    runtime::Task queued(runtime::Task task) {
        return [place = enter(), task = std::move(task)]() mutable {
            place.leave();
            task();
        };
    }

 private:
    explicit RequestQueue(int32_t length_max) : length_max_(length_max) {}

    const int32_t length_max_;
    std::atomic<int32_t> length_{0};
};

}  // namespace moldau::broker
