#include "storage/log_cleaner.h"

#include <algorithm>

#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/log_manager.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.LogCleaner");

double megabytes(int64_t bytes) {
    return static_cast<double>(bytes) / (1024.0 * 1024.0);
}

}  // namespace

LogCleaner::LogCleaner(LogManager& logs, runtime::FileSystem& files, const runtime::Clock& clock,
                       runtime::Entropy& entropy, std::function<CleanerConfig()> config)
    : logs_(logs), files_(files), clock_(clock), entropy_(entropy), config_(std::move(config)) {
    MutexLock lock(mutex_);
    for (const LogDirectory& dir : logs_.directories()) {
        auto offsets =
            read_offset_checkpoint(files_, runtime::join_path(dir.path, kCleanerOffsetCheckpoint));
        if (!offsets) {
            MOLDAU_LOG_WARN(logger, "Starting without {} of {}: {}", kCleanerOffsetCheckpoint,
                            dir.path, offsets.error().message);
        }
        checkpoints_[dir.path] = offsets ? std::move(*offsets) : OffsetCheckpoint();
    }
}

LogCleaner::~LogCleaner() {
    stop();
}

void LogCleaner::start() {
    CleanerConfig config = config_();
    if (!config.enable) {
        return;
    }
    MOLDAU_LOG_INFO(logger, "Starting the log cleaner");
    for (int i = 0; i < config.threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

void LogCleaner::stop() {
    {
        MutexLock lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
    threads_.clear();
}

void LogCleaner::work() {
    while (true) {
        bool cleaned = clean_filthiest();
        auto until = std::chrono::steady_clock::now() + milliseconds(config_().backoff_ms);
        MutexLock lock(mutex_);
        while (!cleaned && !stopping_ && std::chrono::steady_clock::now() < until) {
            wake_.wait_until(mutex_.native(), until);
        }
        if (stopping_) {
            return;
        }
    }
}

bool LogCleaner::pace(int64_t bytes, double bytes_per_second) {
    MutexLock lock(mutex_);
    MonotonicTime now = clock_.monotonic();
    Duration rest = throttle_.moved(bytes, bytes_per_second, now) - now;
    auto until = std::chrono::steady_clock::now() + rest;
    while (!stopping_ && rest > Duration(0) && std::chrono::steady_clock::now() < until) {
        wake_.wait_until(mutex_.native(), until);
    }
    return !stopping_;
}

bool LogCleaner::is_uncleanable(const TopicPartition& partition) const {
    MutexLock lock(mutex_);
    return uncleanable_.contains(partition);
}

Offset LogCleaner::checkpointed(const TopicPartition& partition) const {
    MutexLock lock(mutex_);
    for (const auto& [dir, offsets] : checkpoints_) {
        auto found = offsets.find(partition);
        if (found != offsets.end()) {
            return found->second;
        }
    }
    return kNoOffset;
}

void LogCleaner::keep_checkpoint(const TopicPartition& partition, const std::string& dir,
                                 Offset first_dirty) {
    MutexLock lock(mutex_);
    OffsetCheckpoint& offsets = checkpoints_[dir];
    offsets[partition] = first_dirty;
    // Partitions that moved or are no more.
    std::erase_if(offsets, [&](const auto& line) {
        return line.first != partition && !logs_.holds(line.first, dir);
    });
    auto written =
        write_offset_checkpoint(files_, runtime::join_path(dir, kCleanerOffsetCheckpoint), offsets);
    if (!written && runtime::is_disk_full(written.error())) {
        MOLDAU_LOG_WARN(logger, "{}", written.error().message);
    } else if (!written) {
        logs_.take_offline(dir, written.error());
    }
}

Result<std::optional<LogCleaner::Candidate>> LogCleaner::look_at(const std::shared_ptr<Log>& log,
                                                                 TimestampMs now) {
    Offset kept = checkpointed(log->topic_partition());
    MutexLock lock(log->mutex());
    if (log->failed() || !log->config().cleanup_compact) {
        return std::nullopt;
    }
    Offset first_dirty = first_dirty_offset(kept, log->log_start_offset(), log->log_end_offset());
    if (kept != kNoOffset && first_dirty != kept) {
        MOLDAU_LOG_WARN(logger,
                        "Resetting first dirty offset of {} to log start offset {} since the "
                        "checkpointed offset {} is invalid.",
                        log->topic_partition(), first_dirty, kept);
    }
    if (log->active_segment_base() <= first_dirty) {
        return std::nullopt;
    }
    MOLDAU_TRY(auto segments, log->rolled_segments());
    CleanableRange range =
        find_cleanable(segments, first_dirty, log->last_stable_offset(), log->config(), now);
    if (!range.is_due(log->config())) {
        return std::nullopt;
    }
    return Candidate{log, range};
}

std::optional<LogCleaner::Candidate> LogCleaner::choose(TimestampMs now) {
    std::optional<Candidate> filthiest;
    auto logs = logs_.compacted_logs(
        [this](const TopicPartition& partition) { return checkpointed(partition); });
    for (const std::shared_ptr<Log>& log : logs) {
        {
            MutexLock lock(mutex_);
            if (in_progress_.contains(log->topic_partition()) ||
                uncleanable_.contains(log->topic_partition())) {
                continue;
            }
        }
        auto candidate = look_at(log, now);
        if (!candidate) {
            MOLDAU_LOG_WARN(logger, "Cannot judge the log {}: {}", log->topic_partition(),
                            candidate.error().message);
            continue;
        }
        if (*candidate && (!filthiest || (*candidate)->range.ratio() > filthiest->range.ratio())) {
            filthiest = std::move(**candidate);
        }
    }
    MutexLock lock(mutex_);
    if (stopping_ || !filthiest || !in_progress_.insert(filthiest->log->topic_partition()).second) {
        return std::nullopt;
    }
    return filthiest;
}

bool LogCleaner::clean_filthiest() {
    CleanerConfig config = config_();
    TimestampMs now = clock_.wall_ms();
    auto candidate = choose(now);
    if (!candidate) {
        return false;
    }
    bool done = clean(*candidate, config, now);
    MutexLock lock(mutex_);
    in_progress_.erase(candidate->log->topic_partition());
    return done;
}

bool LogCleaner::clean(const Candidate& candidate, const CleanerConfig& config, TimestampMs now) {
    Log& log = *candidate.log;
    const TopicPartition& partition = log.topic_partition();
    int threads = std::max(1, config.threads);
    CleaningOptions options;
    options.map_bytes_max = config.dedupe_buffer_bytes / threads;
    options.map_load_factor = config.load_factor;
    options.io_buffer_bytes =
        static_cast<size_t>(std::max(4096, config.io_buffer_bytes / threads / 2));
    options.seed = {entropy_.draw(), entropy_.draw()};
    options.pace = [&](int64_t bytes) { return pace(bytes, config.io_bytes_per_second); };
    // After a swap recovery must not take the gaps for lost data: it begins behind them.
    options.before_swap = [this] {
        logs_.checkpoint_recovery_points();
        return Status();
    };
    MonotonicTime began = clock_.monotonic();
    LogCleaning cleaning(log, logs_.file_cache(), std::move(options));
    auto end = cleaning.run(candidate.range, now);
    if (end) {
        std::string dir = [&] {
            MutexLock lock(log.mutex());
            return runtime::parent_path(log.directory());
        }();
        keep_checkpoint(partition, dir, *end);
        tell(candidate, *end, cleaning, clock_.monotonic() - began);
        return true;
    }
    bool removed_or_offline = [&] {
        MutexLock lock(log.mutex());
        return log.failed();
    }();
    if (removed_or_offline || end.error().code == ErrorCode::OperationNotAttempted ||
        runtime::is_disk_full(end.error())) {
        MOLDAU_LOG_INFO(logger, "The cleaning of {} was given up: {}", partition,
                        end.error().message);
        return false;
    }
    MOLDAU_LOG_WARN(logger,
                    "Unexpected exception thrown when cleaning log {}. Marking its partition ({}) "
                    "as uncleanable: {}",
                    partition, partition, end.error().message);
    MutexLock lock(mutex_);
    uncleanable_.insert(partition);
    return true;
}

void LogCleaner::tell(const Candidate& candidate, Offset end, const LogCleaning& cleaning,
                      Duration took) {
    const CleaningStats& stats = cleaning.stats();
    double seconds_taken = std::max(1e-3, static_cast<double>(to_ms(took)) / 1000.0);
    auto less = [](int64_t from, int64_t to) {
        return from == 0 ? 0.0
                         : 100.0 * (1.0 - static_cast<double>(to) / static_cast<double>(from));
    };
    MOLDAU_LOG_INFO(logger,
                    "\n\tLog cleaner thread cleaned log {} (dirty section = [{}, {}])\n"
                    "\t{:.1f} MB of log processed in {:.1f} seconds ({:.1f} MB/sec).\n"
                    "\tIndexed {:.1f} MB\n"
                    "\tBuffer utilization: {:.1f}%\n"
                    "\tStart size: {:.1f} MB ({} messages)\n"
                    "\tEnd size: {:.1f} MB ({} messages)\n"
                    "\t{:.1f}% size reduction ({:.1f}% fewer messages)",
                    candidate.log->topic_partition(), candidate.range.first_dirty, end,
                    megabytes(stats.bytes_read), seconds_taken,
                    megabytes(stats.bytes_read) / seconds_taken, megabytes(stats.map_bytes_read),
                    100.0 * cleaning.map_utilization(), megabytes(stats.bytes_read),
                    stats.records_read, megabytes(stats.bytes_written), stats.records_written,
                    less(stats.bytes_read, stats.bytes_written),
                    less(stats.records_read, stats.records_written));
    if (stats.invalid_records > 0) {
        MOLDAU_LOG_WARN(logger, "\tFound {} invalid messages during compaction.",
                        stats.invalid_records);
    }
}

}  // namespace moldau::storage
