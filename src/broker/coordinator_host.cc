#include "broker/coordinator_host.h"

#include <utility>

#include "base/hash.h"
#include "broker/request_queue.h"
#include "config/server_config.h"
#include "metadata/topic_name.h"
#include "record/batch.h"
#include "record/builder.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger logger("kafka.coordinator.group.GroupCoordinator");

runtime::LogLevel level_of(coordinator::NoteLevel level) {
    switch (level) {
        case coordinator::NoteLevel::Debug:
            return runtime::LogLevel::Debug;
        case coordinator::NoteLevel::Info:
            return runtime::LogLevel::Info;
        case coordinator::NoteLevel::Warn:
            return runtime::LogLevel::Warn;
        case coordinator::NoteLevel::Error:
            return runtime::LogLevel::Error;
    }
    return runtime::LogLevel::Info;
}

std::optional<std::string_view> view_of(const std::optional<Bytes>& bytes) {
    return bytes ? std::optional(bytes->view()) : std::nullopt;
}

Bytes build_batch(const auto& batch, const record::Compression& compression) {
    record::BatchOptions options;
    options.compression = compression;
    // Without a producer it means nothing, and is what Kafka's coordinators write.
    options.base_sequence = 0;
    record::BatchBuilder builder(options);
    for (const coordinator::EncodedRecord& record : batch.records) {
        builder.append(batch.created, record.key.view(), view_of(record.value));
    }
    return builder.build();
}

Bytes bytes_of(std::string_view view) {
    return Bytes::copy_of(view);
}

// Replays one batch of the log. Errors: CorruptMessage.
template <typename Runtime>
Status replay_batch(Runtime& runtime, const record::BatchView& batch, int64_t& records) {
    MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
    int64_t producer_id = batch.header().is_transactional() ? batch.header().producer_id : -1;
    record::RecordReader reader(batch.header(), payload);
    while (reader.next()) {
        const record::RecordView& record = reader.record();
        ++records;
        if (batch.header().is_control()) {
            auto type = record::control_type_of_key(record.key);
            bool commits = type == static_cast<int16_t>(record::ControlType::Commit);
            if (commits || type == static_cast<int16_t>(record::ControlType::Abort)) {
                runtime.replay_end_transaction(batch.header().producer_id, commits);
            }
            continue;
        }
        if (!record.key) {
            return fail(ErrorCode::CorruptMessage, "record without key: offset={}", record.offset);
        }
        std::optional<Bytes> value;
        if (record.value) {
            value = bytes_of(*record.value);
        }
        MOLDAU_TRY(auto decoded, coordinator::decode_group_record(bytes_of(*record.key), value));
        if (decoded) {
            runtime.replay(record.offset.value(), producer_id, *decoded);
        }
    }
    return reader.status();
}

template <typename Response>
Response refusal(ErrorCode error) {
    Response response;
    response.error_code = to_wire(error);
    return response;
}

}  // namespace

CoordinatorHost::Settings CoordinatorHost::Settings::from(const config::ServerConfig& config) {
    Settings settings;
    settings.groups.initial_rebalance_delay =
        milliseconds(config.group_initial_rebalance_delay_ms());
    settings.groups.session_timeout_ms_min = config.group_min_session_timeout_ms();
    settings.groups.session_timeout_ms_max = config.group_max_session_timeout_ms();
    settings.groups.group_size_max = config.group_max_size();
    settings.groups.offset_metadata_length_max = config.offset_metadata_max_bytes();
    settings.groups.offsets_retention = milliseconds(config.offsets_retention_ms());
    settings.groups.offsets_retention_check_interval =
        milliseconds(config.offsets_retention_check_interval_ms());
    settings.partition_count = config.offsets_topic_partitions();
    settings.append_linger_ms = config.get_int("group.coordinator.append.linger.ms");
    settings.write_timeout = milliseconds(config.offsets_commit_timeout_ms());
    settings.load_bytes = config.get_int("offsets.load.buffer.size");
    settings.compression.codec =
        static_cast<record::Codec>(config.get_int("offsets.topic.compression.codec"));
    return settings;
}

CoordinatorHost::CoordinatorHost(BrokerId node, Settings settings, runtime::EventLoop& loop,
                                 Offload offload, runtime::Clock& clock, runtime::Entropy& entropy,
                                 std::shared_ptr<CoordinatorLog> log,
                                 std::shared_ptr<RequestQueue> queue)
    : node_(node),
      settings_(std::move(settings)),
      loop_(loop),
      offload_(std::move(offload)),
      clock_(clock),
      entropy_(entropy),
      log_(std::move(log)),
      queue_(std::move(queue)),
      partition_count_(settings_.partition_count) {}

CoordinatorHost::~CoordinatorHost() = default;

int32_t CoordinatorHost::partition_for(std::string_view group) const {
    return coordinator_partition(group, partition_count_.load(std::memory_order_relaxed));
}

coordinator::Instant CoordinatorHost::now() const {
    return {loop_.now(), clock_.wall_ms()};
}

// --- leadership
// --------------------------------------------------------------------------------------

void CoordinatorHost::publish(const metadata::Delta& delta, const metadata::ImagePtr& image) {
    std::vector<Leadership> changes;
    std::vector<coordinator::DeletedTopic> deleted;
    for (const auto& [id, name] : delta.deleted_topics()) {
        deleted.push_back({name, id});
        if (name == metadata::kGroupMetadataTopic) {
            for (const auto& [index, partition] : delta.previous().topics.find(id)->partitions) {
                changes.push_back({index, std::nullopt});
            }
        }
    }
    for (const auto& [id, change] : delta.changed_topics()) {
        if (change.name != metadata::kGroupMetadataTopic) {
            continue;
        }
        const metadata::Topic& topic = *image->topics.find(id);
        partition_count_ = static_cast<int32_t>(topic.partitions.size());
        for (int32_t index : change.partitions) {
            const metadata::Partition& partition = *topic.partitions.find(index);
            bool is_ours = partition.leader == node_.value();
            changes.push_back({index, is_ours ? std::optional(LeaderEpoch(partition.leader_epoch))
                                              : std::nullopt});
        }
    }
    if (changes.empty() && deleted.empty()) {
        return;
    }
    loop_.post([this, changes = std::move(changes), deleted = std::move(deleted)] {
        for (const Leadership& change : changes) {
            change.epoch ? lead(change.partition, *change.epoch) : resign(change.partition);
        }
        if (!deleted.empty()) {
            delete_offsets_of(deleted);
        }
    });
}

void CoordinatorHost::lead(int32_t partition, LeaderEpoch epoch) {
    auto at = shards_.find(partition);
    if (stopped_ || (at != shards_.end() && at->second.epoch >= epoch)) {
        return;
    }
    resign(partition);
    Shard& shard = shards_[partition];
    shard.epoch = epoch;
    begin_load(partition, shard);
}

void CoordinatorHost::begin_load(int32_t partition, Shard& shard) {
    shard.incarnation = ++incarnations_;
    shard.failed = false;
    uint64_t incarnation = shard.incarnation;
    log_->watch(partition, [this, partition, incarnation](Offset high_watermark) {
        // Our own append tells the same by its result.
        if (loop_.in_loop() && appending_) {
            return;
        }
        loop_.post([this, partition, incarnation, high_watermark] {
            Shard* current = find(partition, incarnation);
            if (current != nullptr && current->runtime != nullptr) {
                current->runtime->high_watermark_advanced(high_watermark.value(), now());
                after_step(partition, *current);
            }
        });
    });

    Result<CoordinatorLog::Bounds> bounds = log_->bounds(partition);
    if (!bounds || bounds->start == bounds->end) {
        // Nothing to read: a group may come at once.
        return finish_load(partition, incarnation,
                           bounds ? load(*log_, partition, *bounds, settings_)
                                  : std::unexpected(std::move(bounds).error()));
    }
    MOLDAU_LOG_INFO(logger,
                    "Scheduling loading of offsets and group metadata from {}-{} for epoch {}.",
                    metadata::kGroupMetadataTopic, partition, shard.epoch);
    offload_([this, log = log_, partition, incarnation, bounds = *bounds, settings = settings_] {
        auto loaded = load(*log, partition, bounds, settings);
        loop_.post([this, partition, incarnation, loaded = std::move(loaded)]() mutable {
            finish_load(partition, incarnation, std::move(loaded));
        });
    });
}

Result<CoordinatorHost::Loaded> CoordinatorHost::load(CoordinatorLog& log, int32_t partition,
                                                      CoordinatorLog::Bounds bounds,
                                                      const Settings& settings) {
    Loaded loaded;
    loaded.bounds = bounds;
    loaded.runtime = std::make_unique<Runtime>(
        std::make_unique<coordinator::GroupShard>(settings.groups),
        static_cast<size_t>(log.batch_bytes_max()), settings.write_timeout);
    // To the end of the log and not only to the high watermark: a new leader's log is what will be
    // committed.
    Offset at = bounds.start;
    while (at < bounds.end) {
        MOLDAU_TRY(Bytes records, log.read(partition, at, settings.load_bytes));
        record::BatchIterator batches(std::move(records));
        Offset before = at;
        while (true) {
            MOLDAU_TRY(std::optional<record::BatchView> batch, batches.next());
            if (!batch) {
                break;
            }
            MOLDAU_CHECK(batch->check_crc());
            MOLDAU_CHECK(replay_batch(*loaded.runtime, *batch, loaded.records));
            at = batch->header().next_offset();
        }
        if (at == before) {
            return fail(ErrorCode::KafkaStorageError, "log ends early: offset={} log_end={}", at,
                        bounds.end);
        }
    }
    loaded.bounds.end = at;
    return loaded;
}

void CoordinatorHost::finish_load(int32_t partition, uint64_t incarnation, Result<Loaded> loaded) {
    Shard* shard = find(partition, incarnation);
    if (shard == nullptr) {
        return;
    }
    if (!loaded) {
        shard->failed = true;
        std::string what = fmt::format("{}-{} with epoch {} due to {}: {}",
                                       metadata::kGroupMetadataTopic, partition, shard->epoch,
                                       error_name(loaded.error().code), loaded.error().message);
        if (loaded.error().code == ErrorCode::NotLeaderOrFollower) {
            // A node that starts hears of its old leaderships first, and of their end right after.
            MOLDAU_LOG_DEBUG(logger, "Stopped loading metadata from {}.", what);
        } else {
            MOLDAU_LOG_ERROR(logger, "Failed to load metadata from {}.", what);
        }
        return;
    }
    // The watermark may have moved while the log was read.
    Offset high_watermark = loaded->bounds.high_watermark;
    if (auto bounds = log_->bounds(partition)) {
        high_watermark = bounds->high_watermark;
    }
    if (loaded->records > 0) {
        MOLDAU_LOG_INFO(
            logger, "Finished loading of metadata from {}-{} with epoch {}: {} records, {} groups.",
            metadata::kGroupMetadataTopic, partition, shard->epoch, loaded->records,
            loaded->runtime->shard().group_count());
    }
    shard->runtime = std::move(loaded->runtime);
    shard->runtime->loaded(loaded->bounds.end.value(), high_watermark.value(), now());
    after_step(partition, *shard);
}

void CoordinatorHost::resign(int32_t partition) {
    auto at = shards_.find(partition);
    if (at == shards_.end()) {
        return;
    }
    log_->watch(partition, nullptr);
    // Out of the map first: an answer may bring the next request along.
    auto node = shards_.extract(at);
    if (Runtime* runtime = node.mapped().runtime.get()) {
        runtime->close(ErrorCode::NotCoordinator);
        carry_out(*runtime);
    }
}

void CoordinatorHost::delete_offsets_of(const std::vector<coordinator::DeletedTopic>& topics) {
    // A step may end a shard, so the walk is over numbers.
    for (int32_t partition : partitions()) {
        if (availability(partition) != ErrorCode::None) {
            continue;
        }
        Shard& shard = shards_.find(partition)->second;
        shard.runtime->run(now(),
                           [&](coordinator::GroupShard& group, coordinator::GroupOutcome& out) {
                               group.on_topics_deleted(topics, out);
                           });
        after_step(partition, shard);
    }
}

void CoordinatorHost::stop() {
    auto end = [this] {
        stopped_ = true;
        while (!shards_.empty()) {
            resign(shards_.begin()->first);
        }
    };
    loop_.dispatch(end);
}

// --- running a shard
// ---------------------------------------------------------------------------------

ErrorCode CoordinatorHost::availability(int32_t partition) const {
    if (stopped_) {
        return ErrorCode::CoordinatorNotAvailable;
    }
    auto at = shards_.find(partition);
    if (at == shards_.end() || at->second.failed) {
        return ErrorCode::NotCoordinator;
    }
    return at->second.runtime == nullptr ? ErrorCode::CoordinatorLoadInProgress : ErrorCode::None;
}

std::vector<int32_t> CoordinatorHost::partitions() const {
    std::vector<int32_t> all;
    for (const auto& [partition, shard] : shards_) {
        all.push_back(partition);
    }
    return all;
}

CoordinatorHost::Shard* CoordinatorHost::find(int32_t partition, uint64_t incarnation) {
    auto at = shards_.find(partition);
    return at == shards_.end() || at->second.incarnation != incarnation ? nullptr : &at->second;
}

void CoordinatorHost::after_step(int32_t partition, Shard& shard) {
    carry_out(*shard.runtime);
    if (shard.runtime->has_open_batch() && !shard.flush_due) {
        auto flush_now = [this, partition, incarnation = shard.incarnation] {
            if (Shard* current = find(partition, incarnation)) {
                flush(partition, *current);
            }
        };
        shard.flush_due = true;
        if (settings_.append_linger_ms < 0) {
            loop_.post(std::move(flush_now));
        } else if (settings_.append_linger_ms == 0) {
            return flush(partition, shard);
        } else {
            shard.linger = loop_.schedule_after(milliseconds(settings_.append_linger_ms),
                                                std::move(flush_now));
        }
    }
    arm_timer(partition, shard);
}

void CoordinatorHost::flush(int32_t partition, Shard& shard) {
    shard.flush_due = false;
    Runtime& runtime = *shard.runtime;
    runtime.seal();
    while (const Runtime::Batch* batch = runtime.next_batch()) {
        appending_ = true;
        auto appended =
            log_->append(partition, shard.epoch, build_batch(*batch, settings_.compression));
        appending_ = false;
        if (!appended) {
            MOLDAU_LOG_WARN(logger, "Failed to write records to {}-{}: {}: {}",
                            metadata::kGroupMetadataTopic, partition,
                            error_name(appended.error().code), appended.error().message);
            runtime.batch_failed(appended.error().code, now());
            continue;
        }
        if (!runtime.batch_appended(appended->end.value())) {
            // Somebody else writes to our partition; only the log knows the state now.
            MOLDAU_LOG_ERROR(logger,
                             "The state machine of the coordinator {}-{} is out of sync with the "
                             "underlying log: log_end={}. The coordinator will be reloaded.",
                             metadata::kGroupMetadataTopic, partition, appended->end);
            LeaderEpoch epoch = shard.epoch;
            resign(partition);
            return lead(partition, epoch);
        }
        if (appended->committed) {
            runtime.high_watermark_advanced(appended->end.value(), now());
        }
    }
    after_step(partition, shard);
}

void CoordinatorHost::arm_timer(int32_t partition, Shard& shard) {
    std::optional<MonotonicTime> next = shard.runtime->next_timer();
    // A timer that fires too early costs a look; it is only moved when it would be too late.
    if (!next || (shard.timer.armed() && shard.timer_at <= *next)) {
        return;
    }
    shard.timer_at = *next;
    shard.timer = loop_.schedule_at(*next, [this, partition, incarnation = shard.incarnation] {
        Shard* current = find(partition, incarnation);
        if (current != nullptr && current->runtime != nullptr) {
            current->timer = {};
            current->runtime->fire_timers(now());
            after_step(partition, *current);
        }
    });
}

void CoordinatorHost::carry_out(Runtime& runtime) {
    for (const coordinator::Note& note : runtime.take_notes()) {
        if (logger.enabled(level_of(note.level))) {
            logger.write(level_of(note.level), std::string_view(note.text));
        }
    }
    for (auto& reply : runtime.take_replies()) {
        auto waiting = waiting_.extract(reply.to);
        if (!waiting.empty()) {
            waiting.mapped()(std::move(reply.response));
        }
    }
}

template <typename Response, typename Operation, typename Failed>
void CoordinatorHost::ask(int32_t partition, Operation&& operation, Failed&& failed,
                          Reply<Response> reply) {
    ErrorCode error = availability(partition);
    if (error != ErrorCode::None) {
        return reply(failed(error));
    }
    coordinator::ReplyToken token = ++last_token_;
    waiting_.emplace(token,
                     [reply = std::move(reply)](coordinator::GroupResponse response) mutable {
                         reply(std::get<Response>(std::move(response)));
                     });
    Shard& shard = shards_.find(partition)->second;
    shard.runtime->run(now(), [&](coordinator::GroupShard& group, coordinator::GroupOutcome& out) {
        operation(group, token, out);
    });
    after_step(partition, shard);
}

void CoordinatorHost::post_request(runtime::Task task) {
    loop_.post(queue_ == nullptr ? std::move(task) : queue_->queued(std::move(task)));
}

template <typename Response, typename Request, typename Failed, typename Operation>
void CoordinatorHost::submit(Request request, Reply<Response> reply, Failed failed,
                             Operation operation) {
    post_request([this, request = std::move(request), reply = std::move(reply), failed,
                  operation]() mutable {
        ask<Response>(
            partition_for(request.group_id),
            [&](coordinator::GroupShard& shard, coordinator::ReplyToken token,
                coordinator::GroupOutcome& out) { operation(shard, request, token, out); },
            [&](ErrorCode error) { return failed(request, error); }, std::move(reply));
    });
}

// --- requests
// ----------------------------------------------------------------------------------------

void CoordinatorHost::join(coordinator::RequestContext context, protocol::JoinGroupRequest request,
                           Reply<protocol::JoinGroupResponse> reply) {
    context.fresh_id = entropy_.uuid();
    submit<protocol::JoinGroupResponse>(
        std::move(request), std::move(reply),
        [](const auto& failed, ErrorCode error) {
            return coordinator::join_failure(failed.member_id, error);
        },
        [this, context = std::move(context)](auto& shard, const auto& join, auto token, auto& out) {
            shard.join(context, join, token, now(), out);
        });
}

void CoordinatorHost::sync(protocol::SyncGroupRequest request,
                           Reply<protocol::SyncGroupResponse> reply) {
    submit<protocol::SyncGroupResponse>(
        std::move(request), std::move(reply),
        [](const auto&, ErrorCode error) { return coordinator::sync_failure(error); },
        [this](auto& shard, const auto& sync, auto token, auto& out) {
            shard.sync(sync, token, now(), out);
        });
}

void CoordinatorHost::heartbeat(protocol::HeartbeatRequestView request,
                                Reply<protocol::HeartbeatResponse> reply) {
    submit<protocol::HeartbeatResponse>(
        request, std::move(reply),
        [](const auto&, ErrorCode error) {
            // A member of a group that is being loaded does right to carry on.
            return refusal<protocol::HeartbeatResponse>(
                error == ErrorCode::CoordinatorLoadInProgress ? ErrorCode::None : error);
        },
        [](auto& shard, const auto& heartbeat, auto token, auto& out) {
            shard.heartbeat(heartbeat, token, out);
        });
}

void CoordinatorHost::leave(protocol::LeaveGroupRequest request,
                            Reply<protocol::LeaveGroupResponse> reply) {
    submit<protocol::LeaveGroupResponse>(
        std::move(request), std::move(reply),
        [](const auto&, ErrorCode error) { return refusal<protocol::LeaveGroupResponse>(error); },
        [this](auto& shard, const auto& leave, auto token, auto& out) {
            shard.leave(leave, token, now(), out);
        });
}

void CoordinatorHost::commit_offsets(int16_t version, protocol::OffsetCommitRequest request,
                                     Reply<protocol::OffsetCommitResponse> reply) {
    submit<protocol::OffsetCommitResponse>(
        std::move(request), std::move(reply),
        [](const auto& failed, ErrorCode error) {
            return coordinator::commit_failure(failed, error);
        },
        [this, version](auto& shard, const auto& commit, auto token, auto& out) {
            shard.commit_offsets(version, commit, token, now(), out);
        });
}

void CoordinatorHost::fetch_offsets(coordinator::OffsetFetchGroup request, bool require_stable,
                                    Reply<coordinator::FetchedOffsets> reply) {
    submit<coordinator::FetchedOffsets>(
        std::move(request), std::move(reply),
        [](const auto& failed, ErrorCode error) {
            auto response = refusal<coordinator::FetchedOffsets>(error);
            response.group_id = failed.group_id;
            return response;
        },
        [require_stable](auto& shard, const auto& fetch, auto token, auto& out) {
            shard.fetch_offsets(fetch, require_stable, token, out);
        });
}

void CoordinatorHost::delete_offsets(protocol::OffsetDeleteRequest request,
                                     Reply<protocol::OffsetDeleteResponse> reply) {
    submit<protocol::OffsetDeleteResponse>(
        std::move(request), std::move(reply),
        [](const auto&, ErrorCode error) { return refusal<protocol::OffsetDeleteResponse>(error); },
        [](auto& shard, const auto& remove, auto token, auto& out) {
            shard.delete_offsets(remove, token, out);
        });
}

// --- requests that concern several shards
// --------------------------------------------------------------

namespace {

// Gathers the parts of an answer; the last part sends it.
template <typename Response>
struct Gathering {
    Response response;
    CoordinatorHost::Reply<Response> reply;
    size_t parts_left = 0;

    void part_done() {
        if (--parts_left == 0) {
            reply(std::move(response));
        }
    }
};

}  // namespace

void CoordinatorHost::describe(int16_t version, std::vector<std::string> groups,
                               Reply<protocol::DescribeGroupsResponse> reply) {
    post_request([this, version, groups = std::move(groups), reply = std::move(reply)]() mutable {
        using Response = protocol::DescribeGroupsResponse;
        std::map<int32_t, std::vector<std::string>> by_partition;
        for (std::string& group : groups) {
            by_partition[partition_for(group)].push_back(std::move(group));
        }
        if (by_partition.empty()) {
            return reply({});
        }
        auto whole = std::make_shared<Gathering<Response>>();
        whole->reply = std::move(reply);
        whole->parts_left = by_partition.size();
        for (const auto& [partition, names] : by_partition) {
            ask<Response>(
                partition,
                [&](auto& shard, auto token, auto& out) {
                    shard.describe(version, names, token, out);
                },
                [&](ErrorCode error) {
                    Response part;
                    for (const std::string& name : names) {
                        auto& group = part.groups.emplace_back();
                        group.group_id = name;
                        group.error_code = to_wire(error);
                    }
                    return part;
                },
                [whole](Response part) {
                    std::move(part.groups.begin(), part.groups.end(),
                              std::back_inserter(whole->response.groups));
                    whole->part_done();
                });
        }
    });
}

void CoordinatorHost::list(protocol::ListGroupsRequest request,
                           Reply<protocol::ListGroupsResponse> reply) {
    post_request([this, request = std::move(request), reply = std::move(reply)]() mutable {
        using Response = protocol::ListGroupsResponse;
        if (stopped_) {
            return reply(refusal<Response>(ErrorCode::CoordinatorNotAvailable));
        }
        if (shards_.empty()) {
            return reply({});
        }
        auto whole = std::make_shared<Gathering<Response>>();
        whole->reply = std::move(reply);
        whole->parts_left = shards_.size();
        for (int32_t partition : partitions()) {
            ask<Response>(
                partition,
                [&](auto& shard, auto token, auto& out) { shard.list(request, token, out); },
                [](ErrorCode error) { return refusal<Response>(error); },
                [whole](Response part) {
                    // Somebody else lists the groups of a shard that is not ours.
                    if (part.error_code != to_wire(ErrorCode::NotCoordinator) &&
                        part.error_code != to_wire(ErrorCode::None)) {
                        whole->response.error_code = part.error_code;
                    }
                    std::move(part.groups.begin(), part.groups.end(),
                              std::back_inserter(whole->response.groups));
                    if (whole->response.error_code != to_wire(ErrorCode::None)) {
                        whole->response.groups.clear();
                    }
                    whole->part_done();
                });
        }
    });
}

void CoordinatorHost::delete_groups(std::vector<std::string> groups,
                                    Reply<protocol::DeleteGroupsResponse> reply) {
    post_request([this, groups = std::move(groups), reply = std::move(reply)]() mutable {
        using Response = protocol::DeleteGroupsResponse;
        std::map<int32_t, std::vector<std::string>> by_partition;
        for (std::string& group : groups) {
            by_partition[partition_for(group)].push_back(std::move(group));
        }
        if (by_partition.empty()) {
            return reply({});
        }
        auto whole = std::make_shared<Gathering<Response>>();
        whole->reply = std::move(reply);
        whole->parts_left = by_partition.size();
        for (const auto& [partition, names] : by_partition) {
            ask<Response>(
                partition,
                [&](auto& shard, auto token, auto& out) { shard.delete_groups(names, token, out); },
                [&](ErrorCode error) {
                    Response part;
                    for (const std::string& name : names) {
                        auto& result = part.results.emplace_back();
                        result.group_id = name;
                        result.error_code = to_wire(error);
                    }
                    return part;
                },
                [whole](Response part) {
                    std::move(part.results.begin(), part.results.end(),
                              std::back_inserter(whole->response.results));
                    whole->part_done();
                });
        }
    });
}

}  // namespace moldau::broker
