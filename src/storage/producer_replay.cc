#include "storage/producer_replay.h"

#include "base/endian.h"
#include "record/builder.h"
#include "runtime/logging.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.ProducerStateManager");

}  // namespace

ProducerBatchHeader producer_header(const record::BatchHeader& header) {
    ProducerBatchHeader of;
    of.producer_id = ProducerId(header.producer_id);
    of.producer_epoch = header.producer_epoch;
    of.base_sequence = header.base_sequence;
    of.last_sequence = header.last_sequence();
    of.base_offset = header.first_offset();
    of.last_offset = header.last_offset();
    of.max_timestamp = header.max_timestamp;
    of.transactional = header.is_transactional();
    return of;
}

// The marker in a control batch; nullopt for an empty one (compaction) or another control type.
Result<std::optional<EndTransactionMarker>> read_marker(const record::BatchHeader& header,
                                                        const Bytes& payload) {
    record::RecordReader reader(header, payload);
    if (!reader.next()) {
        MOLDAU_CHECK(reader.status());
        return std::nullopt;
    }
    const record::RecordView& record = reader.record();
    auto type = record::control_type_of_key(record.key);
    bool commit = type == static_cast<int16_t>(record::ControlType::Commit);
    if (!commit && type != static_cast<int16_t>(record::ControlType::Abort)) {
        return std::nullopt;
    }
    if (!record.value || record.value->size() < 6) {
        return fail(ErrorCode::CorruptMessage, "transaction marker without a value: offset={}",
                    header.base_offset);
    }
    return EndTransactionMarker{
        commit, load_big<int32_t>(reinterpret_cast<const uint8_t*>(record.value->data()) + 2)};
}

Result<std::vector<CompletedTxn>> replay_batch(ProducerState& state,
                                               const record::BatchView& batch) {
    const record::BatchHeader& header = batch.header();
    std::vector<CompletedTxn> completed;
    if (header.has_producer_id()) {
        ProducerAppend append =
            state.begin_append(ProducerId(header.producer_id), ProducerOrigin::Replication);
        auto followed = [&]() -> Status {
            if (!header.is_control()) {
                return append.append_data(producer_header(header));
            }
            MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
            MOLDAU_TRY(auto marker, read_marker(header, payload));
            if (!marker) {
                return {};
            }
            MOLDAU_TRY(auto ended,
                       append.append_end_marker(*marker, header.producer_epoch,
                                                header.first_offset(), header.max_timestamp, 0));
            if (ended) {
                completed.push_back(*ended);
            }
            return {};
        }();
        if (!followed) {
            MOLDAU_LOG_WARN(logger, "Producer state cannot follow the batch at offset {}: {}",
                            header.base_offset, followed.error().message);
        }
        state.update(append);
    }
    state.set_map_end_offset(header.next_offset());
    return completed;
}

}  // namespace moldau::storage
