// OffsetCommit and Heartbeat: decided, written to the coordinator's log, replayed and answered.
#include <string>

#include "coordinator/testing/group_bench.h"
#include "operation.h"
#include "record/builder.h"

namespace moldau::instructions {
namespace {

using coordinator::GroupBench;
using coordinator::GroupOutcome;
using coordinator::GroupShard;

constexpr int16_t kCommitVersion = 8;
constexpr int16_t kHeartbeatVersion = 4;

// A stable group of one member, and the log behind its coordinator.
class Group {
 public:
    Group() : member_(bench_.stable_member()) {
        log_end_ = static_cast<int64_t>(bench_.log.size());
    }

    const std::string& name() const { return bench_.group; }
    const std::string& member() const { return member_; }
    int32_t generation() const { return bench_.state()->generation(); }

    // Runs the operation as CoordinatorHost does; returns its answer.
    template <typename Response, typename Operation>
    Response ask(Operation&& operation) {
        auto& runtime = bench_.runtime();
        runtime.run(bench_.now(),
                    [&](GroupShard& shard, GroupOutcome& out) { operation(shard, out); });
        runtime.seal();
        while (const auto* batch = runtime.next_batch()) {
            record::BatchBuilder builder({});
            for (const auto& record : batch->records) {
                builder.append(batch->created, record.key.view(),
                               record.value ? std::optional(record.value->view()) : std::nullopt);
            }
            must(!builder.build().empty(), "a batch for the log");
            log_end_ += static_cast<int64_t>(batch->records.size());
            must(runtime.batch_appended(log_end_), "a batch at the end of the log");
            runtime.high_watermark_advanced(log_end_, bench_.now());
        }
        auto replies = runtime.take_replies();
        must(replies.size() == 1, "one answer");
        return std::get<Response>(std::move(replies.front().response));
    }
    coordinator::Instant now() const { return bench_.now(); }

 private:
    GroupBench bench_;
    std::string member_;
    int64_t log_end_ = 0;
};

class Commit {
 public:
    explicit Commit(int32_t partitions) {
        protocol::OffsetCommitRequest request;
        request.group_id = group_.name();
        request.member_id = group_.member();
        request.generation_id_or_member_epoch = group_.generation();
        auto& topic = request.topics.emplace_back();
        topic.name = "orders.region-1.v1";
        for (int32_t i = 0; i < partitions; ++i) {
            auto& partition = topic.partitions.emplace_back();
            partition.partition_index = i;
            partition.committed_offset = 1'000'000;
            partition.committed_leader_epoch = 5;
            partition.committed_metadata = "";
        }
        body_ = protocol::encode(request, kCommitVersion);
    }

    void once() {
        auto request = protocol::decode<protocol::OffsetCommitRequest>(body_, kCommitVersion);
        must(request.has_value(), "an offset commit that can be read");
        auto response = group_.ask<protocol::OffsetCommitResponse>([&](auto& shard, auto& out) {
            shard.commit_offsets(kCommitVersion, *request, 1, group_.now(), out);
        });
        must(response.topics.at(0).partitions.at(0).error_code == 0, "a commit that succeeds");
        (void)framed(response, kCommitVersion);
    }

 private:
    Group group_;
    Bytes body_;
};

struct CommitOnePartition : Commit {
    CommitOnePartition() : Commit(1) {}
};
struct CommitTenPartitions : Commit {
    CommitTenPartitions() : Commit(10) {}
};

class Heartbeat {
 public:
    Heartbeat() {
        protocol::HeartbeatRequest request;
        request.group_id = group_.name();
        request.member_id = group_.member();
        request.generation_id = group_.generation();
        body_ = protocol::encode(request, kHeartbeatVersion);
    }

    void once() {
        auto request = protocol::HeartbeatRequestView::parse(body_, kHeartbeatVersion);
        must(request.has_value(), "a heartbeat that can be read");
        auto response = group_.ask<protocol::HeartbeatResponse>(
            [&](auto& shard, auto& out) { shard.heartbeat(*request, 1, out); });
        must(response.error_code == 0, "a heartbeat that succeeds");
        (void)framed(response, kHeartbeatVersion);
    }

 private:
    Group group_;
    Bytes body_;
};

}  // namespace

void drive_groups() {
    drive<CommitOnePartition>("CommitOnePartition", 500);
    drive<CommitTenPartitions>("CommitTenPartitions", 200);
    drive<Heartbeat>("Heartbeat", 1000);
}

}  // namespace moldau::instructions
