#include "broker/handlers/21_delete_records.h"

#include "broker/broker.h"
#include "broker/partition_lookup.h"
#include "protocol/messages/delete_records.h"

namespace moldau::broker {

void handle_delete_records(Broker& broker, Request request) {
    auto message = request.read<protocol::DeleteRecordsRequest>();
    if (!message) {
        return;
    }
    protocol::DeleteRecordsResponse response;
    for (const auto& topic : message->topics) {
        auto& topic_out = response.topics.emplace_back();
        topic_out.name = topic.name;
        for (const auto& asked : topic.partitions) {
            auto& out = topic_out.partitions.emplace_back();
            out.partition_index = asked.partition_index;
            auto partition = find_partition(broker, topic.name, asked.partition_index);
            Result<Offset> low = partition ? (*partition)->delete_records(Offset(asked.offset))
                                           : Result<Offset>(fail(partition.error()));
            out.low_watermark = low ? low->value() : -1;
            out.error_code = low ? 0 : to_wire(low.error().code);
        }
    }
    request.respond(response);
}

}  // namespace moldau::broker
