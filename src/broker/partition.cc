#include "broker/partition.h"

#include <algorithm>

#include "runtime/clock.h"
#include "runtime/disk_pool.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/log_manager.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.cluster.Partition");

// Beyond this, neighbours are told of together: only a stalled watermark gets there.
constexpr size_t kInvisibleMax = 64;

const Error kOffline{ErrorCode::KafkaStorageError, "log directory is offline"};

// A full disk is a matter of the operator; to clients it is a storage error, which they retry.
Error for_clients(Error error) {
    if (runtime::is_disk_full(error)) {
        error.code = ErrorCode::KafkaStorageError;
    }
    return error;
}

}  // namespace

Partition::Aftermath::~Aftermath() {
    for (auto& [callback, status] : done) {
        callback(std::move(status));
    }
    if (listener != nullptr) {
        (*listener)(high_watermark);
    }
}

Partition::Partition(const PartitionContext& context, TopicPartition topic_partition,
                     const Uuid& topic_id)
    : context_(context), topic_partition_(std::move(topic_partition)), topic_id_(topic_id) {}

void Partition::metadata_changed(BrokerId leader, replication::Registration registration,
                                 const Uuid& directory) {
    Aftermath after;
    MutexLock lock(mutex_);
    bool same_leadership = leader == leader_id_ && leader == context_.local &&
                           registration.leader_epoch == registration_.leader_epoch;
    leader_id_ = leader;
    registration_ = std::move(registration);
    directory_ = directory;
    if (leader != context_.local) {
        leader_.reset();
        fail_waiters({ErrorCode::NotLeaderOrFollower, "this broker does not lead the partition"},
                     after);
        return;
    }
    if (same_leadership && leader_) {
        leader_->metadata_changed(registration_, context_.clock->monotonic());
        settle(0, after);
        return;
    }
    leader_.reset();
    if (!same_leadership) {
        // Readers of the old epoch look again and are told.
        for (ParkedFetch& parked : fetch_waiters_) {
            parked.waiter->wake();
        }
        fetch_waiters_.clear();
    }
    if (log_ != nullptr) {
        if (!leader_) {
            begin_leadership();
        }
        settle(0, after);
        flush_if_needed(after);
    } else if (registration_.recovering) {
        // Nobody may use it for long. If this gets lost, the first use proposes it again.
        context_.propose(shared_from_this(),
                         replication::PartitionLeader::recovery_of(context_.local, registration_));
    }
}

Status Partition::make_directory() {
    // Under no lock: nobody shall wait for the disk behind this. The place is kept by topic id, so
    // that a partition that is gone meanwhile gets none.
    return context_.logs->make_directory(topic_partition_, topic_id_);
}

void Partition::config_changed() {
    Aftermath after;
    MutexLock lock(mutex_);
    if (leader_) {
        int32_t min_insync_replicas = 1;
        {
            MutexLock log_lock(log_->mutex());
            min_insync_replicas = log_->config().min_insync_replicas;
        }
        leader_->min_insync_replicas_changed(min_insync_replicas);
        settle(0, after);
    }
}

void Partition::check_lag() {
    Aftermath after;
    MutexLock lock(mutex_);
    if (leader_ && registration_.replicas.size() > 1) {
        leader_->lag_checked(context_.clock->monotonic());
        settle(0, after);
    }
}

void Partition::proposal_accepted(LeaderEpoch leader_epoch, std::vector<BrokerId> isr,
                                  int32_t partition_epoch, bool recovering) {
    Aftermath after;
    MutexLock lock(mutex_);
    if (leader_id_ != context_.local || leader_epoch != registration_.leader_epoch ||
        partition_epoch < registration_.partition_epoch) {
        return;  // the metadata log was faster
    }
    registration_.isr = std::move(isr);
    registration_.partition_epoch = partition_epoch;
    registration_.recovering = recovering;
    if (leader_) {
        leader_->proposal_accepted(registration_, context_.clock->monotonic());
        settle(0, after);
    }
}

void Partition::proposal_rejected() {
    Aftermath after;
    MutexLock lock(mutex_);
    if (leader_) {
        leader_->proposal_rejected();
        settle(0, after);
    }
}

void Partition::submit_proposal() {
    if (auto proposal = leader_->take_proposal()) {
        context_.propose(shared_from_this(), std::move(*proposal));
    }
}

void Partition::stop() {
    Aftermath after;
    MutexLock lock(mutex_);
    stopped_ = true;
    // Whoever removes the log next must not meet one that is just being opened.
    while (opening_) {
        opened_.wait(mutex_.native());
    }
    leader_.reset();
    leader_id_ = kNoBroker;
    log_.reset();
    fail_waiters({ErrorCode::NotLeaderOrFollower, "the partition is no longer on this broker"},
                 after);
}

Status Partition::ensure_open() {
    while (opening_) {
        opened_.wait(mutex_.native());
    }
    if (log_ != nullptr) {
        return {};
    }
    if (stopped_) {
        return fail(ErrorCode::NotLeaderOrFollower, "the partition is no longer on this broker");
    }
    opening_ = true;
    const Uuid directory = directory_;
    mutex_.unlock();
    auto opened = context_.logs->get_or_create(topic_partition_, topic_id_, directory);
    mutex_.lock();
    opening_ = false;
    opened_.notify_all();
    if (!opened) {
        MOLDAU_LOG_ERROR(log, "Cannot open the log of {}: {}", topic_partition_,
                         opened.error().message);
        return fail(for_clients(opened.error()));
    }
    log_ = std::move(*opened);
    MutexLock log_lock(log_->mutex());
    log_->set_durability_listener(
        std::make_shared<const std::function<void()>>([weak = weak_from_this()] {
            if (auto self = weak.lock()) {
                self->durability_advanced();
            }
        }));
    return {};
}

void Partition::begin_leadership() {
    MutexLock log_lock(log_->mutex());
    durable_end_ = log_->durable_end();
    invisible_.clear();
    leader_ = std::make_unique<replication::PartitionLeader>(
        replication::LeaderSettings{.local = context_.local,
                                    .lag_max = context_.lag_max,
                                    .min_insync_replicas = log_->config().min_insync_replicas},
        registration_, log_->log_end_offset(), log_->high_watermark(), context_.clock->monotonic(),
        durable_end_);
    Status noted = log_->assign_epoch_start(registration_.leader_epoch, log_->log_end_offset());
    if (!noted) {
        MOLDAU_LOG_ERROR(log, "Cannot note the leader epoch of {}: {}", topic_partition_,
                         noted.error().message);
    }
    submit_proposal();
}

Result<storage::Log*> Partition::led(std::optional<LeaderEpoch> current_leader_epoch,
                                     bool may_wait) {
    MOLDAU_CHECK(check_leadership(current_leader_epoch));
    if (!leader_) [[unlikely]] {
        if (log_ == nullptr && !may_wait) {
            return fail(storage::would_wait());
        }
        MOLDAU_CHECK(ensure_open());
        MOLDAU_CHECK(check_leadership(current_leader_epoch));
        if (!leader_) {
            begin_leadership();
            MutexLock log_lock(log_->mutex());
            log_->set_high_watermark(leader_->high_watermark());
        }
    }
    return log_.get();
}

Status Partition::check_leadership(std::optional<LeaderEpoch> current_leader_epoch) const {
    LeaderEpoch epoch = registration_.leader_epoch;
    if (current_leader_epoch && *current_leader_epoch < epoch) {
        return fail(ErrorCode::FencedLeaderEpoch,
                    "leader epoch is too old: partition={} requested={} current={}",
                    topic_partition_, *current_leader_epoch, epoch);
    }
    if (current_leader_epoch && *current_leader_epoch > epoch) {
        return fail(ErrorCode::UnknownLeaderEpoch,
                    "leader epoch is not known here yet: partition={} requested={} current={}",
                    topic_partition_, *current_leader_epoch, epoch);
    }
    if (stopped_ || leader_id_ != context_.local) {
        return fail(ErrorCode::NotLeaderOrFollower, "not the leader: partition={} leader={}",
                    topic_partition_, leader_id_);
    }
    return {};
}

Status Partition::check_append(const AppendRequest& request) {
    MOLDAU_CHECK(led(request.current_leader_epoch, request.may_wait));
    return request.all_replicas ? leader_->check_append_with_all() : Status();
}

std::vector<Partition::Appended> Partition::append(std::span<const Bytes> batches,
                                                   const AppendRequest& request) {
    std::vector<Appended> outcomes;
    outcomes.reserve(batches.size());
    Aftermath after;
    MutexLock lock(mutex_);
    if (Status may = check_append(request); !may) {
        storage::AppendError refusal{for_clients(std::move(may).error()), {}, kNoOffset};
        outcomes.assign(batches.size(), std::unexpected(std::move(refusal)));
        return outcomes;
    }
    int64_t bytes = 0;
    bool any = false;
    {
        MutexLock log_lock(log_->mutex());
        std::vector<storage::LeaderAppendOutcome> appended(batches.size());
        log_->append_as_leader(
            batches, {.leader_epoch = registration_.leader_epoch, .origin = request.origin},
            context_.clock->wall_ms(), appended);
        for (size_t i = 0; i < appended.size(); ++i) {
            if (!appended[i]) {
                storage::AppendError& refusal = appended[i].error();
                refusal.error = for_clients(std::move(refusal.error));
                outcomes.push_back(std::unexpected(std::move(refusal)));
                continue;
            }
            any = true;
            outcomes.push_back(AppendOutcome{.log = *appended[i]});
            bytes += appended[i]->duplicate ? 0 : std::ssize(batches[i]);
        }
        if (!any) {
            return outcomes;
        }
        durable_end_ = log_->durable_end();
        leader_->appended(log_->log_end_offset(), durable_end_);
    }
    settle(bytes, after);
    flush_if_needed(after);
    for (Appended& outcome : outcomes) {
        if (outcome) {
            Offset end = outcome->log.last_offset + 1;
            outcome->durable = acknowledged(end, false).has_value();
            outcome->committed = acknowledged(end, true) == Status();
        }
    }
    return outcomes;
}

void Partition::durability_advanced() {
    Aftermath after;
    MutexLock lock(mutex_);
    if (log_ == nullptr || !leader_) {
        return;
    }
    if (log_failed()) {
        return fail_waiters(kOffline, after);
    }
    note_durable(after);
}

bool Partition::log_failed() const {
    MutexLock log_lock(log_->mutex());
    return log_->failed();
}

void Partition::note_durable(Aftermath& after) {
    {
        MutexLock log_lock(log_->mutex());
        durable_end_ = log_->durable_end();
    }
    leader_->made_durable(durable_end_);
    settle(0, after);
}

void Partition::settle(int64_t bytes, Aftermath& after) {
    if (bytes > 0 && invisible_.size() < kInvisibleMax) {
        invisible_.push_back({leader_->log_end_offset(), bytes});
    } else if (bytes > 0) {
        invisible_.back().end = leader_->log_end_offset();
        invisible_.back().bytes += bytes;
    }
    int64_t appeared = 0;
    auto hidden = std::ranges::find_if(invisible_, [&](const Invisible& each) REQUIRES(mutex_) {
        return each.end > leader_->high_watermark();
    });
    std::for_each(invisible_.begin(), hidden,
                  [&](const Invisible& each) { appeared += each.bytes; });
    invisible_.erase(invisible_.begin(), hidden);
    bool moved = false;
    {
        MutexLock log_lock(log_->mutex());
        moved = log_->set_high_watermark(leader_->high_watermark());
    }
    if (!fetch_waiters_.empty() && (bytes > 0 || moved)) {
        for (ParkedFetch& parked : fetch_waiters_) {
            if (parked.bound == storage::ReadBound::LogEnd) {
                parked.waiter->bytes_arrived(bytes);
            } else if (moved && appeared > 0) {
                parked.waiter->bytes_arrived(appeared);
            } else if (moved) {
                // How many bytes became visible is only known by looking.
                parked.waiter->wake();
            }
        }
    }
    if (moved) {
        after.listener = listener_;
        after.high_watermark = leader_->high_watermark();
    }
    acknowledge_waiters(after);
    submit_proposal();
}

std::optional<Status> Partition::acknowledged(Offset end, bool all_replicas) const {
    if (all_replicas) {
        return leader_->acknowledged(end);
    }
    return end <= durable_end_ ? std::optional(Status()) : std::nullopt;
}

void Partition::acknowledge_waiters(Aftermath& after) {
    std::erase_if(produce_waiters_, [&](ProduceWaiter& waiter) REQUIRES(mutex_) {
        std::optional<Status> outcome = acknowledged(waiter.end, waiter.all_replicas);
        if (!outcome) {
            return false;
        }
        after.done.emplace_back(std::move(waiter.done), std::move(*outcome));
        return true;
    });
}

void Partition::when_committed(Offset end, std::function<void(Status)> done) {
    wait(end, true, std::move(done));
}

void Partition::when_durable(Offset end, std::function<void(Status)> done) {
    wait(end, false, std::move(done));
}

void Partition::wait(Offset end, bool all_replicas, std::function<void(Status)> done) {
    Aftermath after;
    MutexLock lock(mutex_);
    if (!leader_) {
        after.done.emplace_back(std::move(done), fail(ErrorCode::NotLeaderOrFollower,
                                                      "this broker does not lead the partition"));
        return;
    }
    if (auto outcome = acknowledged(end, all_replicas)) {
        after.done.emplace_back(std::move(done), std::move(*outcome));
        return;
    }
    if (log_failed()) {
        // The news came before the waiter.
        after.done.emplace_back(std::move(done), fail(kOffline));
        return;
    }
    produce_waiters_.push_back({end, all_replicas, std::move(done)});
}

void Partition::fail_waiters(const Error& error, Aftermath& after) {
    for (ParkedFetch& parked : fetch_waiters_) {
        parked.waiter->wake();
    }
    fetch_waiters_.clear();
    for (ProduceWaiter& waiter : produce_waiters_) {
        after.done.emplace_back(std::move(waiter.done), Status(fail(error)));
    }
    produce_waiters_.clear();
}

void Partition::flush_if_needed(Aftermath& after) {
    if (flushing_) {
        return;
    }
    std::optional<Result<storage::FlushTask>> begun;
    bool synced_meanwhile = false;
    {
        MutexLock log_lock(log_->mutex());
        if (log_->sync_wanted()) {
            begun = log_->begin_flush();
        } else {
            // By the log manager, which tells nobody.
            synced_meanwhile = log_->durable_end() > durable_end_;
        }
    }
    if (!begun) {
        return synced_meanwhile ? note_durable(after) : void();
    }
    if (!*begun) {
        return fail_waiters(for_clients(begun->error()), after);
    }
    flushing_ = true;
    context_.disk->submit([self = shared_from_this(), task = std::move(**begun)]() mutable {
        Status outcome = task.run();
        self->flush_ended(task, outcome);
    });
}

void Partition::flush_ended(const storage::FlushTask& task, const Status& outcome) {
    Aftermath after;
    MutexLock lock(mutex_);
    flushing_ = false;
    if (log_ == nullptr) {
        return;
    }
    Status noted;
    {
        MutexLock log_lock(log_->mutex());
        noted = log_->end_flush(task, outcome);
    }
    if (!leader_) {
        return;
    }
    if (!noted) {
        return fail_waiters(for_clients(noted.error()), after);
    }
    note_durable(after);
    flush_if_needed(after);
}

Result<PartitionRead> Partition::read(const ReadRequest& request) {
    MutexLock lock(mutex_);
    MOLDAU_TRY(storage::Log * target, led(request.current_leader_epoch, request.may_wait));
    return read_locked(*target, request);
}

void Partition::open() {
    MutexLock lock(mutex_);
    (void)led(std::nullopt);
}

void Partition::warm_up(const ReadRequest& request) {
    std::shared_ptr<storage::Log> target;
    {
        MutexLock lock(mutex_);
        if (!led(request.current_leader_epoch)) {
            return;
        }
        target = log_;
    }
    (void)target->warm_up(request.fetch_offset, request.bytes_max, request.bound);
}

bool Partition::is_open() const {
    MutexLock lock(mutex_);
    return log_ != nullptr || leader_id_ != context_.local;
}

Result<PartitionRead> Partition::read_as_follower(const ReadRequest& request,
                                                  const replication::FollowerFetch& fetch) {
    Aftermath after;
    MutexLock lock(mutex_);
    MOLDAU_TRY(storage::Log * target, led(request.current_leader_epoch, request.may_wait));
    if (fetch.replica == context_.local ||
        std::ranges::find(registration_.replicas, fetch.replica) == registration_.replicas.end()) {
        // With its epoch the follower may know of an assignment that has not come here yet. Without
        // one nobody can say whose state is old.
        return fail(request.current_leader_epoch ? ErrorCode::UnknownLeaderEpoch
                                                 : ErrorCode::NotLeaderOrFollower,
                    "fetch by a broker outside the assignment: partition={} broker={}",
                    topic_partition_, fetch.replica);
    }
    MOLDAU_TRY(PartitionRead read, read_locked(*target, request));
    if (read.diverging) {
        return read;
    }
    replication::FollowerFetch noted = fetch;
    noted.leader_end_offset = read.log.log_end_offset;
    MOLDAU_CHECK(leader_->follower_fetched(noted, context_.clock->monotonic()));
    settle(0, after);
    return read;
}

Result<PartitionRead> Partition::read_locked(storage::Log& target, const ReadRequest& request) {
    PartitionRead read;
    MutexLock log_lock(target.mutex());
    if (request.last_fetched_epoch) {
        auto end = target.end_offset_for_epoch(*request.last_fetched_epoch);
        if (!end) {
            return fail(ErrorCode::OffsetOutOfRange,
                        "no such epoch in the log: partition={} epoch={}", topic_partition_,
                        *request.last_fetched_epoch);
        }
        if (end->epoch < *request.last_fetched_epoch || end->end_offset < request.fetch_offset) {
            read.diverging = *end;
            read.log.log_start_offset = target.log_start_offset();
            read.log.high_watermark = target.high_watermark();
            read.log.last_stable_offset = target.last_stable_offset();
            read.log.log_end_offset = target.log_end_offset();
            return read;
        }
    }
    auto got = target.read(request.fetch_offset, request.bytes_max, request.bound,
                           request.min_one_batch, request.may_wait);
    if (!got) {
        return fail(for_clients(std::move(got).error()));
    }
    read.log = std::move(*got);
    return read;
}

bool Partition::add_fetch_waiter(std::shared_ptr<FetchWaiter> waiter, storage::ReadBound bound,
                                 Offset visible_end) {
    MutexLock lock(mutex_);
    if (!leader_) {
        return false;
    }
    Offset now_visible = leader_->log_end_offset();
    if (bound != storage::ReadBound::LogEnd) {
        MutexLock log_lock(log_->mutex());
        now_visible = bound == storage::ReadBound::HighWatermark ? log_->high_watermark()
                                                                 : log_->last_stable_offset();
    }
    if (now_visible != visible_end) {
        return false;
    }
    fetch_waiters_.push_back({std::move(waiter), bound});
    return true;
}

void Partition::remove_fetch_waiter(const FetchWaiter* waiter) {
    MutexLock lock(mutex_);
    std::erase_if(fetch_waiters_,
                  [&](const ParkedFetch& parked) { return parked.waiter.get() == waiter; });
}

Result<Partition::Offsets> Partition::offsets(std::optional<LeaderEpoch> current_leader_epoch) {
    MutexLock lock(mutex_);
    MOLDAU_TRY(storage::Log * target, led(current_leader_epoch));
    MutexLock log_lock(target->mutex());
    return Offsets{
        .log_start_offset = target->log_start_offset(),
        .high_watermark = target->high_watermark(),
        .last_stable_offset = target->last_stable_offset(),
        .log_end_offset = target->log_end_offset(),
        .leader_epoch = registration_.leader_epoch,
        .watermark_reached_epoch_start = leader_->watermark_reached_epoch_start(),
    };
}

Result<std::optional<storage::TimestampMatch>> Partition::find_timestamp(
    std::optional<LeaderEpoch> current_leader_epoch, TimestampMs timestamp) {
    MutexLock lock(mutex_);
    MOLDAU_TRY(storage::Log * target, led(current_leader_epoch));
    MutexLock log_lock(target->mutex());
    return target->find_timestamp(timestamp);
}

Result<std::optional<storage::EpochEnd>> Partition::epoch_end(
    std::optional<LeaderEpoch> current_leader_epoch, LeaderEpoch epoch) {
    MutexLock lock(mutex_);
    MOLDAU_TRY(storage::Log * target, led(current_leader_epoch));
    MutexLock log_lock(target->mutex());
    return target->end_offset_for_epoch(epoch);
}

Result<Offset> Partition::delete_records(Offset before) {
    Aftermath after;
    MutexLock lock(mutex_);
    MOLDAU_TRY(storage::Log * target, led(std::nullopt));
    Offset low_watermark;
    {
        MutexLock log_lock(target->mutex());
        if (target->config().cleanup_compact && !target->config().cleanup_delete) {
            return fail(ErrorCode::PolicyViolation,
                        "records of a compacted topic are not deleted: partition={}",
                        topic_partition_);
        }
        Offset wanted = before == kNoOffset ? target->high_watermark() : before;
        if (wanted < Offset(0) || wanted > target->high_watermark()) {
            return fail(ErrorCode::OffsetOutOfRange,
                        "cannot delete records beyond the high watermark: partition={} offset={} "
                        "high_watermark={}",
                        topic_partition_, wanted, target->high_watermark());
        }
        MOLDAU_TRY(bool moved, target->advance_log_start(wanted));
        low_watermark = target->log_start_offset();
        if (moved) {
            leader_->log_start_raised(low_watermark);
        }
    }
    settle(0, after);
    return low_watermark;
}

Result<std::vector<storage::ActiveProducer>> Partition::active_producers() {
    MutexLock lock(mutex_);
    MOLDAU_TRY(storage::Log * target, led(std::nullopt));
    MutexLock log_lock(target->mutex());
    return target->active_producers();
}

void Partition::on_high_watermark(std::function<void(Offset)> listener) {
    MutexLock lock(mutex_);
    listener_ = listener == nullptr
                    ? nullptr
                    : std::make_shared<const std::function<void(Offset)>>(std::move(listener));
}

bool Partition::is_leader() const {
    MutexLock lock(mutex_);
    return leader_id_ == context_.local;
}

LeaderEpoch Partition::leader_epoch() const {
    MutexLock lock(mutex_);
    return registration_.leader_epoch;
}

}  // namespace moldau::broker
