#include "quorum/snapshot_file.h"

#include <charconv>

#include "base/assert.h"
#include "quorum/control_batch.h"
#include "runtime/file_system.h"

namespace moldau::quorum {

namespace {

template <typename Number>
std::optional<Number> digits(std::string_view text) {
    Number number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool is_plain = !text.empty() && text.front() != '-';
    if (!is_plain || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

Error corrupt(const std::string& path, std::string_view what) {
    return {ErrorCode::CorruptMessage, fmt::format("snapshot is corrupt: {} file={}", what, path)};
}

}  // namespace

std::string snapshot_file_name(const consensus::SnapshotId& id) {
    return fmt::format("{:020}-{:010}{}", id.offset.value(), id.epoch.value(), kSnapshotSuffix);
}

std::optional<consensus::SnapshotId> parse_snapshot_file_name(std::string_view name) {
    constexpr size_t kNameBytes = 20 + 1 + 10;
    if (name.size() != kNameBytes + kSnapshotSuffix.size() || name[20] != '-' ||
        !name.ends_with(kSnapshotSuffix)) {
        return std::nullopt;
    }
    auto offset = digits<int64_t>(name.substr(0, 20));
    auto epoch = digits<int32_t>(name.substr(21, 10));
    if (!offset || !epoch) {
        return std::nullopt;
    }
    return consensus::SnapshotId{Offset(*offset), LeaderEpoch(*epoch)};
}

Result<CommittedBatch> decode_metadata_batch(const record::BatchView& batch) {
    const record::BatchHeader& header = batch.header();
    CommittedBatch decoded;
    decoded.base_offset = header.first_offset();
    decoded.last_offset = header.last_offset();
    decoded.epoch = LeaderEpoch(header.leader_epoch);
    decoded.append_timestamp = header.max_timestamp;
    decoded.size_in_bytes = batch.size_in_bytes();
    if (header.is_control()) {
        return decoded;
    }
    MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
    record::RecordReader reader(header, payload);
    const char* begin = reinterpret_cast<const char*>(payload.data());
    while (reader.next()) {
        std::string_view value = reader.record().value.value_or(std::string_view());
        Bytes frame = value.empty()
                          ? Bytes()
                          : payload.slice(static_cast<size_t>(value.data() - begin), value.size());
        Result<protocol::VersionedMetadataRecord> record =
            protocol::decode_versioned_metadata_record(std::move(frame));
        if (!record) {
            return fail(record.error().code, "metadata record cannot be read: {} offset={}",
                        record.error().message, reader.record().offset);
        }
        decoded.records.push_back({std::move(record->record), record->version});
    }
    if (!reader.status()) {
        return fail(ErrorCode::CorruptMessage, "{} base_offset={}", reader.status().error().message,
                    decoded.base_offset);
    }
    return decoded;
}

SnapshotFileReader::SnapshotFileReader(std::unique_ptr<runtime::File> file, std::string path,
                                       consensus::SnapshotId id)
    : file_(std::move(file)), path_(std::move(path)), id_(id) {}

SnapshotFileReader::~SnapshotFileReader() = default;

Result<std::unique_ptr<SnapshotFileReader>> SnapshotFileReader::open(runtime::FileSystem& files,
                                                                     const std::string& path,
                                                                     consensus::SnapshotId id) {
    MOLDAU_TRY(auto file, files.open(path, runtime::OpenMode::Read));
    std::unique_ptr<SnapshotFileReader> reader(new SnapshotFileReader(std::move(file), path, id));
    MOLDAU_TRY(reader->size_, reader->file_->size());
    MOLDAU_TRY(auto first, reader->next_batch());
    if (!first || !first->header().is_control()) {
        return fail(corrupt(path, "no header"));
    }
    MOLDAU_TRY(ControlContent content, decode_control_batch(*first));
    if (!content.snapshot_timestamp) {
        return fail(corrupt(path, "no header"));
    }
    reader->timestamp_ = *content.snapshot_timestamp;
    if (content.records.kraft_version) {
        reader->kraft_version_ = content.records.kraft_version->second;
    }
    if (content.records.voters) {
        reader->voters_ = std::move(content.records.voters->second);
    }
    return reader;
}

Result<std::optional<record::BatchView>> SnapshotFileReader::next_batch() {
    if (position_ == size_) {
        return std::nullopt;
    }
    std::array<uint8_t, record::kBatchHeaderBytes> header_bytes;
    MOLDAU_TRY(size_t got, file_->read(header_bytes, position_));
    if (got < header_bytes.size()) {
        return fail(corrupt(path_, "cut off"));
    }
    record::BatchHeader header = record::BatchHeader::read(header_bytes.data());
    bool is_plausible = header.batch_length >= 0 && header.size_in_bytes() >= header_bytes.size() &&
                        header.size_in_bytes() <= size_ - position_;
    if (!is_plausible) {
        return fail(corrupt(path_, "cut off"));
    }
    Buffer buffer;
    buffer.resize(header.size_in_bytes());
    MOLDAU_TRY(got, file_->read(buffer.span(), position_));
    if (got < buffer.size()) {
        return fail(corrupt(path_, "cut off"));
    }
    MOLDAU_TRY(record::BatchView batch, record::BatchView::parse(std::move(buffer).freeze()));
    MOLDAU_CHECK(batch.check_crc());
    position_ += batch.size_in_bytes();
    return batch;
}

Result<std::optional<CommittedBatch>> SnapshotFileReader::next() {
    while (true) {
        MOLDAU_TRY(auto batch, next_batch());
        if (!batch) {
            if (!is_complete_) {
                return fail(corrupt(path_, "no footer"));
            }
            return std::nullopt;
        }
        if (!batch->header().is_control()) {
            MOLDAU_TRY(CommittedBatch decoded, decode_metadata_batch(*batch));
            return decoded;
        }
        MOLDAU_TRY(ControlContent content, decode_control_batch(*batch));
        is_complete_ = is_complete_ || content.is_snapshot_footer;
    }
}

SnapshotFileWriter::SnapshotFileWriter(runtime::FileSystem& files, SnapshotFileOptions options)
    : files_(files), options_(std::move(options)) {}

std::string SnapshotFileWriter::partial_path() const {
    return runtime::join_path(options_.dir, options_.name + std::string(kPartialSuffix));
}

Result<std::unique_ptr<SnapshotFileWriter>> SnapshotFileWriter::create(
    runtime::FileSystem& files, SnapshotFileOptions options) {
    std::unique_ptr<SnapshotFileWriter> writer(new SnapshotFileWriter(files, std::move(options)));
    SnapshotFileOptions& to = writer->options_;
    // What an earlier attempt left is worth nothing.
    MOLDAU_CHECK(files.remove_all(writer->partial_path()));
    MOLDAU_TRY(writer->file_, files.open(writer->partial_path(), runtime::OpenMode::CreateNew));
    bool records_voters = to.kraft_version.value_or(0) >= 1;
    Bytes header = encode_snapshot_header(
        to.last_contained_log_timestamp, records_voters ? to.kraft_version : std::nullopt,
        records_voters ? to.voters : std::nullopt, to.id.epoch, to.now);
    MOLDAU_CHECK(writer->write(header));
    return writer;
}

SnapshotFileWriter::~SnapshotFileWriter() {
    if (!is_frozen_) {
        file_.reset();
        (void)files_.remove_all(partial_path());
    }
}

Status SnapshotFileWriter::write(const Bytes& batch) {
    MOLDAU_CHECK(file_->write(batch.span(), position_));
    position_ += batch.size();
    next_offset_ = record::BatchHeader::read(batch.data()).next_offset();
    return {};
}

Status SnapshotFileWriter::append(const std::vector<metadata::VersionedRecord>& records) {
    MOLDAU_ASSERT(!is_frozen_);
    for (const metadata::VersionedRecord& record : records) {
        Bytes value = protocol::encode_metadata_record(record.record, record.version);
        if (!builder_.empty() &&
            builder_.uncompressed_bytes() +
                    record::BatchBuilder::record_bytes_max(std::nullopt, value.view()) >
                kBatchBytesMax) {
            MOLDAU_CHECK(flush_batch());
        }
        builder_.append(options_.now, std::nullopt, value.view());
    }
    return {};
}

Status SnapshotFileWriter::flush_batch() {
    if (builder_.empty()) {
        return {};
    }
    builder_.options().base_offset = next_offset_;
    builder_.options().leader_epoch = options_.id.epoch.value();
    return write(builder_.build());
}

Status SnapshotFileWriter::freeze() {
    MOLDAU_ASSERT(!is_frozen_);
    MOLDAU_CHECK(flush_batch());
    MOLDAU_CHECK(write(encode_snapshot_footer(next_offset_, options_.id.epoch, options_.now)));
    MOLDAU_CHECK(file_->sync());
    file_.reset();
    MOLDAU_CHECK(files_.rename(partial_path(), runtime::join_path(options_.dir, options_.name)));
    is_frozen_ = true;
    MOLDAU_CHECK(files_.sync_directory(options_.dir));
    if (options_.on_frozen) {
        options_.on_frozen();
    }
    return {};
}

}  // namespace moldau::quorum
