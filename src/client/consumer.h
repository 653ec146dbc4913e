// Consumer: KafkaConsumer for this house. One application thread calls it; a loop thread fetches
// ahead, keeps the group membership alive and commits. GroupMember decides about the group; this is
// its shell and the fetcher.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "client/client.h"
#include "client/consumer_config.h"
#include "client/fetch_session.h"
#include "client/fetched_records.h"
#include "client/group_member.h"
#include "client/offset_validation.h"
#include "protocol/messages/fetch.h"

namespace moldau::client {

class Consumer {
 public:
    using TopicPredicate = std::function<bool(const std::string& topic)>;

    static Result<std::unique_ptr<Consumer>> create(const Properties& properties);
    // As close() with no time to wait.
    ~Consumer();

    // Joins the group of group.id. Errors of the group come out of poll().
    void subscribe(std::set<std::string> topics);
    // Topics as they come and go.
    void subscribe(TopicPredicate wanted);
    // Takes partitions by hand, without a group.
    void assign(const std::vector<TopicPartition>& partitions);
    // The next record poll() returns of the partition: an offset, or a spec of offset_spec.
    void seek(const TopicPartition& partition, int64_t offset);
    void seek_to(const TopicPartition& partition, int64_t spec);

    // Waits up to `timeout` for records; at most max.poll.records. Errors that end the consumer:
    // of the group, of authorization, an offset out of range without a reset policy, corrupt data.
    Result<std::vector<ConsumedRecord>> poll(Duration timeout);
    // Waits until the positions are committed. Errors: as the coordinator answers.
    Status commit(Duration timeout);
    // Ends a poll() that waits, from any thread.
    void wakeup();
    std::set<TopicPartition> assignment() const;
    // The offset of the next record poll() would return; unset before it is known.
    std::optional<int64_t> position(const TopicPartition& partition) const;
    // The end of the partition as the last fetch told it.
    std::optional<int64_t> high_watermark(const TopicPartition& partition) const;
    // Commits (when auto commit is on), leaves the group and ends.
    void close(Duration timeout);

    Client& client() { return client_; }

 private:
    Consumer(ClientConfig client, ConsumerConfig config);

    struct Partition {
        std::optional<int64_t> fetch_offset;  // next to fetch; unset until it is found out
        std::optional<int64_t> consumed;      // next to hand out
        std::optional<int64_t> processed;     // consumed, when the application last came back
        std::optional<int64_t> reset_spec;    // look this up; unset: the committed offset first
        int32_t fetch_epoch = -1;     // of the record before fetch_offset, as far as it is known
        int32_t consumed_epoch = -1;  // of the record before consumed
        int32_t processed_epoch = -1;
        int32_t validated_epoch = -1;  // fetch_offset is good under leaders up to this epoch
        bool validating = false;
        bool looking_up = false;
        bool fetching = false;
        bool leaving = false;  // is being given back: no more records
        size_t buffered = 0;   // records that wait in ready_
        uint64_t generation = 0;
        int64_t high_watermark = -1;
        int64_t committed = -1;
        MonotonicTime not_before{};
    };
    struct ReadyRecords {
        TopicPartition partition;
        uint64_t generation;
        std::vector<ConsumedRecord> records;
        size_t next = 0;
        int64_t next_offset;  // after the last record
    };

    struct Validation {
        uint64_t generation;
        Position position;
        int32_t leader_epoch;  // of the leader that is asked
    };
    using Asked = std::map<TopicPartition, std::pair<uint64_t, int64_t>>;  // generation, offset

    // On the loop.
    void wake();
    void step();
    void apply(GroupMember::Ready ready);
    void send_to_group(GroupMember::Ready& ready);
    void on_joined(Result<protocol::JoinGroupResponse> answer);
    void find_coordinator();
    void forget_coordinator(ErrorCode error);
    void start_lookups(MonotonicTime now);
    void fetch_committed(const std::vector<TopicPartition>& partitions);
    void list_offsets(const Endpoint& node, std::map<TopicPartition, int64_t> specs);
    void start_validations(MonotonicTime now);
    void validate(const Endpoint& node, std::map<TopicPartition, Validation> asked);
    void judge(const TopicPartition& tp, Partition& partition, const Validation& asked,
               const PositionVerdict& verdict) REQUIRES(mutex_);
    void start_fetches(MonotonicTime now);
    void end_sessions();
    void on_fetched(int32_t node, const Asked& asked, Result<protocol::FetchResponse> answer);
    void take_partition(const TopicPartition& tp, Partition& partition, int64_t asked_offset,
                        protocol::FetchResponse::PartitionData& told) REQUIRES(mutex_);
    void commit_now(std::move_only_function<void(Status)> done);
    void update_subscription();
    void schedule(MonotonicTime now);
    void set_assignment(const std::vector<TopicPartition>& partitions);
    void add(const std::set<TopicPartition>& partitions);
    void give_back(std::set<TopicPartition> partitions);
    void drop(const std::set<TopicPartition>& partitions);

    // The partition, when it stands where it stood when it was asked about; else null.
    Partition* still_asked(const TopicPartition& tp, uint64_t generation) REQUIRES(mutex_);
    void place(Partition& partition, const Position& position) REQUIRES(mutex_);
    void reset(const TopicPartition& tp, Partition& partition) REQUIRES(mutex_);
    void raise(Error error) REQUIRES(mutex_);
    void mark_processed() REQUIRES(mutex_);
    void run_on_loop(std::function<void()> function);

    const ConsumerConfig config_;
    Client client_;

    // On the loop.
    GroupMember member_;
    std::optional<Endpoint> coordinator_;
    bool finding_coordinator_ = false;
    MonotonicTime coordinator_not_before_{};
    std::set<int32_t> fetching_nodes_;
    std::map<int32_t, FetchSession> sessions_;                   // by node
    std::optional<Result<protocol::JoinGroupResponse>> joined_;  // waits for metadata
    bool fetching_committed_ = false;
    MonotonicTime committed_not_before_{};
    MonotonicTime auto_commit_due_{};
    runtime::Timer timer_;
    bool stopped_ = false;
    TopicPredicate wanted_;
    std::set<std::string> topics_;
    bool subscribed_ = false;
    std::atomic<bool> step_posted_ = false;

    mutable Mutex mutex_;
    std::condition_variable_any changed_;
    std::map<TopicPartition, Partition> partitions_ GUARDED_BY(mutex_);
    std::deque<ReadyRecords> ready_ GUARDED_BY(mutex_);
    std::optional<Error> error_ GUARDED_BY(mutex_);
    uint64_t next_generation_ GUARDED_BY(mutex_) = 1;
    bool woken_ GUARDED_BY(mutex_) = false;
    bool closed_ = false;
};

}  // namespace moldau::client
