// meta.properties: the identity of a log directory. Read at start from every directory; all must
// agree on cluster and node id, and each has a directory id of its own (KIP-858).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/types.h"
#include "base/uuid.h"

namespace moldau::runtime {
class FileSystem;
}

namespace moldau::storage {

inline constexpr std::string_view kMetaProperties = "meta.properties";

struct MetaProperties {
    int32_t version = 1;  // 0: ZooKeeper age, `broker.id`; 1: KRaft
    std::optional<std::string> cluster_id;
    std::optional<BrokerId> node_id;
    std::optional<Uuid> directory_id;

    friend bool operator==(const MetaProperties&, const MetaProperties&) = default;

    // Errors: InvalidConfig when a number or id cannot be read, or node.id is missing.
    static Result<MetaProperties> parse(std::string_view text);
    // Keys and values that are set, in the order of java.util.Properties' hash table.
    std::vector<std::pair<std::string, std::string>> entries() const;
    // As java.util.Properties writes it: an empty comment, the date, and the entries.
    std::string str(TimestampMs now) const;
    // `MetaProperties(version=1, clusterId=..., nodeId=1, directoryId=...)` as Kafka's log shows
    // it.
    std::string describe() const;
};

// nullopt when the directory has no meta.properties.
Result<std::optional<MetaProperties>> read_meta_properties(runtime::FileSystem& files,
                                                           const std::string& dir);
Status write_meta_properties(runtime::FileSystem& files, const std::string& dir,
                             const MetaProperties& properties, TimestampMs now);

}  // namespace moldau::storage
