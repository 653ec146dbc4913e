#include "runtime/receive_memory.h"

#include <vector>

namespace moldau::runtime {

void ReceiveMemory::Share::reset() {
    if (auto memory = std::move(memory_)) {
        memory->give_back(std::exchange(bytes_, 0));
    }
}

std::optional<ReceiveMemory::Share> ReceiveMemory::try_take(int64_t bytes) {
    MutexLock lock(mutex_);
    if (taken_ >= bytes_max_ || !waiting_.empty()) {
        return std::nullopt;
    }
    taken_ += bytes;
    return Share(shared_from_this(), bytes);
}

ReceiveMemory::Share ReceiveMemory::take(int64_t bytes) {
    MutexLock lock(mutex_);
    taken_ += bytes;
    return {shared_from_this(), bytes};
}

uint64_t ReceiveMemory::wait(int64_t bytes, Granted granted) {
    uint64_t ticket = 0;
    {
        MutexLock lock(mutex_);
        ticket = ++last_ticket_;
        waiting_.emplace(ticket, Waiting{bytes, std::move(granted)});
    }
    give_back(0);  // there may be some again since it was asked for
    return ticket;
}

void ReceiveMemory::cancel(uint64_t ticket) {
    std::map<uint64_t, Waiting>::node_type given_up;  // dies under no lock
    MutexLock lock(mutex_);
    given_up = waiting_.extract(ticket);
}

bool ReceiveMemory::is_scarce() const {
    MutexLock lock(mutex_);
    return taken_ > bytes_max_ / 2;
}

int64_t ReceiveMemory::taken() const {
    MutexLock lock(mutex_);
    return taken_;
}

void ReceiveMemory::give_back(int64_t bytes) {
    std::vector<Waiting> let_in;
    {
        MutexLock lock(mutex_);
        taken_ -= bytes;
        while (!waiting_.empty() && taken_ < bytes_max_) {
            auto first = waiting_.extract(waiting_.begin());
            taken_ += first.mapped().bytes;
            let_in.push_back(std::move(first.mapped()));
        }
    }
    for (Waiting& each : let_in) {
        each.granted(Share(shared_from_this(), each.bytes));
    }
}

}  // namespace moldau::runtime
