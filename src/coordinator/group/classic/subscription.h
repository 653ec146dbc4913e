// The topics named in a consumer's subscription (ConsumerProtocolSubscription). Read by version 0,
// which is the common prefix of all versions, so that newer clients need no newer broker.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "protocol/wire.h"

namespace moldau::coordinator {

inline std::optional<std::vector<std::string>> subscribed_topics(const Bytes& metadata) {
    constexpr bool kFlexible = false;
    protocol::Reader reader(metadata);
    reader.read_int16();  // the version that wrote it
    int32_t count = reader.read_array_length(kFlexible, sizeof(int16_t));
    std::vector<std::string> topics;
    for (int32_t i = 0; i < count && reader.ok(); ++i) {
        topics.push_back(reader.read_string(kFlexible));
    }
    reader.read_nullable_bytes(kFlexible);
    return reader.ok() && count >= 0 ? std::optional(std::move(topics)) : std::nullopt;
}

}  // namespace moldau::coordinator
