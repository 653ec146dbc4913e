// ReceiveMemory: what the frames that are on their way in may take of memory, over many streams on
// many loops: the pool behind Kafka's queued.max.request.bytes.
//
// A frame that does not arrive whole takes its whole length before it is gathered, and gives it
// back when it was handled. One that finds nothing left waits, in order of arrival, and its stream
// is not read meanwhile. The last one let in may take more than there is, so that a frame of any
// size comes through; none that was let in waits for another, so that each comes to its end.
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace moldau::runtime {

class ReceiveMemory : public std::enable_shared_from_this<ReceiveMemory> {
 public:
    // Bytes that are taken until it is dropped.
    class Share {
     public:
        Share() = default;
        Share(Share&& other) noexcept
            : memory_(std::move(other.memory_)), bytes_(std::exchange(other.bytes_, 0)) {}
        Share& operator=(Share&& other) noexcept {
            if (this != &other) {
                reset();
                memory_ = std::move(other.memory_);
                bytes_ = std::exchange(other.bytes_, 0);
            }
            return *this;
        }
        ~Share() { reset(); }

        int64_t bytes() const { return bytes_; }
        void reset();

     private:
        friend class ReceiveMemory;
        Share(std::shared_ptr<ReceiveMemory> memory, int64_t bytes)
            : memory_(std::move(memory)), bytes_(bytes) {}

        std::shared_ptr<ReceiveMemory> memory_;
        int64_t bytes_ = 0;
    };
    // Must only hand over; runs on any thread.
    using Granted = std::move_only_function<void(Share)>;

    static std::shared_ptr<ReceiveMemory> of(int64_t bytes_max) {
        return std::shared_ptr<ReceiveMemory>(new ReceiveMemory(bytes_max));
    }

    // nullopt: nothing is left, or others wait for it.
    std::optional<Share> try_take(int64_t bytes);
    // Of bytes that are in memory already, whatever is left.
    Share take(int64_t bytes);
    // Calls `granted` with the share once it is this one's turn. Returns what cancel() takes back.
    uint64_t wait(int64_t bytes, Granted granted);
    void cancel(uint64_t ticket);
    // More than half is taken: who does not know what comes next reads little of it.
    bool is_scarce() const;
    int64_t taken() const;

 private:
    struct Waiting {
        int64_t bytes;
        Granted granted;
    };
    explicit ReceiveMemory(int64_t bytes_max) : bytes_max_(bytes_max) {}
    void give_back(int64_t bytes);

    const int64_t bytes_max_;
    mutable Mutex mutex_;
    int64_t taken_ GUARDED_BY(mutex_) = 0;
    uint64_t last_ticket_ GUARDED_BY(mutex_) = 0;
    std::map<uint64_t, Waiting> waiting_ GUARDED_BY(mutex_);  // by arrival
};

}  // namespace moldau::runtime
