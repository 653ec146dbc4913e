#include "storage/log_glance.h"

#include <array>

#include "base/endian.h"
#include "config/log_config.h"
#include "runtime/file_system.h"
#include "storage/checkpoint_file.h"
#include "storage/partition_metadata.h"
#include "storage/segment.h"
#include "storage/time_index.h"

namespace moldau::storage {

namespace {

// The last entry of a time index is its segment's largest timestamp; kNoTimestamp without one.
Result<TimestampMs> last_timestamp(runtime::FileSystem& files, const std::string& path) {
    auto file = files.open(path, runtime::OpenMode::Read);
    if (!file && runtime::is_missing(file.error())) {
        return kNoTimestamp;
    }
    if (!file) {
        return fail(file.error());
    }
    MOLDAU_TRY(uint64_t bytes, (*file)->size());
    std::array<uint8_t, TimeIndex::kEntryBytes> entry;
    if (bytes < entry.size()) {
        return kNoTimestamp;
    }
    MOLDAU_TRY(size_t got, (*file)->read(entry, bytes - bytes % entry.size() - entry.size()));
    return got == entry.size() ? load_big<int64_t>(entry.data()) : kNoTimestamp;
}

}  // namespace

Result<LogGlance> glance_at_log(runtime::FileSystem& files, const std::string& dir) {
    LogGlance glance;
    MOLDAU_TRY(auto entries, files.list(dir));
    size_t segments = 0;
    for (const auto& entry : entries) {
        auto base = offset_of_file_name(entry.name);
        if (!base || !entry.name.ends_with(kLogSuffix)) {
            continue;
        }
        MOLDAU_TRY(auto info, files.stat(runtime::join_path(dir, entry.name)));
        glance.last_base = *base;
        glance.total_bytes += static_cast<int64_t>(info.size);
        if (++segments == 2) {
            glance.second_base = *base;
        }
        if (segments > 1) {
            continue;
        }
        glance.first_bytes = static_cast<int64_t>(info.size);
        MOLDAU_TRY(glance.first_timestamp,
                   last_timestamp(files, segment_path(dir, *base, kTimeIndexSuffix)));
        if (glance.first_timestamp < 0) {
            glance.first_timestamp = info.modified_ms;
        }
    }
    return glance;
}

bool is_untouched_log(runtime::FileSystem& files, const std::string& dir) {
    auto entries = files.list(dir);
    if (!entries) {
        return false;
    }
    size_t segments = 0;
    for (const auto& [name, is_directory] : *entries) {
        if (name == kPartitionMetadata || name == kLeaderEpochCheckpoint) {
            continue;
        }
        // Kafka leaves preallocated indexes behind: whether they are sound is seen by recovery.
        auto info = files.stat(runtime::join_path(dir, name));
        bool empty = info && !info->is_directory && info->size == 0;
        if (!empty || !offset_of_file_name(name)) {
            return false;
        }
        bool is_data = name.ends_with(kLogSuffix);
        bool is_index = name.ends_with(kOffsetIndexSuffix) || name.ends_with(kTimeIndexSuffix);
        if (!is_data && !is_index) {
            return false;
        }
        segments += is_data ? 1 : 0;
    }
    return segments == 1;
}

bool may_have_expired(const LogGlance& glance, const config::LogConfig& config,
                      Offset log_start_offset, Offset high_watermark, TimestampMs now) {
    bool last = glance.second_base == kNoOffset;
    if (last ? glance.first_bytes == 0 : glance.second_base > high_watermark) {
        return false;
    }
    if (!last && glance.second_base <= log_start_offset) {
        return true;
    }
    if (!config.cleanup_delete) {
        return false;
    }
    bool too_many = config.retention_bytes >= 0 &&
                    glance.total_bytes - config.retention_bytes >= glance.first_bytes;
    bool too_old = config.retention_ms >= 0 && now - glance.first_timestamp > config.retention_ms;
    return too_many || too_old;
}

}  // namespace moldau::storage
