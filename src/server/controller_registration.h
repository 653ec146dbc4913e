// ControllerRegistration tells the cluster that this controller exists, where it listens and which
// feature levels it supports (KIP-919). A metadata publisher: it registers as soon as the image
// allows it (metadata.version 3.7-IV0), and again whenever the image shows another incarnation, or
// nothing, under this node's id. Lives on the control loop.
#pragma once

#include <vector>

#include "base/time.h"
#include "base/types.h"
#include "base/uuid.h"
#include "config/server_config.h"
#include "quorum/metadata_loader.h"
#include "runtime/event_loop.h"

namespace moldau::quorum {
class ControllerChannel;
}

namespace moldau::server {

class ControllerRegistration final : public quorum::MetadataPublisher {
 public:
    ControllerRegistration(int32_t node_id, Uuid incarnation_id,
                           std::vector<config::Endpoint> listeners,
                           quorum::ControllerChannel& controller, runtime::EventLoop& loop);

    std::string_view name() const override { return "ControllerRegistrationsPublisher"; }
    void publish(const metadata::Delta& delta, const metadata::ImagePtr& image) override;
    // Sends nothing any more.
    void stop();

 private:
    void register_unless_known();
    void answered(Result<void> outcome);

    const int32_t node_id_;
    const Uuid incarnation_id_;
    const std::vector<config::Endpoint> listeners_;
    quorum::ControllerChannel& controller_;
    runtime::EventLoop& loop_;
    metadata::ImagePtr image_;
    bool in_flight_ = false;
    bool stopped_ = false;
    Duration backoff_;
    runtime::Timer retry_;
};

}  // namespace moldau::server
