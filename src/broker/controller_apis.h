// ControllerApis: where the requests of a controller listener go. ApiVersions, DescribeCluster and
// DescribeConfigs are answered here from the loader's image, what an Envelope carries and
// everything else by the ControllerHost, which knows the raft protocol too. A request that finds no
// active controller here is answered with NotController: the sender knows how to find the one that
// leads. Called on the loops of the connections, works on the control loop.
#pragma once

#include <cstdint>
#include <string>

#include "broker/request.h"

namespace moldau::runtime {
class EventLoop;
}

namespace moldau::quorum {
class ControllerHost;
class MetadataLoader;
class QuorumDriver;
}  // namespace moldau::quorum

namespace moldau::broker {

class CurrentConfig;

class ControllerApis final : public RequestSink {
 public:
    // All references must outlive the connections of the listener.
    ControllerApis(std::string cluster_id, const CurrentConfig& config,
                   quorum::QuorumDriver& quorum, quorum::MetadataLoader& loader,
                   quorum::ControllerHost& host, runtime::EventLoop& control_loop);

    bool serves(protocol::ApiKey key) const override;
    void handle(Request request) override;

 private:
    void handle_on_control_loop(Request request);
    void handle_describe_cluster(Request request);
    void handle_describe_configs(Request request);
    void handle_envelope(Request request);
    void pass_on(Request request);

    const std::string cluster_id_;
    const CurrentConfig& config_;
    quorum::QuorumDriver& quorum_;
    quorum::MetadataLoader& loader_;
    quorum::ControllerHost& host_;
    runtime::EventLoop& control_loop_;
};

}  // namespace moldau::broker
