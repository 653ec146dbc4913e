#include "quorum/bootstrap_metadata.h"

#include "metadata/features.h"
#include "quorum/snapshot_file.h"
#include "runtime/file_system.h"

namespace moldau::quorum {

namespace {

const protocol::FeatureLevelRecord* metadata_version_of(const metadata::VersionedRecord& record) {
    auto* feature = std::get_if<protocol::FeatureLevelRecord>(&record.record);
    bool is_it = feature != nullptr && feature->name == metadata::kMetadataVersionFeature;
    return is_it ? feature : nullptr;
}

}  // namespace

Result<BootstrapMetadata> read_bootstrap_metadata(runtime::FileSystem& files,
                                                  const std::string& log_dir) {
    std::string path = runtime::join_path(log_dir, kBootstrapFileName);
    BootstrapMetadata bootstrap;
    Result<runtime::FileInfo> info = files.stat(path);
    if (!info) {
        if (!runtime::is_missing(info.error())) {
            return fail(info.error());
        }
        protocol::FeatureLevelRecord latest;
        latest.name = metadata::kMetadataVersionFeature;
        latest.feature_level = metadata::kMetadataVersionLatest;
        bootstrap.records.push_back({latest, 0});
        bootstrap.metadata_version = metadata::kMetadataVersionLatest;
        bootstrap.source = "the default bootstrap";
        return bootstrap;
    }
    MOLDAU_TRY(auto reader, SnapshotFileReader::open(files, path, consensus::kBootstrapSnapshotId));
    while (true) {
        MOLDAU_TRY(std::optional<CommittedBatch> batch, reader->next());
        if (!batch) {
            break;
        }
        for (metadata::VersionedRecord& record : batch->records) {
            bootstrap.records.push_back(std::move(record));
        }
    }
    for (const metadata::VersionedRecord& record : bootstrap.records) {
        if (auto* feature = metadata_version_of(record)) {
            bootstrap.metadata_version = feature->feature_level;
        }
    }
    if (bootstrap.metadata_version == 0) {
        return fail(ErrorCode::CorruptMessage, "bootstrap file names no metadata.version: file={}",
                    path);
    }
    bootstrap.source = fmt::format("the binary bootstrap metadata file: {}", path);
    return bootstrap;
}

Status write_bootstrap_metadata(runtime::FileSystem& files, const std::string& log_dir,
                                const std::vector<metadata::VersionedRecord>& records,
                                TimestampMs now) {
    SnapshotFileOptions options;
    options.dir = log_dir;
    options.name = kBootstrapFileName;
    options.id = consensus::kBootstrapSnapshotId;
    options.now = now;
    MOLDAU_TRY(auto writer, SnapshotFileWriter::create(files, std::move(options)));
    MOLDAU_CHECK(writer->append(records));
    return writer->freeze();
}

}  // namespace moldau::quorum
