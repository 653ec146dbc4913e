// What a broker tells clients about the cluster, computed from one metadata image: the contents of
// the Metadata, DescribeCluster and DescribeTopicPartitions answers. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/image.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/views/metadata.h"

namespace moldau::broker {

// Who asks, and in whose name we answer.
struct AnswerContext {
    std::string_view cluster_id;
    // Endpoints are those of the listener that the request came in on.
    std::string_view listener_name;
    int16_t version = 0;
};

// The answer to a Metadata request, found but not built: a cluster may have a hundred thousand
// partitions, which go from the image straight into the writer. It borrows the image, the request
// and what the context names.
class MetadataAnswer {
 public:
    // Errors: InvalidRequest for a null name or an id where the version has none.
    static Result<MetadataAnswer> find(const metadata::Image& image,
                                       const protocol::MetadataRequestView& request,
                                       const AnswerContext& context);

    // What the first use creates: legal names that do not exist, when both the client and the
    // broker allow it. Each is answered with UnknownTopicOrPartition.
    std::vector<std::string> topics_to_create(bool broker_allows) const;
    // In the version that was asked for; as protocol messages are written.
    void write(protocol::Writer& writer, int16_t version) const;

 private:
    // What is told of one topic.
    struct Entry {
        const metadata::Topic* topic = nullptr;  // nullptr: it does not exist, for this reason:
        ErrorCode error = ErrorCode::None;
        std::optional<std::string_view> name;
        Uuid id;
    };

    MetadataAnswer(const metadata::Image& image, const AnswerContext& context)
        : image_(&image), context_(context) {}
    void find_all();
    Status find_asked(const protocol::MetadataRequestView& request);
    void drop_repeated();

    const metadata::Image* image_;
    AnswerContext context_;
    std::vector<Entry> entries_;
    bool client_allows_creation_ = false;
    bool with_topic_operations_ = false;
    bool with_cluster_operations_ = false;
};

// The answer to a request that is wrong as a whole. Only topics named in it can be wrong, so each
// carries the error.
protocol::MetadataResponse refuse_metadata(const protocol::MetadataRequestView& request,
                                           ErrorCode error);

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
