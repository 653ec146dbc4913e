// DescribeTopicPartitions (key 75), version 0 (KIP-966).
// Behaviour: topics in name order, at most max.request.partition.size.limit partitions in one
// answer; the rest is fetched with the cursor of the answer. An empty topic list means all; then
// topics that vanish between two pages are left out.
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_describe_topic_partitions(Broker& broker, Request request);

}  // namespace moldau::broker
