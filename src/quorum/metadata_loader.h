// MetadataLoader: turns what the quorum commits into images and hands them to the publishers.
//
// Lives on the control loop: commits arrive there, publishers are called there, one after the other
// in the order of registration, after each committed batch. Until the loader has reached the high
// watermark for the first time nothing is published; what lies between the begin and the end of a
// metadata transaction is published at once with its end, or dropped with its abort.
// image() may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "metadata/delta.h"
#include "metadata/image.h"
#include "quorum/raft_listener.h"

namespace moldau::quorum {

class MetadataPublisher {
 public:
    virtual ~MetadataPublisher() = default;
    virtual std::string_view name() const = 0;
    // `image` is delta.previous() with the changes that `delta` lists. What it asks for is done
    // when this returns: answers to clients that wait for the change leave right after the last
    // publisher.
    virtual void publish(const metadata::Delta& delta, const metadata::ImagePtr& image) = 0;
};

class MetadataLoader final : public RaftListener {
 public:
    // `high_watermark` tells the quorum's present one (QuorumDriver::high_watermark).
    // `fault` is called when the log holds something that cannot be applied; the node must stop.
    using HighWatermark = std::function<std::optional<Offset>()>;
    using Fault = std::function<void(const Error&)>;
    MetadataLoader(HighWatermark high_watermark, Fault fault);
    ~MetadataLoader() override;

    // A publisher that comes late gets all there is as one delta from the empty image, at once.
    void add_publisher(MetadataPublisher* publisher);
    void remove_publisher(MetadataPublisher* publisher);

    // The latest published image; the empty one before the first publication.
    metadata::ImagePtr image() const;
    bool has_published() const { return published_; }
    // Offset of the last record (control records included) that was read.
    Offset last_applied_offset() const { return last_applied_; }

    // Log bytes read since the last snapshot was written or loaded.
    int64_t bytes_since_snapshot() const { return bytes_since_snapshot_; }
    void snapshot_written() { bytes_since_snapshot_ = 0; }
    bool in_transaction() const { return transaction_.has_value(); }

    void on_commit(const CommittedBatch& batch) override;
    void on_load_snapshot(SnapshotReader& snapshot) override;
    void on_leader_change(const consensus::LeaderAndEpoch&) override {}
    void on_fault(const Error& error) override;

 private:
    bool caught_up() const;
    bool replay(const CommittedBatch& batch);
    void publish_if_due();

    HighWatermark high_watermark_;
    Fault fault_;
    std::vector<MetadataPublisher*> publishers_;

    mutable Mutex mutex_;
    metadata::ImagePtr image_ GUARDED_BY(mutex_);

    // What was replayed since the last publication; the delta under transaction_ is apart so that
    // an abort can drop it.
    std::optional<metadata::Delta> delta_;
    std::optional<std::vector<metadata::VersionedRecord>> transaction_;
    metadata::Provenance provenance_;
    Offset last_applied_{-1};
    int64_t bytes_since_snapshot_ = 0;
    bool published_ = false;
    bool faulted_ = false;
};

}  // namespace moldau::quorum
