// GroupBench: one group coordinator shard on a desk, for tests. Requests go in by short verbs, time
// moves by advance(), and a vector stands for the partition's log. Records are written and
// committed after every step unless the test holds them back (auto_write, auto_commit).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "coordinator/group/group_shard.h"
#include "coordinator/runtime/shard_runtime.h"
#include "protocol/wire.h"

namespace moldau::coordinator {

struct JoinOptions {
    std::string member;
    std::optional<std::string> instance;
    int16_t version = 9;
    std::string type = "consumer";
    std::vector<std::string> protocols = {"range"};
    std::vector<std::string> topics = {"orders"};
    int32_t session_ms = 10000;
    int32_t rebalance_ms = 60000;
};

class GroupBench {
 public:
    using Runtime = ShardRuntime<GroupShard>;
    using Join = protocol::JoinGroupResponse;
    using Sync = protocol::SyncGroupResponse;

    explicit GroupBench(GroupConfig config = {}) : config_(config) { start(); }

    // --- requests; each returns the token of its answer
    // -------------------------------------------
    ReplyToken send_join(const JoinOptions& options = {}) {
        protocol::JoinGroupRequest request;
        request.group_id = group;
        request.member_id = options.member;
        request.group_instance_id = options.instance;
        request.protocol_type = options.type;
        request.session_timeout_ms = options.session_ms;
        request.rebalance_timeout_ms = options.rebalance_ms;
        for (const std::string& name : options.protocols) {
            auto& entry = request.protocols.emplace_back();
            entry.name = name;
            entry.metadata = subscription(options.topics);
        }
        RequestContext context{options.version, "client", "/127.0.0.1", Uuid{0, ++ids_}};
        return run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
            shard.join(context, request, token, now(), out);
        });
    }
    ReplyToken send_sync(const std::string& member, int32_t generation,
                         const std::map<std::string, std::string>& assignments = {},
                         std::optional<std::string> instance = std::nullopt) {
        protocol::SyncGroupRequest request;
        request.group_id = group;
        request.member_id = member;
        request.generation_id = generation;
        request.group_instance_id = std::move(instance);
        for (const auto& [to, what] : assignments) {
            auto& entry = request.assignments.emplace_back();
            entry.member_id = to;
            entry.assignment = Bytes::copy_of(what);
        }
        return run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
            shard.sync(request, token, now(), out);
        });
    }
    ReplyToken send_heartbeat(const std::string& member, int32_t generation,
                              const std::optional<std::string>& instance = std::nullopt) {
        protocol::HeartbeatRequestView request;
        request.group_id = group;
        request.member_id = member;
        request.generation_id = generation;
        request.group_instance_id = instance;
        return run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
            shard.heartbeat(request, token, out);
        });
    }
    ErrorCode heartbeat(const std::string& member, int32_t generation,
                        const std::optional<std::string>& instance = std::nullopt) {
        return code(
            answer<protocol::HeartbeatResponse>(send_heartbeat(member, generation, instance)));
    }
    using LeavingMembers = std::vector<std::pair<std::string, std::optional<std::string>>>;
    ReplyToken send_leave(const LeavingMembers& members) {
        protocol::LeaveGroupRequest request;
        request.group_id = group;
        for (const auto& [member, instance] : members) {
            auto& entry = request.members.emplace_back();
            entry.member_id = member;
            entry.group_instance_id = instance;
        }
        return run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
            shard.leave(request, token, now(), out);
        });
    }
    protocol::LeaveGroupResponse leave(const LeavingMembers& members) {
        return answer<protocol::LeaveGroupResponse>(send_leave(members));
    }
    protocol::LeaveGroupResponse leave(const std::string& member) {
        return leave({{member, std::nullopt}});
    }

    struct CommitOptions {
        std::string topic = "orders";
        int32_t partition = 0;
        int64_t offset = 0;
        std::string metadata;
        std::string member;
        int32_t generation = -1;
        int64_t retention_ms = -1;
        Uuid topic_id{7, 7};
        int16_t version = 10;
    };
    ReplyToken send_commit(const CommitOptions& options) {
        protocol::OffsetCommitRequest request;
        request.group_id = group;
        request.member_id = options.member;
        request.generation_id_or_member_epoch = options.generation;
        request.retention_time_ms = options.retention_ms;
        auto& topic = request.topics.emplace_back();
        topic.name = options.topic;
        topic.topic_id = options.topic_id;
        auto& partition = topic.partitions.emplace_back();
        partition.partition_index = options.partition;
        partition.committed_offset = options.offset;
        partition.committed_leader_epoch = 5;
        partition.committed_metadata = options.metadata;
        return run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
            shard.commit_offsets(options.version, request, token, now(), out);
        });
    }
    ErrorCode commit(const CommitOptions& options) { return commit_code(send_commit(options)); }
    ErrorCode commit_code(ReplyToken token) {
        return error_code_from_wire(
            answer<protocol::OffsetCommitResponse>(token).topics.at(0).partitions.at(0).error_code);
    }
    FetchedOffsets fetch(std::optional<std::string> topic = std::nullopt, int32_t partition = 0,
                         bool require_stable = false, Uuid topic_id = {}) {
        OffsetFetchGroup request;
        request.group_id = group;
        request.topics.reset();
        if (topic) {
            request.topics.emplace();
            auto& entry = request.topics->emplace_back();
            entry.name = *topic;
            entry.topic_id = topic_id;
            entry.partition_indexes = {partition};
        }
        return answer<FetchedOffsets>(
            run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
                shard.fetch_offsets(request, require_stable, token, out);
            }));
    }
    int64_t committed(const std::string& topic = "orders", int32_t partition = 0) {
        return fetch(topic, partition).topics.at(0).partitions.at(0).committed_offset;
    }
    protocol::OffsetDeleteResponse delete_offset(const std::string& topic, int32_t partition = 0) {
        protocol::OffsetDeleteRequest request;
        request.group_id = group;
        auto& entry = request.topics.emplace_back();
        entry.name = topic;
        entry.partitions.emplace_back().partition_index = partition;
        return answer<protocol::OffsetDeleteResponse>(
            run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
                shard.delete_offsets(request, token, out);
            }));
    }
    protocol::DescribeGroupsResponse::DescribedGroup describe(int16_t version = 6) {
        return answer<protocol::DescribeGroupsResponse>(
                   run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
                       shard.describe(version, {group}, token, out);
                   }))
            .groups.at(0);
    }
    std::vector<std::string> list(std::vector<std::string> states = {},
                                  std::vector<std::string> types = {}) {
        protocol::ListGroupsRequest request;
        request.states_filter = std::move(states);
        request.types_filter = std::move(types);
        auto response = answer<protocol::ListGroupsResponse>(
            run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
                shard.list(request, token, out);
            }));
        std::vector<std::string> ids;
        for (const auto& entry : response.groups) {
            ids.push_back(entry.group_id + ":" + entry.group_state);
        }
        return ids;
    }
    ErrorCode delete_group() {
        return error_code_from_wire(
            answer<protocol::DeleteGroupsResponse>(
                run([&](GroupShard& shard, ReplyToken token, GroupOutcome& out) {
                    shard.delete_groups({group}, token, out);
                }))
                .results.at(0)
                .error_code);
    }

    // --- shorthands
    // ------------------------------------------------------------------------------- Asks for a
    // member id the way a client of version 4 and later does.
    std::string member_id(JoinOptions options = {}) {
        Join response = answer<Join>(send_join(options));
        EXPECT_EQ(code(response), ErrorCode::MemberIdRequired);
        return response.member_id;
    }
    ReplyToken rejoin(const std::string& member, JoinOptions options = {}) {
        options.member = member;
        return send_join(options);
    }
    // A group of one, stable.
    std::string stable_member(JoinOptions options = {}) {
        std::string id = member_id(options);
        ReplyToken token = rejoin(id, options);
        advance(milliseconds(3000));
        Join joined = answer<Join>(token);
        EXPECT_EQ(code(joined), ErrorCode::None);
        EXPECT_EQ(code(answer<Sync>(send_sync(id, joined.generation_id, {{id, "all"}}))),
                  ErrorCode::None);
        return id;
    }
    // A group of two, stable; the first leads.
    std::pair<std::string, std::string> stable_pair(JoinOptions options = {}) {
        std::string a = member_id(options);
        std::string b = member_id(options);
        ReplyToken join_a = rejoin(a, options);
        ReplyToken join_b = rejoin(b, options);
        advance(milliseconds(6000));
        Join joined = answer<Join>(join_a);
        EXPECT_EQ(joined.leader, a);
        answer<Join>(join_b);
        ReplyToken sync_b = send_sync(b, joined.generation_id);
        ReplyToken sync_a = send_sync(a, joined.generation_id, {{a, "for a"}, {b, "for b"}});
        EXPECT_EQ(answer<Sync>(sync_a).assignment.view(), "for a");
        EXPECT_EQ(answer<Sync>(sync_b).assignment.view(), "for b");
        return {a, b};
    }

    // --- answers
    // ----------------------------------------------------------------------------------
    template <typename Response>
    Response answer(ReplyToken token) {
        auto at = answers_.find(token);
        if (at == answers_.end()) {
            ADD_FAILURE() << "request " << token << " was not answered";
            return {};
        }
        Response response = std::get<Response>(at->second);
        answers_.erase(at);
        return response;
    }
    bool is_waiting(ReplyToken token) const { return !answers_.contains(token); }
    // Ids given out with MemberIdRequired since the last call.
    std::vector<std::string> offered_ids() { return std::exchange(offered_ids_, {}); }
    template <typename Response>
    static ErrorCode code(const Response& response) {
        return error_code_from_wire(response.error_code);
    }

    // --- time and log
    // ----------------------------------------------------------------------------- Fires what
    // comes due on the way, at its time.
    void advance(milliseconds by) {
        MonotonicTime until = time_ + by;
        while (auto next = runtime_->next_timer()) {
            if (*next > until) {
                break;
            }
            set_time(std::max(*next, time_));
            runtime_->fire_timers(now());
            settle();
        }
        set_time(until);
    }
    Instant now() const { return {time_, wall_}; }
    void write() {
        runtime_->seal();
        while (const Runtime::Batch* batch = runtime_->next_batch()) {
            if (refuse_writes) {
                runtime_->batch_failed(*refuse_writes, now());
                continue;
            }
            log.insert(log.end(), batch->records.begin(), batch->records.end());
            batches.push_back(batch->records.size());
            EXPECT_TRUE(runtime_->batch_appended(static_cast<int64_t>(log.size())));
        }
    }
    void commit_log() {
        runtime_->high_watermark_advanced(static_cast<int64_t>(log.size()), now());
    }
    // Repeats, as what follows a commit may write again.
    void settle() {
        collect();
        while (auto_write && runtime_->has_open_batch()) {
            write();
            if (auto_commit) {
                commit_log();
            }
            collect();
        }
    }
    void close(ErrorCode error = ErrorCode::NotCoordinator) {
        runtime_->close(error);
        collect();
    }
    // A new coordinator over the same log.
    void reload() { start(); }

    const GroupShard& shard() const { return runtime_->shard(); }
    Runtime& runtime() { return *runtime_; }
    const ClassicGroup* state() const { return shard().group(group); }
    std::string state_text() const {
        return state() == nullptr ? "none" : std::string(state_name(state()->state()));
    }
    // The typed records of the log, for looking at.
    GroupRecord record(size_t index) const {
        auto decoded = decode_group_record(log.at(index).key, log.at(index).value);
        return decoded.value().value();
    }
    GroupRecord last_record() const { return record(log.size() - 1); }

    static Bytes subscription(const std::vector<std::string>& topics) {
        protocol::Writer writer;
        writer.write_int16(0);
        writer.write_array_length(static_cast<int32_t>(topics.size()), false);
        for (const std::string& topic : topics) {
            writer.write_string(topic, false);
        }
        writer.write_nullable_bytes(std::nullopt, false);
        return protocol::join(writer.take());
    }

    std::string group = "shop";
    bool auto_write = true;
    bool auto_commit = true;
    std::optional<ErrorCode> refuse_writes;
    std::vector<EncodedRecord> log;
    std::vector<size_t> batches;  // sizes of the batches written

 private:
    void start() {
        runtime_ =
            std::make_unique<Runtime>(std::make_unique<GroupShard>(config_), 100000, seconds(5));
        for (size_t i = 0; i < log.size(); ++i) {
            runtime_->replay(static_cast<int64_t>(i), -1, record(i));
        }
        runtime_->loaded(static_cast<int64_t>(log.size()), static_cast<int64_t>(log.size()), now());
        settle();
    }
    template <typename Operation>
    ReplyToken run(Operation&& operation) {
        ReplyToken token = ++tokens_;
        runtime_->run(now(),
                      [&](GroupShard& shard, GroupOutcome& out) { operation(shard, token, out); });
        settle();
        return token;
    }
    void collect() {
        for (auto& reply : runtime_->take_replies()) {
            if (const Join* join = std::get_if<Join>(&reply.response);
                join != nullptr && code(*join) == ErrorCode::MemberIdRequired) {
                offered_ids_.push_back(join->member_id);
            }
            EXPECT_TRUE(answers_.emplace(reply.to, std::move(reply.response)).second)
                << "request " << reply.to << " was answered twice";
        }
        runtime_->take_notes();
    }
    void set_time(MonotonicTime to) {
        wall_ += to_ms(to - time_);
        time_ = to;
    }

    GroupConfig config_;
    std::unique_ptr<Runtime> runtime_;
    MonotonicTime time_{};
    TimestampMs wall_ = 1'700'000'000'000;
    ReplyToken tokens_ = 0;
    uint64_t ids_ = 0;
    std::map<ReplyToken, GroupResponse> answers_;
    std::vector<std::string> offered_ids_;
};

}  // namespace moldau::coordinator
