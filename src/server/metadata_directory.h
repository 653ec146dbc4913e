// The directory of the metadata log when it is not one of log.dirs: it is locked and identified
// like the others, yet holds no partitions of topics. Opened and closed by Node on its starting
// thread.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "base/uuid.h"

namespace moldau::runtime {
class FileLock;
class FileSystem;
}  // namespace moldau::runtime

namespace moldau::server {

struct MetadataDirectory {
    Uuid id;
    std::unique_ptr<runtime::FileLock> lock;  // held as long as the node runs
};

// Errors: InvalidConfig when the directory is in use, not formatted, or another node's.
Result<MetadataDirectory> open_metadata_directory(runtime::FileSystem& files,
                                                  const std::string& path,
                                                  const std::string& cluster_id, BrokerId node_id);

}  // namespace moldau::server
