// Assignors: how the leader of a classic group shares partitions among members. Pure functions;
// each must give what Kafka's assignor of that name gives, for the next leader may be a Java
// client.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/cluster.h"

namespace moldau::client {

struct AssignorMember {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::set<std::string> topics;
};

using Assignments = std::map<std::string, std::vector<TopicPartition>>;  // by member id

// Topic by topic: consecutive partitions to members in order of their ids, the first ones get one
// more when it does not divide (Kafka: RangeAssignor).
Assignments assign_range(const std::vector<AssignorMember>& members,
                         const std::map<std::string, int32_t>& partition_counts);

// All partitions in order, dealt out in turn to the members that subscribe to the topic (Kafka:
// RoundRobinAssignor).
Assignments assign_round_robin(const std::vector<AssignorMember>& members,
                               const std::map<std::string, int32_t>& partition_counts);

using AssignorFunction = Assignments (*)(const std::vector<AssignorMember>&,
                                         const std::map<std::string, int32_t>&);
// By protocol name ("range") or Kafka's class name ("...RangeAssignor"); null when unknown.
struct Assignor {
    std::string_view protocol;
    std::string_view java_class;
    AssignorFunction assign;
};
const Assignor* find_assignor(std::string_view name);

}  // namespace moldau::client
