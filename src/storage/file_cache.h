// FileCache bounds how many segment files are open at once: a node may hold hundreds of thousands
// of segments, and a process only so many file handles. A CachedFile opens on first use and is
// closed again when it has been idle longest. Any thread; a file in use stays open through its
// shared_ptr.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "base/types.h"

namespace moldau::runtime {
class File;
class FileSystem;
}  // namespace moldau::runtime

namespace moldau::storage {

class CachedFile;

class FileCache {
 public:
    // `open_max` files stay open; a moment's use may exceed it.
    FileCache(runtime::FileSystem& files, size_t open_max) : files_(files), open_max_(open_max) {}
    FileCache(const FileCache&) = delete;
    FileCache& operator=(const FileCache&) = delete;

    runtime::FileSystem& files() { return files_; }
    size_t open_count();

 private:
    friend class CachedFile;

    // The open handle, now the most recently used; null when there is none.
    std::shared_ptr<runtime::File> find(CachedFile& file);
    // Takes a new handle in and closes the one idle longest if there are too many.
    std::shared_ptr<runtime::File> keep(CachedFile& file, std::unique_ptr<runtime::File> opened);
    void drop(CachedFile& file);

    runtime::FileSystem& files_;
    const size_t open_max_;
    Mutex mutex_;
    std::list<CachedFile*> recent_ GUARDED_BY(mutex_);  // most recently used first
};

// One file that may or may not be open. The path may change (rename); the owner serialises that.
class CachedFile {
 public:
    CachedFile(FileCache& cache, std::string path) : cache_(cache), path_(std::move(path)) {}
    ~CachedFile();
    CachedFile(const CachedFile&) = delete;
    CachedFile& operator=(const CachedFile&) = delete;

    const std::string& path() const { return path_; }
    // Opens the existing file unless it is open.
    Result<std::shared_ptr<runtime::File>> get();
    // Creates the file, which must not exist, and keeps it open.
    Status create();
    // The file was renamed or is gone: forget the handle.
    void close();
    void set_path(std::string path) { path_ = std::move(path); }

 private:
    friend class FileCache;

    FileCache& cache_;
    std::string path_;
    std::shared_ptr<runtime::File> file_;        // guarded by cache_.mutex_
    std::list<CachedFile*>::iterator position_;  // valid while file_ is set
};

}  // namespace moldau::storage
