#include "quorum/quorum_driver.h"

#include <algorithm>
#include <deque>

#include "base/assert.h"
#include "consensus/raft_core.h"
#include "quorum/listener_feed.h"
#include "quorum/metadata_log.h"
#include "quorum/quorum_state_file.h"
#include "record/builder.h"
#include "runtime/clock.h"
#include "runtime/event_loop.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"

namespace moldau::quorum {

namespace {

runtime::Logger state_logger("org.apache.kafka.raft.QuorumState");
runtime::Logger logger("org.apache.kafka.raft.KafkaRaftClient");

// Records that wait for the device; beyond it the state machine must slow down.
constexpr size_t kPreparedBytesMax = size_t{80} << 20;
// What one answer carries at most, however much was asked for.
constexpr int32_t kReplyBytesMax = 8 << 20;
constexpr Duration kRetentionInterval = seconds(60);

template <typename... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};

consensus::RaftConfig raft_config(const QuorumOptions& options) {
    consensus::RaftConfig config;
    config.self = {options.node_id, options.directory_id};
    config.cluster_id = options.cluster_id;
    config.endpoints = options.endpoints;
    if (!options.endpoints.empty()) {
        config.listener = options.endpoints.front().listener;
    }
    config.election_timeout = options.election_timeout;
    config.election_backoff_max = options.election_backoff_max;
    config.fetch_timeout = options.fetch_timeout;
    config.request_timeout = options.request_timeout;
    config.retry_backoff = options.retry_backoff;
    return config;
}

MetadataLogOptions log_options(const QuorumOptions& options) {
    MetadataLogOptions log;
    log.metadata_log_dir = options.metadata_log_dir;
    log.static_voters = consensus::VoterSet(options.static_voters);
    log.segment_bytes = options.segment_bytes;
    log.segment_age = options.segment_age;
    log.batch_bytes_max = options.batch_bytes_max;
    log.retention_bytes = options.retention_bytes;
    log.retention_age = options.retention_age;
    return log;
}

}  // namespace

struct QuorumDriver::Impl {
    Impl(QuorumOptions opts, runtime::FileSystem& file_system, runtime::EventLoop& event_loop,
         runtime::Clock& wall, std::unique_ptr<MetadataLog> metadata_log,
         std::optional<consensus::ElectionState> election)
        : options(std::move(opts)),
          files(file_system),
          loop(event_loop),
          clock(wall),
          log(std::move(metadata_log)),
          core(raft_config(options), {std::move(election), log->take_index(), log->take_history()},
               options.seed),
          feed(*log),
          next_prepared(core.log().end_offset()) {
        feed.set_log(core.log().start_offset(), Offset(0), core.log().latest_snapshot());
    }

    // --- events in, effects out ---------------------------------------------------------------
    // Carrying out an effect may produce events; they queue up behind the ones before.
    void step(consensus::Event event) {
        events.push_back(std::move(event));
        if (is_stepping) {
            return;
        }
        is_stepping = true;
        while (!events.empty() && !failure) {
            consensus::Event next = std::move(events.front());
            events.pop_front();
            core.step(loop.now(), std::move(next));
            carry_out();
        }
        is_stepping = false;
        wake_in_time();
    }

    void carry_out() {
        consensus::Ready ready = core.take_ready();
        for (size_t i = 0; i < ready.size() && !failure; ++i) {
            if (std::holds_alternative<consensus::PersistElection>(ready[i]) &&
                is_overtaken(ready, i)) {
                continue;
            }
            std::visit([&](auto& effect) { carry_out(effect); }, ready[i]);
        }
        request_delivery();
    }

    // A state that the next one replaces before anybody hears of it need not reach the device: a
    // lone voter becomes leader with one write.
    static bool is_overtaken(const consensus::Ready& ready, size_t at) {
        for (size_t i = at + 1; i < ready.size(); ++i) {
            if (std::holds_alternative<consensus::PersistElection>(ready[i])) {
                return true;
            }
            bool is_silent = std::holds_alternative<consensus::StateEntered>(ready[i]) ||
                             std::holds_alternative<consensus::LeaderChanged>(ready[i]);
            if (!is_silent) {
                return false;
            }
        }
        return false;
    }

    bool succeeded(const Status& status, std::string_view action) {
        if (!status) {
            fault({status.error().code,
                   fmt::format("{} failed: {}", action, status.error().message)});
        }
        return status.has_value();
    }

    void carry_out(const consensus::PersistElection& effect) {
        succeeded(write_quorum_state(files, log->directory(), effect), "writing quorum-state");
    }
    void carry_out(const consensus::TruncateLog& effect) {
        feed.drop_from(effect.end);
        succeeded(log->truncate_to(effect.end, clock.wall_ms()), "truncating the metadata log");
    }
    void carry_out(const consensus::AppendToLog& effect) {
        succeeded(log->append(effect.entries, core.epoch(), clock.wall_ms()),
                  "appending to the metadata log");
        next_prepared = core.log().end_offset();
    }
    void carry_out(const consensus::SyncLog& effect) {
        if (succeeded(log->sync(), "syncing the metadata log")) {
            events.push_back(consensus::LogSynced{effect.end});
        }
    }
    void carry_out(const consensus::StoreSnapshotChunk& effect) {
        if (!succeeded(log->store_snapshot_chunk(effect), "writing a fetched snapshot") ||
            !effect.is_complete) {
            return;
        }
        Result<consensus::SnapshotInstalled> installed =
            log->install_snapshot(effect.id, clock.wall_ms());
        if (!installed) {
            return fault(installed.error());
        }
        events.push_back(std::move(*installed));
    }
    void carry_out(const consensus::SendRequest& effect) {
        // Nodes of this release form quorums of one voter: nobody can be reached.
        if (!std::exchange(has_warned_of_peers, true)) {
            MOLDAU_LOG_WARN(logger,
                            "quorum has voters on other nodes, which this release cannot reach: "
                            "node={} host={} port={}",
                            effect.peer.id, effect.peer.host, effect.peer.port);
        }
        events.push_back(consensus::RequestFailed{effect.correlation, false});
    }
    void carry_out(consensus::SendResponse& effect) {
        auto waiting = replies.find(effect.id);
        if (waiting == replies.end()) {
            return;
        }
        RaftReply reply = std::move(waiting->second);
        replies.erase(waiting);
        if (auto* fetch = std::get_if<consensus::FetchResponse>(&effect.response)) {
            fill(*fetch);
        } else if (auto* chunk = std::get_if<consensus::FetchSnapshotResponse>(&effect.response)) {
            fill(*chunk);
        }
        reply(std::move(effect.response));
    }
    void carry_out(const consensus::HighWatermarkAdvanced& effect) {
        committed = effect.offset;
        log->set_high_watermark(effect.offset);
    }
    void carry_out(const consensus::LeaderChanged& effect) {
        if (!core.is_leader()) {
            prepared.clear();
            prepared_bytes = 0;
            next_prepared = core.log().end_offset();
        }
        feed.set_leader(effect.leader, effect.epoch_start);
    }
    void carry_out(const consensus::StateEntered& effect) {
        MOLDAU_LOG_INFO(state_logger, "[RaftManager id={}] Completed transition to {}",
                        options.node_id, effect.description);
    }

    void fill(consensus::FetchResponse& response) {
        if (!response.read_from) {
            return;
        }
        Result<Bytes> records =
            log->read_raw(*response.read_from, std::min(response.max_bytes, kReplyBytesMax));
        if (!records) {
            response.header.error = records.error().code;
            return;
        }
        consensus::LogEntry entry;
        entry.base = *response.read_from;
        entry.batch = std::move(*records);
        response.entries.push_back(std::move(entry));
    }
    void fill(consensus::FetchSnapshotResponse& response) {
        if (response.header.error != ErrorCode::None ||
            response.header.top_error != ErrorCode::None) {
            return;
        }
        Result<MetadataLog::Chunk> chunk = log->read_snapshot_chunk(
            response.snapshot, response.position, std::min(response.max_bytes, kReplyBytesMax));
        if (!chunk) {
            response.header.error = chunk.error().code;
            return;
        }
        response.size = chunk->size;
        response.chunk = std::move(chunk->bytes);
    }

    void wake_in_time() {
        MonotonicTime at = core.next_timeout();
        timer.cancel();
        if (at != MonotonicTime::max() && !failure && !is_shut_down) {
            timer = loop.schedule_at(at, [this] { step(consensus::TimePassed{}); });
        }
    }

    // --- appends ------------------------------------------------------------------------------
    struct Prepared {
        consensus::LogEntry entry;
        CommittedBatch batch;
    };

    Result<Offset> prepare(LeaderEpoch epoch, std::vector<metadata::VersionedRecord> records) {
        if (failure) {
            return fail(*failure);
        }
        if (!core.is_leader() || core.epoch() != epoch || is_shut_down) {
            return fail(ErrorCode::NotLeaderOrFollower,
                        "not the leader of that epoch: epoch={} current_epoch={}", epoch,
                        core.epoch());
        }
        if (records.empty() || records.size() > kRecordsPerAppendMax) {
            return fail(ErrorCode::RecordListTooLarge,
                        "append holds too many records, or none: records={} records_max={}",
                        records.size(), kRecordsPerAppendMax);
        }
        record::BatchBuilder builder;
        builder.options().base_offset = next_prepared;
        builder.options().leader_epoch = epoch.value();
        TimestampMs now = clock.wall_ms();
        for (const metadata::VersionedRecord& record : records) {
            Bytes value = protocol::encode_metadata_record(record.record, record.version);
            builder.append(now, std::nullopt, value.view());
        }
        Bytes bytes = builder.build();
        if (bytes.size() > static_cast<size_t>(options.batch_bytes_max)) {
            return fail(ErrorCode::RecordListTooLarge,
                        "append is larger than a batch may be: bytes={} bytes_max={}", bytes.size(),
                        options.batch_bytes_max);
        }
        if (prepared_bytes + bytes.size() > kPreparedBytesMax) {
            return fail(ErrorCode::ThrottlingQuotaExceeded,
                        "too many records wait for the device: bytes={} bytes_max={}",
                        prepared_bytes, kPreparedBytesMax);
        }
        Prepared next;
        next.entry.base = next_prepared;
        next.entry.end = next_prepared + static_cast<int64_t>(records.size());
        next.entry.epoch = epoch;
        next.batch.base_offset = next.entry.base;
        next.batch.last_offset = next.entry.end - 1;
        next.batch.epoch = epoch;
        next.batch.append_timestamp = now;
        next.batch.size_in_bytes = bytes.size();
        next.batch.records = std::move(records);
        next.entry.batch = std::move(bytes);
        prepared_bytes += next.entry.batch.size();
        next_prepared = next.entry.end;
        prepared.push_back(std::move(next));
        return next_prepared - 1;
    }

    // Whatever one turn of the loop prepares is written and synced together. A fixed linger would
    // only add its length to every change: while a sync runs, the next changes gather by
    // themselves.
    void schedule() {
        if (std::exchange(is_drain_posted, true)) {
            return;
        }
        loop.post([this, alive = std::weak_ptr(lifetime)] {
            if (alive.lock()) {
                drain();
            }
        });
    }

    void drain() {
        is_drain_posted = false;
        bool is_leading = core.is_leader() && !failure && !is_shut_down;
        if (prepared.empty() || !is_leading) {
            return;
        }
        consensus::EntriesProposed proposed;
        proposed.epoch = prepared.front().entry.epoch;
        for (Prepared& next : prepared) {
            proposed.entries.push_back(std::move(next.entry));
            feed.hold(std::move(next.batch));
        }
        prepared.clear();
        prepared_bytes = 0;
        step(std::move(proposed));
    }

    // --- requests of other nodes --------------------------------------------------------------
    void handle(consensus::Request request, RaftReply reply) {
        if (is_stepping) {
            loop.post([this, alive = std::weak_ptr(lifetime), request = std::move(request),
                       reply = std::move(reply)]() mutable {
                if (alive.lock()) {
                    handle(std::move(request), std::move(reply));
                }
            });
            return;
        }
        consensus::RequestId id = ++last_request;
        replies.emplace(id, std::move(reply));
        // Offsets are promised to what is prepared: it goes first.
        drain();
        step(consensus::RequestReceived{id, std::move(request)});
    }

    // --- commits ------------------------------------------------------------------------------
    void request_delivery() {
        if (std::exchange(is_delivery_posted, true)) {
            return;
        }
        loop.post([this, alive = std::weak_ptr(lifetime)] {
            if (alive.lock()) {
                deliver();
            }
        });
    }

    void deliver() {
        is_delivery_posted = false;
        if (failure || is_shut_down) {
            return;
        }
        feed.set_log(core.log().start_offset(), committed.value_or(Offset(0)),
                     core.log().latest_snapshot());
        Status delivered = feed.deliver();
        if (!delivered) {
            fault(delivered.error());
        }
    }

    // --- snapshots ----------------------------------------------------------------------------
    Result<std::unique_ptr<SnapshotWriter>> create_snapshot(const consensus::SnapshotId& id,
                                                            TimestampMs last_timestamp) {
        if (core.log().snapshots().contains(id)) {
            return nullptr;
        }
        MOLDAU_CHECK(core.log().validate_snapshot(id, committed));
        MOLDAU_TRY(bool is_aligned, log->is_batch_boundary(id.offset));
        if (!is_aligned) {
            return fail(ErrorCode::InvalidRequest, "snapshot would cut a batch: snapshot={}", id);
        }
        SnapshotFileOptions snapshot;
        snapshot.id = id;
        snapshot.last_contained_log_timestamp = last_timestamp;
        snapshot.kraft_version = core.history().kraft_version_at(id.offset - 1);
        snapshot.voters = core.history().voters_at(id.offset - 1);
        snapshot.now = clock.wall_ms();
        snapshot.on_frozen = [this, id, alive = std::weak_ptr(lifetime)] {
            if (alive.lock()) {
                step(consensus::SnapshotTaken{id});
                apply_retention();
            }
        };
        MOLDAU_TRY(auto writer, log->create_snapshot(std::move(snapshot)));
        return std::unique_ptr<SnapshotWriter>(std::move(writer));
    }

    void apply_retention() {
        if (failure || is_shut_down) {
            return;
        }
        Result<std::optional<Offset>> start = log->apply_retention(
            core.log().snapshots(), core.log().start_offset(), clock.wall_ms());
        if (!start) {
            return fault(start.error());
        }
        if (*start) {
            step(consensus::LogStartMoved{**start});
        }
    }

    void schedule_retention() {
        retention_timer = loop.schedule_after(kRetentionInterval, [this] {
            apply_retention();
            schedule_retention();
        });
    }

    // --- the end ------------------------------------------------------------------------------
    // What the device refused once is not tried again: the node stops, and the next start reads
    // what is really there.
    void fault(const Error& error) {
        if (failure) {
            return;
        }
        failure = error;
        MOLDAU_LOG_ERROR(logger, "metadata log cannot be used any more: {} dir={}", error.message,
                         log->directory());
        timer.cancel();
        retention_timer.cancel();
        loop.post([this, alive = std::weak_ptr(lifetime)] {
            if (alive.lock()) {
                feed.fault(*failure);
            }
        });
    }

    Status shutdown() {
        if (is_shut_down) {
            return {};
        }
        if (!failure) {
            drain();
            step(consensus::ShutdownRequested{});
        }
        is_shut_down = true;
        timer.cancel();
        retention_timer.cancel();
        replies.clear();
        return failure ? Status(fail(*failure)) : log->close();
    }

    TimestampMs to_wall(std::optional<MonotonicTime> at) const {
        return at ? clock.wall_ms() - to_ms(loop.now() - *at) : kNoTimestamp;
    }

    ReplicaInfo info_of(const consensus::ReplicaProgress& progress) const {
        ReplicaInfo info;
        info.key = progress.key;
        info.log_end_offset = progress.end_offset.value_or(kNoOffset);
        if (progress.key.id == options.node_id) {
            info.key.directory = options.directory_id;
            info.last_fetch_timestamp = clock.wall_ms();
            info.last_caught_up_timestamp = clock.wall_ms();
        } else {
            info.last_fetch_timestamp = to_wall(progress.last_fetch);
            info.last_caught_up_timestamp = to_wall(progress.last_caught_up);
        }
        return info;
    }

    QuorumOptions options;
    runtime::FileSystem& files;
    runtime::EventLoop& loop;
    runtime::Clock& clock;
    std::unique_ptr<MetadataLog> log;
    consensus::RaftCore core;
    ListenerFeed feed;

    std::deque<consensus::Event> events;
    bool is_stepping = false;
    std::optional<Offset> committed;

    std::vector<Prepared> prepared;
    size_t prepared_bytes = 0;
    Offset next_prepared;  // offset that the next prepared record gets
    bool is_drain_posted = false;
    bool is_delivery_posted = false;

    std::map<consensus::RequestId, RaftReply> replies;
    consensus::RequestId last_request = 0;
    bool has_warned_of_peers = false;

    bool is_shut_down = false;
    std::optional<Error> failure;
    // Posted tasks hold it weakly: they may run after the driver is gone.
    std::shared_ptr<char> lifetime = std::make_shared<char>();
    runtime::Timer timer;
    runtime::Timer retention_timer;
};

QuorumDriver::QuorumDriver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
QuorumDriver::~QuorumDriver() = default;

Result<std::unique_ptr<QuorumDriver>> QuorumDriver::open(QuorumOptions options,
                                                         runtime::FileSystem& files,
                                                         runtime::EventLoop& loop,
                                                         runtime::Clock& clock) {
    MOLDAU_TRY(auto log, MetadataLog::open(log_options(options), files, clock.wall_ms()));
    MOLDAU_TRY(auto election, read_quorum_state(files, log->directory()));
    return std::unique_ptr<QuorumDriver>(new QuorumDriver(std::make_unique<Impl>(
        std::move(options), files, loop, clock, std::move(log), std::move(election))));
}

void QuorumDriver::register_listener(RaftListener* listener) {
    impl_->feed.add(listener);
    impl_->request_delivery();
}

void QuorumDriver::unregister_listener(RaftListener* listener) {
    impl_->feed.remove(listener);
}

void QuorumDriver::start() {
    Impl& impl = *impl_;
    impl.is_stepping = true;
    impl.core.start(impl.loop.now());
    impl.carry_out();
    impl.is_stepping = false;
    impl.step(consensus::TimePassed{});
    impl.schedule_retention();
}

Status QuorumDriver::shutdown() {
    return impl_->shutdown();
}

Result<Offset> QuorumDriver::prepare_append(LeaderEpoch epoch,
                                            std::vector<metadata::VersionedRecord> records) {
    return impl_->prepare(epoch, std::move(records));
}

void QuorumDriver::schedule_append() {
    impl_->schedule();
}

void QuorumDriver::resign(LeaderEpoch epoch) {
    impl_->step(consensus::ResignRequested{epoch});
}

Result<std::unique_ptr<SnapshotWriter>> QuorumDriver::create_snapshot(
    const consensus::SnapshotId& id, TimestampMs last_contained_log_timestamp) {
    if (impl_->failure) {
        return fail(*impl_->failure);
    }
    return impl_->create_snapshot(id, last_contained_log_timestamp);
}

std::optional<consensus::SnapshotId> QuorumDriver::latest_snapshot_id() const {
    return impl_->core.log().latest_snapshot();
}

consensus::LeaderAndEpoch QuorumDriver::leader_and_epoch() const {
    return impl_->core.leader_and_epoch();
}

std::optional<Offset> QuorumDriver::high_watermark() const {
    return impl_->core.high_watermark();
}
Offset QuorumDriver::log_start_offset() const {
    return impl_->core.log().start_offset();
}
Offset QuorumDriver::log_end_offset() const {
    return impl_->core.log().end_offset();
}
int16_t QuorumDriver::kraft_version() const {
    return impl_->core.kraft_version();
}
const consensus::VoterSet& QuorumDriver::voters() const {
    return impl_->core.voters();
}
const QuorumOptions& QuorumDriver::options() const {
    return impl_->options;
}

void QuorumDriver::handle(consensus::Request request, RaftReply reply) {
    impl_->handle(std::move(request), std::move(reply));
}

consensus::ResponseHeader QuorumDriver::response_header() const {
    return impl_->core.response_header(ErrorCode::None);
}

Result<QuorumInfo> QuorumDriver::describe() const {
    const Impl& impl = *impl_;
    auto* leader = std::get_if<consensus::LeaderState>(&impl.core.state());
    if (leader == nullptr) {
        return fail(ErrorCode::NotLeaderOrFollower, "not the leader: epoch={}", impl.core.epoch());
    }
    QuorumInfo info;
    info.leader = impl.options.node_id;
    info.epoch = impl.core.epoch();
    info.high_watermark = leader->high_watermark().value_or(kNoOffset);
    for (const consensus::ReplicaProgress& progress : leader->voters()) {
        info.voters.push_back(impl.info_of(progress));
    }
    for (const consensus::ReplicaProgress& progress : leader->observers()) {
        info.observers.push_back(impl.info_of(progress));
    }
    for (const auto& [id, voter] : impl.core.voters().voters()) {
        info.nodes.push_back(voter);
    }
    return info;
}

}  // namespace moldau::quorum
