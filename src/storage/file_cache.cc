#include "storage/file_cache.h"

#include "runtime/file_system.h"

namespace moldau::storage {

size_t FileCache::open_count() {
    MutexLock lock(mutex_);
    return recent_.size();
}

std::shared_ptr<runtime::File> FileCache::find(CachedFile& file) {
    MutexLock lock(mutex_);
    if (file.file_ != nullptr) {
        recent_.splice(recent_.begin(), recent_, file.position_);
    }
    return file.file_;
}

std::shared_ptr<runtime::File> FileCache::keep(CachedFile& file,
                                               std::unique_ptr<runtime::File> opened) {
    std::shared_ptr<runtime::File> evicted;  // closed after the lock is gone
    MutexLock lock(mutex_);
    if (file.file_ != nullptr) {
        return file.file_;
    }
    file.file_ = std::move(opened);
    recent_.push_front(&file);
    file.position_ = recent_.begin();
    if (recent_.size() > open_max_) {
        evicted = std::move(recent_.back()->file_);
        recent_.pop_back();
    }
    return file.file_;
}

void FileCache::drop(CachedFile& file) {
    std::shared_ptr<runtime::File> dropped;
    MutexLock lock(mutex_);
    if (file.file_ != nullptr) {
        recent_.erase(file.position_);
        dropped = std::move(file.file_);
    }
}

CachedFile::~CachedFile() {
    cache_.drop(*this);
}

Result<std::shared_ptr<runtime::File>> CachedFile::get() {
    if (auto open = cache_.find(*this)) {
        return open;
    }
    MOLDAU_TRY(auto opened, cache_.files().open(path_, runtime::OpenMode::ReadWrite));
    return cache_.keep(*this, std::move(opened));
}

Status CachedFile::create() {
    MOLDAU_TRY(auto opened, cache_.files().open(path_, runtime::OpenMode::CreateNew));
    cache_.keep(*this, std::move(opened));
    return {};
}

void CachedFile::close() {
    cache_.drop(*this);
}

}  // namespace moldau::storage
