// The records of __consumer_offsets that classic groups and committed offsets live in, as typed
// values, and their bytes. A value that is absent is a tombstone. Written: OffsetCommit value 4, or
// 1 when the commit carries an expiry of its own; GroupMetadata value 3. All versions are read, and
// the legacy key type 0 as type 1.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "coordinator/runtime/encoded_record.h"
#include "protocol/records/group.h"

namespace moldau::coordinator {

struct OffsetCommitRecord {
    protocol::OffsetCommitKey key;
    std::optional<protocol::OffsetCommitValue> value;

    friend bool operator==(const OffsetCommitRecord&, const OffsetCommitRecord&) = default;
};

struct GroupMetadataRecord {
    protocol::GroupMetadataKey key;
    std::optional<protocol::GroupMetadataValue> value;

    friend bool operator==(const GroupMetadataRecord&, const GroupMetadataRecord&) = default;
};

using GroupRecord = std::variant<OffsetCommitRecord, GroupMetadataRecord>;

OffsetCommitRecord offset_tombstone(std::string group, std::string topic, int32_t partition);
GroupMetadataRecord group_tombstone(std::string group);

EncodedRecord encode_group_record(const GroupRecord& record);

// Nothing for a record type that is not ours to act on (the newer group kinds, or an unknown type
// left by an aborted upgrade). Errors: CorruptMessage when the bytes are no record, or the value's
// version is one nobody wrote yet: such a partition must not be served.
Result<std::optional<GroupRecord>> decode_group_record(const Bytes& key,
                                                       const std::optional<Bytes>& value);

}  // namespace moldau::coordinator
