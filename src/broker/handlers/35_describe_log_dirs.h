// DescribeLogDirs (key 35), versions 1-5.
// Behaviour: each log directory with the sizes of the partitions asked for, null for all. An
// offline directory is answered with KafkaStorageError.
// Version notes: v3 error code of the whole; v4 total and usable bytes (KIP-827); v5 cordoned
// (KIP-1066).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/request.h"
#include "protocol/messages/describe_log_dirs.h"
#include "storage/log_manager.h"

namespace moldau::broker {

struct Broker;

// One directory; without `wanted`, all its partitions.
protocol::DescribeLogDirsResponse::DescribeLogDirsResult describe_log_dir(
    const storage::LogManager::DirectoryUse& use,
    const std::optional<std::set<TopicPartition>>& wanted,
    const std::vector<std::string>& cordoned);

void handle_describe_log_dirs(Broker& broker, Request request);

}  // namespace moldau::broker
