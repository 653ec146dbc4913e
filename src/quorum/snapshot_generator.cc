#include "quorum/snapshot_generator.h"

#include "metadata/snapshot_writer.h"
#include "quorum/quorum_driver.h"
#include "runtime/clock.h"
#include "runtime/logging.h"

namespace moldau::quorum {

namespace {

runtime::Logger log_("org.apache.kafka.image.publisher.SnapshotGenerator");
constexpr size_t kRecordsPerBatch = 1024;

Status append_image(const metadata::Image& image, SnapshotWriter& writer) {
    metadata::Records batch;
    Status status;
    metadata::write_snapshot(image, [&](metadata::VersionedRecord record) {
        batch.push_back(std::move(record));
        if (batch.size() == kRecordsPerBatch && status) {
            status = writer.append(batch);
            batch.clear();
        }
    });
    if (status && !batch.empty()) {
        status = writer.append(batch);
    }
    return status;
}

}  // namespace

SnapshotGenerator::SnapshotGenerator(Options options, QuorumDriver& quorum, MetadataLoader& loader,
                                     runtime::Clock& clock)
    : options_(options),
      quorum_(quorum),
      loader_(loader),
      clock_(clock),
      last_(clock.monotonic()) {}

void SnapshotGenerator::publish(const metadata::Delta& delta, const metadata::ImagePtr& image) {
    if (delta.is_snapshot()) {
        last_ = clock_.monotonic();  // the quorum has just handed us one
        return;
    }
    bool enough_bytes = loader_.bytes_since_snapshot() >= options_.bytes_between_max;
    bool enough_time =
        options_.interval_max > Duration(0) && clock_.monotonic() - last_ >= options_.interval_max;
    if (enough_bytes || enough_time) {
        write(*image);
    }
}

// A snapshot that fails leaves the log as it is: the node goes on and tries again after the next
// interval.
void SnapshotGenerator::write(const metadata::Image& image) {
    last_ = clock_.monotonic();
    const metadata::Provenance& at = image.provenance;
    auto writer =
        quorum_.create_snapshot({Offset(at.offset + 1), LeaderEpoch(at.epoch)}, at.timestamp_ms);
    if (!writer) {
        MOLDAU_LOG_ERROR(log_, "Cannot create a snapshot: offset={} cause: {}", at.offset,
                         writer.error().message);
        return;
    }
    if (*writer == nullptr) {
        loader_.snapshot_written();
        return;
    }
    Status status = append_image(image, **writer);
    if (status) {
        status = (*writer)->freeze();
    }
    if (!status) {
        MOLDAU_LOG_ERROR(log_, "Cannot write a snapshot: offset={} cause: {}", at.offset,
                         status.error().message);
        return;
    }
    loader_.snapshot_written();
    MOLDAU_LOG_INFO(log_, "Created a metadata snapshot: offset={} epoch={}", at.offset, at.epoch);
}

}  // namespace moldau::quorum
