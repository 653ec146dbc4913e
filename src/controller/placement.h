// Placement: chooses brokers for the replicas of new partitions, as Kafka's StripedReplicaPlacer
// does by property: racks take turns, and brokers within a rack; the first replica is on an
// unfenced broker; fenced brokers come last; successive partitions start one rack and one broker
// further on; after as many partitions as there are unfenced brokers the order is shuffled. Pure:
// random bits are handed in.
#pragma once

#include <cstdint>
#include <vector>

#include "controller/decision.h"

namespace moldau::controller {

// One list of brokers for each partition, preferred leader first. Errors: InvalidReplicationFactor
// with Kafka's sentence.
Result<std::vector<std::vector<int32_t>>> place_replicas(const State& state, int32_t partitions,
                                                         int32_t replication_factor,
                                                         const Draw& draw);

}  // namespace moldau::controller
