// Timeline containers: ordinary maps and values that remember what they were at earlier offsets.
// A decider replays records into them before the records are committed; when leadership is lost,
// the state goes back to the last committed offset in one call (Kafka's SnapshotRegistry).
//
//   SnapshotRegistry registry;
//   TimelineMap<std::string, Topic> topics(registry);
//   registry.snapshot(17);            // remember the state after record 17
//   topics.put("a", ...);
//   registry.revert(17);              // "a" is gone again; the snapshot at 17 stays
//   registry.release_up_to(17);       // committed: forget how to go back before 17
//
// One thread. Cost: a write saves the old value once per snapshot interval; reads cost nothing
// extra.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace moldau {

class SnapshotRegistry {
 public:
    // Called with every change that may have to be taken back, in order; undone in reverse.
    using Undo = std::function<void()>;

    // Marks the present state as that after `offset`. Offsets must grow.
    void snapshot(int64_t offset) {
        MOLDAU_ASSERT(marks_.empty() || marks_.back().offset <= offset);
        if (!marks_.empty() && marks_.back().offset == offset) {
            return;
        }
        marks_.push_back({offset, dropped_ + undo_.size()});
    }

    bool has_snapshot(int64_t offset) const {
        for (const Mark& mark : marks_) {
            if (mark.offset == offset) {
                return true;
            }
        }
        return false;
    }

    // Restores the state marked at `offset`, which must be a remembered one; later marks are
    // dropped.
    void revert(int64_t offset) {
        MOLDAU_ASSERT(has_snapshot(offset));
        while (marks_.back().offset != offset) {
            marks_.pop_back();
        }
        size_t keep = marks_.back().position - dropped_;
        while (undo_.size() > keep) {
            Undo last = std::move(undo_.back());
            undo_.pop_back();
            last();
        }
    }

    // Marks below `offset` can no longer be returned to.
    void release_up_to(int64_t offset) {
        size_t gone = 0;
        while (gone < marks_.size() && marks_[gone].offset < offset) {
            ++gone;
        }
        marks_.erase(marks_.begin(), marks_.begin() + static_cast<ptrdiff_t>(gone));
        size_t keep_from = marks_.empty() ? undo_.size() : marks_.front().position - dropped_;
        undo_.erase(undo_.begin(), undo_.begin() + static_cast<ptrdiff_t>(keep_from));
        dropped_ += keep_from;
    }

    // Records how to take back a change that is about to be made; dropped when nothing could ask.
    void remember(Undo undo) {
        if (!marks_.empty()) {
            undo_.push_back(std::move(undo));
        }
    }

 private:
    struct Mark {
        int64_t offset;
        size_t position;  // in the stream of undos, counted from the first ever
    };
    std::vector<Mark> marks_;
    std::vector<Undo> undo_;
    size_t dropped_ = 0;
};

// An ordered map; iteration is in key order, so decisions are the same on every replica.
// The registry must outlive the map, and the map every revert.
template <typename Key, typename Value>
class TimelineMap {
 public:
    using Storage = std::map<Key, Value, std::less<>>;

    explicit TimelineMap(SnapshotRegistry& registry) : registry_(&registry) {}
    TimelineMap(const TimelineMap&) = delete;
    TimelineMap& operator=(const TimelineMap&) = delete;

    template <typename Lookup>
    const Value* find(const Lookup& key) const {
        auto at = values_.find(key);
        return at == values_.end() ? nullptr : &at->second;
    }
    template <typename Lookup>
    bool contains(const Lookup& key) const {
        return values_.contains(key);
    }
    void put(const Key& key, Value value) {
        auto at = values_.find(key);
        if (at == values_.end()) {
            registry_->remember([this, key] { values_.erase(key); });
            values_.emplace(key, std::move(value));
        } else {
            registry_->remember(
                [this, key, old = at->second] { values_.insert_or_assign(key, old); });
            at->second = std::move(value);
        }
    }
    // Changes a value in place: `change(Value&)`. The key must be present.
    template <typename Change>
    void update(const Key& key, Change&& change) {
        auto at = values_.find(key);
        MOLDAU_ASSERT(at != values_.end());
        registry_->remember([this, key, old = at->second] { values_.insert_or_assign(key, old); });
        change(at->second);
    }
    bool erase(const Key& key) {
        auto at = values_.find(key);
        if (at == values_.end()) {
            return false;
        }
        registry_->remember([this, key, old = at->second] { values_.insert_or_assign(key, old); });
        values_.erase(at);
        return true;
    }

    size_t size() const { return values_.size(); }
    bool empty() const { return values_.empty(); }
    auto begin() const { return values_.begin(); }
    auto end() const { return values_.end(); }
    template <typename Lookup>
    auto lower_bound(const Lookup& key) const {
        return values_.lower_bound(key);
    }

 private:
    SnapshotRegistry* registry_;
    Storage values_;
};

template <typename Value>
class TimelineValue {
 public:
    TimelineValue(SnapshotRegistry& registry, Value initial)
        : registry_(&registry), value_(std::move(initial)) {}
    TimelineValue(const TimelineValue&) = delete;
    TimelineValue& operator=(const TimelineValue&) = delete;

    const Value& get() const { return value_; }
    void set(Value value) {
        registry_->remember([this, old = value_] { value_ = old; });
        value_ = std::move(value);
    }

 private:
    SnapshotRegistry* registry_;
    Value value_;
};

}  // namespace moldau
