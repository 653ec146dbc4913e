#include "storage/batch_cleaner.h"

#include "record/builder.h"

namespace moldau::storage {

namespace {

std::optional<TimestampMs> horizon_of(const record::BatchHeader& header) {
    return header.has_delete_horizon() ? std::optional(header.base_timestamp) : std::nullopt;
}

record::BatchOptions options_like(const record::BatchHeader& header) {
    record::BatchOptions options;
    options.compression.codec = header.codec();
    options.timestamp_type = header.timestamp_type();
    options.base_offset = header.first_offset();
    options.leader_epoch = header.leader_epoch;
    options.producer_id = header.producer_id;
    options.producer_epoch = header.producer_epoch;
    options.base_sequence = header.base_sequence;
    options.transactional = header.is_transactional();
    options.control = header.is_control();
    options.log_append_time = header.max_timestamp;
    options.last_offset = header.last_offset();
    return options;
}

}  // namespace

Result<ControlBatch> read_control_batch(const record::BatchView& batch) {
    ControlBatch control{true, std::nullopt};
    if (batch.header().record_count == 0) {
        return control;
    }
    MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
    record::RecordReader reader(batch.header(), payload);
    if (!reader.next()) {
        MOLDAU_CHECK(reader.status());
        return control;
    }
    auto type = record::control_type_of_key(reader.record().key);
    bool commit = type == static_cast<int16_t>(record::ControlType::Commit);
    control.is_marker = commit || type == static_cast<int16_t>(record::ControlType::Abort);
    if (control.is_marker) {
        control.committed = commit;
    }
    return control;
}

Result<bool> map_batch(const record::BatchView& batch, Offset first_dirty,
                       CleanedTransactions& transactions, CleanerOffsetMap& map,
                       CleaningStats& stats) {
    const record::BatchHeader& header = batch.header();
    stats.map_bytes_read += static_cast<int64_t>(batch.size_in_bytes());
    stats.map_records_read += header.record_count;
    if (header.is_control()) {
        MOLDAU_TRY(ControlBatch control, read_control_batch(batch));
        if (control.is_marker) {
            transactions.is_marker_superfluous(header, control.committed);
        }
    } else if (!transactions.is_aborted(header)) {
        MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
        record::RecordReader reader(header, payload);
        while (reader.next()) {
            const record::RecordView& record = reader.record();
            if (!record.key || record.offset < first_dirty) {
                continue;
            }
            if (map.full()) {
                return false;
            }
            map.put(*record.key, record.offset);
        }
        MOLDAU_CHECK(reader.status());
    }
    if (header.last_offset() >= first_dirty) {
        map.set_latest_offset(header.last_offset());
    }
    return true;
}

BatchCleaner::BatchCleaner(const CleanerOffsetMap& map, CleanedTransactions& transactions,
                           const LastOfProducers& producers, int64_t delete_retention_ms,
                           TimestampMs now, CleaningStats& stats)
    : map_(map),
      transactions_(transactions),
      producers_(producers),
      delete_retention_ms_(delete_retention_ms),
      now_(now),
      stats_(stats) {}

bool BatchCleaner::is_last_of_producer(const record::BatchHeader& header) const {
    if (!header.has_producer_id()) {
        return false;
    }
    auto found = producers_.find(ProducerId(header.producer_id));
    if (found == producers_.end()) {
        return false;
    }
    // A marker is only kept for its producer when it is all that is left of it.
    return found->second.data_offset
               ? *found->second.data_offset == header.last_offset()
               : header.is_control() && header.producer_epoch == found->second.epoch;
}

bool BatchCleaner::keeps(const record::BatchHeader& header,
                         const record::RecordView& record) const {
    if (header.is_control() || record.offset > map_.latest_offset()) {
        return true;
    }
    if (!record.key) {
        return false;
    }
    bool latest = record.offset >= map_.find(*record.key);
    auto horizon = horizon_of(header);
    return latest && (record.value || !horizon || now_ < *horizon);
}

Result<std::optional<Bytes>> BatchCleaner::clean(const record::BatchView& batch) {
    const record::BatchHeader& header = batch.header();
    stats_.bytes_read += static_cast<int64_t>(batch.size_in_bytes());
    stats_.records_read += header.record_count;
    auto horizon = horizon_of(header);
    bool superfluous = false;
    bool discard = false;
    if (header.is_control()) {
        MOLDAU_TRY(ControlBatch control, read_control_batch(batch));
        superfluous =
            control.is_marker && transactions_.is_marker_superfluous(header, control.committed);
        // Its horizon is set when it is first seen without data.
        discard = superfluous && horizon && *horizon <= now_;
    } else {
        discard = transactions_.is_aborted(header);
    }

    record::BatchOptions options = options_like(header);
    auto keep = [&](Bytes kept, int64_t records) -> std::optional<Bytes> {
        stats_.bytes_written += static_cast<int64_t>(kept.size());
        stats_.records_written += records;
        return kept;
    };
    if (!discard && header.record_count > 0) {
        MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
        int64_t kept = 0;
        bool tombstones = false;
        record::RecordReader reader(header, payload);
        while (reader.next()) {
            const record::RecordView& record = reader.record();
            if (keeps(header, record)) {
                ++kept;
                tombstones = tombstones || !record.value;
            } else if (!record.key) {
                ++stats_.invalid_records;
            }
        }
        MOLDAU_CHECK(reader.status());
        bool needs_horizon = !horizon && (superfluous || (tombstones && !header.is_control()));
        if (kept == header.record_count && !needs_horizon) {
            return keep(batch.bytes(), kept);
        }
        if (kept > 0) {
            options.delete_horizon =
                needs_horizon ? std::optional(now_ + delete_retention_ms_) : horizon;
            record::BatchBuilder builder(options);
            record::RecordReader again(header, payload);
            while (again.next()) {
                const record::RecordView& record = again.record();
                if (keeps(header, record)) {
                    builder.append_at(record.offset, record.timestamp, record.key, record.value,
                                      record.headers());
                }
            }
            return keep(builder.build(), kept);
        }
    }
    if (is_last_of_producer(header)) {
        return keep(header.record_count == 0 ? batch.bytes() : record::empty_batch(header), 0);
    }
    return std::optional<Bytes>();
}

}  // namespace moldau::storage
