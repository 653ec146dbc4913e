// bootstrap.checkpoint: the records a cluster begins with, written by `kafka-storage format` into
// the root of every log directory and appended by the first controller that ever leads. The file
// has the form of a snapshot (quorum/snapshot_file.h). Free functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "metadata/versioned_record.h"

namespace moldau::runtime {
class FileSystem;
}

namespace moldau::quorum {

inline constexpr const char* kBootstrapFileName = "bootstrap.checkpoint";

struct BootstrapMetadata {
    std::vector<metadata::VersionedRecord> records;
    int16_t metadata_version = 0;
    std::string source;  // for logs: where the records come from
};

// Reads `log_dir`/bootstrap.checkpoint. Without such a file: the latest metadata.version, as Kafka
// does. Errors: CorruptMessage, KafkaStorageError.
Result<BootstrapMetadata> read_bootstrap_metadata(runtime::FileSystem& files,
                                                  const std::string& log_dir);
Status write_bootstrap_metadata(runtime::FileSystem& files, const std::string& log_dir,
                                const std::vector<metadata::VersionedRecord>& records,
                                TimestampMs now);

}  // namespace moldau::quorum
