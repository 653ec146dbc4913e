// CoordinatorHost: the shell around the group coordinator. It holds one ShardRuntime for each
// partition of __consumer_offsets that this broker leads: loads it from the partition's log when
// leadership comes, appends its batches, tells it of high watermarks and timers, and drops it when
// leadership goes.
//
// Requests come in on any thread and are answered by callback on the coordinator loop, each exactly
// once. Everything else lives on that loop; stop the loop before destroying the host. Publishing
// happens on the control loop and only hands over.
//
// A shard that is not led here answers NotCoordinator, one that is being loaded
// CoordinatorLoadInProgress, and a host that stopped CoordinatorNotAvailable.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "broker/coordinator_log.h"
#include "coordinator/group/group_shard.h"
#include "coordinator/runtime/shard_runtime.h"
#include "metadata/delta.h"
#include "metadata/image.h"
#include "record/compression.h"
#include "runtime/event_loop.h"

namespace moldau::config {
class ServerConfig;
}

namespace moldau::runtime {
class Clock;
class Entropy;
}  // namespace moldau::runtime

namespace moldau::broker {

class RequestQueue;

class CoordinatorHost {
 public:
    struct Settings {
        coordinator::GroupConfig groups;
        // offsets.topic.num.partitions; the topic's own number counts once it exists.
        int32_t partition_count = 50;
        // group.coordinator.append.linger.ms: how long a batch waits for company. -1: until the
        // requests that are already waiting have been served.
        int32_t append_linger_ms = -1;
        // offsets.commit.timeout.ms
        Duration write_timeout = seconds(5);
        // offsets.load.buffer.size
        int32_t load_bytes = 5 << 20;
        // offsets.topic.compression.codec
        record::Compression compression;

        static Settings from(const config::ServerConfig& config);
    };
    // Runs a task that may wait for the disk, off the loop.
    using Offload = std::function<void(runtime::Task)>;

    CoordinatorHost(BrokerId node, Settings settings, runtime::EventLoop& loop, Offload offload,
                    runtime::Clock& clock, runtime::Entropy& entropy,
                    std::shared_ptr<CoordinatorLog> log,
                    std::shared_ptr<RequestQueue> queue = nullptr);
    ~CoordinatorHost();

    // Takes up and lays down shards as leaderships in __consumer_offsets move, and forgets offsets
    // of deleted topics. After the replicas have followed the same change.
    void publish(const metadata::Delta& delta, const metadata::ImagePtr& image);
    // Has the loop answer everything that waits; requests that come later are refused. Any thread.
    void stop();

    // The partition of __consumer_offsets that a group lives in. Any thread.
    int32_t partition_for(std::string_view group) const;

    // --- requests; any thread
    // ----------------------------------------------------------------------
    template <typename Response>
    using Reply = std::move_only_function<void(Response)>;

    void join(coordinator::RequestContext context, protocol::JoinGroupRequest request,
              Reply<protocol::JoinGroupResponse> reply);
    void sync(protocol::SyncGroupRequest request, Reply<protocol::SyncGroupResponse> reply);
    // The memory that the view reads is kept by `reply`.
    void heartbeat(protocol::HeartbeatRequestView request,
                   Reply<protocol::HeartbeatResponse> reply);
    void leave(protocol::LeaveGroupRequest request, Reply<protocol::LeaveGroupResponse> reply);
    void commit_offsets(int16_t version, protocol::OffsetCommitRequest request,
                        Reply<protocol::OffsetCommitResponse> reply);
    // One group each; a failure is the group's error code, without topics.
    void fetch_offsets(coordinator::OffsetFetchGroup request, bool require_stable,
                       Reply<coordinator::FetchedOffsets> reply);
    void delete_offsets(protocol::OffsetDeleteRequest request,
                        Reply<protocol::OffsetDeleteResponse> reply);
    // Groups of any shards.
    void describe(int16_t version, std::vector<std::string> groups,
                  Reply<protocol::DescribeGroupsResponse> reply);
    void list(protocol::ListGroupsRequest request, Reply<protocol::ListGroupsResponse> reply);
    void delete_groups(std::vector<std::string> groups,
                       Reply<protocol::DeleteGroupsResponse> reply);

 private:
    using Runtime = coordinator::ShardRuntime<coordinator::GroupShard>;

    struct Shard {
        LeaderEpoch epoch;
        uint64_t incarnation = 0;  // of this loading; what was posted for another is stale
        // nullptr while it is loaded elsewhere, or when loading failed.
        std::unique_ptr<Runtime> runtime;
        bool failed = false;
        bool flush_due = false;
        runtime::Timer linger;
        runtime::Timer timer;
        MonotonicTime timer_at = MonotonicTime::max();
    };
    struct Leadership {
        int32_t partition = 0;
        std::optional<LeaderEpoch> epoch;  // nullopt: not ours any more
    };
    struct Loaded {
        std::unique_ptr<Runtime> runtime;
        CoordinatorLog::Bounds bounds;
        int64_t records = 0;
    };

    // Shards.
    void lead(int32_t partition, LeaderEpoch epoch);
    void begin_load(int32_t partition, Shard& shard);
    void finish_load(int32_t partition, uint64_t incarnation, Result<Loaded> loaded);
    static Result<Loaded> load(CoordinatorLog& log, int32_t partition,
                               CoordinatorLog::Bounds bounds, const Settings& settings);
    void resign(int32_t partition);
    void delete_offsets_of(const std::vector<coordinator::DeletedTopic>& topics);

    // Running one.
    ErrorCode availability(int32_t partition) const;
    std::vector<int32_t> partitions() const;
    Shard* find(int32_t partition, uint64_t incarnation);
    void after_step(int32_t partition, Shard& shard);
    void flush(int32_t partition, Shard& shard);
    void arm_timer(int32_t partition, Shard& shard);
    void carry_out(Runtime& runtime);
    coordinator::Instant now() const;

    void post_request(runtime::Task task);
    // Runs `operation(GroupShard&, ReplyToken, GroupOutcome&)` in a shard; on the loop. The answer
    // is the shard's, or `failed(error)` when it cannot be asked.
    template <typename Response, typename Operation, typename Failed>
    void ask(int32_t partition, Operation&& operation, Failed&& failed, Reply<Response> reply);
    template <typename Response, typename Request, typename Failed, typename Operation>
    void submit(Request request, Reply<Response> reply, Failed failed, Operation operation);

    const BrokerId node_;
    const Settings settings_;
    runtime::EventLoop& loop_;
    const Offload offload_;
    runtime::Clock& clock_;
    runtime::Entropy& entropy_;
    const std::shared_ptr<CoordinatorLog> log_;
    const std::shared_ptr<RequestQueue> queue_;  // none: nobody counts
    std::atomic<int32_t> partition_count_;
    std::atomic<bool> stopped_{false};

    // On the loop.
    std::map<int32_t, Shard> shards_;
    std::unordered_map<coordinator::ReplyToken, Reply<coordinator::GroupResponse>> waiting_;
    coordinator::ReplyToken last_token_ = 0;
    uint64_t incarnations_ = 0;
    bool appending_ = false;
};

}  // namespace moldau::broker
