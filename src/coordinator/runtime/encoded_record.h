// EncodedRecord: a record as it stands in the log of a coordinator topic; no value is a tombstone.
#pragma once

#include <cstddef>
#include <optional>

#include "base/bytes.h"

namespace moldau::coordinator {

struct EncodedRecord {
    // More than length prefixes, deltas and attributes of a record ever take.
    static constexpr size_t kOverheadBytesMax = 40;

    Bytes key;
    std::optional<Bytes> value;

    // Upper bound of what the record adds to an uncompressed batch.
    size_t bytes_max() const {
        return key.size() + (value ? value->size() : 0) + kOverheadBytesMax;
    }

    friend bool operator==(const EncodedRecord&, const EncodedRecord&) = default;
};

}  // namespace moldau::coordinator
