// The two assignors that let partitions stay where they are: `sticky`, whose members give
// everything back while they rebalance, and `cooperative-sticky`, whose members keep what stays
// theirs (KIP-54, KIP-429). Pure.
//
// Members with equal subscriptions get what Kafka's assignors give. With unequal ones the shares
// are never less even than Kafka's, and even when no chain of moves can make them more so; so a
// Java leader that follows finds nothing to move.
#pragma once

#include "client/assignor.h"

namespace moldau::client {

// Reads ownership from the user data, as its members own nothing while they join.
Assignments assign_sticky(const std::vector<AssignorMember>& members,
                          const PartitionCounts& counts);
// A partition that changes hands is left out until its owner has given it back: the rebalance that
// follows assigns it.
Assignments assign_cooperative_sticky(const std::vector<AssignorMember>& members,
                                      const PartitionCounts& counts);

std::optional<Bytes> sticky_user_data(const std::vector<TopicPartition>& assigned,
                                      int32_t generation);
std::optional<Bytes> cooperative_sticky_user_data(const std::vector<TopicPartition>& assigned,
                                                  int32_t generation);

}  // namespace moldau::client
