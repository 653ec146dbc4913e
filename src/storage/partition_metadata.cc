#include "storage/partition_metadata.h"

#include <algorithm>

#include "runtime/file_system.h"

namespace moldau::storage {

namespace {

std::string content_for(const Uuid& topic_id) {
    return fmt::format("version: 0\ntopic_id: {}", topic_id);
}

// Written, but not yet all of it on the device when the power went: nothing, a part, or zeros.
bool is_cut_off(std::string_view text) {
    static const std::string whole = content_for(Uuid{1, 1});
    constexpr size_t kFixedBytes = std::string_view("version: 0\ntopic_id: ").size();
    size_t fixed = std::min(text.size(), kFixedBytes);
    return text.find_first_not_of('\0') == std::string_view::npos ||
           (text.size() < whole.size() &&
            text.substr(0, fixed) == std::string_view(whole).substr(0, fixed));
}

}  // namespace

Result<Uuid> read_partition_metadata(runtime::FileSystem& files, const std::string& dir) {
    std::string path = runtime::join_path(dir, kPartitionMetadata);
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
    // The first use writes it again.
    if (is_cut_off(text)) {
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
    return files.replace_file(runtime::join_path(dir, kPartitionMetadata), content_for(topic_id));
}

Status write_first_partition_metadata(runtime::FileSystem& files, const std::string& dir,
                                      const Uuid& topic_id) {
    std::string content = content_for(topic_id);
    MOLDAU_TRY(auto file,
               files.open(runtime::join_path(dir, kPartitionMetadata), runtime::OpenMode::Create));
    return file->write(std::span(reinterpret_cast<const uint8_t*>(content.data()), content.size()),
                       0);
}

}  // namespace moldau::storage
