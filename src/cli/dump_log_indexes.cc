#include "cli/dump_log_indexes.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/endian.h"
#include "record/batch.h"
#include "runtime/file_system.h"
#include "storage/offset_index.h"
#include "storage/segment.h"
#include "storage/time_index.h"

namespace moldau::cli {
namespace {

using storage::OffsetIndex;
using storage::TimeIndex;

// `a/b/00042.index` -> `a/b/00042.log`
std::string sibling(const std::string& path, std::string_view name, std::string_view suffix) {
    std::string stem = path.substr(0, path.size() - name.size());
    return stem + std::string(name.substr(0, name.find('.'))) + std::string(suffix);
}

Result<Bytes> read_file(const std::string& path) {
    auto content = runtime::real_file_system().read_file(path);
    if (!content) {
        return fail(missing_or(content.error(), path));
    }
    return *content;
}

Status whole_entries(const std::string& path, const Bytes& content, size_t entry_bytes) {
    if (content.size() % entry_bytes != 0) {
        return fail(
            ErrorCode::CorruptMessage,
            "org.apache.kafka.storage.internals.log.CorruptIndexException: Index file {} is "
            "corrupt, found {} bytes which is neither positive nor a multiple of {}",
            path, content.size(), entry_bytes);
    }
    return {};
}

Result<record::BatchHeader> header_at(runtime::File& file, const std::string& path,
                                      int64_t position) {
    std::array<uint8_t, record::kBatchHeaderBytes> bytes;
    MOLDAU_TRY(size_t got, file.read(bytes, static_cast<uint64_t>(position)));
    if (got < bytes.size()) {
        return fail(ErrorCode::CorruptMessage,
                    "java.util.NoSuchElementException: no batch at position {} of {}", position,
                    path);
    }
    return record::BatchHeader::read(bytes.data());
}

// The largest timestamp of the records in the batch at `position`.
Result<TimestampMs> youngest_record(runtime::File& file, const record::BatchHeader& header,
                                    int64_t position) {
    Buffer buffer;
    buffer.resize(header.size_in_bytes());
    MOLDAU_TRY(size_t got, file.read(buffer.span(), static_cast<uint64_t>(position)));
    buffer.resize(got);
    MOLDAU_TRY(auto batch, record::BatchView::parse(std::move(buffer).freeze()));
    MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
    record::RecordReader reader(header, payload);
    TimestampMs youngest = kNoTimestamp;
    while (reader.next()) {
        youngest = std::max(youngest, reader.record().timestamp);
    }
    MOLDAU_CHECK(reader.status());
    return youngest;
}

}  // namespace

Error missing_or(const Error& error, const std::string& path) {
    if (runtime::is_missing(error)) {
        return {error.code, "java.nio.file.NoSuchFileException: " + path};
    }
    return error;
}

Status IndexDumper::dump_offsets(const std::string& path, std::string_view name) {
    Offset base = storage::offset_of_file_name(name).value_or(Offset(0));
    std::string log_path = sibling(path, name, storage::kLogSuffix);
    auto log = runtime::real_file_system().open(log_path, runtime::OpenMode::Read);
    if (!log) {
        return fail(missing_or(log.error(), log_path));
    }
    MOLDAU_TRY(Bytes content, read_file(path));
    size_t count = content.size() / OffsetIndex::kEntryBytes;
    if (count == 0) {
        say(streams_.out, "{} is empty.\n", path);
        return {};
    }
    auto relative = [&](size_t i) {
        return load_big<int32_t>(content.data() + i * OffsetIndex::kEntryBytes);
    };
    if (sanity_only_) {
        if (relative(count - 1) < 0) {
            return fail(
                ErrorCode::CorruptMessage,
                "org.apache.kafka.storage.internals.log.CorruptIndexException: Corrupt index "
                "found, index file ({}) has non-zero size but the last offset is {} which is "
                "less than the base offset {}",
                path, base + relative(count - 1), base);
        }
        MOLDAU_CHECK(whole_entries(path, content, OffsetIndex::kEntryBytes));
        say(streams_.out, "{} passed sanity check.\n", path);
        return {};
    }
    for (size_t i = 0; i < count; ++i) {
        Offset offset = base + relative(i);
        auto position =
            load_big<int32_t>(content.data() + i * OffsetIndex::kEntryBytes + sizeof(int32_t));
        // A crash leaves zeros behind the last entry.
        if (relative(i) == 0 && i > 0) {
            return {};
        }
        MOLDAU_TRY(auto header, header_at(**log, log_path, position));
        if (header.last_offset() != offset) {
            offset_mismatches_[path][offset.value()] = header.last_offset().value();
        }
        if (!verify_only_) {
            say(streams_.out, "offset: {} position: {}\n", offset, position);
        }
    }
    return {};
}

Status IndexDumper::dump_times(const std::string& path, std::string_view name) {
    Offset base = storage::offset_of_file_name(name).value_or(Offset(0));
    std::string log_path = sibling(path, name, storage::kLogSuffix);
    auto log = runtime::real_file_system().open(log_path, runtime::OpenMode::Read);
    if (!log) {
        return fail(missing_or(log.error(), log_path));
    }
    MOLDAU_TRY(uint64_t log_bytes, (*log)->size());
    MOLDAU_TRY(Bytes content, read_file(path));
    auto offsets =
        runtime::real_file_system().read_file(sibling(path, name, storage::kOffsetIndexSuffix));
    OffsetIndex offset_index(base, std::numeric_limits<int32_t>::max());
    if (offsets) {
        auto parsed = OffsetIndex::parse(base, std::numeric_limits<int32_t>::max(), offsets->span(),
                                         static_cast<int64_t>(log_bytes));
        if (parsed) {
            offset_index = std::move(*parsed);
        }
    }
    size_t count = content.size() / TimeIndex::kEntryBytes;
    auto timestamp = [&](size_t i) {
        return load_big<int64_t>(content.data() + i * TimeIndex::kEntryBytes);
    };
    auto relative = [&](size_t i) {
        return load_big<int32_t>(content.data() + i * TimeIndex::kEntryBytes + sizeof(int64_t));
    };
    if (sanity_only_) {
        if (count != 0 && timestamp(count - 1) < timestamp(0)) {
            return fail(
                ErrorCode::CorruptMessage,
                "org.apache.kafka.storage.internals.log.CorruptIndexException: Corrupt time "
                "index found, time index file ({}) has non-zero size but the last timestamp "
                "is {} which is less than the first timestamp {}",
                path, timestamp(count - 1), timestamp(0));
        }
        if (count != 0 && relative(count - 1) < 0) {
            return fail(
                ErrorCode::CorruptMessage,
                "org.apache.kafka.storage.internals.log.CorruptIndexException: Corrupt time "
                "index found, time index file ({}) has non-zero size but the last offset is "
                "{} which is less than the first offset {}",
                path, base + relative(count - 1), base);
        }
        MOLDAU_CHECK(whole_entries(path, content, TimeIndex::kEntryBytes));
        say(streams_.out, "{} passed sanity check.\n", path);
        return {};
    }
    TimestampMs previous = kNoTimestamp;
    for (size_t i = 0; i < count; ++i) {
        Offset offset = base + relative(i);
        if (relative(i) == 0 && i > 0) {
            return {};
        }
        int64_t position = offset_index.lookup(offset).position;
        std::optional<record::BatchHeader> found;
        while (position + static_cast<int64_t>(record::kBatchHeaderBytes) <=
               static_cast<int64_t>(log_bytes)) {
            MOLDAU_TRY(auto header, header_at(**log, log_path, position));
            if (header.batch_length <= 0) {
                break;
            }
            if (header.last_offset() >= offset) {
                found = header;
                break;
            }
            position += static_cast<int64_t>(header.size_in_bytes());
        }
        if (!found || found->last_offset() != offset) {
            offsets_not_found_[path].emplace_back(offset.value(),
                                                  found ? found->last_offset().value() : -1);
        } else {
            MOLDAU_TRY(TimestampMs youngest, youngest_record(**log, *found, position));
            if (youngest != timestamp(i)) {
                time_mismatches_[path].emplace_back(timestamp(i), youngest);
            }
            if (previous >= timestamp(i)) {
                times_out_of_order_[path].emplace_back(timestamp(i), previous);
            }
        }
        if (!verify_only_) {
            say(streams_.out, "timestamp: {} offset: {}\n", timestamp(i), offset);
        }
        previous = timestamp(i);
    }
    return {};
}

void IndexDumper::print_findings() {
    std::FILE* err = streams_.err;
    for (const auto& [path, pairs] : offset_mismatches_) {
        say(err, "Mismatches in :{}\n", path);
        for (const auto& [index, log] : pairs) {
            say(err, "  Index offset: {}, log offset: {}\n", index, log);
        }
    }
    for (const auto& [path, pairs] : time_mismatches_) {
        say(err, "Found timestamp mismatch in :{}\n", path);
        for (const auto& [index, log] : pairs) {
            say(err, "  Index timestamp: {}, log timestamp: {}\n", index, log);
        }
    }
    for (const auto& [path, pairs] : times_out_of_order_) {
        say(err, "Found out of order timestamp in :{}\n", path);
        for (const auto& [index, before] : pairs) {
            say(err, "  Index timestamp: {}, Previously indexed timestamp: {}\n", index, before);
        }
    }
    for (const auto& [path, pairs] : offsets_not_found_) {
        say(err, "The following indexed offsets are not found in :{}\n", path);
        for (const auto& [index, log] : pairs) {
            say(err, "Indexed offset: {}, found log offset: {}\n", index, log);
        }
    }
}

}  // namespace moldau::cli
