#include "broker/handlers/61_describe_producers.h"

#include "broker/broker.h"
#include "broker/handlers/on_disk_pool.h"
#include "broker/metadata_cache.h"
#include "broker/partition_lookup.h"
#include "metadata/topic_name.h"
#include "protocol/messages/describe_producers.h"

namespace moldau::broker {
namespace {

using protocol::DescribeProducersResponse;

Result<std::vector<storage::ActiveProducer>> look_up(Broker& broker, const std::string& topic,
                                                     int32_t index) {
    MOLDAU_CHECK(metadata::validate_topic_name(topic));
    MOLDAU_TRY(auto partition, find_partition(broker, topic, index));
    return partition->active_producers();
}

void answer(Broker& broker, Request& request, const protocol::DescribeProducersRequest& message) {
    DescribeProducersResponse response;
    metadata::ImagePtr image = broker.metadata->image();
    const metadata::Topics& topics = image->topics;
    for (const auto& topic : message.topics) {
        auto& topic_out = response.topics.emplace_back();
        topic_out.name = topic.name;
        for (int32_t index : topic.partition_indexes) {
            auto& out = topic_out.partitions.emplace_back();
            out.partition_index = index;
            auto producers = look_up(broker, topic.name, index);
            if (!producers) {
                out.error_code = to_wire(producers.error().code);
                // Kafka has words for a topic that cannot be or is not there, none for a partition.
                if (producers.error().code == ErrorCode::InvalidTopicException) {
                    out.error_message = producers.error().message;
                } else if (topics.find(topic.name) == nullptr) {
                    out.error_message = "This server does not host this topic-partition.";
                }
                continue;
            }
            for (const storage::ActiveProducer& producer : *producers) {
                auto& one = out.active_producers.emplace_back();
                one.producer_id = producer.producer_id.value();
                one.producer_epoch = producer.producer_epoch;
                one.last_sequence = producer.last_sequence;
                one.last_timestamp = producer.last_timestamp;
                one.coordinator_epoch = producer.coordinator_epoch;
                one.current_txn_start_offset = producer.current_txn_start_offset.value();
            }
        }
    }
    request.respond(response);
}

}  // namespace

void handle_describe_producers(Broker& broker, Request request) {
    auto message = request.read<protocol::DescribeProducersRequest>();
    if (!message) {
        return;
    }
    // The log may have to be opened.
    answer_on_disk_pool(broker, std::move(request), std::move(*message), &answer);
}

}  // namespace moldau::broker
