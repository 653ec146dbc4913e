// Assignors: how the leader of a classic group shares partitions among members. Pure functions that
// give what Kafka's assignor of that name gives, for the next leader may be a Java client.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/topic_partition.h"

namespace moldau::client {

// What one member says of itself when it joins.
struct AssignorMember {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::set<std::string> topics;
    std::vector<TopicPartition> owned;  // kept over this rebalance
    int32_t generation = -1;            // in which `owned` was assigned
    std::optional<Bytes> user_data;     // of the assignor
};

using Assignments = std::map<std::string, std::vector<TopicPartition>>;  // by member id
using PartitionCounts = std::map<std::string, int32_t>;  // of the topics members subscribe to

// Topic by topic: consecutive partitions to members in order of their ids, the first ones get one
// more when it does not divide (Kafka: RangeAssignor).
Assignments assign_range(const std::vector<AssignorMember>& members, const PartitionCounts& counts);

// All partitions in order, dealt out in turn to the members that subscribe to the topic (Kafka:
// RoundRobinAssignor).
Assignments assign_round_robin(const std::vector<AssignorMember>& members,
                               const PartitionCounts& counts);

struct Assignor {
    std::string_view protocol;
    std::string_view java_class;
    // Members keep over a rebalance what stays theirs (KIP-429); else everybody gives back all.
    bool cooperative;
    Assignments (*assign)(const std::vector<AssignorMember>& members,
                          const PartitionCounts& counts);
    // What a member that was last assigned `assigned` sends for the leader's assignor to read.
    std::optional<Bytes> (*user_data)(const std::vector<TopicPartition>& assigned,
                                      int32_t generation);
};

// By protocol name ("range") or Kafka's class name ("...RangeAssignor"); null when unknown.
const Assignor* find_assignor(std::string_view name);

}  // namespace moldau::client
