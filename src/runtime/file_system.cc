#include "runtime/file_system.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <set>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mutex.h"

namespace moldau::runtime {

namespace {

ErrorCode code_of(int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return ErrorCode::ResourceNotFound;
        case EEXIST:
        case ENOTEMPTY:
            return ErrorCode::DuplicateResource;
        case ENOSPC:
        case EDQUOT:
            return ErrorCode::ThrottlingQuotaExceeded;
        default:
            return ErrorCode::KafkaStorageError;
    }
}

std::unexpected<Error> system_failure(std::string_view operation, const std::string& path) {
    int error = errno;
    return fail(code_of(error), "cannot {} {}: {}", operation, path,
                std::generic_category().message(error));
}

class RealFile final : public File {
 public:
    RealFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
    ~RealFile() override { ::close(descriptor_); }

    Result<size_t> read(std::span<uint8_t> target, uint64_t at) const override {
        size_t done = 0;
        while (done < target.size()) {
            ssize_t got = ::pread(descriptor_, target.data() + done, target.size() - done,
                                  static_cast<off_t>(at + done));
            if (got < 0) {
                if (errno == EINTR) {
                    continue;
                }
                return system_failure("read", path_);
            }
            if (got == 0) {
                break;
            }
            done += static_cast<size_t>(got);
        }
        return done;
    }

    Result<size_t> read_cached(std::span<uint8_t> target, uint64_t at) const override {
        iovec piece{target.data(), target.size()};
        ssize_t got = ::preadv2(descriptor_, &piece, 1, static_cast<off_t>(at), RWF_NOWAIT);
        if (got >= 0) {
            return static_cast<size_t>(got);
        }
        if (errno == EAGAIN || errno == EINTR) {
            return 0;
        }
        if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) {
            // The file system cannot tell (overlay, network): a plain read is all there is.
            return read(target, at);
        }
        return system_failure("read", path_);
    }

    Status write(std::span<const uint8_t> source, uint64_t at) override {
        iovec piece{const_cast<uint8_t*>(source.data()), source.size()};
        return write_all(std::span(&piece, 1), at);
    }

    Status write(std::span<const Bytes> pieces, uint64_t at) override {
        constexpr size_t kPiecesPerCall = 256;
        std::array<iovec, kPiecesPerCall> vectors;
        while (!pieces.empty()) {
            size_t count = std::min(pieces.size(), kPiecesPerCall);
            size_t bytes = 0;
            for (size_t i = 0; i < count; ++i) {
                vectors[i] = {const_cast<uint8_t*>(pieces[i].data()), pieces[i].size()};
                bytes += pieces[i].size();
            }
            MOLDAU_CHECK(write_all(std::span(vectors.data(), count), at));
            at += bytes;
            pieces = pieces.subspan(count);
        }
        return {};
    }

    Status truncate(uint64_t size) override {
        if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
            return system_failure("truncate", path_);
        }
        return {};
    }

    Result<uint64_t> size() const override {
        struct stat status;
        if (::fstat(descriptor_, &status) != 0) {
            return system_failure("stat", path_);
        }
        return static_cast<uint64_t>(status.st_size);
    }

    Status sync() override {
        if (::fdatasync(descriptor_) != 0) {
            return system_failure("sync", path_);
        }
        return {};
    }

    int descriptor() const override { return descriptor_; }

 private:
    Status write_all(std::span<iovec> vectors, uint64_t at) {
        while (!vectors.empty()) {
            if (vectors.front().iov_len == 0) {
                vectors = vectors.subspan(1);
                continue;
            }
            ssize_t put = ::pwritev(descriptor_, vectors.data(), static_cast<int>(vectors.size()),
                                    static_cast<off_t>(at));
            if (put < 0) {
                if (errno == EINTR) {
                    continue;
                }
                return system_failure("write", path_);
            }
            at += static_cast<uint64_t>(put);
            size_t left = static_cast<size_t>(put);
            while (!vectors.empty() && left >= vectors.front().iov_len) {
                left -= vectors.front().iov_len;
                vectors = vectors.subspan(1);
            }
            if (left > 0) {
                vectors.front().iov_base = static_cast<uint8_t*>(vectors.front().iov_base) + left;
                vectors.front().iov_len -= left;
            }
        }
        return {};
    }

    int descriptor_;
    std::string path_;
};

// fcntl locks are what Java's FileLock takes, so that the two programs exclude one another. They
// belong to the process, hence the table of what this process holds already.
struct HeldLocks {
    Mutex mutex;
    std::set<std::pair<dev_t, ino_t>> held GUARDED_BY(mutex);
};
HeldLocks& held_locks() {
    static HeldLocks locks;
    return locks;
}

class RealLock final : public FileLock {
 public:
    RealLock(int descriptor, dev_t device, ino_t inode)
        : descriptor_(descriptor), device_(device), inode_(inode) {}
    ~RealLock() override {
        MutexLock lock(held_locks().mutex);
        held_locks().held.erase({device_, inode_});
        ::close(descriptor_);
    }

 private:
    int descriptor_;
    dev_t device_;
    ino_t inode_;
};

class RealFileSystem final : public FileSystem {
 public:
    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
        return file_of(open_with(path, mode, 0), path);
    }

    Result<std::unique_ptr<File>> open_durable(const std::string& path, OpenMode mode) override {
        int descriptor = open_with(path, mode, O_DSYNC | O_DIRECT);
        if (descriptor < 0 && errno == EINVAL) {
            // Some file systems (tmpfs) know no direct writes, and say so after making the file.
            OpenMode again = mode == OpenMode::CreateNew ? OpenMode::Create : mode;
            descriptor = open_with(path, again, O_DSYNC);
        }
        return file_of(descriptor, path);
    }

    Status sync_all(const std::string& path) override {
        int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0) {
            return system_failure("open", path);
        }
        Status synced = ::syncfs(descriptor) == 0 ? Status() : system_failure("sync", path);
        ::close(descriptor);
        return synced;
    }

    Status sync_directory(const std::string& path) override {
        int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0) {
            return system_failure("open", path);
        }
        if (::fsync(descriptor) != 0) {
            auto failure = system_failure("sync", path);
            ::close(descriptor);
            return failure;
        }
        ::close(descriptor);
        return {};
    }

    Status rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) {
            return system_failure("rename", from + " to " + to);
        }
        return {};
    }

    Status remove(const std::string& path) override {
        if (::remove(path.c_str()) != 0) {
            return system_failure("remove", path);
        }
        return {};
    }

    Status remove_all(const std::string& path) override {
        struct stat status;
        if (::lstat(path.c_str(), &status) != 0) {
            return errno == ENOENT ? Status() : system_failure("remove", path);
        }
        if (S_ISDIR(status.st_mode)) {
            MOLDAU_TRY(auto entries, list(path));
            for (const DirectoryEntry& entry : entries) {
                MOLDAU_CHECK(remove_all(join_path(path, entry.name)));
            }
        }
        Status removed = remove(path);
        return !removed && is_missing(removed.error()) ? Status() : removed;
    }

    Status create_directories(const std::string& path) override {
        if (::mkdir(path.c_str(), 0755) == 0 || path.empty()) {
            return {};
        }
        if (errno == EEXIST) {
            struct stat status;
            if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
                return {};
            }
            errno = EEXIST;
            return system_failure("create directory", path);
        }
        if (errno != ENOENT) {
            return system_failure("create directory", path);
        }
        std::string parent = parent_path(path);
        if (parent == path) {
            return system_failure("create directory", path);
        }
        MOLDAU_CHECK(create_directories(parent));
        if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
            return system_failure("create directory", path);
        }
        return {};
    }

    Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
        DIR* directory = ::opendir(path.c_str());
        if (directory == nullptr) {
            return system_failure("list", path);
        }
        std::vector<DirectoryEntry> entries;
        errno = 0;
        while (dirent* entry = ::readdir(directory)) {
            std::string_view name(entry->d_name);
            if (name == "." || name == "..") {
                continue;
            }
            bool is_directory = entry->d_type == DT_DIR;
            if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
                struct stat status;
                is_directory =
                    ::stat(join_path(path, name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
            }
            entries.push_back({std::string(name), is_directory});
            errno = 0;
        }
        if (errno != 0) {
            auto failure = system_failure("list", path);
            ::closedir(directory);
            return failure;
        }
        ::closedir(directory);
        std::ranges::sort(entries, {}, &DirectoryEntry::name);
        return entries;
    }

    Result<FileInfo> stat(const std::string& path) override {
        struct stat status;
        if (::stat(path.c_str(), &status) != 0) {
            return system_failure("stat", path);
        }
        return FileInfo{static_cast<uint64_t>(status.st_size), S_ISDIR(status.st_mode),
                        status.st_mtim.tv_sec * 1000LL + status.st_mtim.tv_nsec / 1'000'000};
    }

    Status set_modified_ms(const std::string& path, TimestampMs modified_ms) override {
        timespec modified{modified_ms / 1000, (modified_ms % 1000) * 1'000'000};
        timespec times[2] = {{0, UTIME_OMIT}, modified};
        if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) {
            return system_failure("set the time of", path);
        }
        return {};
    }

    Result<std::unique_ptr<FileLock>> try_lock(const std::string& path) override {
        MutexLock lock(held_locks().mutex);
        struct stat status;
        // Asked by name before opening: closing any descriptor of the file would drop the lock
        // that another part of this process relies on.
        if (::stat(path.c_str(), &status) == 0 &&
            held_locks().held.contains({status.st_dev, status.st_ino})) {
            return nullptr;
        }
        int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (descriptor < 0) {
            return system_failure("open", path);
        }
        if (::fstat(descriptor, &status) != 0) {
            auto failure = system_failure("stat", path);
            ::close(descriptor);
            return failure;
        }
        struct flock request{};
        request.l_type = F_WRLCK;
        request.l_whence = SEEK_SET;
        if (::fcntl(descriptor, F_SETLK, &request) != 0) {
            int error = errno;
            ::close(descriptor);
            if (error == EACCES || error == EAGAIN) {
                return nullptr;
            }
            errno = error;
            return system_failure("lock", path);
        }
        held_locks().held.insert({status.st_dev, status.st_ino});
        return std::make_unique<RealLock>(descriptor, status.st_dev, status.st_ino);
    }

    Result<DiskSpace> space(const std::string& path) override {
        struct statvfs status;
        if (::statvfs(path.c_str(), &status) != 0) {
            return system_failure("ask for the space of", path);
        }
        return DiskSpace{status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize};
    }

 private:
    static int open_with(const std::string& path, OpenMode mode, int extra) {
        int flags = O_CLOEXEC | extra;
        switch (mode) {
            case OpenMode::Read:
                flags |= O_RDONLY;
                break;
            case OpenMode::ReadWrite:
                flags |= O_RDWR;
                break;
            case OpenMode::Create:
                flags |= O_RDWR | O_CREAT;
                break;
            case OpenMode::CreateNew:
                flags |= O_RDWR | O_CREAT | O_EXCL;
                break;
        }
        return ::open(path.c_str(), flags, 0644);
    }
    static Result<std::unique_ptr<File>> file_of(int descriptor, const std::string& path) {
        if (descriptor < 0) {
            return system_failure("open", path);
        }
        return std::make_unique<RealFile>(descriptor, path);
    }
};

}  // namespace

FileSystem& real_file_system() {
    static RealFileSystem files;
    return files;
}

Result<Bytes> FileSystem::read_file(const std::string& path) {
    MOLDAU_TRY(auto file, open(path, OpenMode::Read));
    MOLDAU_TRY(uint64_t size, file->size());
    Buffer content;
    content.resize(size);
    MOLDAU_TRY(size_t got, file->read(content.span(), 0));
    content.resize(got);
    return std::move(content).freeze();
}

Status FileSystem::replace_file(const std::string& path, std::span<const uint8_t> content) {
    std::string temporary = path + ".tmp";
    {
        MOLDAU_TRY(auto file, open(temporary, OpenMode::Create));
        MOLDAU_CHECK(file->truncate(0));
        MOLDAU_CHECK(file->write(content, 0));
        MOLDAU_CHECK(file->sync());
    }
    MOLDAU_CHECK(rename(temporary, path));
    return sync_directory(parent_path(path));
}

std::string join_path(std::string_view directory, std::string_view name) {
    std::string path(directory);
    if (!path.empty() && path.back() != '/') {
        path += '/';
    }
    path += name;
    return path;
}

std::string parent_path(std::string_view path) {
    while (path.size() > 1 && path.back() == '/') {
        path.remove_suffix(1);
    }
    size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) {
        return ".";
    }
    return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

}  // namespace moldau::runtime
