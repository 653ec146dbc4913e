// The index files of a Segment, and what happens to all of its files together.
#include <algorithm>

#include "base/assert.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/segment.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.LogSegment");

constexpr std::string_view kAllSuffixes[] = {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix,
                                             kTransactionIndexSuffix};

}  // namespace

Status Segment::load_indexes() {
    if (offset_index_) {
        return {};
    }
    auto offsets = cache_.files().read_file(path(kOffsetIndexSuffix));
    auto times = cache_.files().read_file(path(kTimeIndexSuffix));
    for (const auto* content : {&offsets, &times}) {
        if (!*content && !runtime::is_missing(content->error())) {
            return fail(content->error());
        }
    }
    if (!offsets || !times) {
        if (size_ > 0) {
            MOLDAU_LOG_INFO(logger, "Index of {} is missing, rebuilding it", data_.path());
        }
        return rebuild_indexes();
    }
    auto offset_index = OffsetIndex::parse(base_, limits_.index_bytes_max, offsets->span(), size_);
    auto time_index = TimeIndex::parse(base_, limits_.index_bytes_max, times->span());
    if (!offset_index || !time_index) {
        MOLDAU_LOG_WARN(
            logger,
            "Found a corrupted index file corresponding to log file {} due to {}, rebuilding",
            data_.path(), (!offset_index ? offset_index.error() : time_index.error()).message);
        return rebuild_indexes();
    }
    offset_index_ = std::move(*offset_index);
    time_index_ = std::move(*time_index);
    if (!max_timestamp_) {
        TimestampOffset last = time_index_->last();
        max_timestamp_ = last.timestamp >= 0 ? last : TimestampOffset{};
    }
    return {};
}

Status Segment::rebuild_indexes() {
    // Kafka takes an index that went missing for a segment that must be gone through once more.
    transactions_lost_ = size_ > 0 && !cache_.files().exists(path(kTransactionIndexSuffix));
    offset_index_.emplace(base_, limits_.index_bytes_max);
    time_index_.emplace(base_, limits_.index_bytes_max);
    max_timestamp_ = TimestampOffset{};
    bytes_since_index_entry_ = 0;
    indexes_dirty_ = true;
    return for_each_header(0, [&](const record::BatchHeader& header, int64_t position) {
        index_batch({header.last_offset(), header.max_timestamp,
                     static_cast<uint32_t>(header.size_in_bytes())},
                    position);
        return true;
    });
}

Result<const TransactionIndex*> Segment::transactions() {
    if (transactions_lost_) {
        return fail(ErrorCode::CorruptMessage, "transaction index is missing: base={}", base_);
    }
    if (!txn_index_) {
        auto content = cache_.files().read_file(path(kTransactionIndexSuffix));
        if (!content && !runtime::is_missing(content.error())) {
            return fail(content.error());
        }
        if (!content && !offset_index_ && size_ > 0 &&
            !cache_.files().exists(path(kOffsetIndexSuffix))) {
            transactions_lost_ = true;
            return transactions();
        }
        if (!content) {
            txn_index_.emplace();
        } else {
            MOLDAU_TRY(txn_index_, TransactionIndex::parse(base_, content->span()));
        }
        transactions_written_ = txn_index_->entries().size();
    }
    return &*txn_index_;
}

Status Segment::set_transactions(TransactionIndex index) {
    MOLDAU_CHECK(write_index_file(kTransactionIndexSuffix, index.encode()));
    transactions_written_ = index.entries().size();
    txn_index_ = std::move(index);
    transactions_lost_ = false;
    return {};
}

void Segment::append_aborted(const AbortedTxn& txn) {
    MOLDAU_ASSERT(txn_index_.has_value());
    txn_index_->append(txn);
}

Status Segment::write_transactions() {
    if (!txn_index_ || transactions_written_ == txn_index_->entries().size()) {
        return {};
    }
    MOLDAU_TRY(auto file,
               cache_.files().open(path(kTransactionIndexSuffix), runtime::OpenMode::Create));
    MOLDAU_CHECK(file->write(txn_index_->encode(transactions_written_).span(),
                             transactions_written_ * TransactionIndex::kEntryBytes));
    transactions_written_ = txn_index_->entries().size();
    indexes_unsynced_ = true;
    return {};
}

Result<bool> Segment::indexes_full() {
    MOLDAU_CHECK(load_indexes());
    return offset_index_->full() || time_index_->full();
}

Status Segment::write_index_file(std::string_view suffix, const Bytes& content) {
    std::string file_path = path(suffix);
    // An empty transaction index is no file at all.
    if (content.empty() && suffix == kTransactionIndexSuffix) {
        auto removed = cache_.files().remove(file_path);
        if (!removed && !runtime::is_missing(removed.error())) {
            return removed;
        }
        return {};
    }
    MOLDAU_TRY(auto file, cache_.files().open(file_path, runtime::OpenMode::Create));
    MOLDAU_CHECK(file->truncate(content.size()));
    if (!content.empty()) {
        MOLDAU_CHECK(file->write(content.span(), 0));
    }
    indexes_unsynced_ = true;
    return {};
}

Status Segment::write_indexes(bool final) {
    if (!offset_index_ || !indexes_dirty_) {
        return {};
    }
    if (final && max_timestamp_ && max_timestamp_->timestamp >= 0) {
        time_index_->maybe_append(max_timestamp_->timestamp, max_timestamp_->offset, true);
    }
    MOLDAU_CHECK(write_index_file(kOffsetIndexSuffix, offset_index_->encode()));
    MOLDAU_CHECK(write_index_file(kTimeIndexSuffix, time_index_->encode()));
    MOLDAU_CHECK(write_transactions());
    indexes_dirty_ = false;
    return {};
}

void Segment::shed_indexes() {
    if (indexes_dirty_) {
        return;
    }
    offset_index_.reset();
    time_index_.reset();
}

Result<std::vector<std::shared_ptr<runtime::File>>> Segment::files_to_sync() {
    std::vector<std::shared_ptr<runtime::File>> files;
    MOLDAU_TRY(auto data, data_.get());
    files.push_back(std::move(data));
    if (!indexes_unsynced_) {
        return files;
    }
    for (std::string_view suffix :
         {kOffsetIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
        auto file = cache_.files().open(path(suffix), runtime::OpenMode::ReadWrite);
        if (file) {
            files.push_back(std::move(*file));
        } else if (!runtime::is_missing(file.error())) {
            return fail(file.error());
        }
    }
    indexes_unsynced_ = false;
    return files;
}

Status Segment::mark_deleted() {
    data_.close();
    for (std::string_view suffix : kAllSuffixes) {
        std::string from = path(suffix);
        auto renamed = cache_.files().rename(from, from + std::string(kDeletedSuffix));
        if (!renamed && !runtime::is_missing(renamed.error())) {
            return renamed;
        }
    }
    return {};
}

// The data file first: its name tells what a crash has left of the rest.
Status Segment::change_suffix(std::string_view suffix) {
    data_.close();
    for (std::string_view kind : kAllSuffixes) {
        std::string to = segment_path(dir_, base_, kind) + std::string(suffix);
        auto renamed = cache_.files().rename(path(kind), to);
        if (!renamed && !runtime::is_missing(renamed.error())) {
            return renamed;
        }
    }
    file_suffix_ = suffix;
    data_.set_path(path(kLogSuffix));
    return {};
}

Status Segment::remove_files(runtime::FileSystem& files, std::string_view dir, Offset base,
                             std::string_view file_suffix) {
    for (std::string_view suffix : kAllSuffixes) {
        auto removed = files.remove(segment_path(dir, base, suffix) + std::string(file_suffix));
        if (!removed && !runtime::is_missing(removed.error())) {
            return removed;
        }
    }
    return {};
}

void Segment::set_directory(std::string dir) {
    dir_ = std::move(dir);
    data_.close();
    data_.set_path(path(kLogSuffix));
}

}  // namespace moldau::storage
