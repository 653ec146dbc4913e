// DurableEnd: up to where one log may be acknowledged and shown: everything below is on the device,
// in the journal or in synced segments, or was appended under moldau.ack=memory, which asks for
// neither. A log learns of durability from two sides that do not wait for one another (the journal
// by group numbers, syncs by the recovery point), and acknowledges a prefix only.
// Owned by a Log and guarded like it. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/types.h"

namespace moldau::storage {

class DurableEnd {
 public:
    // Everything below `end` counts.
    void reset(Offset end) {
        end_ = secured_ = end;
        parts_.clear();
        held_until_ = 0;
    }

    // The log was appended to, up to `end`: the bytes are in that group of the journal, ...
    void journaled(uint64_t group, Offset end) { add(group, end, true); }
    // ... only a sync will make them durable, ...
    void needs_sync(Offset end) { add(kNever, end, true); }
    // ... or nobody asks.
    void unsecured(Offset end) { add(0, end, false); }

    // Nothing at or above `offset` is in the log any more; that is in the journal's group `group`
    // (0: it is not), and nothing is durable before it.
    void truncated(Offset offset, uint64_t group) {
        end_ = std::min(end_, offset);
        secured_ = std::min(secured_, offset);
        while (!parts_.empty() && parts_.back().begin >= offset) {
            parts_.pop_back();
        }
        if (!parts_.empty()) {
            parts_.back().end = std::min(parts_.back().end, offset);
        }
        held_until_ = std::max(held_until_, group);
    }

    // Where the journal and the syncs have come to. Returns end().
    Offset advance(uint64_t durable_group, Offset synced_end) {
        if (durable_group < held_until_) {
            return end_;
        }
        while (!parts_.empty()) {
            const Part& part = parts_.front();
            if (part.group > durable_group && part.end > synced_end) {
                end_ = std::max(end_, std::min(synced_end, part.end));
                break;
            }
            end_ = std::max(end_, part.end);
            parts_.erase(parts_.begin());
        }
        return end_;
    }
    Offset end() const { return end_; }

    // Whether something below `base` is neither synced nor on its way there: what is journaled on
    // top of it could not be replayed.
    bool gap_below(Offset base, Offset synced_end) const {
        return std::max(secured_, synced_end) < base;
    }
    // What must be synced for anything more to become durable; nullopt: nothing.
    std::optional<Offset> sync_wanted(Offset synced_end) const {
        for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
            if (part->group == kNever) {
                return part->end > synced_end ? std::optional(part->end) : std::nullopt;
            }
        }
        return std::nullopt;
    }

 private:
    static constexpr uint64_t kNever = UINT64_MAX;
    struct Part {
        uint64_t group;
        Offset begin;
        Offset end;
    };

    void add(uint64_t group, Offset end, bool secures) {
        if (secures) {
            secured_ = std::max(secured_, end);
        }
        if (group == 0 && parts_.empty()) {
            end_ = end;
        } else if (!parts_.empty() && parts_.back().group == group) {
            parts_.back().end = end;
        } else {
            parts_.push_back({group, parts_.empty() ? end_ : parts_.back().end, end});
        }
    }

    Offset end_{0};
    // Below it, everything is synced or on its way to the device.
    Offset secured_{0};
    // What is above end_, in order, one part per group under way; neighbours differ in their group.
    std::vector<Part> parts_;
    uint64_t held_until_ = 0;
};

}  // namespace moldau::storage
