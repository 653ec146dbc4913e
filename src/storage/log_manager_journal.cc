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

Status LogManager::replay_into(Log& log, const JournalReplay& replay) {
    auto appends = replay.find({log.topic_id(), log.topic_partition().partition});
    if (appends != replay.end()) {
        MOLDAU_CHECK(log.replay(appends->second, clock_.wall_ms()));
    }
    return log.prepare_sync_of_all();
}

Status LogManager::sync_recovered(Dir& dir) {
    if (!options_.journal && !dir.has_journal_files) {
        return {};
    }
    // One sync for all: what recovery and replay wrote, and what was written before the stop.
    MOLDAU_CHECK(files_.sync_all(dir.path));
    for (const EntryPtr& entry : entries()) {
        MutexLock lock(entry->mutex);
        if (entry->dir == &dir && entry->log != nullptr) {
            MutexLock log_lock(entry->log->mutex());
            entry->log->note_all_synced();
        }
    }
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
