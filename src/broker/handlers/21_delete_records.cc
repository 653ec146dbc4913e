#include "broker/handlers/21_delete_records.h"

#include <map>

#include "broker/broker.h"
#include "broker/handlers/on_disk_pool.h"
#include "broker/partition_lookup.h"
#include "metadata/topic_name.h"
#include "protocol/messages/delete_records.h"

namespace moldau::broker {
namespace {

Result<Offset> delete_records(Broker& broker, std::string_view topic, int32_t index,
                              Offset before) {
    MOLDAU_TRY(auto partition, find_partition(broker, topic, index));
    if (metadata::is_internal_topic(topic)) {
        return fail(ErrorCode::InvalidTopicException,
                    "records of internal topics are not deleted by hand: topic={}", topic);
    }
    return partition->delete_records(before);
}

void answer(Broker& broker, Request& request, const protocol::DeleteRecordsRequest& message) {
    // The last word on a partition counts, and a topic without any is not answered.
    std::map<std::string_view, std::map<int32_t, int64_t>> wanted;
    for (const auto& topic : message.topics) {
        for (const auto& partition : topic.partitions) {
            wanted[topic.name][partition.partition_index] = partition.offset;
        }
    }
    protocol::DeleteRecordsResponse response;
    for (const auto& [topic, partitions] : wanted) {
        auto& topic_out = response.topics.emplace_back();
        topic_out.name = topic;
        for (auto [index, offset] : partitions) {
            auto& out = topic_out.partitions.emplace_back();
            out.partition_index = index;
            Result<Offset> low = delete_records(broker, topic, index, Offset(offset));
            out.low_watermark = low ? low->value() : -1;
            out.error_code = low ? 0 : to_wire(low.error().code);
        }
    }
    request.respond(response);
}

}  // namespace

void handle_delete_records(Broker& broker, Request request) {
    auto message = request.read<protocol::DeleteRecordsRequest>();
    if (!message) {
        return;
    }
    // The log may have to be opened, and its epochs are written.
    answer_on_disk_pool(broker, std::move(request), std::move(*message), &answer);
}

}  // namespace moldau::broker
