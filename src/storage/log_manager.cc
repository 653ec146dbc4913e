#include "storage/log_manager.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <set>
#include <thread>

#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/log_manager_impl.h"
#include "storage/partition_metadata.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.LogManager");

// The broker epoch in `{"version":0,"brokerEpoch":17}`.
std::optional<int64_t> parse_clean_shutdown(std::string_view text) {
    constexpr std::string_view kKey = "\"brokerEpoch\":";
    size_t at = text.find(kKey);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    at += kKey.size();
    while (at < text.size() && text[at] == ' ') {
        ++at;
    }
    int64_t epoch = 0;
    auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), epoch);
    return error == std::errc() ? std::optional(epoch) : std::nullopt;
}

// A checkpoint that cannot be read costs a longer recovery, not the start.
OffsetCheckpoint read_or_reset(runtime::FileSystem& files, const std::string& dir,
                               std::string_view file) {
    auto offsets = read_offset_checkpoint(files, runtime::join_path(dir, file));
    if (!offsets) {
        MOLDAU_LOG_WARN(logger,
                        "Error occurred while reading {} of directory {}, starting without: {}",
                        file, dir, offsets.error().message);
        return {};
    }
    return std::move(*offsets);
}

Offset offset_of(const OffsetCheckpoint& offsets, const TopicPartition& partition) {
    auto found = offsets.find(partition);
    return found == offsets.end() ? Offset(0) : std::max(found->second, Offset(0));
}

}  // namespace

LogManager::LogManager(runtime::FileSystem& files, const runtime::Clock& clock,
                       LogManagerOptions options)
    : files_(files),
      clock_(clock),
      options_(std::move(options)),
      cache_(files, options_.open_files_max) {}

LogManager::~LogManager() = default;

Result<std::unique_ptr<LogManager>> LogManager::open(runtime::FileSystem& files,
                                                     const runtime::Clock& clock,
                                                     LogManagerOptions options) {
    std::unique_ptr<LogManager> manager(new LogManager(files, clock, std::move(options)));
    std::set<std::string> paths;
    for (const std::string& path : manager->options_.dirs) {
        if (!paths.insert(path).second) {
            return fail(ErrorCode::InvalidConfig, "Duplicate log directory found: {}",
                        fmt::join(manager->options_.dirs, ", "));
        }
        auto dir = std::make_unique<Dir>();
        dir->path = path;
        auto opened = manager->open_dir(*dir);
        if (!opened && opened.error().code != ErrorCode::KafkaStorageError) {
            return fail(opened.error());
        }
        if (!opened) {
            dir->go_offline(opened.error());
            MOLDAU_LOG_ERROR(logger, "Log directory {} is offline: {}", path,
                             opened.error().message);
        }
        manager->dirs_.push_back(std::move(dir));
    }
    MOLDAU_CHECK(manager->check_identities());
    for (auto& dir : manager->dirs_) {
        if (!dir->is_offline()) {
            MOLDAU_CHECK(manager->discover(*dir));
            manager->make_journal(*dir);
        }
    }
    return manager;
}

Status LogManager::open_dir(Dir& dir) {
    MOLDAU_CHECK(files_.create_directories(dir.path));
    MOLDAU_TRY(dir.lock, files_.try_lock(runtime::join_path(dir.path, ".lock")));
    if (dir.lock == nullptr) {
        return fail(ErrorCode::InvalidConfig,
                    "Failed to acquire lock on file .lock in {}. A Kafka instance in another "
                    "process or thread is using this directory.",
                    dir.path);
    }
    MOLDAU_TRY(dir.properties, read_meta_properties(files_, dir.path));
    auto clean = files_.read_file(runtime::join_path(dir.path, kCleanShutdownFile));
    if (clean) {
        dir.clean = true;
        dir.broker_epoch = parse_clean_shutdown(clean->view());
    } else if (!runtime::is_missing(clean.error())) {
        return fail(clean.error());
    }
    return {};
}

// All directories must belong to this node of one cluster; each gets an id of its own.
Status LogManager::check_identities() {
    std::map<Uuid, std::string> seen;
    bool usable = false;
    bool all_clean = true;
    for (auto& dir : dirs_) {
        if (dir->is_offline()) {
            all_clean = false;
            continue;
        }
        usable = true;
        std::string path = runtime::join_path(dir->path, kMetaProperties);
        if (!dir->properties) {
            return fail(ErrorCode::InvalidConfig,
                        "No `meta.properties` found in {} (have you run `kafka-storage.sh` to "
                        "format the directory?)",
                        dir->path);
        }
        MetaProperties& properties = *dir->properties;
        if (!properties.cluster_id) {
            return fail(ErrorCode::InvalidConfig, "cluster.id was not specified in the v1 file: {}",
                        path);
        }
        if (cluster_id_.empty()) {
            cluster_id_ = *properties.cluster_id;
        } else if (*properties.cluster_id != cluster_id_) {
            return fail(ErrorCode::InvalidConfig,
                        "Invalid cluster.id in: {}. Expected {}, but read {}", path, cluster_id_,
                        *properties.cluster_id);
        }
        if (properties.node_id && *properties.node_id != options_.node_id) {
            return fail(
                ErrorCode::InvalidConfig,
                "Stored node id {} doesn't match previous node id {} in {}. If you moved your "
                "data, make sure your configured node id matches. If you intend to create a "
                "new node, you should remove all data in your data directories.",
                *properties.node_id, options_.node_id, path);
        }
        if (!properties.directory_id || properties.version == 0) {
            properties.version = 1;
            properties.node_id = options_.node_id;
            if (!properties.directory_id) {
                properties.directory_id = runtime::system_entropy().uuid();
            }
            MOLDAU_CHECK(write_meta_properties(files_, dir->path, properties, clock_.wall_ms()));
        }
        if (properties.directory_id->high == 0 && properties.directory_id->low < 100) {
            return fail(ErrorCode::InvalidConfig, "Invalid reserved directory ID {} found in {}",
                        *properties.directory_id, dir->path);
        }
        auto [twin, fresh] = seen.emplace(*properties.directory_id, dir->path);
        if (!fresh) {
            return fail(ErrorCode::InvalidConfig,
                        "Duplicate directory ID {} found. It was the ID of {}, but also of {}",
                        *properties.directory_id, twin->second, dir->path);
        }
        dir->directory_id = *properties.directory_id;
        all_clean = all_clean && dir->clean;
        if (dir->broker_epoch) {
            previous_broker_epoch_ =
                std::max(previous_broker_epoch_.value_or(-1), *dir->broker_epoch);
        }
    }
    if (!all_clean) {
        previous_broker_epoch_.reset();
    }
    if (!usable) {
        return fail(ErrorCode::KafkaStorageError,
                    "Shutdown broker because none of the specified log dirs from {} can be created "
                    "or validated",
                    fmt::join(options_.dirs, ", "));
    }
    return {};
}

Status LogManager::discover(Dir& dir) {
    OffsetCheckpoint recovery = read_or_reset(files_, dir.path, kRecoveryPointCheckpoint);
    OffsetCheckpoint starts = read_or_reset(files_, dir.path, kLogStartOffsetCheckpoint);
    OffsetCheckpoint watermarks = read_or_reset(files_, dir.path, kHighWatermarkCheckpoint);
    MOLDAU_TRY(auto names, files_.list(dir.path));
    MutexLock lock(mutex_);
    for (const auto& [name, is_directory] : names) {
        dir.has_journal_files =
            dir.has_journal_files || (!is_directory && number_of_journal_file(name));
        if (!is_directory || name == kRemoteIndexCache || name == kMetadataPartition) {
            continue;
        }
        std::string path = runtime::join_path(dir.path, name);
        if (name.ends_with(kDeleteDirSuffix)) {
            auto config = options_.config_of(name);  // the node's own
            doomed_.push_back({path, clock_.wall_ms() + config->file_delete_delay_ms});
            continue;
        }
        if (name.ends_with(kStrayDirSuffix)) {
            MOLDAU_LOG_WARN(logger, "Found stray log directory {}", path);
            continue;
        }
        if (name.ends_with(kFutureDirSuffix)) {
            MOLDAU_LOG_WARN(logger, "Leaving future log directory {} alone", path);
            continue;
        }
        auto partition = parse_partition_directory(name);
        if (!partition) {
            return fail(ErrorCode::InvalidConfig,
                        "Found directory {}, '{}' is not in the form of topic-partition or "
                        "topic-partition.uniqueId-delete (if marked for deletion). Kafka's log "
                        "directories (and children) should only contain Kafka topic data.",
                        path, name);
        }
        auto entry = std::make_shared<Entry>(*partition, &dir, path, false);
        entry->recovery_point = offset_of(recovery, *partition);
        entry->recovery_point_told = entry->recovery_point;
        entry->log_start_offset = offset_of(starts, *partition);
        entry->high_watermark = offset_of(watermarks, *partition);
        auto [twin, fresh] = entries_.emplace(*partition, entry);
        if (!fresh) {
            return fail(
                ErrorCode::InvalidConfig,
                "Duplicate log directories for {} are found in both {} and {}. It is likely "
                "because log directory failure happened while broker was replacing current "
                "replica with future replica. Recover broker from this failure by manually "
                "deleting one of the two directories for this partition. It is recommended "
                "to delete the partition in the log directory that is known to have failed "
                "recently.",
                *partition, path, runtime::join_path(twin->second->dir->path, name));
        }
        ++dir.log_count;
    }
    // Removed shortly before the node was killed.
    auto note_removed = [&](std::string_view file, const OffsetCheckpoint& offsets)
                            REQUIRES(mutex_) {
                                for (const auto& [partition, offset] : offsets) {
                                    if (!entries_.contains(partition)) {
                                        dir.removed[std::string(file)].insert(partition);
                                    }
                                }
                            };
    note_removed(kRecoveryPointCheckpoint, recovery);
    note_removed(kLogStartOffsetCheckpoint, starts);
    return {};
}

Status LogManager::load() {
    std::vector<std::string> live;
    for (const auto& dir : dirs_) {
        if (!dir->is_offline()) {
            live.push_back(dir->path);
        }
    }
    MOLDAU_LOG_INFO(logger, "Loading logs from log dirs {}", fmt::join(live, ", "));
    MonotonicTime began = clock_.monotonic();
    {
        // Directories are devices: each is loaded by threads of its own.
        std::vector<std::jthread> threads;
        for (auto& dir : dirs_) {
            if (dir->is_offline()) {
                continue;
            }
            threads.emplace_back([this, &dir] {
                auto loaded = load_dir(*dir);
                if (loaded) {
                    dir->loaded = true;
                    if (dir->journal != nullptr) {
                        dir->journal->start();
                    }
                } else if (loaded.error().code != ErrorCode::BrokerNotAvailable) {
                    take_offline(dir->path, loaded.error());
                }
            });
        }
    }
    if (options_.stop.stop_requested()) {
        return fail(ErrorCode::BrokerNotAvailable, "loading of the logs was interrupted");
    }
    int count = 0;
    std::vector<std::string> unclean;
    bool any = false;
    for (const auto& dir : dirs_) {
        count += dir->log_count;
        any = any || !dir->is_offline();
        if (!dir->clean && dir->log_count > 0) {
            unclean.push_back(dir->path);
        }
    }
    if (!any) {
        return fail(ErrorCode::KafkaStorageError,
                    "Shutdown broker because all log dirs in {} have failed",
                    fmt::join(options_.dirs, ", "));
    }
    MOLDAU_LOG_INFO(
        logger, "Loaded {} logs in {}ms{}", count, to_ms(clock_.monotonic() - began),
        unclean.empty() ? "" : fmt::format(" (unclean log dirs = {})", fmt::join(unclean, ", ")));
    return {};
}

Status LogManager::load_dir(Dir& dir) {
    // Void after a clean stop, and no longer told apart once the mark is gone.
    if (dir.has_journal_files && (dir.clean || dir.log_count == 0)) {
        MOLDAU_CHECK(remove_journal_files(files_, dir.path));
    }
    // A crash while loading must count as a crash.
    auto unmarked = files_.remove(runtime::join_path(dir.path, kCleanShutdownFile));
    if (!unmarked && !runtime::is_missing(unmarked.error())) {
        return unmarked;
    }
    if (dir.log_count == 0) {
        MOLDAU_LOG_INFO(logger, "No logs found to be loaded in {}", dir.path);
        return {};
    }
    if (dir.clean) {
        MOLDAU_LOG_INFO(logger,
                        "Skipping recovery of {} logs from {} since clean shutdown file was found",
                        dir.log_count.load(), dir.path);
        return {};
    }
    MOLDAU_LOG_INFO(logger, "Recovering {} logs from {} since no clean shutdown file was found",
                    dir.log_count.load(), dir.path);
    return recover_dir(dir);
}

Status LogManager::recover_dir(Dir& dir) {
    std::vector<EntryPtr> todo;
    for (EntryPtr& entry : entries()) {
        if (entry->dir == &dir) {
            todo.push_back(std::move(entry));
        }
    }
    MOLDAU_TRY(const JournalReplay replay, read_journal(dir));
    std::atomic<size_t> next{0};
    std::atomic<size_t> completed{0};
    Mutex failure_mutex;
    Status failure;
    auto work = [&] {
        for (size_t i = next++; i < todo.size(); i = next++) {
            if (nothing_to_recover(*todo[i], replay)) {
                ++completed;
                continue;
            }
            MonotonicTime began = clock_.monotonic();
            auto log = options_.stop.stop_requested()
                           ? fail(ErrorCode::BrokerNotAvailable, "recovery was interrupted")
                           : open_entry(*todo[i]);
            int64_t took_ms = to_ms(clock_.monotonic() - began);
            if (!log) {
                MOLDAU_LOG_INFO(logger,
                                "Error while loading logs in {} in {}ms ({}/{} completed in {})",
                                todo[i]->partition, took_ms, ++completed, todo.size(), dir.path);
                MutexLock lock(failure_mutex);
                failure = fail(log.error());
                return;
            }
            if (auto ready = finish_recovery(*todo[i], **log, replay); !ready) {
                MutexLock lock(failure_mutex);
                failure = ready;
                return;
            }
            MutexLock lock((*log)->mutex());
            MOLDAU_LOG_INFO(logger,
                            "Completed load of Log(dir={}, topicId={}, topic={}, partition={}) "
                            "with {} segments, local-log-start-offset {} and log-end-offset {} in "
                            "{}ms ({}/{} completed in {})",
                            (*log)->directory(), (*log)->topic_id(), todo[i]->partition.topic,
                            todo[i]->partition.partition, (*log)->segment_count(),
                            (*log)->log_start_offset(), (*log)->log_end_offset(), took_ms,
                            ++completed, todo.size(), dir.path);
        }
    };
    {
        std::vector<std::jthread> threads;
        auto count = std::min<size_t>(
            static_cast<size_t>(std::max(1, options_.recovery_threads_per_dir)), todo.size());
        for (size_t i = 1; i < count; ++i) {
            threads.emplace_back(work);
        }
        work();
    }
    MOLDAU_CHECK(failure);
    return sync_recovered(dir);
}

bool LogManager::nothing_to_recover(Entry& entry, const JournalReplay& replay) {
    MutexLock lock(entry.mutex);
    // The journal may hold what follows a truncation to nothing.
    auto is_replayed = [&]() REQUIRES(entry.mutex) {
        auto topic_id = read_partition_metadata(files_, entry.path);
        return !topic_id || replay.contains({*topic_id, entry.partition.partition});
    };
    if (entry.log == nullptr && is_untouched_log(files_, entry.path) &&
        (replay.empty() || !is_replayed())) {
        entry.needs_recovery = false;
        entry.untouched = true;
    }
    return !entry.needs_recovery;
}

std::vector<LogDirectory> LogManager::directories() const {
    std::vector<LogDirectory> all;
    for (const auto& dir : dirs_) {
        all.push_back({dir->path, dir->directory_id, !dir->is_offline()});
    }
    return all;
}

std::optional<std::string> LogManager::directory_path(const Uuid& directory_id) const {
    for (const auto& dir : dirs_) {
        if (dir->directory_id == directory_id && !dir->is_offline()) {
            return dir->path;
        }
    }
    return std::nullopt;
}

LogManager::EntryPtr LogManager::find(const TopicPartition& partition) const {
    MutexLock lock(mutex_);
    auto found = entries_.find(partition);
    return found == entries_.end() ? nullptr : found->second;
}

std::vector<LogManager::EntryPtr> LogManager::entries() const {
    MutexLock lock(mutex_);
    std::vector<EntryPtr> all;
    all.reserve(entries_.size());
    for (const auto& [partition, entry] : entries_) {
        all.push_back(entry);
    }
    return all;
}

std::vector<std::shared_ptr<Log>> LogManager::open_logs() const {
    std::vector<std::shared_ptr<Log>> logs;
    for (const EntryPtr& entry : entries()) {
        MutexLock lock(entry->mutex);
        if (entry->log != nullptr) {
            logs.push_back(entry->log);
        }
    }
    return logs;
}

std::vector<LogSummary> LogManager::list() const {
    std::vector<LogSummary> all;
    for (const EntryPtr& entry : entries()) {
        if (entry->dir->is_offline()) {
            continue;
        }
        MutexLock lock(entry->mutex);
        if (entry->topic_id.is_zero() && entry->log == nullptr) {
            // Damaged metadata is judged when the log is opened.
            entry->topic_id = read_partition_metadata(files_, entry->path).value_or(kZeroUuid);
        }
        all.push_back({entry->partition, entry->topic_id, entry->dir->path});
    }
    return all;
}

Result<std::shared_ptr<Log>> LogManager::open_entry(Entry& entry) {
    MutexLock lock(entry.mutex);
    return entry.open(*this);
}

Result<std::shared_ptr<Log>> LogManager::Entry::open(LogManager& manager) {
    if (removed) {
        return fail(ErrorCode::UnknownTopicOrPartition, "log was removed: partition={}", partition);
    }
    if (dir->is_offline()) {
        return fail(ErrorCode::KafkaStorageError, "log directory is offline: partition={} dir={}",
                    partition, dir->path);
    }
    if (log != nullptr) {
        return log;
    }
    LogContext context;
    context.cache = &manager.cache_;
    context.offline = dir->offline;
    context.journal = dir->journal.get();
    context.on_failure = [&manager, path = dir->path](const Error& cause) {
        manager.take_offline(path, cause);
    };
    LogOptions options;
    options.dir = path;
    options.topic_partition = partition;
    options.config = manager.options_.config_of(partition.topic);
    options.log_start_offset = log_start_offset;
    options.recovery_point = recovery_point;
    options.recovery_point_told = recovery_point_told;
    options.high_watermark = high_watermark;
    options.clean_shutdown = !needs_recovery;
    if (producers != nullptr) {
        options.producers = *producers;
    }
    options.producer_id_expiration = manager.options_.producer_id_expiration;
    options.stop = manager.options_.stop;
    MOLDAU_TRY(auto opened,
               Log::open(std::move(context), std::move(options), manager.clock_.wall_ms()));
    log = std::move(opened);
    needs_recovery = false;
    untouched = false;
    glance.reset();
    producers.reset();
    topic_id = log->topic_id();
    return log;
}

Result<std::shared_ptr<Log>> LogManager::get(const TopicPartition& partition) {
    EntryPtr entry = find(partition);
    if (entry == nullptr) {
        return nullptr;
    }
    return open_entry(*entry);
}

Uuid LogManager::directory_id_of(const TopicPartition& partition) const {
    EntryPtr entry = find(partition);
    return entry == nullptr ? kUnassignedDirectory : entry->dir->directory_id;
}

}  // namespace moldau::storage
