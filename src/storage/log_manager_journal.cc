// The journals of a LogManager's directories: replay at start, and the syncs that free their files.
#include "runtime/clock.h"
#include "storage/log_manager_impl.h"

namespace moldau::storage {

void LogManager::make_journal(Dir& dir) {
    if (!options_.journal) {
        return;
    }
    dir.journal = std::make_unique<Journal>(
        files_, dir.path, *options_.journal,
        Journal::Hooks{
            .sync = [this, &dir](
                        const Journal::Clients& clients) { return sync_journaled(dir, clients); },
            .on_failure = [this, &dir](const Error& cause) { take_offline(dir.path, cause); }});
}

Journal* LogManager::journal(const std::string& path) {
    for (const auto& dir : dirs_) {
        if (dir->path == path) {
            return dir->journal.get();
        }
    }
    return nullptr;
}

Result<JournalReplay> LogManager::read_journal(Dir& dir) {
    if (!dir.has_journal_files) {
        return JournalReplay();
    }
    MOLDAU_TRY(auto groups, read_journal_files(files_, dir.path));
    return plan_replay(std::move(groups));
}

bool LogManager::syncs_all(const Dir& dir) const {
    return options_.journal || dir.has_journal_files;
}

// A node of many partitions would hold all their logs after a crash, and use a few.
Status LogManager::finish_recovery(Entry& entry, Log& log, const JournalReplay& replay) {
    MutexLock lock(entry.mutex);
    {
        MutexLock log_lock(log.mutex());
        auto appends = replay.find({log.topic_id(), entry.partition.partition});
        if (appends != replay.end()) {
            MOLDAU_CHECK(log.replay(appends->second, clock_.wall_ms()));
        }
        if (!syncs_all(*entry.dir)) {
            return {};
        }
        MOLDAU_CHECK(log.close_before_sync_of_all());
        entry.recovery_point = log.recovery_point();
        entry.log_start_offset = log.log_start_offset();
        entry.high_watermark = log.high_watermark();
        if (!log.producers().producers().empty()) {
            entry.producers = std::make_unique<ProducerState>(log.take_producers());
        }
    }
    entry.log.reset();
    return {};
}

Status LogManager::sync_recovered(Dir& dir) {
    if (!syncs_all(dir)) {
        return {};
    }
    // One sync for all: what recovery and replay wrote, and what was written before the stop.
    MOLDAU_CHECK(files_.sync_all(dir.path));
    return dir.has_journal_files ? remove_journal_files(files_, dir.path) : Status();
}

Status LogManager::sync_journaled(Dir& dir, const Journal::Clients& clients) {
    for (const auto& client : clients) {
        if (auto log = client->log()) {
            MOLDAU_CHECK(flush_log(*log, false));
        }
        if (dir.is_offline()) {
            return fail(ErrorCode::KafkaStorageError, "log directory is offline: dir={}", dir.path);
        }
    }
    // The recovery after a crash then walks no more than the journal holds.
    write_recovery_points(dir);
    return {};
}

}  // namespace moldau::storage
