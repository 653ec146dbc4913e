#include "quorum/metadata_loader.h"

#include <algorithm>

#include "runtime/logging.h"

namespace moldau::quorum {

namespace {

runtime::Logger log_("org.apache.kafka.image.loader.MetadataLoader");

}  // namespace

MetadataLoader::MetadataLoader(HighWatermark high_watermark, Fault fault)
    : high_watermark_(std::move(high_watermark)),
      fault_(std::move(fault)),
      image_(metadata::empty_image()) {}

MetadataLoader::~MetadataLoader() = default;

metadata::ImagePtr MetadataLoader::image() const {
    MutexLock lock(mutex_);
    return image_;
}

void MetadataLoader::add_publisher(MetadataPublisher* publisher) {
    publishers_.push_back(publisher);
    if (published_) {
        metadata::ImagePtr present = image();
        publisher->publish(metadata::Delta::between(metadata::empty_image(), *present), present);
    }
}

void MetadataLoader::remove_publisher(MetadataPublisher* publisher) {
    std::erase(publishers_, publisher);
}

void MetadataLoader::on_commit(const CommittedBatch& batch) {
    if (faulted_) {
        return;
    }
    last_applied_ = batch.last_offset;
    bytes_since_snapshot_ += static_cast<int64_t>(batch.size_in_bytes);
    if (!replay(batch)) {
        return;
    }
    if (!transaction_) {
        provenance_ = {batch.last_offset.value(), batch.epoch.value(), batch.append_timestamp};
        publish_if_due();
    }
}

void MetadataLoader::on_load_snapshot(SnapshotReader& snapshot) {
    if (faulted_) {
        return;
    }
    transaction_.reset();
    delta_.emplace(metadata::Delta::of_snapshot(image()));
    TimestampMs timestamp = snapshot.last_contained_log_timestamp();
    while (true) {
        auto batch = snapshot.next();
        if (!batch) {
            on_fault(batch.error());
            return;
        }
        if (!*batch) {
            break;
        }
        if (!replay(**batch)) {
            return;
        }
    }
    last_applied_ = snapshot.last_contained_offset();
    bytes_since_snapshot_ = 0;
    provenance_ = {last_applied_.value(), snapshot.last_contained_epoch().value(), timestamp};
    publish_if_due();
}

bool MetadataLoader::replay(const CommittedBatch& batch) {
    for (const metadata::VersionedRecord& versioned : batch.records) {
        if (std::holds_alternative<protocol::BeginTransactionRecord>(versioned.record)) {
            transaction_.emplace();
            continue;
        }
        if (std::holds_alternative<protocol::AbortTransactionRecord>(versioned.record)) {
            transaction_.reset();
            continue;
        }
        if (!delta_) {
            delta_.emplace(image());
        }
        std::vector<metadata::VersionedRecord> due;
        if (std::holds_alternative<protocol::EndTransactionRecord>(versioned.record)) {
            due = std::move(transaction_).value_or(std::vector<metadata::VersionedRecord>());
            transaction_.reset();
        } else if (transaction_) {
            transaction_->push_back(versioned);
        } else {
            due.push_back(versioned);
        }
        for (const metadata::VersionedRecord& record : due) {
            if (Status status = delta_->replay(record.record); !status) {
                on_fault({status.error().code,
                          fmt::format("cannot apply the metadata log: offset={} cause: {}",
                                      batch.last_offset, status.error().message)});
                return false;
            }
        }
    }
    return true;
}

bool MetadataLoader::caught_up() const {
    std::optional<Offset> high_watermark = high_watermark_();
    return high_watermark && last_applied_ + 1 >= *high_watermark;
}

void MetadataLoader::publish_if_due() {
    if (!published_) {
        if (!caught_up()) {
            return;
        }
        MOLDAU_LOG_INFO(log_, "Finished catching up with the metadata log: offset={}",
                        last_applied_);
    }
    if (!delta_) {
        if (published_) {
            return;  // control records only
        }
        delta_.emplace(image());
    }
    // Taken out first: a publisher may look at this loader.
    metadata::Delta delta = std::move(*delta_);
    delta_.reset();
    metadata::ImagePtr next = delta.apply(provenance_);
    {
        MutexLock lock(mutex_);
        image_ = next;
    }
    published_ = true;
    for (size_t i = 0; i < publishers_.size(); ++i) {
        publishers_[i]->publish(delta, next);
    }
}

void MetadataLoader::on_fault(const Error& error) {
    if (!faulted_) {
        faulted_ = true;
        MOLDAU_LOG_ERROR(log_, "Metadata can not be followed any more: {}", error.message);
        fault_(error);
    }
}

}  // namespace moldau::quorum
