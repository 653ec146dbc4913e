// ForwardingFileSystem passes every call on to another file system. Tests derive from it to count
// what happens, or to break one promise and see whether somebody notices.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/file_system.h"

namespace moldau::runtime {

class ForwardingFile : public File {
 public:
    explicit ForwardingFile(std::unique_ptr<File> inner) : inner_(std::move(inner)) {}

    Result<size_t> read(std::span<uint8_t> target, uint64_t at) const override {
        return inner_->read(target, at);
    }
    Result<size_t> read_cached(std::span<uint8_t> target, uint64_t at) const override {
        return inner_->read_cached(target, at);
    }
    Status write(std::span<const uint8_t> source, uint64_t at) override {
        return inner_->write(source, at);
    }
    Status write(std::span<const Bytes> pieces, uint64_t at) override {
        return inner_->write(pieces, at);
    }
    Status truncate(uint64_t size) override { return inner_->truncate(size); }
    Result<uint64_t> size() const override { return inner_->size(); }
    Status sync() override { return inner_->sync(); }

 private:
    std::unique_ptr<File> inner_;
};

class ForwardingFileSystem : public FileSystem {
 public:
    explicit ForwardingFileSystem(FileSystem& inner) : inner_(inner) {}

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
        return inner_.open(path, mode);
    }
    Result<std::unique_ptr<File>> open_durable(const std::string& path, OpenMode mode) override {
        return inner_.open_durable(path, mode);
    }
    Status sync_all(const std::string& path) override { return inner_.sync_all(path); }
    Status sync_directory(const std::string& path) override { return inner_.sync_directory(path); }
    Status rename(const std::string& from, const std::string& to) override {
        return inner_.rename(from, to);
    }
    Status remove(const std::string& path) override { return inner_.remove(path); }
    Status remove_all(const std::string& path) override { return inner_.remove_all(path); }
    Status create_directories(const std::string& path) override {
        return inner_.create_directories(path);
    }
    Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
        return inner_.list(path);
    }
    Result<FileInfo> stat(const std::string& path) override { return inner_.stat(path); }
    Status set_modified_ms(const std::string& path, TimestampMs modified_ms) override {
        return inner_.set_modified_ms(path, modified_ms);
    }
    Result<std::unique_ptr<FileLock>> try_lock(const std::string& path) override {
        return inner_.try_lock(path);
    }
    Result<DiskSpace> space(const std::string& path) override { return inner_.space(path); }

 private:
    FileSystem& inner_;
};

}  // namespace moldau::runtime
