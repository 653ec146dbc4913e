// TopicPartition: a partition by its names, as directories, checkpoints and old requests know it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace moldau {

struct TopicPartition {
    std::string topic;
    int32_t partition = 0;

    friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;

    // `orders-3`, Kafka's form in messages and directory names.
    std::string str() const { return fmt::format("{}-{}", topic, partition); }
};

}  // namespace moldau

template <>
struct std::hash<moldau::TopicPartition> {
    size_t operator()(const moldau::TopicPartition& tp) const noexcept {
        return std::hash<std::string>()(tp.topic) * 31 + static_cast<size_t>(tp.partition);
    }
};

template <>
struct fmt::formatter<moldau::TopicPartition> : fmt::formatter<std::string_view> {
    template <typename Context>
    auto format(const moldau::TopicPartition& tp, Context& context) const {
        return fmt::formatter<std::string_view>::format(tp.str(), context);
    }
};
