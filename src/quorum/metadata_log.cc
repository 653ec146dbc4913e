#include "quorum/metadata_log.h"

#include <algorithm>

#include "base/assert.h"
#include "quorum/control_batch.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/log.h"

namespace moldau::quorum {

namespace {

runtime::Logger logger("org.apache.kafka.raft.internals.KafkaRaftLog");

constexpr size_t kOpenFilesMax = 64;
constexpr int64_t kScanBytes = 1 << 20;

}  // namespace

struct MetadataLog::Storage {
    explicit Storage(runtime::FileSystem& files) : cache(files, kOpenFilesMax) {}

    storage::FileCache cache;
    std::unique_ptr<storage::Log> log;
};

MetadataLog::MetadataLog(MetadataLogOptions options, runtime::FileSystem& files)
    : options_(std::move(options)),
      files_(files),
      dir_(runtime::join_path(options_.metadata_log_dir, kMetadataPartitionDirectory)),
      history_(options_.static_voters),
      storage_(std::make_unique<Storage>(files)) {}

MetadataLog::~MetadataLog() = default;

std::string MetadataLog::path_of(const consensus::SnapshotId& id) const {
    return runtime::join_path(dir_, snapshot_file_name(id));
}

Result<std::unique_ptr<MetadataLog>> MetadataLog::open(MetadataLogOptions options,
                                                       runtime::FileSystem& files,
                                                       TimestampMs now) {
    std::unique_ptr<MetadataLog> log(new MetadataLog(std::move(options), files));
    MOLDAU_CHECK(files.create_directories(log->dir_));
    MOLDAU_CHECK(log->find_snapshots());
    MOLDAU_CHECK(log->load(now));
    return log;
}

Status MetadataLog::find_snapshots() {
    MOLDAU_TRY(auto entries, files_.list(dir_));
    for (const runtime::DirectoryEntry& entry : entries) {
        std::string_view name = entry.name;
        if (std::optional<consensus::SnapshotId> id = parse_snapshot_file_name(name)) {
            snapshots_.insert(*id);
        } else if (name.ends_with(std::string(kSnapshotSuffix) + std::string(kPartialSuffix)) ||
                   name.ends_with(std::string(kSnapshotSuffix) + std::string(kDeletedSuffix))) {
            // A snapshot that was being written or removed when the process ended.
            MOLDAU_CHECK(files_.remove(runtime::join_path(dir_, name)));
        }
    }
    return {};
}

// Where the log begins: at 0, or at the snapshot that replaced what was before its first segment.
Result<Offset> MetadataLog::first_offset() const {
    MOLDAU_TRY(auto entries, files_.list(dir_));
    std::optional<Offset> first_segment;
    for (const runtime::DirectoryEntry& entry : entries) {
        std::optional<Offset> base = storage::offset_of_file_name(entry.name);
        if (base && entry.name.ends_with(".log")) {
            first_segment = std::min(first_segment.value_or(*base), *base);
        }
    }
    if (!first_segment || *first_segment == Offset(0)) {
        return Offset(0);
    }
    for (const consensus::SnapshotId& id : snapshots_) {
        if (id.offset >= *first_segment) {
            return id.offset;
        }
    }
    return fail(ErrorCode::CorruptMessage,
                "metadata log has no snapshot for what precedes it: first_offset={} dir={}",
                *first_segment, dir_);
}

Status MetadataLog::load(TimestampMs now) {
    MOLDAU_TRY(Offset start, first_offset());
    auto config = std::make_shared<config::LogConfig>();
    config->segment_bytes = options_.segment_bytes;
    config->segment_ms = to_ms(options_.segment_age);
    config->retention_bytes = -1;  // snapshots decide what goes
    config->retention_ms = -1;
    config->max_message_bytes = options_.batch_bytes_max;

    storage::LogOptions options;
    options.dir = dir_;
    options.topic_partition = {"__cluster_metadata", 0};
    options.config = std::move(config);
    options.log_start_offset = start;
    MOLDAU_TRY(storage_->log,
               storage::Log::open({&storage_->cache, nullptr}, std::move(options), now));
    storage::Log& log = *storage_->log;
    MOLDAU_CHECK(log.assign_topic_id(kMetadataTopicId));

    std::optional<consensus::SnapshotId> latest =
        snapshots_.empty() ? std::nullopt : std::optional(*snapshots_.rbegin());
    if (latest) {
        auto last = log.epochs().latest();
        LeaderEpoch last_epoch = last ? last->epoch : LeaderEpoch(0);
        bool is_beyond = latest->epoch > last_epoch ||
                         (latest->epoch == last_epoch && latest->offset > log.log_end_offset());
        if (is_beyond && latest->offset > Offset(0)) {
            MOLDAU_LOG_INFO(logger, "Truncating fully to the latest snapshot {}", *latest);
            MOLDAU_CHECK(log.truncate_fully_and_start_at(latest->offset, now));
        }
    }

    // A process that was killed leaves records that no sync covered. The first Fetch acknowledges
    // all that is here, so it must be on the device by then.
    MOLDAU_CHECK(log.flush());

    std::map<LeaderEpoch, Offset> epochs;
    for (const auto& entry : log.epochs().entries()) {
        epochs.emplace(entry.epoch, entry.start_offset);
    }
    index_ = consensus::LogIndex(log.log_start_offset(), log.log_end_offset(), std::move(epochs),
                                 snapshots_);

    Offset voters_from = log.log_start_offset();
    if (latest) {
        MOLDAU_TRY(auto reader, open_snapshot(*latest));
        Offset last = latest->offset - 1;
        if (reader->kraft_version()) {
            history_.put_kraft_version(last, *reader->kraft_version());
        }
        if (reader->voters()) {
            history_.put_voters(last, *reader->voters());
        }
        voters_from = std::max(voters_from, latest->offset);
    }
    return load_voters(voters_from, log.log_end_offset());
}

Status MetadataLog::load_voters(Offset from, Offset end) {
    while (from < end) {
        MOLDAU_TRY(Bytes bytes, read_raw(from, kScanBytes));
        record::BatchIterator batches(std::move(bytes));
        Offset before = from;
        while (true) {
            MOLDAU_TRY(auto batch, batches.next());
            if (!batch) {
                break;
            }
            from = batch->header().next_offset();
            if (!batch->header().is_control()) {
                continue;
            }
            MOLDAU_TRY(ControlContent content, decode_control_batch(*batch));
            if (content.records.kraft_version) {
                history_.put_kraft_version(content.records.kraft_version->first,
                                           content.records.kraft_version->second);
            }
            if (content.records.voters) {
                history_.put_voters(content.records.voters->first,
                                    std::move(content.records.voters->second));
            }
        }
        if (from == before) {
            return fail(ErrorCode::CorruptMessage, "metadata log cannot be read: offset={} dir={}",
                        from, dir_);
        }
    }
    return {};
}

Status MetadataLog::append(const std::vector<consensus::LogEntry>& entries, LeaderEpoch epoch,
                           TimestampMs now) {
    Buffer joined;
    for (const consensus::LogEntry& entry : entries) {
        if (entry.batch.empty()) {
            MOLDAU_ASSERT(entry.control != nullptr);
            Bytes encoded = encode_control_batch(*entry.control, entry.base, entry.epoch, now);
            joined.append(encoded.span());
        } else {
            joined.append(entry.batch.span());
        }
    }
    MOLDAU_TRY(auto appended,
               storage_->log->append_as_follower(std::move(joined).freeze(), epoch, now));
    MOLDAU_ASSERT(appended.log_end_offset == entries.back().end);
    return {};
}

Status MetadataLog::sync() {
    return storage_->log->flush();
}

Status MetadataLog::truncate_to(Offset end, TimestampMs now) {
    MOLDAU_TRY(bool truncated, storage_->log->truncate_to(end, now));
    (void)truncated;
    return {};
}

void MetadataLog::set_high_watermark(Offset high_watermark) {
    storage_->log->set_high_watermark(high_watermark);
}

Result<std::vector<CommittedBatch>> MetadataLog::read(Offset from, Offset end, int64_t bytes_max) {
    MOLDAU_TRY(Bytes bytes, read_raw(from, bytes_max));
    std::vector<CommittedBatch> decoded;
    record::BatchIterator batches(std::move(bytes));
    while (true) {
        MOLDAU_TRY(auto batch, batches.next());
        if (!batch || batch->header().first_offset() >= end) {
            return decoded;
        }
        MOLDAU_CHECK(batch->check_crc());
        MOLDAU_TRY(CommittedBatch one, decode_metadata_batch(*batch));
        decoded.push_back(std::move(one));
    }
}

Result<Bytes> MetadataLog::read_raw(Offset from, int64_t bytes_max) {
    MOLDAU_TRY(storage::LogRead read,
               storage_->log->read(from, bytes_max, storage::ReadBound::LogEnd, true));
    return std::move(read.records);
}

Result<bool> MetadataLog::is_batch_boundary(Offset offset) {
    if (offset == storage_->log->log_end_offset()) {
        return true;
    }
    MOLDAU_TRY(Bytes bytes, read_raw(offset, 1));
    MOLDAU_TRY(record::BatchView batch, record::BatchView::parse(bytes));
    return batch.header().first_offset() == offset;
}

Result<std::unique_ptr<SnapshotFileReader>> MetadataLog::open_snapshot(
    const consensus::SnapshotId& id) {
    return SnapshotFileReader::open(files_, path_of(id), id);
}

Result<std::unique_ptr<SnapshotFileWriter>> MetadataLog::create_snapshot(
    SnapshotFileOptions options) {
    options.dir = dir_;
    options.name = snapshot_file_name(options.id);
    return SnapshotFileWriter::create(files_, std::move(options));
}

Result<MetadataLog::Chunk> MetadataLog::read_snapshot_chunk(const consensus::SnapshotId& id,
                                                            int64_t position, int32_t bytes_max) {
    Result<std::unique_ptr<runtime::File>> file = files_.open(path_of(id), runtime::OpenMode::Read);
    if (!file) {
        return fail(ErrorCode::SnapshotNotFound, "no such snapshot: id={}", id);
    }
    MOLDAU_TRY(uint64_t size, (*file)->size());
    if (position < 0 || static_cast<uint64_t>(position) >= size) {
        return fail(ErrorCode::PositionOutOfRange,
                    "position outside the snapshot: position={} size={}", position, size);
    }
    auto from = static_cast<uint64_t>(position);
    Buffer buffer;
    buffer.resize(std::min<uint64_t>(size - from, static_cast<uint64_t>(bytes_max)));
    MOLDAU_TRY(size_t got, (*file)->read(buffer.span(), from));
    buffer.resize(got);
    return Chunk{static_cast<int64_t>(size), std::move(buffer).freeze()};
}

Status MetadataLog::store_snapshot_chunk(const consensus::StoreSnapshotChunk& chunk) {
    std::string path = path_of(chunk.id) + std::string(kPartialSuffix);
    if (chunk.position == 0) {
        MOLDAU_CHECK(files_.remove_all(path));
    }
    MOLDAU_TRY(auto file, files_.open(path, runtime::OpenMode::Create));
    MOLDAU_CHECK(file->write(chunk.chunk.span(), static_cast<uint64_t>(chunk.position)));
    if (chunk.is_complete) {
        MOLDAU_CHECK(file->sync());
    }
    return {};
}

Result<consensus::SnapshotInstalled> MetadataLog::install_snapshot(const consensus::SnapshotId& id,
                                                                   TimestampMs now) {
    std::string path = path_of(id);
    MOLDAU_CHECK(files_.rename(path + std::string(kPartialSuffix), path));
    MOLDAU_CHECK(files_.sync_directory(dir_));
    MOLDAU_TRY(auto reader, open_snapshot(id));
    MOLDAU_CHECK(storage_->log->truncate_fully_and_start_at(id.offset, now));
    MOLDAU_TRY(auto entries, files_.list(dir_));
    for (const runtime::DirectoryEntry& entry : entries) {
        std::optional<consensus::SnapshotId> other = parse_snapshot_file_name(entry.name);
        if (other && *other != id) {
            MOLDAU_CHECK(files_.remove(runtime::join_path(dir_, entry.name)));
        }
    }
    return consensus::SnapshotInstalled{id, reader->kraft_version(), reader->voters()};
}

Result<std::optional<Offset>> MetadataLog::apply_retention(
    const std::set<consensus::SnapshotId>& snapshots, Offset log_start, TimestampMs now) {
    std::map<consensus::SnapshotId, int64_t> sizes;
    int64_t total = storage_->log->size_in_bytes();
    for (const consensus::SnapshotId& id : snapshots) {
        MOLDAU_TRY(runtime::FileInfo info, files_.stat(path_of(id)));
        sizes[id] = static_cast<int64_t>(info.size);
        total += sizes[id];
    }
    std::optional<Offset> start;
    // Each snapshot is superfluous once its successor is kept; the last has none.
    for (auto at = snapshots.begin(); at != snapshots.end() && std::next(at) != snapshots.end();
         ++at) {
        MOLDAU_TRY(auto reader, open_snapshot(*at));
        TimestampMs age = now - reader->last_contained_log_timestamp();
        bool is_too_old =
            options_.retention_age >= Duration(0) && age > to_ms(options_.retention_age);
        bool is_too_much = options_.retention_bytes >= 0 && total > options_.retention_bytes;
        if (!is_too_old && !is_too_much) {
            break;
        }
        int64_t log_before = storage_->log->size_in_bytes();
        consensus::SnapshotId successor = *std::next(at);
        if (successor.offset > log_start) {
            MOLDAU_TRY(bool moved, storage_->log->advance_log_start(successor.offset));
            (void)moved;
            MOLDAU_TRY(size_t deleted, storage_->log->apply_retention(now));
            (void)deleted;
            start = successor.offset;
        }
        MOLDAU_LOG_INFO(logger, "Deleting snapshot {}: age_ms={} total_bytes={}", *at, age, total);
        MOLDAU_CHECK(files_.rename(path_of(*at), path_of(*at) + std::string(kDeletedSuffix)));
        MOLDAU_CHECK(files_.remove(path_of(*at) + std::string(kDeletedSuffix)));
        total -= sizes[*at] + (log_before - storage_->log->size_in_bytes());
    }
    storage_->log->remove_deleted(now);
    return start;
}

Status MetadataLog::close() {
    return storage_->log->close();
}

}  // namespace moldau::quorum
