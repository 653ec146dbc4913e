// LogManager: all logs of a node over its log.dirs: identity and locks of the directories, loading
// and recovery, creation, deletion, checkpoints and the clean stop.
//
// Logs are discovered at start and opened on first use; after a stop that was not clean each is
// recovered at load() first, and closed again. Thread-safe. The periodic methods are called by a
// shell from the disk pool; they take each log's own lock for a short while only. A directory that
// fails goes offline: its logs refuse everything, and on_dir_failure is told once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "base/topic_partition.h"
#include "base/uuid.h"
#include "config/log_config.h"
#include "storage/checkpoint_file.h"
#include "storage/file_cache.h"
#include "storage/journal.h"
#include "storage/log.h"
#include "storage/log_glance.h"
#include "storage/meta_properties.h"

namespace moldau::runtime {
class Clock;
class FileLock;
class FileSystem;
}  // namespace moldau::runtime

namespace moldau::storage {

struct LogManagerOptions {
    std::vector<std::string> dirs;
    BrokerId node_id{0};
    // The configuration of a topic: broker defaults and the topic's own keys. Must not block.
    std::function<std::shared_ptr<const config::LogConfig>(std::string_view topic)> config_of;
    Duration producer_id_expiration = std::chrono::hours(24);
    int recovery_threads_per_dir = 2;
    size_t open_files_max = 8192;
    // Each directory gets a journal with these settings; none: appends are durable by syncs only.
    std::optional<JournalSettings> journal;
    // load() gives up with BrokerNotAvailable once this is asked for.
    std::stop_token stop;
    // Called once per directory, on any thread and perhaps under a log's lock: it may only hand the
    // news over.
    std::function<void(const std::string& dir, const Uuid& directory_id, const Error& cause)>
        on_dir_failure;
};

struct LogDirectory {
    std::string path;
    Uuid directory_id;
    bool online = true;
};

// A partition directory that exists, opened or not.
struct LogSummary {
    TopicPartition topic_partition;
    Uuid topic_id;    // kZeroUuid when it has no partition.metadata
    std::string dir;  // the log.dir
};

class LogManager {
 public:
    // Locks and identifies the directories and lists what is in them. Errors: KafkaStorageError
    // (locked by another process, no directory usable), InvalidConfig (meta.properties missing or
    // of another node or cluster).
    static Result<std::unique_ptr<LogManager>> open(runtime::FileSystem& files,
                                                    const runtime::Clock& clock,
                                                    LogManagerOptions options);
    ~LogManager();

    const std::string& cluster_id() const { return cluster_id_; }
    std::vector<LogDirectory> directories() const;
    std::optional<std::string> directory_path(const Uuid& directory_id) const;
    // The broker epoch of the last stop; nullopt unless it was clean in every directory.
    std::optional<int64_t> previous_broker_epoch() const { return previous_broker_epoch_; }

    // Recovers every log that needs it and removes the marks of the clean stop. Blocks. An
    // interrupted load leaves directories that are recovered again.
    Status load();

    // All partitions found or created, for comparing with metadata.
    std::vector<LogSummary> list() const;
    // The log of a partition, opened if need be; nullptr when there is none.
    // Errors: KafkaStorageError when its directory is offline.
    Result<std::shared_ptr<Log>> get(const TopicPartition& partition);
    // As get(); makes the log when missing, where it was placed, or else in `directory`, or else
    // (an id that is not ours is no choice) in the log.dir with the fewest logs.
    // Errors: InconsistentTopicId.
    Result<std::shared_ptr<Log>> get_or_create(const TopicPartition& partition,
                                               const Uuid& topic_id,
                                               std::optional<Uuid> directory = std::nullopt);
    // Chooses where a partition without a directory will have it, and makes nothing yet. Returns
    // the id of the log.dir that holds, or will hold, the partition. Errors: KafkaStorageError.
    Result<Uuid> place(const TopicPartition& partition, const Uuid& topic_id,
                       std::optional<Uuid> directory = std::nullopt);
    // Makes the directory where the partition was placed, with an empty log, and opens nothing: a
    // partition that nobody uses costs no handle and hardly any memory. Nothing to do is success:
    // it is there, or its place was given up.
    Status make_directory(const TopicPartition& partition, const Uuid& topic_id);
    // The log.dirs that take no new partition by choice, unless there is no other (KIP-1066).
    void set_cordoned(std::vector<std::string> dirs);
    // The directory that holds the partition; kUnassignedDirectory when there is none.
    Uuid directory_id_of(const TopicPartition& partition) const;

    // Renames to `-delete`; the files go once file.delete.delay.ms has passed. No log: success.
    Status remove(const TopicPartition& partition);
    // Renames to `-stray`: the partition belongs to no topic of this node. Never removed by itself.
    Status set_aside_stray(const TopicPartition& partition);

    // New configuration for every open log of these topics.
    void update_configs(const std::set<std::string, std::less<>>& topics);

    // The logs of compacted topics that may have something to compact: those whose writing has gone
    // on to another segment since `first_dirty`. They are opened.
    std::vector<std::shared_ptr<Log>> compacted_logs(
        const std::function<Offset(const TopicPartition&)>& first_dirty);
    // Whether the partition lies in the log.dir.
    bool holds(const TopicPartition& partition, std::string_view dir) const;
    FileCache& file_cache() { return cache_; }

    // Syncs what the log wants synced for its appends to be durable.
    Status sync_log(Log& log) { return flush_log(log, false); }
    // The journal of a directory; nullptr: it has none.
    Journal* journal(const std::string& dir);

    // Periodic work.
    void checkpoint_recovery_points();  // syncs rolled segments first
    void checkpoint_log_start_offsets();
    void checkpoint_high_watermarks();
    void flush_dirty_logs();  // by flush.ms
    void apply_retention();   // retention, expiry of producers
    void remove_deleted();    // files and directories whose delay has passed

    struct DirectoryUse {
        LogDirectory directory;
        std::optional<Error> error;
        int64_t total_bytes = -1;
        int64_t usable_bytes = -1;
        std::vector<std::pair<TopicPartition, int64_t>> log_bytes;
    };
    std::vector<DirectoryUse> describe();  // for DescribeLogDirs

    void take_offline(const std::string& dir, const Error& cause);

    // Closes every log, writes all checkpoints, marks the stop as clean and removes what was
    // deleted.
    Status shutdown(int64_t broker_epoch);

 private:
    struct Dir;
    struct Entry;
    using EntryPtr = std::shared_ptr<Entry>;
    // Files or directories that go at `due`.
    struct Doomed {
        std::string path;
        TimestampMs due = 0;
    };
    LogManager(runtime::FileSystem& files, const runtime::Clock& clock, LogManagerOptions options);

    Status open_dir(Dir& dir);
    Status check_identities();
    Status discover(Dir& dir);
    Status load_dir(Dir& dir);
    Status recover_dir(Dir& dir);
    void make_journal(Dir& dir);
    // What the journal of a directory says after an unclean stop.
    Result<JournalReplay> read_journal(Dir& dir);
    // Whether everything in the directory is synced once it is recovered.
    bool syncs_all(const Dir& dir) const;
    // Replays the journal, and closes the log if all is synced after it.
    Status finish_recovery(Entry& entry, Log& log, const JournalReplay& replay);
    // After recovery: nothing needs the journal any more.
    Status sync_recovered(Dir& dir);
    // Before files of the journal are used again.
    Status sync_journaled(Dir& dir, const Journal::Clients& clients);
    // True for logs without a record, which stay unopened.
    bool nothing_to_recover(Entry& entry, const JournalReplay& replay);
    EntryPtr find(const TopicPartition& partition) const;
    std::vector<EntryPtr> entries() const;
    std::vector<std::shared_ptr<Log>> open_logs() const;
    Result<std::shared_ptr<Log>> open_entry(Entry& entry);
    Dir* choose_dir(std::optional<Uuid> directory) const REQUIRES(mutex_);
    Result<EntryPtr> find_or_place(const TopicPartition& partition, std::optional<Uuid> directory);
    // Renames the partition's directory and forgets it. Returns the new path; empty: there was
    // none.
    Result<std::string> move_aside(const TopicPartition& partition, std::string_view suffix);
    Status write_checkpoint(Dir& dir, std::string_view file, Offset (*of_log)(const Log&),
                            Offset Entry::* of_entry);
    Status write_checkpoint_of(Dir& dir, std::string_view file, Offset (*of_log)(const Log&),
                               Offset Entry::* of_entry) REQUIRES(checkpoint_mutex_);
    // Writes the checkpoint files without the partitions that were removed: a new one of the same
    // name must not find the offsets of the old one after a crash.
    Status forget_removed(Dir& dir);
    void write_checkpoints(std::string_view file, Offset (*of_log)(const Log&),
                           Offset Entry::* of_entry);
    Status flush_log(Log& log, bool rolled_only);
    void write_recovery_points(Dir& dir);
    void judge_checkpoint(Dir& dir, const Status& written);
    // Whether retention must look into the log; of an unopened one a glance decides.
    bool retention_due(Entry& entry, TimestampMs now);
    Status close_dir(Dir& dir, int64_t broker_epoch);
    // Removes the directories whose time has come at `now`.
    void remove_doomed(TimestampMs now);

    runtime::FileSystem& files_;
    const runtime::Clock& clock_;
    LogManagerOptions options_;
    FileCache cache_;
    std::string cluster_id_;
    std::optional<int64_t> previous_broker_epoch_;

    // Held for look-ups only. Order: checkpoint_mutex_, Entry's mutex, its Log's, then this one.
    mutable Mutex mutex_;
    std::vector<std::unique_ptr<Dir>> dirs_;  // fixed once open
    std::unordered_map<TopicPartition, EntryPtr> entries_ GUARDED_BY(mutex_);
    std::vector<Doomed> doomed_ GUARDED_BY(mutex_);
    std::vector<std::string> cordoned_ GUARDED_BY(mutex_);
    Mutex checkpoint_mutex_;  // one writer of checkpoint files at a time
};

// `orders-3` -> {orders, 3}; nullopt when the name is not of that form.
std::optional<TopicPartition> parse_partition_directory(std::string_view name);
// `orders-3.<32 hex>-delete`, with the topic cut so that the name stays within 255 bytes.
std::string set_aside_name(const TopicPartition& partition, const Uuid& unique,
                           std::string_view suffix);

}  // namespace moldau::storage
