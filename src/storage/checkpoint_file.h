// Checkpoint files: the small text files by which Kafka remembers offsets across restarts.
// Line 1 is the version 0, line 2 the number of entries, then one entry per line.
// Written through FileSystem::replace_file, so that a reader sees the old content or the new one.
// Called from the disk pool or at start; no state, any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/topic_partition.h"
#include "base/types.h"

namespace moldau::runtime {
class FileSystem;
}

namespace moldau::storage {

inline constexpr std::string_view kRecoveryPointCheckpoint = "recovery-point-offset-checkpoint";
inline constexpr std::string_view kLogStartOffsetCheckpoint = "log-start-offset-checkpoint";
inline constexpr std::string_view kHighWatermarkCheckpoint = "replication-offset-checkpoint";
inline constexpr std::string_view kCleanerOffsetCheckpoint = "cleaner-offset-checkpoint";
inline constexpr std::string_view kLeaderEpochCheckpoint = "leader-epoch-checkpoint";

using OffsetCheckpoint = std::map<TopicPartition, Offset>;

// The entries after the two leading lines. Errors: KafkaStorageError when the version is not 0, the
// count does not match, or a line is cut off.
Result<std::vector<std::string_view>> parse_checkpoint_lines(std::string_view path,
                                                             std::string_view content);

// `topic partition offset` per line. An absent file reads as empty.
Result<OffsetCheckpoint> read_offset_checkpoint(runtime::FileSystem& files,
                                                const std::string& path);
Status write_offset_checkpoint(runtime::FileSystem& files, const std::string& path,
                               const OffsetCheckpoint& offsets);

}  // namespace moldau::storage
