// partition.metadata: which topic id a partition's directory belongs to, so that a topic deleted
// and created again under the same name does not inherit old data.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/uuid.h"

namespace moldau::runtime {
class FileSystem;
}

namespace moldau::storage {

inline constexpr std::string_view kPartitionMetadata = "partition.metadata";

// kZeroUuid when the directory has no such file, or one that a crash cut off. Errors:
// KafkaStorageError when it cannot be understood.
Result<Uuid> read_partition_metadata(runtime::FileSystem& files, const std::string& dir);
Status write_partition_metadata(runtime::FileSystem& files, const std::string& dir,
                                const Uuid& topic_id);
// Into a directory that was made just now: not synced, and no old content to keep.
Status write_first_partition_metadata(runtime::FileSystem& files, const std::string& dir,
                                      const Uuid& topic_id);

}  // namespace moldau::storage
