#include "broker/handlers/registry.h"

#include <array>

#include "broker/handlers/03_metadata.h"
#include "broker/handlers/18_api_versions.h"
#include "broker/handlers/60_describe_cluster.h"
#include "broker/handlers/75_describe_topic_partitions.h"

namespace moldau::broker {

namespace {

using protocol::ApiKey;

struct Line {
    ApiKey key;
    Handler handler;
};

// By ascending key.
constexpr auto kHandlers = std::to_array<Line>({
    {ApiKey::Metadata, handle_metadata},
    {ApiKey::ApiVersions, handle_api_versions},
    {ApiKey::DescribeCluster, handle_describe_cluster},
    {ApiKey::DescribeTopicPartitions, handle_describe_topic_partitions},
});

constexpr auto kTable = [] {
    std::array<Handler, protocol::kApiCount> table{};
    for (const Line& line : kHandlers) {
        table[static_cast<size_t>(line.key)] = line.handler;
    }
    return table;
}();

}  // namespace

Handler find_handler(ApiKey key) {
    return kTable[static_cast<size_t>(key)];
}

}  // namespace moldau::broker
