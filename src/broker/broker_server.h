// BrokerServer: the broker half of a node. Owns the data loops, the disk pool, the logs and
// everything that struct Broker names; follows the metadata as its publisher; registers with the
// controller, keeps its lease by heartbeats, and leaves by controlled shutdown.
//
// Order: open() -> loader.add_publisher(&server) -> quorum runs -> start(endpoints, on_running) ->
// ... -> controlled_shutdown() -> (listeners close) -> stop().
// open, controlled_shutdown and stop block and belong to the node's main thread.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/broker.h"
#include "broker/request.h"
#include "config/server_config.h"
#include "quorum/metadata_loader.h"

namespace moldau::broker {

class BrokerServer final : public quorum::MetadataPublisher {
 public:
    struct Dependencies {
        config::ServerConfig config = config::ServerConfig::for_tests();
        runtime::FileSystem* files = nullptr;
        runtime::Clock* clock = nullptr;
        runtime::Entropy* entropy = nullptr;
        runtime::LoopThread* control_loop = nullptr;
        // What counts now, static and dynamic; on the control loop, after each change.
        std::function<void(const config::ServerConfig&)> on_config;
        // Something ended that the node cannot run without. Any thread; called at most once.
        std::function<void(const Error&)> on_fatal;
        // Recovery gives up once this is asked for.
        std::stop_token stop;
    };

    // Locks and identifies the log directories and recovers what was not closed cleanly; starts the
    // data loops. Errors: as storage::LogManager::open.
    static Result<std::unique_ptr<BrokerServer>> open(Dependencies dependencies);
    ~BrokerServer() override;

    const std::string& cluster_id() const;
    Broker& broker();
    // What broker listeners hand requests to, and on which loops.
    RequestSink& sink();
    std::vector<runtime::LoopThread*> data_loops();

    // The channel must be set before start() and before requests arrive.
    void set_controller(quorum::ControllerChannel& controller);
    // Registers and unfences. `on_running` runs once on the control loop, when the broker may take
    // requests. `endpoints` are the advertised ones with their real ports.
    void start(std::vector<config::Endpoint> endpoints, std::function<void()> on_running);

    // Hands leaderships over while still serving; returns when the controller agrees, refuses to
    // answer, or `patience` is over.
    void controlled_shutdown(Duration patience);
    // Ends loops and coordinators, closes the logs and marks a clean stop.
    void stop();

    std::string_view name() const override { return "BrokerServer"; }
    void publish(const metadata::Delta& delta, const metadata::ImagePtr& image) override;

 private:
    struct Impl;
    explicit BrokerServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace moldau::broker
