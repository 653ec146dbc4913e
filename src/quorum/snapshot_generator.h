// SnapshotGenerator: writes a snapshot of the published image when enough of the metadata log was
// read since the last one, or enough time has passed
// (metadata.log.max.record.bytes.between.snapshots, metadata.log.max.snapshot.interval.ms). A
// publisher like any other; lives on the control loop.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "quorum/metadata_loader.h"

namespace moldau::runtime {
class Clock;
}

namespace moldau::quorum {

class QuorumDriver;

class SnapshotGenerator final : public MetadataPublisher {
 public:
    struct Options {
        int64_t bytes_between_max = 20 << 20;
        Duration interval_max = std::chrono::hours(1);  // 0: only bytes count
    };
    SnapshotGenerator(Options options, QuorumDriver& quorum, MetadataLoader& loader,
                      runtime::Clock& clock);

    std::string_view name() const override { return "SnapshotGenerator"; }
    void publish(const metadata::Delta& delta, const metadata::ImagePtr& image) override;

 private:
    void write(const metadata::Image& image);

    Options options_;
    QuorumDriver& quorum_;
    MetadataLoader& loader_;
    runtime::Clock& clock_;
    MonotonicTime last_{};
};

}  // namespace moldau::quorum
