// Writes an image as the records of a snapshot, in Kafka's order and at the record versions of the
// finalized metadata.version: feature levels (metadata.version first), brokers, controllers, per
// topic the topic and its partitions, configs, client quotas, producer ids, ACLs, SCRAM, delegation
// tokens. Replaying the records gives an image of the same content. Pure.
#pragma once

#include <functional>

#include "metadata/image.h"
#include "metadata/versioned_record.h"

namespace moldau::metadata {

using RecordSink = std::function<void(VersionedRecord)>;

void write_snapshot(const Image& image, const RecordSink& sink);
Records snapshot_records(const Image& image);

}  // namespace moldau::metadata
