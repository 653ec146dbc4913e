#include "storage/producer_state.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "runtime/logging.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.ProducerStateManager");

constexpr int32_t kSequenceMax = std::numeric_limits<int32_t>::max();

// Snapshot file, version 1: version, checksum of all that follows it, count, entries.
constexpr int16_t kSnapshotVersion = 1;
constexpr size_t kSnapshotCrcAt = 2;
constexpr size_t kSnapshotCountAt = 6;
constexpr size_t kSnapshotHeaderBytes = 10;
constexpr size_t kSnapshotEntryBytes = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;

bool follows(int32_t last, int32_t next) {
    return last == kSequenceMax ? next == 0 : next == last + 1;
}

}  // namespace

int32_t ProducerBatch::first_sequence() const {
    // A marker has no sequence at all.
    if (last_sequence == kNoSequence) {
        return kNoSequence;
    }
    int64_t first = static_cast<int64_t>(last_sequence) - offset_delta;
    return static_cast<int32_t>(first >= 0 ? first : first + kSequenceMax + 1);
}

const ProducerBatch* ProducerEntry::duplicate_of(int16_t epoch, int32_t first_sequence,
                                                 int32_t last_sequence) const {
    if (epoch != producer_epoch) {
        return nullptr;
    }
    for (const ProducerBatch& batch : cached()) {
        if (batch.first_sequence() == first_sequence && batch.last_sequence == last_sequence) {
            return &batch;
        }
    }
    return nullptr;
}

void ProducerEntry::maybe_update_epoch(int16_t epoch) {
    if (producer_epoch != epoch) {
        batch_count = 0;
        producer_epoch = epoch;
    }
}

void ProducerEntry::add_batch(int16_t epoch, const ProducerBatch& batch) {
    maybe_update_epoch(epoch);
    if (batch_count == kBatchesMax) {
        std::move(batches.begin() + 1, batches.end(), batches.begin());
        --batch_count;
    }
    batches[batch_count++] = batch;
    last_timestamp = batch.timestamp;
}

ProducerAppend::ProducerAppend(ProducerEntry current, ProducerOrigin origin, std::string partition)
    : current_(current), updated_(current), origin_(origin), partition_(std::move(partition)) {
    // Collects only what this append adds; update() merges.
    updated_.batch_count = 0;
}

Status ProducerAppend::check_epoch(int16_t epoch, Offset offset,
                                   int16_t transaction_version) const {
    int16_t known = updated_.producer_epoch;
    bool strict = transaction_version >= 2;
    if (strict ? epoch > known : epoch >= known) {
        return {};
    }
    // A marker that is written again after its transaction ended: the answer was lost on the way,
    // or the coordinator repeats what it had decided. Writing it twice does no harm.
    if (strict && epoch == known &&
        (!updated_.current_txn_first_offset || epoch == std::numeric_limits<int16_t>::max())) {
        return {};
    }
    if (origin_ == ProducerOrigin::Replication) {
        MOLDAU_LOG_WARN(logger,
                        "Epoch of producer {} at offset {} in {} is {}, which is {} the last seen "
                        "epoch {}",
                        updated_.producer_id, offset, partition_, epoch, strict ? "<=" : "<",
                        known);
        return {};
    }
    return fail(ErrorCode::InvalidProducerEpoch,
                "Epoch of producer {} at offset {} in {} is {}, which is {} the last seen epoch {}",
                updated_.producer_id, offset, partition_, epoch, strict ? "<=" : "<", known);
}

Status ProducerAppend::check_sequence(int16_t epoch, int32_t first_sequence, Offset offset) const {
    if (epoch != updated_.producer_epoch) {
        if (first_sequence != 0 && updated_.producer_epoch != kNoProducerEpoch) {
            return fail(ErrorCode::OutOfOrderSequenceNumber,
                        "Invalid sequence number for new epoch of producer {} at offset {} in "
                        "partition {}: {} (request epoch), {} (seq. number), {} (current producer "
                        "epoch)",
                        updated_.producer_id, offset, partition_, epoch, first_sequence,
                        updated_.producer_epoch);
        }
        return {};
    }
    // Nothing is known of this producer, perhaps because retention removed all it wrote: any
    // sequence may come first.
    if (current_.producer_epoch == kNoProducerEpoch && updated_.empty()) {
        return {};
    }
    int32_t last = kNoSequence;
    if (!updated_.empty()) {
        last = updated_.last_sequence();
    } else if (epoch == current_.producer_epoch) {
        last = current_.last_sequence();
    }
    if (follows(last, first_sequence)) {
        return {};
    }
    return fail(ErrorCode::OutOfOrderSequenceNumber,
                "Out of order sequence number for producer {} at offset {} in partition {}: {} "
                "(incoming seq. number), {} (current end sequence number)",
                updated_.producer_id, offset, partition_, first_sequence, last);
}

Status ProducerAppend::append_data(const ProducerBatchHeader& batch) {
    MOLDAU_CHECK(check_epoch(batch.producer_epoch, batch.base_offset, 0));
    if (origin_ == ProducerOrigin::Client) {
        MOLDAU_CHECK(check_sequence(batch.producer_epoch, batch.base_sequence, batch.base_offset));
    }
    if (updated_.current_txn_first_offset && !batch.transactional) {
        return fail(ErrorCode::InvalidTxnState,
                    "Expected transactional write from producer {} at offset {} in partition {}",
                    updated_.producer_id, batch.base_offset, partition_);
    }
    updated_.add_batch(
        batch.producer_epoch,
        {batch.last_sequence, batch.last_offset,
         static_cast<int32_t>(batch.last_offset - batch.base_offset), batch.max_timestamp});
    if (!updated_.current_txn_first_offset && batch.transactional) {
        updated_.current_txn_first_offset = batch.base_offset;
        started_.push_back(batch.base_offset);
    }
    return {};
}

Result<std::optional<CompletedTxn>> ProducerAppend::append_end_marker(
    const EndTransactionMarker& marker, int16_t producer_epoch, Offset offset,
    TimestampMs timestamp, int16_t transaction_version) {
    MOLDAU_CHECK(check_epoch(producer_epoch, offset, transaction_version));
    if (updated_.coordinator_epoch > marker.coordinator_epoch) {
        if (origin_ != ProducerOrigin::Replication) {
            return fail(ErrorCode::TransactionCoordinatorFenced,
                        "Invalid coordinator epoch for producerId {} at offset {} in partition {}: "
                        "{} (zombie), {} (current)",
                        updated_.producer_id, offset, partition_, marker.coordinator_epoch,
                        updated_.coordinator_epoch);
        }
        MOLDAU_LOG_INFO(logger,
                        "Detected invalid coordinator epoch for producerId {} at offset {} in "
                        "partition {}: {} is older than previously known coordinator epoch {}",
                        updated_.producer_id, offset, partition_, marker.coordinator_epoch,
                        updated_.coordinator_epoch);
    }
    std::optional<CompletedTxn> completed;
    // A marker without data before it changes nothing that readers see.
    if (updated_.current_txn_first_offset) {
        completed = CompletedTxn{updated_.producer_id, *updated_.current_txn_first_offset, offset,
                                 !marker.commit};
    }
    updated_.maybe_update_epoch(producer_epoch);
    updated_.coordinator_epoch = marker.coordinator_epoch;
    updated_.current_txn_first_offset.reset();
    updated_.last_timestamp = timestamp;
    return completed;
}

ProducerAppend ProducerState::begin_append(ProducerId id, ProducerOrigin origin) const {
    const ProducerEntry* known = find(id);
    ProducerEntry entry = known != nullptr ? *known : ProducerEntry{};
    entry.producer_id = id;
    return {entry, origin, partition_};
}

void ProducerState::update(const ProducerAppend& append) {
    const ProducerEntry& added = append.entry();
    ProducerEntry& entry = producers_[added.producer_id];
    entry.producer_id = added.producer_id;
    entry.maybe_update_epoch(added.producer_epoch);
    for (const ProducerBatch& batch : added.cached()) {
        entry.add_batch(added.producer_epoch, batch);
    }
    entry.coordinator_epoch = added.coordinator_epoch;
    entry.current_txn_first_offset = added.current_txn_first_offset;
    entry.last_timestamp = added.last_timestamp;
    for (Offset first : append.started_transactions()) {
        ongoing_[first] = added.producer_id;
    }
}

void ProducerState::complete(const CompletedTxn& txn) {
    ongoing_.erase(txn.first_offset);
    unreplicated_[txn.first_offset] = txn;
}

Offset ProducerState::last_stable_offset_after(const CompletedTxn& txn) const {
    for (const auto& [first, producer] : ongoing_) {
        if (producer != txn.producer_id) {
            return first;
        }
    }
    return txn.last_offset + 1;
}

void ProducerState::on_high_watermark(Offset high_watermark) {
    if (unreplicated_.empty()) {
        return;
    }
    std::erase_if(unreplicated_,
                  [&](const auto& entry) { return entry.second.last_offset < high_watermark; });
}

std::optional<Offset> ProducerState::first_unstable_offset() const {
    std::optional<Offset> first;
    if (!ongoing_.empty()) {
        first = ongoing_.begin()->first;
    }
    if (!unreplicated_.empty() && (!first || unreplicated_.begin()->first < *first)) {
        first = unreplicated_.begin()->first;
    }
    return first;
}

const ProducerEntry* ProducerState::find(ProducerId id) const {
    auto found = producers_.find(id);
    return found == producers_.end() ? nullptr : &found->second;
}

bool ProducerState::has_late_transaction(TimestampMs now, Duration limit) const {
    if (ongoing_.empty()) {
        return false;
    }
    const ProducerEntry* entry = find(ongoing_.begin()->second);
    return entry != nullptr && entry->last_timestamp > 0 &&
           now - entry->last_timestamp > to_ms(limit);
}

bool ProducerState::is_expired(TimestampMs now, const ProducerEntry& entry) const {
    return !entry.current_txn_first_offset && now - entry.last_timestamp >= to_ms(expiration_);
}

void ProducerState::remove_expired(TimestampMs now) {
    std::erase_if(producers_, [&](const auto& entry) { return is_expired(now, entry.second); });
}

void ProducerState::clear(Offset at) {
    producers_.clear();
    ongoing_.clear();
    unreplicated_.clear();
    map_end_ = at;
}

Bytes ProducerState::encode_snapshot() const {
    // Sorted, so that the same state makes the same file.
    std::map<ProducerId, const ProducerEntry*> sorted;
    for (const auto& [id, entry] : producers_) {
        sorted[id] = &entry;
    }
    Buffer buffer;
    buffer.resize(kSnapshotHeaderBytes + sorted.size() * kSnapshotEntryBytes);
    store_big(buffer.data(), kSnapshotVersion);
    store_big(buffer.data() + kSnapshotCountAt, static_cast<int32_t>(sorted.size()));
    uint8_t* to = buffer.data() + kSnapshotHeaderBytes;
    for (const auto& [id, entry] : sorted) {
        store_big(to, id.value());
        store_big(to + 8, entry->producer_epoch);
        store_big(to + 10, entry->last_sequence());
        store_big(to + 14, entry->last_offset().value());
        store_big(to + 22, entry->last_offset_delta());
        store_big(to + 26, entry->last_timestamp);
        store_big(to + 34, entry->coordinator_epoch);
        store_big(to + 38, entry->current_txn_first_offset.value_or(kNoOffset).value());
        to += kSnapshotEntryBytes;
    }
    store_big(buffer.data() + kSnapshotCrcAt, crc32c(buffer.span().subspan(kSnapshotCountAt)));
    return std::move(buffer).freeze();
}

Result<std::vector<ProducerEntry>> decode_producer_snapshot(std::span<const uint8_t> content) {
    if (content.size() < kSnapshotHeaderBytes) {
        return fail(ErrorCode::CorruptMessage, "producer snapshot is cut off: bytes={}",
                    content.size());
    }
    auto version = load_big<int16_t>(content.data());
    if (version != kSnapshotVersion) {
        return fail(ErrorCode::CorruptMessage, "producer snapshot of unknown version: version={}",
                    version);
    }
    auto stored = load_big<uint32_t>(content.data() + kSnapshotCrcAt);
    uint32_t computed = crc32c(content.subspan(kSnapshotCountAt));
    if (stored != computed) {
        return fail(ErrorCode::CorruptMessage,
                    "producer snapshot checksum does not match: stored={} computed={}", stored,
                    computed);
    }
    auto count = load_big<int32_t>(content.data() + kSnapshotCountAt);
    if (count < 0 ||
        static_cast<size_t>(count) * kSnapshotEntryBytes != content.size() - kSnapshotHeaderBytes) {
        return fail(ErrorCode::CorruptMessage,
                    "producer snapshot count does not match: count={} bytes={}", count,
                    content.size());
    }
    std::vector<ProducerEntry> entries(static_cast<size_t>(count));
    const uint8_t* from = content.data() + kSnapshotHeaderBytes;
    for (ProducerEntry& entry : entries) {
        entry.producer_id = ProducerId(load_big<int64_t>(from));
        entry.producer_epoch = load_big<int16_t>(from + 8);
        ProducerBatch batch;
        batch.last_sequence = load_big<int32_t>(from + 10);
        batch.last_offset = Offset(load_big<int64_t>(from + 14));
        batch.offset_delta = load_big<int32_t>(from + 22);
        batch.timestamp = load_big<int64_t>(from + 26);
        entry.coordinator_epoch = load_big<int32_t>(from + 34);
        Offset txn(load_big<int64_t>(from + 38));
        if (batch.last_offset.value() >= 0) {
            entry.add_batch(entry.producer_epoch, batch);
        }
        entry.last_timestamp = batch.timestamp;
        if (txn.value() >= 0) {
            entry.current_txn_first_offset = txn;
        }
        from += kSnapshotEntryBytes;
    }
    return entries;
}

Status ProducerState::load_snapshot(std::span<const uint8_t> content, Offset at, TimestampMs now) {
    MOLDAU_TRY(auto entries, decode_producer_snapshot(content));
    clear(at);
    for (const ProducerEntry& entry : entries) {
        if (is_expired(now, entry)) {
            continue;
        }
        producers_[entry.producer_id] = entry;
        if (entry.current_txn_first_offset) {
            ongoing_[*entry.current_txn_first_offset] = entry.producer_id;
        }
    }
    return {};
}

}  // namespace moldau::storage
