// Which entries of a produce request count, and where they are answered. Kafka keeps the entries in
// a map by partition: of a partition that is named more than once only the last entry is appended
// and answered, and a topic that is named more than once is answered once. Pure; any thread.
#pragma once

#include <cstddef>
#include <vector>

#include "protocol/views/produce.h"

namespace moldau::broker {

struct ProduceEntries {
    // Some batch says that it belongs to a transaction.
    bool transactional = false;
    // By number of the topic in the request, its number in the answer. Empty: the same.
    std::vector<size_t> topic_in_answer;
    // By number of the entry in the request: a later one takes its place. Empty: none is.
    std::vector<bool> replaced;
};

ProduceEntries entries_of(const protocol::ProduceRequestView& message);

}  // namespace moldau::broker
