// Appending as leader: batches are checked one by one, and those that nothing separates are written
// together: for small ones the write call costs more than everything else.
#include "runtime/file_system.h"
#include "storage/log.h"

namespace moldau::storage {

void Log::append_as_leader(std::span<const Bytes> batches, const LeaderAppend& append,
                           TimestampMs now, std::span<LeaderAppendOutcome> outcomes) {
    Staged& staged = staged_;
    staged.append = append;
    staged.now = now;
    staged.rules = append_rules(append);
    staged.outcomes = outcomes;
    staged.batches.reserve(batches.size());
    for (staged.done = 0; staged.done < batches.size(); ++staged.done) {
        outcomes[staged.done] = stage(batches[staged.done], staged);
    }
    write_staged(staged);
}

void Log::Staged::clear() {
    batches.clear();
    pieces.clear();
    extents.clear();
    changes.appends.clear();
    changes.completed.clear();
    bytes = 0;
}

LeaderAppendOutcome Log::append_as_leader(const Bytes& records, const LeaderAppend& append,
                                          TimestampMs now) {
    LeaderAppendOutcome outcome;
    append_as_leader(std::span(&records, 1), append, now, std::span(&outcome, 1));
    return outcome;
}

LeaderAppendOutcome Log::stage(const Bytes& records, Staged& staged) {
    auto reject = [&](Error error) {
        return std::unexpected(AppendError{std::move(error), {}, log_start_offset_});
    };
    if (auto usable = check_usable(); !usable) {
        return reject(usable.error());
    }
    Offset base =
        staged.batches.empty() ? log_end_offset_ : staged.batches.back().header.next_offset();
    auto valid = record::validate_for_append(records, base, staged.now, staged.rules, name_);
    if (!valid) {
        return std::unexpected(AppendError{std::move(valid.error().error),
                                           std::move(valid.error().records), log_start_offset_});
    }
    const record::BatchHeader& header = valid->header;
    size_t bytes = valid->size_in_bytes();
    if (bytes > static_cast<size_t>(config_->effective_segment_bytes())) {
        return reject(
            {ErrorCode::RecordListTooLarge,
             fmt::format("Message batch size is {} bytes in append to partition {}, which "
                         "exceeds the maximum configured segment size of {}.",
                         bytes, name_, config_->effective_segment_bytes())});
    }
    if (!staged.batches.empty()) {
        // A transaction is judged by the state of its producer; the age of a segment by its first
        // batch.
        bool alone = header.is_transactional() || active().empty();
        auto roll =
            must_roll(staged.bytes + bytes, header.last_offset(), header.max_timestamp, staged.now);
        if (alone || !roll || *roll) {
            write_staged(staged);
            return stage(records, staged);
        }
    }
    if (header.has_producer_id()) {
        auto origin = staged.append.origin == record::AppendOrigin::Client
                          ? ProducerOrigin::Client
                          : ProducerOrigin::Coordinator;
        if (origin == ProducerOrigin::Client) {
            if (auto batch = find_duplicate(header, staged.changes)) {
                return AppendResult{batch->first_offset(), batch->last_offset, batch->timestamp,
                                    log_start_offset_,     log_end_offset_,    true};
            }
        }
        if (auto known =
                check_producer(header, valid->payload, origin, staged.append, staged.changes);
            !known) {
            return reject(known.error());
        }
    }
    if (staged.batches.empty()) {
        staged.first = staged.done;
    }
    staged.bytes += bytes;
    AppendResult result{header.first_offset(), header.last_offset(), valid->log_append_time,
                        log_start_offset_,     header.next_offset(), false};
    staged.batches.push_back(*std::move(valid));
    return result;
}

void Log::write_staged(Staged& staged) {
    if (staged.batches.empty()) {
        return;
    }
    if (auto written = write(staged); !written) {
        // Duplicates among them may be of batches that are not in the log now.
        for (LeaderAppendOutcome& outcome :
             staged.outcomes.subspan(staged.first, staged.done - staged.first)) {
            if (outcome) {
                outcome = std::unexpected(AppendError{written.error(), {}, log_start_offset_});
            }
        }
    }
    staged.clear();
}

Status Log::write(Staged& staged) {
    const record::BatchHeader& first = staged.batches.front().header;
    const record::BatchHeader& last = staged.batches.back().header;
    MOLDAU_CHECK(assign_epoch_start(staged.append.leader_epoch, first.first_offset()));
    MOLDAU_CHECK(roll_if_needed(staged.bytes, first.first_offset(), last.last_offset(),
                                first.max_timestamp, staged.now));
    MOLDAU_CHECK(load_active_indexes(!staged.changes.completed.empty()));
    for (const record::AppendableBatch& batch : staged.batches) {
        staged.pieces.push_back(Bytes::borrowed_forever(batch.header_bytes));
        staged.pieces.push_back(batch.payload);
        staged.extents.push_back({batch.header.last_offset(), batch.header.max_timestamp,
                                  static_cast<uint32_t>(batch.size_in_bytes())});
    }
    auto written = active().append(staged.pieces, staged.extents);
    if (!written && !active().intact()) {
        // The partial write could not be taken back.
        written = fail(ErrorCode::KafkaStorageError, "{}", written.error().message);
    }
    MOLDAU_CHECK(checked(written, "append failed"));
    device_full_ = false;
    for (size_t i = 0; i < staged.batches.size(); ++i) {
        log_end_offset_ = staged.batches[i].header.next_offset();
        secure(staged.batches[i].header.first_offset(), std::span(staged.pieces).subspan(2 * i, 2));
    }
    return apply_producers(staged.changes, log_end_offset_);
}

std::optional<ProducerBatch> Log::find_duplicate(const record::BatchHeader& header,
                                                 ProducerChanges& changes) const {
    ProducerId id(header.producer_id);
    auto among = [&](const ProducerEntry& entry) -> std::optional<ProducerBatch> {
        const ProducerBatch* found =
            entry.duplicate_of(header.producer_epoch, header.base_sequence, header.last_sequence());
        return found == nullptr ? std::nullopt : std::optional(*found);
    };
    const ProducerAppend* staged = changes.find(id);
    std::optional<ProducerBatch> found = staged == nullptr ? std::nullopt : among(staged->entry());
    const ProducerEntry* entry = producers_.find(id);
    // What an older epoch wrote is forgotten once a newer one has begun.
    bool forgotten = staged != nullptr && entry != nullptr &&
                     staged->entry().producer_epoch != entry->producer_epoch;
    return found || entry == nullptr || forgotten ? found : among(*entry);
}

}  // namespace moldau::storage
