#include "server/metadata_directory.h"

#include "runtime/file_system.h"
#include "storage/meta_properties.h"

namespace moldau::server {

Result<MetadataDirectory> open_metadata_directory(runtime::FileSystem& files,
                                                  const std::string& path,
                                                  const std::string& cluster_id, BrokerId node_id) {
    MetadataDirectory directory;
    MOLDAU_TRY(auto properties, storage::read_meta_properties(files, path));
    if (!properties || !properties->directory_id) {
        return fail(ErrorCode::InvalidConfig,
                    "No `meta.properties` found in {} (have you run `kafka-storage.sh` to format "
                    "the directory?)",
                    path);
    }
    std::string file = runtime::join_path(path, storage::kMetaProperties);
    if (properties->cluster_id != cluster_id) {
        return fail(ErrorCode::InvalidConfig, "Invalid cluster.id in: {}. Expected {}, but read {}",
                    file, cluster_id, properties->cluster_id.value_or("none"));
    }
    if (properties->node_id != node_id) {
        return fail(ErrorCode::InvalidConfig,
                    "Stored node id {} doesn't match previous node id {} in {}",
                    properties->node_id.value_or(kNoBroker).value(), node_id.value(), file);
    }
    MOLDAU_TRY(directory.lock, files.try_lock(runtime::join_path(path, ".lock")));
    if (directory.lock == nullptr) {
        return fail(ErrorCode::InvalidConfig,
                    "Failed to acquire lock on file .lock in {}. A Kafka instance in another "
                    "process or thread is using this directory.",
                    path);
    }
    directory.id = *properties->directory_id;
    return directory;
}

}  // namespace moldau::server
