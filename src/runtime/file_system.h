// FileSystem: the one door to files. real_file_system() is the machine's; MemoryFileSystem
// (memory_file_system.h) lives in memory and can lose what was not synced, fail and fill up.
//
// Errors: ResourceNotFound when a file is missing, DuplicateResource when it must not exist yet,
// ThrottlingQuotaExceeded when the device is full (see is_disk_full), KafkaStorageError otherwise;
// the message names the operation, the path and the system's reason.
// Thread-safe; a File may be read from several threads while one writes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace moldau::runtime {

enum class OpenMode : uint8_t {
    Read,       // must exist
    ReadWrite,  // must exist
    Create,     // read and write, made when missing
    CreateNew,  // read and write, must be missing
};

class File {
 public:
    virtual ~File() = default;

    // Reads up to target.size() bytes at `at`; fewer only at the end of the file.
    virtual Result<size_t> read(std::span<uint8_t> target, uint64_t at) const = 0;
    // As read(), but only what needs no wait for the device; 0 when the first byte would wait and
    // `at` lies before the end: then read() on the disk pool.
    virtual Result<size_t> read_cached(std::span<uint8_t> target, uint64_t at) const = 0;
    // Writes all of it at `at`, growing the file as needed. On an error part may have been written.
    virtual Status write(std::span<const uint8_t> source, uint64_t at) = 0;
    // Writes the pieces one after another, in as few calls as the system allows.
    virtual Status write(std::span<const Bytes> pieces, uint64_t at) = 0;
    virtual Status truncate(uint64_t size) = 0;
    virtual Result<uint64_t> size() const = 0;
    // Content and size are on the device when this returns. An error is final: what was written
    // since the last success may be lost, and asking again proves nothing.
    virtual Status sync() = 0;
    // Descriptor for sendfile and friends; -1 when there is none.
    virtual int descriptor() const { return -1; }
};

// Held as long as the object lives.
class FileLock {
 public:
    virtual ~FileLock() = default;
};

struct FileInfo {
    uint64_t size = 0;
    bool is_directory = false;
    TimestampMs modified_ms = 0;
};

struct DirectoryEntry {
    std::string name;  // without the directory
    bool is_directory = false;

    friend bool operator==(const DirectoryEntry&, const DirectoryEntry&) = default;
};

struct DiskSpace {
    uint64_t total_bytes = 0;
    uint64_t usable_bytes = 0;
};

// What buffers, positions and lengths of a file from open_durable() must be multiples of.
inline constexpr size_t kDirectAlignment = 4096;

class FileSystem {
 public:
    virtual ~FileSystem() = default;

    virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
    // A file whose every write is on the device when it returns, past the page cache where the
    // file system can. Mind kDirectAlignment. A failed write is final, as a failed sync is.
    virtual Result<std::unique_ptr<File>> open_durable(const std::string& path, OpenMode mode) = 0;
    // Everything below the directory, names and content, is on the device afterwards.
    virtual Status sync_all(const std::string& path) = 0;
    // Entries of the directory (names made, renamed, removed) are on the device afterwards.
    virtual Status sync_directory(const std::string& path) = 0;
    // Replaces `to` when it exists (a file, or an empty directory).
    virtual Status rename(const std::string& from, const std::string& to) = 0;
    // A file or an empty directory. Missing: ResourceNotFound.
    virtual Status remove(const std::string& path) = 0;
    // A file or a whole tree. Missing is success.
    virtual Status remove_all(const std::string& path) = 0;
    // With all parents. Existing is success.
    virtual Status create_directories(const std::string& path) = 0;
    // Sorted by name.
    virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;
    virtual Result<FileInfo> stat(const std::string& path) = 0;
    virtual Status set_modified_ms(const std::string& path, TimestampMs modified_ms) = 0;
    // Takes an exclusive lock on the file, which is made when missing. Kafka's FileLock and ours
    // exclude one another. A null pointer: another process (or this one) holds it.
    virtual Result<std::unique_ptr<FileLock>> try_lock(const std::string& path) = 0;
    virtual Result<DiskSpace> space(const std::string& path) = 0;

    bool exists(const std::string& path) { return stat(path).has_value(); }
    Result<Bytes> read_file(const std::string& path);
    // Writes `path`.tmp, syncs it, renames it over `path` and syncs the directory: after a crash
    // the old or the new content is there, whole.
    Status replace_file(const std::string& path, std::span<const uint8_t> content);
    Status replace_file(const std::string& path, std::string_view content) {
        return replace_file(
            path, std::span(reinterpret_cast<const uint8_t*>(content.data()), content.size()));
    }
};

FileSystem& real_file_system();

inline bool is_disk_full(const Error& error) {
    return error.code == ErrorCode::ThrottlingQuotaExceeded;
}
inline bool is_missing(const Error& error) {
    return error.code == ErrorCode::ResourceNotFound;
}

// "a/b" + "c" = "a/b/c".
std::string join_path(std::string_view directory, std::string_view name);
// "/a/b/c" -> "/a/b"; "c" -> ".".
std::string parent_path(std::string_view path);

}  // namespace moldau::runtime
