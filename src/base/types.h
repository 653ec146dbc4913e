// Quantities that could be mistaken for one another get types of their own.
// A Strong<Tag, Rep> is explicit to make, ordered, hashable and printable; differences are plain
// integers. Wire messages carry plain integers: convert at the door.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

#include <fmt/format.h>

namespace moldau {

template <typename Tag, typename Rep>
class Strong {
 public:
    using rep = Rep;

    constexpr Strong() = default;
    constexpr explicit Strong(Rep value) : value_(value) {}

    constexpr Rep value() const { return value_; }

    friend constexpr auto operator<=>(Strong, Strong) = default;
    friend constexpr Strong operator+(Strong a, Rep n) {
        return Strong(static_cast<Rep>(a.value_ + n));
    }
    friend constexpr Strong operator-(Strong a, Rep n) {
        return Strong(static_cast<Rep>(a.value_ - n));
    }
    friend constexpr Rep operator-(Strong a, Strong b) {
        return static_cast<Rep>(a.value_ - b.value_);
    }
    constexpr Strong& operator+=(Rep n) {
        value_ = static_cast<Rep>(value_ + n);
        return *this;
    }
    constexpr Strong& operator++() {
        ++value_;
        return *this;
    }

 private:
    Rep value_{};
};

// Position of a record in a partition, from 0. A name ending in _end is exclusive.
using Offset = Strong<struct OffsetTag, int64_t>;
// Term of a partition's (or the quorum's) leader, from 0; -1 is "none".
using LeaderEpoch = Strong<struct LeaderEpochTag, int32_t>;
// Number of a node, from 0; brokers and controllers share the space; -1 is "none".
using BrokerId = Strong<struct BrokerIdTag, int32_t>;
// Number of a partition within its topic, from 0.
using PartitionIndex = Strong<struct PartitionIndexTag, int32_t>;
// Identity of an idempotent or transactional producer, from 0; -1 is "none".
using ProducerId = Strong<struct ProducerIdTag, int64_t>;

inline constexpr Offset kNoOffset{-1};
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr BrokerId kNoBroker{-1};
inline constexpr ProducerId kNoProducerId{-1};

}  // namespace moldau

template <typename Tag, typename Rep>
struct std::hash<moldau::Strong<Tag, Rep>> {
    size_t operator()(moldau::Strong<Tag, Rep> v) const noexcept {
        return std::hash<Rep>()(v.value());
    }
};

template <typename Tag, typename Rep>
struct fmt::formatter<moldau::Strong<Tag, Rep>> : fmt::formatter<Rep> {
    template <typename Context>
    auto format(moldau::Strong<Tag, Rep> v, Context& context) const {
        return fmt::formatter<Rep>::format(v.value(), context);
    }
};
