#include "broker/handlers/75_describe_topic_partitions.h"

#include "broker/broker.h"
#include "broker/metadata_answers.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {

void handle_describe_topic_partitions(Broker& broker, Request request) {
    auto asked = request.read<protocol::DescribeTopicPartitionsRequest>();
    if (!asked) {
        return;
    }
    auto response = answer_describe_topic_partitions(
        *broker.metadata->image(), *asked,
        {broker.cluster_id, request.listener_name(), request.version()},
        broker.config->get().get_int("max.request.partition.size.limit"));
    if (!response) {
        protocol::DescribeTopicPartitionsResponse refusal;
        for (const auto& topic : asked->topics) {
            auto& out = refusal.topics.emplace_back();
            out.name = topic.name;
            out.error_code = to_wire(response.error().code);
        }
        return request.respond(refusal);
    }
    request.respond(*response);
}

}  // namespace moldau::broker
