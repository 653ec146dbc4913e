// A metadata record together with the version it is to be written in, or was read from: what
// deciders produce, the log stores and images replay (Kafka's ApiMessageAndVersion).
#pragma once

#include <cstdint>
#include <vector>

#include "protocol/records/metadata.h"

namespace moldau::metadata {

struct VersionedRecord {
    protocol::MetadataRecord record;
    int16_t version = 0;

    friend bool operator==(const VersionedRecord&, const VersionedRecord&) = default;
};

using Records = std::vector<VersionedRecord>;

}  // namespace moldau::metadata
