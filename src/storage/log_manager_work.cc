// What LogManager does by and by: removal, checkpoints, flushes, retention, and the clean stop.
#include <algorithm>
#include <limits>

#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/logging.h"
#include "storage/log_manager_impl.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.LogManager");

constexpr size_t kNameBytesMax = 255;

// Spreads the two over all bits (the finaliser of splitmix64).
size_t mix(uint64_t a, int64_t b) {
    uint64_t x = a * 0x9e3779b97f4a7c15ULL + static_cast<uint64_t>(b);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

Offset recovery_point_of(const Log& log) {
    return log.recovery_point();
}
Offset log_start_of(const Log& log) {
    return log.log_start_offset();
}
Offset high_watermark_of(const Log& log) {
    return log.high_watermark();
}

}  // namespace

std::optional<TopicPartition> parse_partition_directory(std::string_view name) {
    size_t dash = name.rfind('-');
    if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) {
        return std::nullopt;
    }
    int32_t partition = 0;
    for (char digit : name.substr(dash + 1)) {
        if (digit < '0' || digit > '9' || partition > 100'000'000) {
            return std::nullopt;
        }
        partition = partition * 10 + (digit - '0');
    }
    return TopicPartition{std::string(name.substr(0, dash)), partition};
}

std::string set_aside_name(const TopicPartition& partition, const Uuid& unique,
                           std::string_view suffix) {
    std::string tail = fmt::format(".{:016x}{:016x}{}", unique.high, unique.low, suffix);
    std::string head = partition.str();
    if (head.size() + tail.size() > kNameBytesMax) {
        // Kafka cuts the topic and keeps the partition.
        std::string number = fmt::format("-{}", partition.partition);
        head = partition.topic.substr(0, kNameBytesMax - tail.size() - number.size()) + number;
    }
    return head + tail;
}

Result<std::string> LogManager::move_aside(const TopicPartition& partition,
                                           std::string_view suffix) {
    EntryPtr entry = find(partition);
    if (entry == nullptr) {
        return std::string();
    }
    MutexLock lock(entry->mutex);
    if (entry->removed) {
        return std::string();
    }
    if (entry->is_new) {
        entry->removed = true;
        MutexLock map_lock(mutex_);
        entries_.erase(partition);
        --entry->dir->log_count;
        return std::string();
    }
    std::string path = runtime::join_path(
        entry->dir->path, set_aside_name(partition, runtime::system_entropy().uuid(), suffix));
    if (!entry->dir->is_offline()) {
        if (entry->log != nullptr) {
            MutexLock log_lock(entry->log->mutex());
            MOLDAU_CHECK(entry->log->rename_directory(path));
            entry->log->fail_with({ErrorCode::KafkaStorageError,
                                   fmt::format("log was removed: partition={}", partition)});
        } else if (auto renamed = files_.rename(entry->path, path); !renamed) {
            take_offline(entry->dir->path, renamed.error());
            return fail(renamed.error());
        }
    }
    entry->removed = true;
    entry->path = path;
    MutexLock map_lock(mutex_);
    for (std::string_view file : {kRecoveryPointCheckpoint, kLogStartOffsetCheckpoint}) {
        entry->dir->removed[std::string(file)].insert(partition);
    }
    entries_.erase(partition);
    --entry->dir->log_count;
    return path;
}

Status LogManager::remove(const TopicPartition& partition) {
    MOLDAU_TRY(std::string path, move_aside(partition, kDeleteDirSuffix));
    if (path.empty()) {
        return {};
    }
    MOLDAU_LOG_INFO(logger, "Log for partition {} is renamed to {} and is scheduled for deletion",
                    partition, path);
    int64_t delay = options_.config_of(partition.topic)->file_delete_delay_ms;
    MutexLock lock(mutex_);
    doomed_.push_back({path, clock_.wall_ms() + delay});
    return {};
}

Status LogManager::set_aside_stray(const TopicPartition& partition) {
    MOLDAU_TRY(std::string path, move_aside(partition, kStrayDirSuffix));
    if (!path.empty()) {
        MOLDAU_LOG_WARN(logger, "Log for partition {} is stray and renamed to {}", partition, path);
    }
    return {};
}

void LogManager::remove_deleted() {
    TimestampMs now = clock_.wall_ms();
    for (const auto& log : open_logs()) {
        MutexLock lock(log->mutex());
        log->remove_deleted(now);
    }
    remove_doomed(now);
}

void LogManager::remove_doomed(TimestampMs now) {
    std::vector<Doomed> due;
    {
        MutexLock lock(mutex_);
        auto split = std::partition(doomed_.begin(), doomed_.end(),
                                    [&](const Doomed& doomed) { return doomed.due > now; });
        due.assign(split, doomed_.end());
        doomed_.erase(split, doomed_.end());
    }
    for (const Doomed& doomed : due) {
        if (auto removed = files_.remove_all(doomed.path); !removed) {
            MOLDAU_LOG_ERROR(logger, "Exception while deleting {}: {}", doomed.path,
                             removed.error().message);
            continue;
        }
        MOLDAU_LOG_INFO(logger, "Deleted log directory {}", doomed.path);
    }
}

void LogManager::update_configs(const std::set<std::string, std::less<>>& topics) {
    std::map<std::string_view, std::shared_ptr<const config::LogConfig>> configs;
    for (const std::string& topic : topics) {
        configs.emplace(topic, options_.config_of(topic));
    }
    for (const auto& log : open_logs()) {
        auto config = configs.find(log->topic_partition().topic);
        if (config != configs.end()) {
            MutexLock lock(log->mutex());
            log->set_config(config->second);
        }
    }
}

Status LogManager::write_checkpoint(Dir& dir, std::string_view file, Offset (*of_log)(const Log&),
                                    Offset Entry::* of_entry) {
    MutexLock lock(checkpoint_mutex_);
    std::set<TopicPartition> removed;
    {
        MutexLock map_lock(mutex_);
        removed = std::exchange(dir.removed[std::string(file)], {});
    }
    Status outcome = write_checkpoint_of(dir, file, of_log, of_entry);
    if (!outcome) {
        MutexLock map_lock(mutex_);
        dir.removed[std::string(file)].merge(removed);
    }
    return outcome;
}

Status LogManager::write_checkpoint_of(Dir& dir, std::string_view file,
                                       Offset (*of_log)(const Log&), Offset Entry::* of_entry) {
    std::vector<std::pair<EntryPtr, Offset>> found;
    size_t fingerprint = 0;
    for (EntryPtr& entry : entries()) {
        if (entry->dir != &dir) {
            continue;
        }
        MutexLock entry_lock(entry->mutex);
        if (entry->removed || entry->is_new) {
            continue;
        }
        Offset offset = entry.get()->*of_entry;
        if (entry->log != nullptr) {
            MutexLock log_lock(entry->log->mutex());
            offset = of_log(*entry->log);
        }
        // Zero is what an absent line means, except that Kafka writes every high watermark.
        if (offset.value() > 0 || file != kLogStartOffsetCheckpoint) {
            // A sum, because the order of the entries is that of a hash table.
            fingerprint += mix(entry->serial, offset.value());
            found.emplace_back(std::move(entry), offset);
        }
    }
    // Most partitions of a large node are idle: a file as it was is not written again.
    Dir::Written& written = dir.written[std::string(file)];
    if (written.valid && written.fingerprint == fingerprint && written.count == found.size()) {
        return {};
    }
    OffsetCheckpoint offsets;
    for (const auto& [entry, offset] : found) {
        offsets.emplace(entry->partition, offset);
    }
    written.valid = false;
    MOLDAU_CHECK(write_offset_checkpoint(files_, runtime::join_path(dir.path, file), offsets));
    written = {true, fingerprint, found.size()};
    return {};
}

Status LogManager::forget_removed(Dir& dir) {
    MOLDAU_CHECK(
        write_checkpoint(dir, kRecoveryPointCheckpoint, recovery_point_of, &Entry::recovery_point));
    return write_checkpoint(dir, kLogStartOffsetCheckpoint, log_start_of, &Entry::log_start_offset);
}

void LogManager::write_checkpoints(std::string_view file, Offset (*of_log)(const Log&),
                                   Offset Entry::* of_entry) {
    for (auto& dir : dirs_) {
        if (!dir->is_offline()) {
            judge_checkpoint(*dir, write_checkpoint(*dir, file, of_log, of_entry));
        }
    }
}

void LogManager::judge_checkpoint(Dir& dir, const Status& written) {
    if (!written && runtime::is_disk_full(written.error())) {
        // The old file is still there; the next attempt may find room.
        MOLDAU_LOG_WARN(logger, "{}", written.error().message);
    } else if (!written) {
        take_offline(dir.path, written.error());
    }
}

void LogManager::write_recovery_points(Dir& dir) {
    judge_checkpoint(dir, write_checkpoint(dir, kRecoveryPointCheckpoint, recovery_point_of,
                                           &Entry::recovery_point));
}

void LogManager::checkpoint_recovery_points() {
    // What was rolled is on the device before the file says so; a crash then costs one segment's
    // walk.
    for (const auto& log : open_logs()) {
        bool rolled = false;
        {
            MutexLock lock(log->mutex());
            rolled = !log->failed() && log->recovery_point() < log->active_segment_base();
        }
        if (rolled) {
            (void)flush_log(*log, true);
        }
    }
    write_checkpoints(kRecoveryPointCheckpoint, recovery_point_of, &Entry::recovery_point);
    for (const auto& dir : dirs_) {
        if (dir->journal != nullptr) {
            dir->journal->retry_prepare();
        }
    }
}

void LogManager::checkpoint_log_start_offsets() {
    write_checkpoints(kLogStartOffsetCheckpoint, log_start_of, &Entry::log_start_offset);
}

void LogManager::checkpoint_high_watermarks() {
    write_checkpoints(kHighWatermarkCheckpoint, high_watermark_of, &Entry::high_watermark);
}

Status LogManager::flush_log(Log& log, bool rolled_only) {
    Result<FlushTask> task = [&]() -> Result<FlushTask> {
        MutexLock lock(log.mutex());
        return log.begin_flush(rolled_only);
    }();
    if (!task) {
        return fail(task.error());  // the log has told its directory
    }
    Status outcome = task->run();
    MutexLock lock(log.mutex());
    MOLDAU_CHECK(log.end_flush(*task, outcome));
    if (!rolled_only) {
        log.note_flushed(clock_.wall_ms());
    }
    return {};
}

void LogManager::flush_dirty_logs() {
    TimestampMs now = clock_.wall_ms();
    for (const auto& log : open_logs()) {
        bool due = false;
        {
            MutexLock lock(log->mutex());
            due = !log->failed() && log->unflushed_records() > 0 &&
                  log->config().flush_ms <= now - log->last_flush_ms();
        }
        if (due) {
            (void)flush_log(*log, false);
        }
    }
}

const LogGlance* LogManager::Entry::glanced(runtime::FileSystem& files) {
    if (!glance) {
        auto taken = glance_at_log(files, path);
        if (!taken) {
            MOLDAU_LOG_WARN(logger, "Cannot look into the directory of {}: {}", partition,
                            taken.error().message);
            return nullptr;
        }
        glance = *taken;
    }
    return &*glance;
}

std::vector<std::shared_ptr<Log>> LogManager::compacted_logs(
    const std::function<Offset(const TopicPartition&)>& first_dirty) {
    std::vector<std::shared_ptr<Log>> logs;
    std::vector<EntryPtr> all = entries();
    std::unordered_map<std::string_view, bool> compacted;  // by topic, which `all` keeps
    for (const EntryPtr& entry : all) {
        const std::string& topic = entry->partition.topic;
        auto known = compacted.find(topic);
        if (known == compacted.end()) {
            known = compacted.emplace(topic, options_.config_of(topic)->cleanup_compact).first;
        }
        if (!known->second) {
            continue;
        }
        MutexLock lock(entry->mutex);
        if (entry->removed || entry->is_new || entry->dir->is_offline()) {
            continue;
        }
        if (entry->log == nullptr) {
            const LogGlance* glance = entry->glanced(files_);
            if (glance == nullptr ||
                glance->last_base <=
                    std::max(first_dirty(entry->partition), entry->log_start_offset) ||
                !entry->open(*this)) {
                continue;
            }
        }
        logs.push_back(entry->log);
    }
    return logs;
}

bool LogManager::holds(const TopicPartition& partition, std::string_view dir) const {
    EntryPtr entry = find(partition);
    return entry != nullptr && entry->dir->path == dir;
}

bool LogManager::retention_due(Entry& entry, TimestampMs now) {
    MutexLock lock(entry.mutex);
    if (entry.removed || entry.is_new || entry.dir->is_offline()) {
        return false;
    }
    if (entry.log != nullptr) {
        return true;
    }
    const LogGlance* glance = entry.glanced(files_);
    return glance != nullptr &&
           may_have_expired(*glance, *options_.config_of(entry.partition.topic),
                            entry.log_start_offset, entry.high_watermark, now);
}

void LogManager::apply_retention() {
    TimestampMs now = clock_.wall_ms();
    for (const EntryPtr& entry : entries()) {
        if (!retention_due(*entry, now)) {
            continue;
        }
        auto log = open_entry(*entry);
        if (!log) {
            continue;
        }
        MutexLock lock((*log)->mutex());
        if ((*log)->failed()) {
            continue;
        }
        (*log)->expire_producers(now);
        if (auto deleted = (*log)->apply_retention(now); !deleted) {
            MOLDAU_LOG_WARN(logger, "{}", deleted.error().message);
        }
    }
}

std::vector<LogManager::DirectoryUse> LogManager::describe() {
    std::map<Dir*, DirectoryUse> uses;
    for (auto& dir : dirs_) {
        DirectoryUse& use = uses[dir.get()];
        use.directory = {dir->path, dir->directory_id, !dir->is_offline()};
        if (dir->is_offline()) {
            MutexLock lock(dir->cause_mutex);
            use.error = dir->cause;
            continue;
        }
        if (auto space = files_.space(dir->path)) {
            use.total_bytes = static_cast<int64_t>(space->total_bytes);
            use.usable_bytes = static_cast<int64_t>(space->usable_bytes);
        }
    }
    for (const EntryPtr& entry : entries()) {
        DirectoryUse& use = uses[entry->dir];
        if (!use.directory.online) {
            continue;
        }
        MutexLock lock(entry->mutex);
        int64_t bytes = 0;
        if (entry->log != nullptr) {
            MutexLock log_lock(entry->log->mutex());
            bytes = entry->log->size_in_bytes();
        } else if (auto names = files_.list(entry->path)) {
            for (const auto& file : *names) {
                if (file.name.ends_with(kLogSuffix)) {
                    auto info = files_.stat(runtime::join_path(entry->path, file.name));
                    bytes += info ? static_cast<int64_t>(info->size) : 0;
                }
            }
        }
        use.log_bytes.emplace_back(entry->partition, bytes);
    }
    std::vector<DirectoryUse> all;
    for (auto& dir : dirs_) {
        all.push_back(std::move(uses[dir.get()]));
    }
    return all;
}

void LogManager::take_offline(const std::string& path, const Error& cause) {
    for (auto& dir : dirs_) {
        if (dir->path == path && dir->go_offline(cause)) {
            MOLDAU_LOG_ERROR(logger, "Stopping serving logs in dir {}: {}", path, cause.message);
            if (options_.on_dir_failure) {
                options_.on_dir_failure(path, dir->directory_id, cause);
            }
        }
    }
}

Status LogManager::close_dir(Dir& dir, int64_t broker_epoch) {
    for (const EntryPtr& entry : entries()) {
        if (entry->dir != &dir) {
            continue;
        }
        MutexLock lock(entry->mutex);
        if (entry->removed) {
            continue;
        }
        if (entry->log != nullptr) {
            MutexLock log_lock(entry->log->mutex());
            MOLDAU_CHECK(entry->log->close());
        } else if (entry->untouched) {
            // After a clean stop Apache Kafka calls it an error when there are none.
            MOLDAU_CHECK(entry->make_indexes(files_));
        }
    }
    if (dir.journal != nullptr) {
        dir.journal->stop();
    }
    // A directory that failed meanwhile may hold less than it should.
    if (dir.is_offline() || !dir.loaded) {
        return fail(ErrorCode::KafkaStorageError, "log directory is offline: dir={}", dir.path);
    }
    MOLDAU_CHECK(
        write_checkpoint(dir, kRecoveryPointCheckpoint, recovery_point_of, &Entry::recovery_point));
    MOLDAU_CHECK(
        write_checkpoint(dir, kLogStartOffsetCheckpoint, log_start_of, &Entry::log_start_offset));
    MOLDAU_CHECK(
        write_checkpoint(dir, kHighWatermarkCheckpoint, high_watermark_of, &Entry::high_watermark));
    if (dir.journal != nullptr) {
        MOLDAU_CHECK(remove_journal_files(files_, dir.path));
    }
    return files_.replace_file(runtime::join_path(dir.path, kCleanShutdownFile),
                               fmt::format("{{\"version\":0,\"brokerEpoch\":{}}}", broker_epoch));
}

Status LogManager::shutdown(int64_t broker_epoch) {
    Status outcome;
    for (auto& dir : dirs_) {
        if (!dir->is_offline()) {
            auto closed = close_dir(*dir, broker_epoch);
            if (!closed) {
                MOLDAU_LOG_WARN(logger, "Not a clean stop of {}: {}", dir->path,
                                closed.error().message);
                outcome = closed;
            }
        }
    }
    // Deleted logs have no readers any more. Apache Kafka would recover what is left of them when
    // it starts, and call it an error that they have no indexes.
    remove_doomed(std::numeric_limits<TimestampMs>::max());
    for (auto& dir : dirs_) {
        if (dir->journal != nullptr) {
            dir->journal->stop();
        }
        dir->lock.reset();
    }
    return outcome;
}

}  // namespace moldau::storage
