// Node: one process of a cluster: a broker, a controller, or both (process.roles). Assembles the
// quorum half and the broker half around one control loop; what Kafka calls KafkaRaftServer.
//
// Used by one thread, that of main(): start() returns when the node serves, stop() when it has
// stopped cleanly. A fatal fault of a part (metadata log unusable, every log directory offline) is
// reported by on_fault from any thread; the owner then calls stop().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>

#include "base/result.h"
#include "config/server_config.h"

namespace moldau::runtime {
class Clock;
class Entropy;
class FileSystem;
class LoopThread;
}  // namespace moldau::runtime

namespace moldau::server {

class Node {
 public:
    struct Environment {
        runtime::FileSystem& files;
        runtime::Clock& clock;
        runtime::Entropy& entropy;
        std::function<void(const Error&)> on_fault;
        // Asked to stop, a start() under way gives up with BrokerNotAvailable.
        std::stop_token stop;
    };

    // Locks the directories, joins the quorum, recovers the logs, registers, and opens the
    // listeners. Errors: InvalidConfig, KafkaStorageError and what the parts report, each with the
    // way out.
    static Result<std::unique_ptr<Node>> start(config::ServerConfig config,
                                               Environment environment);
    // As stop().
    ~Node();

    // Controlled shutdown: hands leaderships over, closes listeners and logs, marks the stop as
    // clean.
    void stop();

    // For signals and other work of the owner.
    runtime::LoopThread& control_loop();
    // The port that a listener was bound to; 0 for a name that this node does not have.
    uint16_t port(std::string_view listener_name) const;

 private:
    struct Impl;
    explicit Node(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace moldau::server
