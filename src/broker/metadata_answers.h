// What a broker tells clients about the cluster, computed from one metadata image: the contents of
// the Metadata, DescribeCluster and DescribeTopicPartitions answers. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/image.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/messages/metadata.h"

namespace moldau::broker {

// Who asks, and in whose name we answer.
struct AnswerContext {
    std::string_view cluster_id;
    // Endpoints are those of the listener that the request came in on.
    std::string_view listener_name;
    int16_t version = 0;
};

struct MetadataAnswer {
    protocol::MetadataResponse response;
    // Legal names that were asked for and do not exist: candidates for auto-creation. Each has an
    // entry with UnknownTopicOrPartition in the response.
    std::vector<std::string> missing;
};

// Errors: InvalidRequest for a null name or an id where the version has none.
Result<MetadataAnswer> answer_metadata(const metadata::Image& image,
                                       const protocol::MetadataRequest& request,
                                       const AnswerContext& context);

// The answer to a request that is wrong as a whole. Only topics named in it can be wrong, so each
// carries the error.
protocol::MetadataResponse refuse_metadata(const protocol::MetadataRequest& request,
                                           ErrorCode error);

// What the first use creates: the missing topics, when both the client and the broker allow it.
std::vector<std::string> topics_to_create(const MetadataAnswer& answer,
                                          const protocol::MetadataRequest& request,
                                          bool broker_allows);

protocol::DescribeClusterResponse answer_describe_cluster(
    const metadata::Image& image, const protocol::DescribeClusterRequest& request,
    const AnswerContext& context);

// `partitions_max` is max.request.partition.size.limit. Errors: InvalidRequest for a bad cursor.
Result<protocol::DescribeTopicPartitionsResponse> answer_describe_topic_partitions(
    const metadata::Image& image, const protocol::DescribeTopicPartitionsRequest& request,
    const AnswerContext& context, int32_t partitions_max);

// A live broker of the cluster, for fields that name "the controller" to clients: in KRaft any
// broker takes admin requests. -1 when none is alive.
int32_t any_alive_broker(const metadata::Image& image);

}  // namespace moldau::broker
