// MutantFileSystem does below a Log what a faulty Log could do: it breaks one promise. A sweep of
// crashes must notice each of them, or it proves nothing. For tests.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "runtime/forwarding_file_system.h"
#include "storage/segment.h"

namespace moldau::storage {

enum class Mutation : uint8_t {
    None,
    NoDataSync,        // segments are never synced
    LateDataSync,      // a segment is synced when the next one would be: the checkpoint comes first
    NoDirectorySync,   // names are never synced
    NoEpochSync,       // epochs are replaced without a sync
    CheckpointTooFar,  // the recovery point says more than was synced
};

class MutantFileSystem final : public runtime::ForwardingFileSystem {
 public:
    MutantFileSystem(runtime::FileSystem& inner, Mutation mutation)
        : ForwardingFileSystem(inner), mutation_(mutation) {}

    void set_mutation(Mutation mutation) { mutation_ = mutation; }

    Result<std::unique_ptr<runtime::File>> open(const std::string& path,
                                                runtime::OpenMode mode) override {
        MOLDAU_TRY(auto file, ForwardingFileSystem::open(path, mode));
        bool data = path.ends_with(kLogSuffix) ||
                    path.ends_with(std::string(kLogSuffix) + std::string(kCleanedSuffix));
        bool skipped = (data && mutation_ == Mutation::NoDataSync) ||
                       (path.ends_with(".tmp") && mutation_ == Mutation::NoEpochSync);
        bool late = data && mutation_ == Mutation::LateDataSync;
        if (!skipped && !late) {
            return file;
        }
        return std::make_unique<Unsynced>(std::move(file), late);
    }
    Status sync_directory(const std::string& path) override {
        return mutation_ == Mutation::NoDirectorySync ? Status()
                                                      : ForwardingFileSystem::sync_directory(path);
    }

 private:
    class Unsynced final : public runtime::ForwardingFile {
     public:
        Unsynced(std::unique_ptr<runtime::File> inner, bool late)
            : ForwardingFile(std::move(inner)), late_(late) {}
        Status sync() override {
            bool now = late_ && std::exchange(asked_, true);
            return now ? ForwardingFile::sync() : Status();
        }

     private:
        const bool late_;
        bool asked_ = false;
    };
    Mutation mutation_;
};

// How many expectations `body` fails, without failing the test.
template <typename Body>
int failures_of(const Body& body) {
    ::testing::TestPartResultArray noticed;
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &noticed);
    body();
    return noticed.size();
}

}  // namespace moldau::storage
