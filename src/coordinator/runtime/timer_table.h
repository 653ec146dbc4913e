// TimerTable: the timers of one coordinator shard, by key. Setting a key again replaces its
// deadline. A heartbeat moves a deadline later many times for each time it fires, so moving it
// later only stores the new deadline; the queue learns of it when the old one comes up. One thread.
// Deadlines that are equal fire in the order they were set.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/time.h"

namespace moldau::coordinator {

template <typename Key>
class TimerTable {
 public:
    void schedule(const Key& key, MonotonicTime deadline) {
        auto [at, added] = timers_.try_emplace(key);
        Timer& timer = at->second;
        timer.deadline = deadline;
        timer.order = ++order_;
        if (added || deadline < timer.queued.first) {
            if (!added) {
                queue_.erase({timer.queued.first, timer.queued.second, &at->first});
            }
            enqueue(at);
        }
    }

    void cancel(const Key& key) {
        auto at = timers_.find(key);
        if (at != timers_.end()) {
            queue_.erase({at->second.queued.first, at->second.queued.second, &at->first});
            timers_.erase(at);
        }
    }

    // No timer fires before this; it may be earlier than the first real deadline.
    std::optional<MonotonicTime> next() const {
        return queue_.empty() ? std::nullopt : std::optional(std::get<0>(*queue_.begin()));
    }

    // Takes one timer whose deadline has come, or nothing.
    std::optional<Key> take_due(MonotonicTime now) {
        while (!queue_.empty() && std::get<0>(*queue_.begin()) <= now) {
            auto at = timers_.find(*std::get<2>(*queue_.begin()));
            queue_.erase(queue_.begin());
            if (at->second.deadline <= now) {
                Key key = at->first;
                timers_.erase(at);
                return key;
            }
            enqueue(at);
        }
        return std::nullopt;
    }

    // The deadline of a key, for tests and for describing.
    std::optional<MonotonicTime> deadline(const Key& key) const {
        auto at = timers_.find(key);
        return at == timers_.end() ? std::nullopt : std::optional(at->second.deadline);
    }
    size_t size() const { return timers_.size(); }

 private:
    using Position = std::pair<MonotonicTime, uint64_t>;
    struct Timer {
        MonotonicTime deadline;
        uint64_t order = 0;
        Position queued;  // queued.first <= deadline.
    };
    using Timers = std::map<Key, Timer>;

    void enqueue(typename Timers::iterator at) {
        at->second.queued = {at->second.deadline, at->second.order};
        queue_.insert({at->second.deadline, at->second.order, &at->first});
    }

    Timers timers_;
    // Keys of a std::map do not move, so the queue may point at them.
    std::set<std::tuple<MonotonicTime, uint64_t, const Key*>> queue_;
    uint64_t order_ = 0;
};

}  // namespace moldau::coordinator
