// What the two source files of LogManager share.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "runtime/file_system.h"
#include "storage/log_manager.h"

namespace moldau::storage {

inline constexpr std::string_view kCleanShutdownFile = ".kafka_cleanshutdown";
inline constexpr std::string_view kMetadataPartition = "__cluster_metadata-0";
inline constexpr std::string_view kRemoteIndexCache = "remote-log-index-cache";
inline constexpr std::string_view kDeleteDirSuffix = "-delete";
inline constexpr std::string_view kStrayDirSuffix = "-stray";
inline constexpr std::string_view kFutureDirSuffix = "-future";

// One of log.dirs.
struct LogManager::Dir {
    std::string path;
    Uuid directory_id;
    std::unique_ptr<runtime::FileLock> lock;
    std::optional<MetaProperties> properties;
    bool clean = false;   // as found at start
    bool loaded = false;  // nothing in it awaits recovery
    std::optional<int64_t> broker_epoch;
    std::atomic<int> log_count{0};
    std::unique_ptr<Journal> journal;  // nullptr: not asked for
    bool has_journal_files = false;    // as found at start
    std::shared_ptr<std::atomic<bool>> offline = std::make_shared<std::atomic<bool>>(false);

    bool is_offline() const { return *offline; }
    // Returns whether it was online.
    bool go_offline(const Error& why) {
        if (offline->exchange(true)) {
            return false;
        }
        MutexLock lock_cause(cause_mutex);
        cause = why;
        return true;
    }
    // What each checkpoint file holds; guarded by LogManager's checkpoint_mutex_.
    struct Written {
        bool valid = false;
        size_t fingerprint = 0;
        size_t count = 0;
    };
    std::map<std::string, Written> written;
    // Removed partitions that a checkpoint file may still name, by file; guarded by LogManager's
    // mutex_.
    std::map<std::string, std::set<TopicPartition>, std::less<>> removed;
    Mutex cause_mutex;
    std::optional<Error> cause GUARDED_BY(cause_mutex);
};

// One partition directory; its log is opened on first use.
struct LogManager::Entry {
    static inline std::atomic<uint64_t> next_serial{0};

    Entry(TopicPartition of, Dir* in, std::string at, bool fresh)
        : partition(std::move(of)),
          dir(in),
          serial(next_serial++),
          path(std::move(at)),
          is_new(fresh),
          needs_recovery(!fresh && !in->clean) {}

    const TopicPartition partition;
    Dir* const dir;
    const uint64_t serial;  // never used twice

    Mutex mutex;
    std::string path GUARDED_BY(mutex);
    Uuid topic_id GUARDED_BY(mutex);
    std::shared_ptr<Log> log GUARDED_BY(mutex);
    bool is_new GUARDED_BY(mutex);  // there is no directory yet
    bool removed GUARDED_BY(mutex) = false;
    // Found after a crash and not looked at since.
    bool needs_recovery GUARDED_BY(mutex);
    // Never opened since it was made: one empty segment, perhaps without its index files.
    bool untouched GUARDED_BY(mutex) = false;
    std::optional<LogGlance> glance GUARDED_BY(mutex);  // until the log opens
    // Of a log that was closed after its recovery, if it has producers; until it opens.
    std::unique_ptr<ProducerState> producers GUARDED_BY(mutex);
    // As the checkpoint files had them; what counts until the log is open.
    Offset recovery_point{0};
    Offset recovery_point_told{0};  // by the file at start, whatever a recovery found
    Offset log_start_offset{0};
    Offset high_watermark{0};

    // Of a log that is not open; nullptr when it cannot be judged.
    const LogGlance* glanced(runtime::FileSystem& files) REQUIRES(mutex);
    Result<std::shared_ptr<Log>> open(LogManager& manager) REQUIRES(mutex);
    Status make_directory(LogManager& manager, const Uuid& of_topic) REQUIRES(mutex);
    // The empty index files of an untouched log.
    Status make_indexes(runtime::FileSystem& files) const REQUIRES(mutex);
    // Forgets the entry, or takes its directory offline. Returns what the caller is told.
    Error creation_failed(LogManager& manager, const Error& cause) REQUIRES(mutex);
};

}  // namespace moldau::storage
