// The nouns of the quorum: who a replica is, where a log position lies, who leads, who was voted
// for. Plain values; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/types.h"
#include "base/uuid.h"

namespace moldau::consensus {

// A replica is a node on one directory: the same id on an empty disk is somebody else (KIP-853).
// A zero directory means "not known", as in a static quorum.
struct ReplicaKey {
    BrokerId id = kNoBroker;
    Uuid directory;

    bool has_directory() const { return !directory.is_zero(); }
    friend auto operator<=>(const ReplicaKey&, const ReplicaKey&) = default;
};

// A position after some records, and the epoch of the last record before it.
struct OffsetAndEpoch {
    Offset offset{0};
    LeaderEpoch epoch{0};

    friend auto operator<=>(const OffsetAndEpoch&, const OffsetAndEpoch&) = default;
};

// Names a snapshot: it holds everything before `offset`. 0-0 is the bootstrap checkpoint.
using SnapshotId = OffsetAndEpoch;
inline constexpr SnapshotId kBootstrapSnapshotId{};

// Log order of two ends: epoch first, then offset.
constexpr bool is_at_least_as_up_to_date(const OffsetAndEpoch& log, const OffsetAndEpoch& other) {
    return log.epoch != other.epoch ? log.epoch > other.epoch : log.offset >= other.offset;
}

struct Endpoint {
    std::string listener;
    std::string host;
    uint16_t port = 0;

    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

struct LeaderAndEpoch {
    std::optional<BrokerId> leader;
    LeaderEpoch epoch{0};

    bool is_leader(BrokerId id) const { return leader == id; }
    friend bool operator==(const LeaderAndEpoch&, const LeaderAndEpoch&) = default;
};

// What a replica must never forget: the content of the quorum-state file.
struct ElectionState {
    LeaderEpoch epoch{0};
    std::optional<BrokerId> leader;
    std::optional<ReplicaKey> voted;

    friend bool operator==(const ElectionState&, const ElectionState&) = default;
};

}  // namespace moldau::consensus

template <>
struct fmt::formatter<moldau::consensus::ReplicaKey> : fmt::formatter<std::string> {
    template <typename Context>
    auto format(const moldau::consensus::ReplicaKey& key, Context& context) const {
        return fmt::formatter<std::string>::format(key.has_directory()
                                                       ? fmt::format("{}:{}", key.id, key.directory)
                                                       : fmt::format("{}", key.id),
                                                   context);
    }
};

template <>
struct fmt::formatter<moldau::consensus::OffsetAndEpoch> : fmt::formatter<std::string> {
    template <typename Context>
    auto format(const moldau::consensus::OffsetAndEpoch& at, Context& context) const {
        return fmt::formatter<std::string>::format(fmt::format("{}@{}", at.offset, at.epoch),
                                                   context);
    }
};
