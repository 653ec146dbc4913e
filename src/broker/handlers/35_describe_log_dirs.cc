#include "broker/handlers/35_describe_log_dirs.h"

#include <algorithm>
#include <map>

#include "broker/broker.h"
#include "broker/handlers/on_disk_pool.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {

using protocol::DescribeLogDirsRequest;
using protocol::DescribeLogDirsResponse;

DescribeLogDirsResponse::DescribeLogDirsResult describe_log_dir(
    const storage::LogManager::DirectoryUse& use,
    const std::optional<std::set<TopicPartition>>& wanted,
    const std::vector<std::string>& cordoned) {
    DescribeLogDirsResponse::DescribeLogDirsResult out;
    out.log_dir = use.directory.path;
    if (use.error || !use.directory.online) {
        out.error_code = to_wire(ErrorCode::KafkaStorageError);
        return out;
    }
    out.total_bytes = use.total_bytes;
    out.usable_bytes = use.usable_bytes;
    out.is_cordoned = std::ranges::find(cordoned, use.directory.path) != cordoned.end();
    std::map<std::string, DescribeLogDirsResponse::DescribeLogDirsTopic> topics;
    for (const auto& [name, bytes] : use.log_bytes) {
        if (wanted && !wanted->contains(name)) {
            continue;
        }
        auto& topic = topics[name.topic];
        topic.name = name.topic;
        auto& partition = topic.partitions.emplace_back();
        partition.partition_index = name.partition;
        partition.partition_size = bytes;
    }
    for (auto& [name, topic] : topics) {
        out.topics.push_back(std::move(topic));
    }
    return out;
}

void handle_describe_log_dirs(Broker& broker, Request request) {
    auto message = request.read<DescribeLogDirsRequest>();
    if (!message) {
        return;
    }
    std::optional<std::set<TopicPartition>> wanted;
    if (message->topics) {
        wanted.emplace();
        for (const auto& topic : *message->topics) {
            for (int32_t partition : topic.partitions) {
                wanted->insert({topic.topic, partition});
            }
        }
    }
    // Sizes and free space come from the file system, which may keep us waiting.
    run_on_disk_pool(
        broker, [&broker, wanted = std::move(wanted), request = std::move(request)]() mutable {
            DescribeLogDirsResponse response;
            std::vector<std::string> cordoned = broker.config->get().cordoned_log_dirs();
            for (const auto& use : broker.logs->describe()) {
                response.results.push_back(describe_log_dir(use, wanted, cordoned));
            }
            request.respond(response);
        });
}

}  // namespace moldau::broker
