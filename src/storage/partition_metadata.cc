#include "storage/partition_metadata.h"

#include "runtime/file_system.h"

namespace moldau::storage {

namespace {

constexpr std::string_view kFileName = "partition.metadata";

}  // namespace

Result<Uuid> read_partition_metadata(runtime::FileSystem& files, const std::string& dir) {
    std::string path = runtime::join_path(dir, kFileName);
    auto content = files.read_file(path);
    if (!content) {
        if (runtime::is_missing(content.error())) {
            return kZeroUuid;
        }
        return fail(content.error());
    }
    constexpr std::string_view kVersionLine = "version: 0";
    constexpr std::string_view kTopicKey = "topic_id: ";
    std::string_view text = content->view();
    // A crash may leave the file empty; the first append writes it again.
    if (text.empty()) {
        return kZeroUuid;
    }
    bool version = false;
    std::optional<Uuid> topic_id;
    while (!text.empty()) {
        size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        if (line == kVersionLine) {
            version = true;
        } else if (line.starts_with(kTopicKey)) {
            auto parsed = Uuid::parse(line.substr(kTopicKey.size()));
            if (parsed) {
                topic_id = *parsed;
            }
        }
    }
    if (!version || !topic_id || topic_id->is_zero()) {
        return fail(ErrorCode::KafkaStorageError, "malformed partition metadata: path={}", path);
    }
    return *topic_id;
}

Status write_partition_metadata(runtime::FileSystem& files, const std::string& dir,
                                const Uuid& topic_id) {
    return files.replace_file(runtime::join_path(dir, kFileName),
                              fmt::format("version: 0\ntopic_id: {}", topic_id));
}

}  // namespace moldau::storage
