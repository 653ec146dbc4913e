#include "storage/log.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/producer_replay.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.UnifiedLog");

// Inactive segments whose indexes stay in memory: readers of old data move slowly.
constexpr size_t kWarmSegments = 4;

}  // namespace

Log::Log(LogContext context, LogOptions options, LeaderEpochCache epochs)
    : context_(std::move(context)),
      dir_(std::move(options.dir)),
      topic_partition_(std::move(options.topic_partition)),
      name_(topic_partition_.str()),
      config_(std::move(options.config)),
      log_start_offset_(options.log_start_offset),
      high_watermark_(options.high_watermark),
      recovery_point_(options.recovery_point),
      recovery_point_told_(std::max(options.recovery_point, options.recovery_point_told)),
      epochs_(std::move(epochs)),
      producers_(name_, options.producer_id_expiration) {}

Log::~Log() = default;

SegmentLimits Log::segment_limits() const {
    return {config_->segment_index_bytes, config_->index_interval_bytes};
}

void Log::set_config(std::shared_ptr<const config::LogConfig> config) {
    config_ = std::move(config);
    for (auto& segment : segments_) {
        segment->set_limits(segment_limits());
    }
}

void Log::fail_with(Error error) {
    if (!failed_) {
        failed_ = true;
        failure_ = std::move(error);
    }
}

Error Log::refused(const Error& cause, std::string_view action) {
    Error error{ErrorCode::KafkaStorageError,
                fmt::format("{}: partition={} cause={}", action, name_, cause.message)};
    if (runtime::is_disk_full(cause)) {
        // Clients come back at once: one line per spell of fullness is enough.
        if (!std::exchange(device_full_, true)) {
            MOLDAU_LOG_WARN(logger, "{}", error.message);
        }
        return error;
    }
    if (!failed_) {
        MOLDAU_LOG_ERROR(logger, "{}", error.message);
        fail_with(error);
        if (context_.on_failure) {
            context_.on_failure(error);
        }
    }
    return error;
}

Status Log::checked(Status status, std::string_view action) {
    if (!status) [[unlikely]] {
        return fail(refused(status.error(), action));
    }
    return {};
}

Status Log::check_usable() const {
    if (failed()) [[unlikely]] {
        return fail(ErrorCode::KafkaStorageError, "log directory is offline: partition={}{}{}",
                    name_, failure_ ? " cause=" : "", failure_ ? failure_->message : "");
    }
    if (closed_) [[unlikely]] {
        return fail(ErrorCode::KafkaStorageError, "log is closed: partition={}", name_);
    }
    return {};
}

size_t Log::segment_index_for(Offset offset) const {
    // Almost every request is for the segment being written.
    if (offset >= segments_.back()->base_offset()) {
        return segments_.size() - 1;
    }
    auto next = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                 [](Offset wanted, const std::unique_ptr<Segment>& segment) {
                                     return wanted < segment->base_offset();
                                 });
    return next == segments_.begin() ? 0 : static_cast<size_t>(next - segments_.begin()) - 1;
}

int64_t Log::size_in_bytes() const {
    int64_t bytes = 0;
    for (const auto& segment : segments_) {
        bytes += segment->size();
    }
    return bytes;
}

void Log::keep_warm(Segment& segment) {
    if (&segment == segments_.back().get() ||
        std::find(warm_.begin(), warm_.end(), &segment) != warm_.end()) {
        return;
    }
    warm_.push_back(&segment);
    if (warm_.size() > kWarmSegments) {
        warm_.front()->shed_indexes();
        warm_.pop_front();
    }
}

std::optional<Offset> Log::first_unstable_offset() const {
    auto first = producers_.first_unstable_offset();
    return first ? std::optional(std::max(*first, log_start_offset_)) : std::nullopt;
}

Offset Log::last_stable_offset() const {
    auto unstable = first_unstable_offset();
    return unstable && *unstable < high_watermark_ ? *unstable : high_watermark_;
}

bool Log::set_high_watermark(Offset high_watermark) {
    Offset fitted = std::clamp(high_watermark, log_start_offset_, log_end_offset_);
    if (fitted == high_watermark_) {
        return false;
    }
    high_watermark_ = fitted;
    producers_.on_high_watermark(fitted);
    return true;
}

void Log::fit_high_watermark() {
    high_watermark_ = std::clamp(high_watermark_, log_start_offset_, log_end_offset_);
}

record::AppendRules Log::append_rules(const LeaderAppend& append) const {
    record::AppendRules rules;
    using config::BrokerCompression;
    switch (config_->compression) {
        case BrokerCompression::Producer:
            break;
        case BrokerCompression::Uncompressed:
            rules.recompress = record::Compression{.codec = record::Codec::None};
            break;
        case BrokerCompression::Gzip:
            rules.recompress = record::Compression{.codec = record::Codec::Gzip};
            // -1 asks for the codec's own default.
            if (config_->compression_gzip_level > 0) {
                rules.recompress->level = config_->compression_gzip_level;
            }
            break;
        case BrokerCompression::Snappy:
            rules.recompress = record::Compression{.codec = record::Codec::Snappy};
            break;
        case BrokerCompression::Lz4:
            rules.recompress = record::Compression{.codec = record::Codec::Lz4,
                                                   .level = config_->compression_lz4_level};
            break;
        case BrokerCompression::Zstd:
            rules.recompress = record::Compression{.codec = record::Codec::Zstd,
                                                   .level = config_->compression_zstd_level};
            break;
    }
    rules.compacted = config_->cleanup_compact;
    rules.timestamp_type = config_->message_timestamp_type == config::TimestampType::LogAppendTime
                               ? record::TimestampType::LogAppendTime
                               : record::TimestampType::CreateTime;
    rules.timestamp_before_ms_max = config_->message_timestamp_before_max_ms;
    rules.timestamp_after_ms_max = config_->message_timestamp_after_max_ms;
    rules.batch_bytes_max = static_cast<size_t>(config_->max_message_bytes);
    rules.origin = append.origin;
    rules.leader_epoch = append.leader_epoch;
    return rules;
}

Result<AppendResult> Log::append_as_follower(const Bytes& records, LeaderEpoch leader_epoch,
                                             TimestampMs now) {
    MOLDAU_CHECK(check_usable());
    AppendResult result{log_end_offset_,   log_end_offset_ - 1, kNoTimestamp,
                        log_start_offset_, log_end_offset_,     false};
    std::vector<BatchExtent> extents;
    std::vector<record::BatchHeader> headers;
    ProducerChanges changes;
    size_t bytes = 0;
    TimestampMs max_timestamp = kNoTimestamp;
    Offset next = log_end_offset_;

    record::BatchIterator batches(records);
    while (true) {
        MOLDAU_TRY(auto batch, batches.next());
        if (!batch) {
            break;
        }
        const record::BatchHeader& header = batch->header();
        if (header.leader_epoch > leader_epoch.value()) {
            MOLDAU_LOG_INFO(logger,
                            "Leaving out batches of a later leader epoch: partition={} epoch={} "
                            "current={} offset={}",
                            name_, header.leader_epoch, leader_epoch, header.base_offset);
            break;
        }
        if (header.first_offset() < next) {
            if (headers.empty()) {
                return fail(ErrorCode::OffsetOutOfRange,
                            "Unexpected offset in append to {}. First offset {} is less than the "
                            "next offset {}. Log start offset = {}",
                            name_, header.base_offset, next, log_start_offset_);
            }
            return fail(ErrorCode::InvalidRecord, "Out of order offsets found in append to {}: {}",
                        name_, header.base_offset);
        }
        MOLDAU_CHECK(batch->check_crc());
        if (header.has_producer_id()) {
            MOLDAU_TRY(Bytes payload, header.is_control() ? batch->uncompressed_payload()
                                                          : Result<Bytes>(Bytes()));
            MOLDAU_CHECK(check_producer(header, payload, ProducerOrigin::Replication, {}, changes));
        }
        next = header.next_offset();
        bytes += batch->size_in_bytes();
        max_timestamp = std::max(max_timestamp, header.max_timestamp);
        extents.push_back({header.last_offset(), header.max_timestamp,
                           static_cast<uint32_t>(batch->size_in_bytes())});
        headers.push_back(header);
    }
    if (headers.empty()) {
        return result;
    }
    for (const record::BatchHeader& header : headers) {
        if (header.leader_epoch >= 0) {
            MOLDAU_CHECK(
                assign_epoch_start(LeaderEpoch(header.leader_epoch), header.first_offset()));
        }
    }
    MOLDAU_CHECK(roll_if_needed(bytes, headers.front().first_offset(), headers.back().last_offset(),
                                max_timestamp, now));
    MOLDAU_CHECK(load_active_indexes(!changes.completed.empty()));
    const Bytes piece = records.slice(0, bytes);
    auto written = active().append(std::span(&piece, 1), extents);
    if (!written) {
        bool whole = active().intact();
        return fail(refused(
            whole ? written.error() : Error{ErrorCode::KafkaStorageError, written.error().message},
            "append failed"));
    }
    log_end_offset_ = next;
    secure(headers.front().first_offset(), std::span(&piece, 1));
    MOLDAU_CHECK(apply_producers(changes, log_end_offset_));
    result.base_offset = headers.front().first_offset();
    result.last_offset = headers.back().last_offset();
    result.log_end_offset = log_end_offset_;
    return result;
}

ProducerAppend* Log::ProducerChanges::find(ProducerId id) {
    auto found = std::ranges::find_if(
        appends, [&](const ProducerAppend& append) { return append.entry().producer_id == id; });
    return found == appends.end() ? nullptr : &*found;
}

bool Log::has_ongoing_transaction(ProducerId id, int16_t epoch) const {
    const ProducerEntry* entry = producers_.find(id);
    return entry != nullptr && entry->current_txn_first_offset && entry->producer_epoch == epoch;
}

Status Log::check_transaction(const record::BatchHeader& header, const LeaderAppend& append) const {
    ProducerId id(header.producer_id);
    if (!header.is_transactional() || header.is_control() ||
        has_ongoing_transaction(id, header.producer_epoch)) {
        return {};
    }
    const ProducerEntry* entry = producers_.find(id);
    if (entry != nullptr && header.producer_epoch < entry->producer_epoch) {
        return fail(ErrorCode::InvalidProducerEpoch,
                    "Epoch of producer {} is {}, which is smaller than the last seen epoch {}", id,
                    header.producer_epoch, entry->producer_epoch);
    }
    if (!append.transaction_verified) {
        return fail(ErrorCode::InvalidTxnState, "Record was not part of an ongoing transaction");
    }
    return {};
}

Status Log::check_producer(const record::BatchHeader& header, const Bytes& payload,
                           ProducerOrigin origin, const LeaderAppend& append,
                           ProducerChanges& changes) const {
    ProducerId id(header.producer_id);
    if (origin != ProducerOrigin::Replication) {
        MOLDAU_CHECK(check_transaction(header, append));
    }
    ProducerAppend* known = changes.find(id);
    ProducerAppend& producer =
        known != nullptr ? *known
                         : changes.appends.emplace_back(producers_.begin_append(id, origin));
    if (!header.is_control()) {
        Status fits = producer.append_data(producer_header(header));
        if (!fits && known == nullptr) {
            changes.appends.pop_back();
        }
        return fits;
    }
    MOLDAU_TRY(auto marker, read_marker(header, payload));
    if (!marker) {
        return {};
    }
    MOLDAU_TRY(auto completed,
               producer.append_end_marker(*marker, header.producer_epoch, header.first_offset(),
                                          header.max_timestamp, append.transaction_version));
    if (completed) {
        changes.completed.push_back(*completed);
    }
    return {};
}

Status Log::load_active_indexes(bool transactions) {
    MOLDAU_CHECK(checked(active().load_indexes(), "index cannot be read"));
    if (transactions) {
        // Before the marker is written: an index made anew would hold its transaction already.
        auto known = transactions_of(segments_.size() - 1);
        return known ? Status() : checked(fail(known.error()), "transaction index cannot be read");
    }
    return {};
}

Status Log::apply_producers(const ProducerChanges& changes, Offset end) {
    for (const ProducerAppend& append : changes.appends) {
        producers_.update(append);
    }
    for (const CompletedTxn& txn : changes.completed) {
        if (txn.aborted) {
            active().append_aborted({txn.producer_id, txn.first_offset, txn.last_offset,
                                     producers_.last_stable_offset_after(txn)});
            // The marker is in the log: a full disk makes the file lag, no more.
            auto written = active().write_transactions();
            if (!written && !runtime::is_disk_full(written.error())) {
                return checked(written, "transaction index cannot be written");
            }
        }
        producers_.complete(txn);
    }
    producers_.set_map_end_offset(end);
    return {};
}

std::vector<ActiveProducer> Log::active_producers() const {
    std::vector<ActiveProducer> active;
    active.reserve(producers_.producers().size());
    for (const auto& [id, entry] : producers_.producers()) {
        active.push_back({id, entry.producer_epoch, entry.last_sequence(), entry.last_timestamp,
                          entry.coordinator_epoch,
                          entry.current_txn_first_offset.value_or(kNoOffset)});
    }
    std::sort(active.begin(), active.end(), [](const ActiveProducer& a, const ActiveProducer& b) {
        return a.producer_id < b.producer_id;
    });
    return active;
}

Status Log::assign_epoch_start(LeaderEpoch epoch, Offset start) {
    auto assigned = epochs_.assign(epoch, start);
    if (!assigned) {
        return fail(refused(assigned.error(), "leader epoch cannot be written"));
    }
    return {};
}

std::optional<EpochEnd> Log::end_offset_for_epoch(LeaderEpoch epoch) const {
    return epochs_.end_offset_for(epoch, log_end_offset_);
}

}  // namespace moldau::storage
