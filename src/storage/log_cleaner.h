// LogCleaner compacts the logs of a node: its threads take the one that needs it most, again and
// again, and rest for log.cleaner.backoff.ms when none does. How far each log is compacted is kept
// in cleaner-offset-checkpoint of its directory. A log that cannot be compacted is left alone until
// the next start.
//
// Thread-safe. Started and stopped by the broker, before the LogManager shuts down.
#pragma once

#include <condition_variable>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "base/topic_partition.h"
#include "storage/checkpoint_file.h"
#include "storage/io_throttle.h"
#include "storage/log_cleaning.h"

namespace moldau::runtime {
class Clock;
class Entropy;
class FileSystem;
}  // namespace moldau::runtime

namespace moldau::storage {

class LogManager;

// The log.cleaner.* keys.
struct CleanerConfig {
    bool enable = true;
    int threads = 1;
    int64_t dedupe_buffer_bytes = 128 << 20;  // of all threads together
    double load_factor = 0.9;
    int32_t io_buffer_bytes = 512 * 1024;  // of all threads together
    double io_bytes_per_second = std::numeric_limits<double>::max();
    int64_t backoff_ms = 15'000;
};

class LogCleaner {
 public:
    // `config` is asked before each log: it may change. The number of threads is the one at
    // start().
    LogCleaner(LogManager& logs, runtime::FileSystem& files, const runtime::Clock& clock,
               runtime::Entropy& entropy, std::function<CleanerConfig()> config);
    ~LogCleaner();

    void start();
    // Interrupts what is under way; its log stays as it was.
    void stop();

    // Compacts the log that needs it most. False: none does, or it must be tried again later.
    bool clean_filthiest();

    bool is_uncleanable(const TopicPartition& partition) const;

 private:
    // One log that waits for its turn, and why.
    struct Candidate {
        std::shared_ptr<Log> log;
        CleanableRange range;
    };
    std::optional<Candidate> choose(TimestampMs now);
    Result<std::optional<Candidate>> look_at(const std::shared_ptr<Log>& log, TimestampMs now);
    // False: given up, to be tried again later.
    bool clean(const Candidate& candidate, const CleanerConfig& config, TimestampMs now);
    Offset checkpointed(const TopicPartition& partition) const;
    void keep_checkpoint(const TopicPartition& partition, const std::string& dir,
                         Offset first_dirty);
    // Rests as long as `bytes` that were moved ask for. False when stopped.
    bool pace(int64_t bytes, double bytes_per_second);
    void work();
    static void tell(const Candidate& candidate, Offset end, const LogCleaning& cleaning,
                     Duration took);

    LogManager& logs_;
    runtime::FileSystem& files_;
    const runtime::Clock& clock_;
    runtime::Entropy& entropy_;
    const std::function<CleanerConfig()> config_;

    mutable Mutex mutex_;
    std::condition_variable_any wake_;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::map<std::string, OffsetCheckpoint> checkpoints_ GUARDED_BY(mutex_);  // by log.dir
    std::set<TopicPartition> in_progress_ GUARDED_BY(mutex_);
    std::set<TopicPartition> uncleanable_ GUARDED_BY(mutex_);
    IoThrottle throttle_ GUARDED_BY(mutex_);
    std::vector<std::thread> threads_;
};

}  // namespace moldau::storage
