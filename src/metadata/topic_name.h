// Topic names: which are legal, which are Kafka's own, which collide in metric names. Pure
// functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace moldau::metadata {

inline constexpr std::string_view kGroupMetadataTopic = "__consumer_offsets";
inline constexpr std::string_view kTransactionStateTopic = "__transaction_state";
inline constexpr std::string_view kShareGroupStateTopic = "__share_group_state";
inline constexpr std::string_view kClusterMetadataTopic = "__cluster_metadata";
inline constexpr size_t kTopicNameBytesMax = 249;

// Errors: InvalidTopicException with the sentence that Kafka's clients and tools print.
Status validate_topic_name(std::string_view name);
inline bool is_legal_topic_name(std::string_view name) {
    return validate_topic_name(name).has_value();
}

// A topic of the broker's own: clients see the flag, and the console consumer hides it.
bool is_internal_topic(std::string_view name);

// Metric names write '.' as '_': topics that differ only in these two would share their metrics.
bool has_collision_characters(std::string_view name);
// The name as it appears in metrics; two topics collide if this is equal for both.
std::string collision_key(std::string_view name);

}  // namespace moldau::metadata
