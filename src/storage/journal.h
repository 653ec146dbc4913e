// Journal: what makes the appends of one log directory durable before they are acknowledged. Any
// number of logs share it: what they append while one group of entries is being written becomes the
// next group, so that one write of the device acknowledges as many appends as came meanwhile.
//
// append() is called with the log's lock held, takes the bytes and returns the number of their
// group; once durable_group() has reached it they are on the device. Then the logs of the group are
// told (JournalClient), on the journal's thread, under no lock.
//
// The files are written with zeros before they are used, so that later writes change no metadata,
// and are used again once the segments hold for good what is in them. There are as few as the load
// asks for and never more than bytes_max. When no file has room, append() takes nothing and the log
// must sync its segment before it acknowledges: a journal that cannot keep up, or a full device,
// makes acknowledgements slow and loses nothing.
//
// A failed write is final: the journal takes nothing more, and on_failure is told once.
// Thread-safe. Without `background` nothing runs by itself: tests call the work by hand.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/result.h"
#include "storage/journal_format.h"

namespace moldau::runtime {
class File;
class FileSystem;
}  // namespace moldau::runtime

namespace moldau::storage {

class Log;

struct JournalSettings {
    // All files together.
    int64_t bytes_max = 64 << 20;
    // The first file, and the step in which files grow. A multiple of kJournalAlignment.
    int64_t file_bytes_min = 1 << 20;
    // Appends of at least this size are not journaled: their log syncs its segment. Below it a sync
    // costs more CPU than writing twice.
    int64_t write_through_bytes = 96 << 10;
    // Runs work that may wait for the device (the disk pool).
    std::function<void(std::move_only_function<void()>)> background;
};

// One log's part in a journal.
class JournalClient {
 public:
    explicit JournalClient(const JournalKey& key) : key_(key) {}

    const JournalKey& key() const { return key_; }
    // Told when a group with entries of this log is durable or has failed; null ends that.
    void set_listener(std::shared_ptr<const std::function<void()>> listener) {
        MutexLock lock(mutex_);
        listener_ = std::move(listener);
    }
    // The log to sync before a file with its entries is used again; none: it is gone.
    void set_log(std::weak_ptr<Log> log) {
        MutexLock lock(mutex_);
        log_ = std::move(log);
    }
    std::shared_ptr<Log> log() {
        MutexLock lock(mutex_);
        return log_.lock();
    }

 private:
    friend class Journal;
    void notify();

    const JournalKey key_;
    Mutex mutex_;
    std::shared_ptr<const std::function<void()>> listener_ GUARDED_BY(mutex_);
    std::weak_ptr<Log> log_ GUARDED_BY(mutex_);
    // Guarded by the journal: the group and the file that know this client already.
    uint64_t group_noted_ = 0;
    uint64_t file_noted_ = 0;
};

class Journal {
 public:
    using Clients = std::vector<std::shared_ptr<JournalClient>>;
    struct Hooks {
        // Syncs the segments of these logs; afterwards their entries so far are not needed.
        std::function<Status(const Clients&)> sync;
        // The journal cannot be written. Under no lock.
        std::function<void(const Error&)> on_failure;
    };

    Journal(runtime::FileSystem& files, std::string dir, JournalSettings settings, Hooks hooks);
    // Ends the thread; what is queued is not written.
    ~Journal();

    // Takes appends from now on. The first file is made in the background.
    void start();
    // Writes what is queued and ends the thread. Takes nothing more.
    void stop();

    // The group that the entry went into; nullopt: there is no room.
    std::optional<uint64_t> append(const std::shared_ptr<JournalClient>& client,
                                   std::span<const Bytes> pieces, size_t bytes);
    std::optional<uint64_t> truncate(const std::shared_ptr<JournalClient>& client, Offset offset);
    uint64_t durable_group() const { return durable_group_.load(std::memory_order_acquire); }
    const JournalSettings& settings() const { return settings_; }
    bool failed() const { return failed_.load(); }

    // --- The work; called by the journal's thread and the background, or by tests.

    // Writes the oldest group that waits and tells its logs. False: nothing waits.
    bool write_group();
    // Makes a file if one is wanted.
    void prepare_file();
    // Syncs the logs of the files that are full and makes those files free.
    void recycle();
    // Tries again to make a file that a full device refused.
    void retry_prepare();

    struct Usage {
        size_t files = 0;
        size_t free_files = 0;
        int64_t bytes = 0;
    };
    Usage usage();

 private:
    struct JournalFile;
    struct Group;
    using FilePtr = std::shared_ptr<JournalFile>;

    // Makes room for an entry in the group that fills, or in a new one. False: there is none.
    bool make_room(size_t payload_bytes) REQUIRES(mutex_);
    bool open_group(size_t payload_bytes) REQUIRES(mutex_);
    void seal_group() REQUIRES(mutex_);
    void note_client(const std::shared_ptr<JournalClient>& client) REQUIRES(mutex_);
    uint64_t entry_added(const std::shared_ptr<JournalClient>& client) REQUIRES(mutex_);
    std::unique_ptr<Group> take_group() REQUIRES(mutex_);
    // What the background should do now, if anything.
    void plan_background() REQUIRES(mutex_);
    void submit(void (Journal::*work)()) REQUIRES(mutex_);
    int64_t next_file_bytes() const REQUIRES(mutex_);
    Result<FilePtr> make_file(uint32_t number, int64_t bytes);
    void fail_with(const Error& error, std::unique_ptr<Group> group);
    void run();

    runtime::FileSystem& files_;
    const std::string dir_;
    const JournalSettings settings_;
    const Hooks hooks_;

    std::atomic<uint64_t> durable_group_{0};
    std::atomic<bool> failed_{false};

    Mutex mutex_;
    std::condition_variable_any wake_;
    bool taking_ GUARDED_BY(mutex_) = false;
    bool stopping_ GUARDED_BY(mutex_) = false;
    bool asleep_ GUARDED_BY(mutex_) = false;
    std::thread thread_ GUARDED_BY(mutex_);
    uint64_t last_group_ GUARDED_BY(mutex_) = 0;
    std::unique_ptr<Group> filling_ GUARDED_BY(mutex_);
    std::deque<std::unique_ptr<Group>> sealed_ GUARDED_BY(mutex_);
    std::vector<std::unique_ptr<Group>> spare_ GUARDED_BY(mutex_);
    size_t groups_under_way_ GUARDED_BY(mutex_) = 0;

    FilePtr active_ GUARDED_BY(mutex_);
    std::deque<FilePtr> full_ GUARDED_BY(mutex_);  // oldest first
    std::deque<FilePtr> free_ GUARDED_BY(mutex_);  // in the order of their use
    int64_t bytes_ GUARDED_BY(mutex_) = 0;         // of all files
    uint32_t next_file_number_ GUARDED_BY(mutex_) = 0;
    bool preparing_ GUARDED_BY(mutex_) = false;
    bool recycling_ GUARDED_BY(mutex_) = false;
    bool device_full_ GUARDED_BY(mutex_) = false;
};

// What a crash left in a log directory: the groups of every journal file.
Result<std::vector<std::vector<JournalGroup>>> read_journal_files(runtime::FileSystem& files,
                                                                  const std::string& dir);
// Removes all journal files of a directory; durable when it returns.
Status remove_journal_files(runtime::FileSystem& files, const std::string& dir);

}  // namespace moldau::storage
