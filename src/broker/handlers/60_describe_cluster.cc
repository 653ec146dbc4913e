#include "broker/handlers/60_describe_cluster.h"

#include "broker/broker.h"
#include "broker/metadata_answers.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {

void handle_describe_cluster(Broker& broker, Request request) {
    auto asked = request.read<protocol::DescribeClusterRequest>();
    if (!asked) {
        return;
    }
    request.respond(
        answer_describe_cluster(*broker.metadata->image(), *asked,
                                {broker.cluster_id, request.listener_name(), request.version()}));
}

}  // namespace moldau::broker
