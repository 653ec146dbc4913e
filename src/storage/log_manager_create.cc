// How LogManager makes logs: where a new one goes, its directory, and what happens when that fails.
#include <algorithm>

#include "runtime/logging.h"
#include "storage/log_manager_impl.h"
#include "storage/partition_metadata.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.LogManager");

}  // namespace

LogManager::Dir* LogManager::choose_dir(std::optional<Uuid> directory) const {
    Dir* fewest = nullptr;
    Dir* first = nullptr;
    for (const auto& dir : dirs_) {
        if (dir->is_offline()) {
            continue;
        }
        if (directory && dir->directory_id == *directory) {
            return dir.get();
        }
        first = first == nullptr ? dir.get() : first;
        if (std::ranges::find(cordoned_, dir->path) != cordoned_.end()) {
            continue;
        }
        if (fewest == nullptr || dir->log_count < fewest->log_count) {
            fewest = dir.get();
        }
    }
    // The controller chose this node just before its last directory was cordoned.
    return fewest == nullptr ? first : fewest;
}

void LogManager::set_cordoned(std::vector<std::string> dirs) {
    MutexLock lock(mutex_);
    cordoned_ = std::move(dirs);
}

Result<LogManager::EntryPtr> LogManager::find_or_place(const TopicPartition& partition,
                                                       std::optional<Uuid> directory) {
    EntryPtr entry;
    bool had_namesake = false;
    {
        MutexLock lock(mutex_);
        auto found = entries_.find(partition);
        if (found != entries_.end()) {
            entry = found->second;
        } else if (Dir* dir = choose_dir(directory)) {
            entry = std::make_shared<Entry>(partition, dir,
                                            runtime::join_path(dir->path, partition.str()), true);
            entries_.emplace(partition, entry);
            ++dir->log_count;
        } else {
            return fail(ErrorCode::KafkaStorageError, "no log directory is online: partition={}",
                        partition);
        }
        for (const auto& [file, removed] : entry->dir->removed) {
            had_namesake = had_namesake || removed.contains(partition);
        }
    }
    if (had_namesake) {
        MOLDAU_CHECK(forget_removed(*entry->dir));
    }
    return entry;
}

Result<Uuid> LogManager::place(const TopicPartition& partition, const Uuid& topic_id,
                               std::optional<Uuid> directory) {
    MOLDAU_TRY(EntryPtr entry, find_or_place(partition, directory));
    MutexLock lock(entry->mutex);
    if (entry->is_new) {
        entry->topic_id = topic_id;
    }
    return entry->dir->directory_id;
}

// Nothing is synced: a directory that a power cut takes, or leaves with an empty file, holds no
// record yet and is made again. The first flush of its log makes it last.
Status LogManager::Entry::make_directory(LogManager& manager, const Uuid& of_topic) {
    if (removed) {
        return fail(ErrorCode::UnknownTopicOrPartition, "log was removed: partition={}", partition);
    }
    if (dir->is_offline()) {
        return fail(ErrorCode::KafkaStorageError, "log directory is offline: partition={} dir={}",
                    partition, dir->path);
    }
    runtime::FileSystem& files = manager.files_;
    MOLDAU_CHECK(files.create_directories(path));
    MOLDAU_CHECK(files.open(segment_path(path, Offset(0), kLogSuffix), runtime::OpenMode::Create));
    MOLDAU_CHECK(write_first_partition_metadata(files, path, of_topic));
    topic_id = of_topic;
    is_new = false;
    untouched = true;
    MOLDAU_LOG_INFO(logger, "Created log for partition {} in {}", partition, path);
    return {};
}

Status LogManager::Entry::make_indexes(runtime::FileSystem& files) const {
    MOLDAU_TRY(auto names, files.list(path));
    for (const auto& file : names) {
        std::optional<Offset> base = offset_of_file_name(file.name);
        if (!base || !file.name.ends_with(kLogSuffix)) {
            continue;
        }
        for (std::string_view suffix : {kOffsetIndexSuffix, kTimeIndexSuffix}) {
            MOLDAU_CHECK(files.open(segment_path(path, *base, suffix), runtime::OpenMode::Create));
        }
    }
    return {};
}

Error LogManager::Entry::creation_failed(LogManager& manager, const Error& cause) {
    if (is_new && !removed) {
        // Nothing of it is known to anybody: the next attempt starts afresh.
        removed = true;
        MutexLock lock(manager.mutex_);
        manager.entries_.erase(partition);
        --dir->log_count;
    }
    if (!runtime::is_disk_full(cause) && !dir->is_offline() &&
        cause.code == ErrorCode::KafkaStorageError) {
        manager.take_offline(dir->path, cause);
    }
    return {ErrorCode::KafkaStorageError, cause.message};
}

Status LogManager::make_directory(const TopicPartition& partition, const Uuid& topic_id) {
    EntryPtr entry = find(partition);
    if (entry == nullptr) {
        return {};
    }
    MutexLock lock(entry->mutex);
    if (!entry->is_new || entry->removed || entry->topic_id != topic_id) {
        return {};
    }
    if (auto made = entry->make_directory(*this, topic_id); !made) {
        return fail(entry->creation_failed(*this, made.error()));
    }
    return {};
}

Result<std::shared_ptr<Log>> LogManager::get_or_create(const TopicPartition& partition,
                                                       const Uuid& topic_id,
                                                       std::optional<Uuid> directory) {
    MOLDAU_TRY(EntryPtr entry, find_or_place(partition, directory));
    MutexLock lock(entry->mutex);
    Status made = entry->is_new ? entry->make_directory(*this, topic_id) : Status();
    auto opened = made ? entry->open(*this) : fail(made.error());
    if (!opened) {
        return fail(entry->creation_failed(*this, opened.error()));
    }
    MutexLock log_lock((*opened)->mutex());
    MOLDAU_CHECK((*opened)->assign_topic_id(topic_id));
    entry->topic_id = topic_id;
    return *opened;
}

}  // namespace moldau::storage
