// ControllerHost: the shell of the deciders in controller/. While this node leads the quorum it
// decides each request against the controller's state, appends the records, replays them into that
// state at once, and answers when they are committed and the local image that holds them is
// published. When leadership is lost, whatever is not committed is rolled back and its requests
// fail with NotController. As a standby it replays committed records.
//
// Lives on the control loop: everything but the constructor is called there. Register it with the
// quorum after the MetadataLoader, and as the loader's last publisher.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "config/server_config.h"
#include "metadata/features.h"
#include "quorum/bootstrap_metadata.h"
#include "quorum/controller_channel.h"
#include "quorum/metadata_loader.h"
#include "quorum/quorum_driver.h"

namespace moldau::runtime {
class Clock;
class Entropy;
class EventLoop;
}  // namespace moldau::runtime

namespace moldau::quorum {

class ControllerHost final : public RaftListener, public MetadataPublisher {
 public:
    struct Options {
        std::string cluster_id;
        int32_t node_id = 0;
        config::ServerConfig config = config::ServerConfig::for_tests();
        BootstrapMetadata bootstrap;  // appended when this node is the first that ever leads
    };

    ControllerHost(Options options, QuorumDriver& quorum, MetadataLoader& loader,
                   runtime::EventLoop& loop, runtime::Clock& clock, runtime::Entropy& entropy);
    ~ControllerHost() override;

    // Starts the periodic work; call after the quorum was started.
    void start();
    // Fails what waits with NotController and stops.
    void stop();

    // Any request that a controller serves, those of the raft protocol included: they are answered
    // whether or not this node is the active controller. `reply` is called exactly once, on the
    // control loop. Errors: NotController, UnsupportedVersion, InvalidRequest as of
    // ControllerChannel.
    void handle(ControllerRequest request, ControllerReply reply);
    // Whether handle() knows the api at all.
    static bool serves(int16_t api_key);

    bool is_active() const;
    // `listener` runs, on the control loop, each time this node becomes the active controller.
    void on_activation(std::function<void()> listener);

    void on_commit(const CommittedBatch& batch) override;
    void on_load_snapshot(SnapshotReader& snapshot) override;
    void on_leader_change(const consensus::LeaderAndEpoch& leader) override;

    std::string_view name() const override { return "ControllerHost"; }
    void publish(const metadata::Delta& delta, const metadata::ImagePtr& image) override;

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moldau::quorum
