// Broker: the parts of a broker that request handlers work with. Owned by BrokerServer; lives as
// long as any handler runs. Everything here may be used from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/time.h"
#include "config/server_config.h"

namespace moldau::runtime {
class Clock;
class DiskPool;
class Entropy;
class EventLoop;
class FileSystem;
class LoopThread;
}  // namespace moldau::runtime

namespace moldau::storage {
class LogManager;
}

namespace moldau::quorum {
class ControllerChannel;
}

namespace moldau::broker {

class AutoTopicCreator;
class CoordinatorHost;
class CurrentConfig;
class FetchSessions;
class MetadataCache;
class ProducerIdManager;
class ReplicaManager;
class RequestQueue;

struct Broker {
    int32_t node_id = -1;
    std::string cluster_id;
    // A produce waits at least this long for the device, however short its timeout_ms: Kafka's time
    // limit is for followers alone and starts after the leader's own write.
    Duration device_wait_min = std::chrono::seconds(1);
    // The finalized kraft.version, which lives in control records and not in the image.
    std::atomic<int16_t> kraft_version{0};
    // Of the present registration with the controller; -1 before the first.
    std::atomic<int64_t> epoch{-1};

    runtime::FileSystem* files = nullptr;
    runtime::Clock* clock = nullptr;
    runtime::Entropy* entropy = nullptr;
    runtime::DiskPool* disk = nullptr;
    runtime::LoopThread* control_loop = nullptr;

    // The node's configuration with its dynamic part: config->get().
    CurrentConfig* config = nullptr;
    // The present metadata image: metadata->image().
    MetadataCache* metadata = nullptr;
    // Partitions of this broker.
    ReplicaManager* replicas = nullptr;
    storage::LogManager* logs = nullptr;
    FetchSessions* fetch_sessions = nullptr;
    ProducerIdManager* producer_ids = nullptr;
    AutoTopicCreator* auto_topics = nullptr;
    CoordinatorHost* coordinators = nullptr;
    // Requests on their way to another thread.
    std::shared_ptr<RequestQueue> request_queue = nullptr;
    // The way to the active controller.
    quorum::ControllerChannel* controller = nullptr;
};

}  // namespace moldau::broker
