// How a Log's appends become durable: through its directory's journal, by a sync of its segments,
// or, under moldau.ack=memory, when the machine sees fit; and how a replay brings them back.
#include <limits>

#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/journal.h"
#include "storage/log.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("kafka.log.UnifiedLog");

}  // namespace

bool Log::journals() const {
    return context_.journal != nullptr && config_->ack == config::AckMode::Journal;
}

void Log::secure(Offset base, std::span<const Bytes> pieces) {
    size_t bytes = 0;
    for (const Bytes& piece : pieces) {
        bytes += piece.size();
    }
    if (!journals()) {
        bool flush_due = config_->flush_messages != config::LogConfig::kUnlimited &&
                         unflushed_records() >= config_->flush_messages;
        return flush_due ? durable_.needs_sync(log_end_offset_)
                         : durable_.unsecured(log_end_offset_);
    }
    // Every append waits for the device now, which is all that flush.messages asks for. A replay
    // can only put a batch at the end of what the segments hold, in a directory that is there.
    bool through =
        parent_unsynced_ || topic_id_.is_zero() ||
        static_cast<int64_t>(bytes) >= context_.journal->settings().write_through_bytes ||
        durable_.gap_below(base, recovery_point_);
    if (!through && journal_client_ == nullptr) {
        journal_client_ =
            std::make_shared<JournalClient>(JournalKey{topic_id_, topic_partition_.partition});
        journal_client_->set_log(weak_from_this());
        journal_client_->set_listener(durability_listener_);
    }
    if (!through && note_truncation()) {
        if (auto group = context_.journal->append(journal_client_, pieces, bytes)) {
            return durable_.journaled(*group, log_end_offset_);
        }
    }
    durable_.needs_sync(log_end_offset_);
}

bool Log::note_truncation() {
    if (!unnoted_truncation_) {
        return true;
    }
    auto group = context_.journal->truncate(journal_client_, *unnoted_truncation_);
    if (group) {
        unnoted_truncation_.reset();
        durable_.truncated(log_end_offset_, *group);
    }
    return group.has_value();
}

void Log::truncated(Offset offset) {
    durable_.truncated(log_end_offset_, 0);
    if (journal_client_ != nullptr) {
        unnoted_truncation_ = std::min(unnoted_truncation_.value_or(offset), offset);
        // When there is no room, the next append that is journaled brings it along.
        (void)note_truncation();
    }
}

Offset Log::durable_end() {
    return durable_.advance(context_.journal == nullptr ? 0 : context_.journal->durable_group(),
                            recovery_point_);
}

void Log::set_durability_listener(std::shared_ptr<const std::function<void()>> listener) {
    durability_listener_ = std::move(listener);
    if (journal_client_ != nullptr) {
        journal_client_->set_listener(durability_listener_);
    }
}

Result<size_t> Log::replay(const std::vector<Bytes>& appends, TimestampMs now) {
    constexpr LeaderEpoch kAnyEpoch{std::numeric_limits<int32_t>::max()};
    size_t replayed = 0;
    for (const Bytes& batches : appends) {
        auto header = record::BatchHeader::read(batches.data());
        auto latest = epochs_.latest();
        if (header.first_offset() != log_end_offset_ ||
            (latest && header.leader_epoch < latest->epoch.value())) {
            continue;
        }
        MOLDAU_CHECK(append_as_follower(batches, kAnyEpoch, now));
        ++replayed;
    }
    if (replayed > 0) {
        MOLDAU_LOG_INFO(logger, "Replayed {} appends of the journal into {}, log end offset is {}",
                        replayed, name_, log_end_offset_);
    }
    return replayed;
}

Status Log::close_before_sync_of_all() {
    MOLDAU_CHECK(checked(epochs_.flush(), "leader epochs cannot be written"));
    recovery_point_ = log_end_offset_;
    directory_changes_synced_ = directory_changes_;
    parent_unsynced_ = false;
    return close();
}

}  // namespace moldau::storage
