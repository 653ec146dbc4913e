// MemoryFileSystem: a file system for tests that forgets, fails and fills up as told.
//
// What was not synced may be lost by crash(): changes of a file since its last sync(), directory
// entries since the directory's last sync_directory() (a rename's two names as one). Each page
// reaches the device in any of the states it had since the sync, whatever the others do
// (reordering), the last change to it sector by sector (tearing); the size likewise. `draw`
// decides, so one seed is one outcome; crash_losing_all() drops all of it. A write that meets a
// crash counts as begun.
// Every operation that changes something has a number, from 1; faults are set by number.
// Files open at a crash keep failing afterwards. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "runtime/file_system.h"

namespace moldau::runtime {

class MemoryFileSystem final : public FileSystem {
 public:
    MemoryFileSystem();
    ~MemoryFileSystem() override;

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<std::unique_ptr<File>> open_durable(const std::string& path, OpenMode mode) override;
    Status sync_all(const std::string& path) override;
    Status sync_directory(const std::string& path) override;
    Status rename(const std::string& from, const std::string& to) override;
    Status remove(const std::string& path) override;
    Status remove_all(const std::string& path) override;
    Status create_directories(const std::string& path) override;
    Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
    Result<FileInfo> stat(const std::string& path) override;
    Status set_modified_ms(const std::string& path, TimestampMs modified_ms) override;
    Result<std::unique_ptr<FileLock>> try_lock(const std::string& path) override;
    Result<DiskSpace> space(const std::string& path) override;

    // Time given to files as they are written.
    void set_wall_ms(TimestampMs wall_ms);

    enum class Fault : uint8_t {
        IoError,   // the operation fails and changes nothing
        DiskFull,  // as IoError, as if no space were left; a write may be done in part
        Crash,     // the operation and all later ones fail until crash() is called
    };
    // Changing operations done so far (write, truncate, sync, open that creates, rename, ...).
    uint64_t operations() const;
    // The operation with this number meets the fault.
    void fail_at(uint64_t operation, Fault fault);
    // Every later operation of the kind fails: sync for IoError, write for DiskFull.
    void fail_syncs(bool on);
    void fill_disk(bool on);

    using Draw = std::function<uint64_t()>;
    // The machine loses power and comes back: open files are dead, faults are cleared.
    void crash(const Draw& draw);
    void crash_losing_all();
    // The process dies, the machine lives: nothing written is lost, locks are free.
    void kill_process();

 private:
    struct Node;
    struct State;
    Result<std::unique_ptr<File>> open_node(const std::string& path, OpenMode mode, bool durable);
    class MemoryFile;
    class MemoryLock;

    std::shared_ptr<State> state_;
};

}  // namespace moldau::runtime
