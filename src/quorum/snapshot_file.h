// Checkpoint files: `<end offset>-<epoch>.checkpoint`, a snapshot of all metadata before that
// offset. Batches with offsets counted from 0: a control batch with header, kraft.version and
// voters; metadata records; a control batch with the footer. Without footer it is not complete.
// While being written the file is called `.checkpoint.part`; bootstrap.checkpoint has the same
// form. Used on the control loop and by tools.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "consensus/types.h"
#include "consensus/voter_set.h"
#include "metadata/versioned_record.h"
#include "quorum/raft_listener.h"
#include "record/batch.h"
#include "record/builder.h"

namespace moldau::runtime {
class File;
class FileSystem;
}  // namespace moldau::runtime

namespace moldau::quorum {

inline constexpr std::string_view kSnapshotSuffix = ".checkpoint";
inline constexpr std::string_view kPartialSuffix = ".part";
inline constexpr std::string_view kDeletedSuffix = ".deleted";

// "00000000000000000042-0000000003.checkpoint"
std::string snapshot_file_name(const consensus::SnapshotId& id);
// nullopt for any other name, partial and deleted ones included.
std::optional<consensus::SnapshotId> parse_snapshot_file_name(std::string_view name);

// The metadata records of a batch, decoded. A control batch has none.
// Errors: CorruptMessage, UnsupportedVersion.
Result<CommittedBatch> decode_metadata_batch(const record::BatchView& batch);

class SnapshotFileReader final : public SnapshotReader {
 public:
    // Reads and checks the header batch. Errors: CorruptMessage.
    static Result<std::unique_ptr<SnapshotFileReader>> open(runtime::FileSystem& files,
                                                            const std::string& path,
                                                            consensus::SnapshotId id);
    ~SnapshotFileReader() override;

    const consensus::SnapshotId& id() const override { return id_; }
    TimestampMs last_contained_log_timestamp() const override { return timestamp_; }
    Result<std::optional<CommittedBatch>> next() override;

    std::optional<int16_t> kraft_version() const { return kraft_version_; }
    const std::optional<consensus::VoterSet>& voters() const { return voters_; }
    // The footer was read.
    bool is_complete() const { return is_complete_; }

 private:
    SnapshotFileReader(std::unique_ptr<runtime::File> file, std::string path,
                       consensus::SnapshotId id);
    Result<std::optional<record::BatchView>> next_batch();

    std::unique_ptr<runtime::File> file_;
    std::string path_;
    consensus::SnapshotId id_;
    uint64_t position_ = 0;
    uint64_t size_ = 0;
    TimestampMs timestamp_ = 0;
    std::optional<int16_t> kraft_version_;
    std::optional<consensus::VoterSet> voters_;
    bool is_complete_ = false;
};

struct SnapshotFileOptions {
    std::string dir;
    std::string name;
    consensus::SnapshotId id;
    TimestampMs last_contained_log_timestamp = 0;
    std::optional<int16_t> kraft_version;  // recorded from 1 on
    std::optional<consensus::VoterSet> voters;
    TimestampMs now = 0;
    // Told after the file is complete, with its name in place.
    std::function<void()> on_frozen;
};

class SnapshotFileWriter final : public SnapshotWriter {
 public:
    static constexpr size_t kBatchBytesMax = size_t{1} << 20;

    static Result<std::unique_ptr<SnapshotFileWriter>> create(runtime::FileSystem& files,
                                                              SnapshotFileOptions options);
    ~SnapshotFileWriter() override;

    const consensus::SnapshotId& id() const override { return options_.id; }
    Status append(const std::vector<metadata::VersionedRecord>& records) override;
    Status freeze() override;

 private:
    SnapshotFileWriter(runtime::FileSystem& files, SnapshotFileOptions options);
    Status write(const Bytes& batch);
    Status flush_batch();
    std::string partial_path() const;

    runtime::FileSystem& files_;
    SnapshotFileOptions options_;
    std::unique_ptr<runtime::File> file_;
    record::BatchBuilder builder_;
    Offset next_offset_{0};
    uint64_t position_ = 0;
    bool is_frozen_ = false;
};

}  // namespace moldau::quorum
