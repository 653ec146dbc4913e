// ShardRuntime: drives one coordinator shard, the state machine behind one partition of a
// coordinator topic. It runs operations, gathers their records into batches, replays them, holds
// answers back until their records are committed, takes state back when a write fails, and keeps
// the timers.
//
// It is pure: its shell (broker::CoordinatorHost) hands in time and partition events and takes out
// batches and answers. One thread, the coordinator loop. The life of a shard:
//
//   Loading -> Active   loaded(), after replay() of the whole log
//   any     -> Closed   close(), when leadership went or the log cannot be read
//
// A write goes: run() replays its records at the offsets they will get and adds them to the open
// batch
// -> seal() -> next_batch(), appended by the shell -> batch_appended() -> high_watermark_advanced()
// answers. batch_failed() takes the state back to where the batch began.
//
// Shard provides:
//   using Types = ...;                                       (see runtime/outcome.h)
//   SnapshotRegistry& registry();
//   void replay(int64_t offset, int64_t producer_id, const Types::Record&);
//   void replay_end_transaction(int64_t producer_id, bool committed);
//   void on_loaded(Instant, Outcome&);      void on_closed(Outcome&);
//   void on_timer(const Types::TimerKey&, Instant, Outcome&);
//   void on_written(Types::Continuation, ErrorCode, Instant, Outcome&);
//   static EncodedRecord encode(const Types::Record&);
//   static void fail_response(Types::Response&, ErrorCode);  turns an answer into its failure
#pragma once

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/error_code.h"
#include "base/timeline.h"
#include "base/types.h"
#include "coordinator/runtime/coordinator_error.h"
#include "coordinator/runtime/encoded_record.h"
#include "coordinator/runtime/instant.h"
#include "coordinator/runtime/outcome.h"
#include "coordinator/runtime/timer_table.h"

namespace moldau::coordinator {

template <typename Shard>
class ShardRuntime {
 public:
    using Types = typename Shard::Types;
    using Record = typename Types::Record;
    using ShardReply = Reply<typename Types::Response>;
    using ShardOutcome = Outcome<Types>;

    enum class State { Loading, Active, Closed };

    struct Batch {
        int64_t base_offset = 0;
        TimestampMs created = 0;
        std::vector<EncodedRecord> records;
    };

    // `batch_bytes_max` is the topic's max.message.bytes; `write_timeout` bounds how long an answer
    // waits for its records to be committed (offsets.commit.timeout.ms).
    ShardRuntime(std::unique_ptr<Shard> shard, size_t batch_bytes_max, Duration write_timeout)
        : shard_(std::move(shard)),
          batch_bytes_max_(batch_bytes_max),
          write_timeout_(write_timeout) {}

    State state() const { return state_; }
    const Shard& shard() const { return *shard_; }
    void set_batch_bytes_max(size_t bytes) { batch_bytes_max_ = bytes; }

    // --- loading ---------------------------------------------------------------------------------
    void replay(int64_t offset, int64_t producer_id, const Record& record) {
        MOLDAU_ASSERT(state_ == State::Loading);
        shard_->replay(offset, producer_id, record);
    }
    void replay_end_transaction(int64_t producer_id, bool committed) {
        shard_->replay_end_transaction(producer_id, committed);
    }
    // All records below `log_end` were replayed.
    void loaded(int64_t log_end, int64_t high_watermark, Instant now) {
        MOLDAU_ASSERT(state_ == State::Loading);
        state_ = State::Active;
        written_end_ = log_end;
        committed_end_ = std::min(high_watermark, log_end);
        shard_->registry().snapshot(written_end_);
        ShardOutcome outcome;
        shard_->on_loaded(now, outcome);
        apply(std::move(outcome), now);
    }

    // --- operations ------------------------------------------------------------------------------
    // operation(Shard&, ShardOutcome&). Only while Active.
    template <typename Operation>
    void run(Instant now, Operation&& operation) {
        MOLDAU_ASSERT(state_ == State::Active);
        ShardOutcome outcome;
        operation(*shard_, outcome);
        apply(std::move(outcome), now);
    }

    // --- batches ---------------------------------------------------------------------------------
    // Whether records wait to be sealed.
    bool has_open_batch() const { return open_.has_value(); }
    // Makes the open batch ready to be appended. Its end is marked in the registry at once, so that
    // whatever the next operation changes can be taken back without it.
    void seal() {
        if (open_) {
            shard_->registry().snapshot(end_of(open_->batch));
            sealed_.push_back(std::move(*open_));
            open_.reset();
        }
    }
    // The oldest sealed batch, until batch_appended() or batch_failed(); nullptr when there is
    // none.
    const Batch* next_batch() const { return sealed_.empty() ? nullptr : &sealed_.front().batch; }

    // The batch of next_batch() is in the log and ends at `log_end`. False when that is not where
    // its records were replayed: someone else wrote, and the shard must be closed and loaded again.
    bool batch_appended(int64_t log_end) {
        Pending pending = std::move(sealed_.front());
        sealed_.pop_front();
        int64_t expected = end_of(pending.batch);
        written_end_ = expected;
        for (Deferred& deferred : pending.deferred) {
            deferred.offset_end = expected;
            deferred_.push_back(std::move(deferred));
        }
        return log_end == expected;
    }
    // The batch of next_batch() is not in the log. State goes back to before it, and every
    // operation in it and after it fails.
    void batch_failed(ErrorCode error, Instant now) {
        std::vector<Deferred> failed;
        shard_->registry().revert(sealed_.front().batch.base_offset);
        for (Pending& pending : sealed_) {
            std::move(pending.deferred.begin(), pending.deferred.end(), std::back_inserter(failed));
        }
        if (open_) {
            std::move(open_->deferred.begin(), open_->deferred.end(), std::back_inserter(failed));
        }
        sealed_.clear();
        open_.reset();
        for (Deferred& deferred : failed) {
            finish(std::move(deferred), coordinator_error(error), now);
        }
    }

    void high_watermark_advanced(int64_t high_watermark, Instant now) {
        committed_end_ = std::max(committed_end_, std::min(high_watermark, written_end_));
        shard_->registry().release_up_to(committed_end_);
        while (state_ == State::Active && !deferred_.empty() &&
               deferred_.front().offset_end <= committed_end_) {
            Deferred deferred = std::move(deferred_.front());
            deferred_.pop_front();
            finish(std::move(deferred), ErrorCode::None, now);
        }
    }

    // --- time ------------------------------------------------------------------------------------
    std::optional<MonotonicTime> next_timer() const {
        std::optional<MonotonicTime> next = timers_.next();
        if (!deferred_.empty() && (!next || deferred_.front().deadline < *next)) {
            next = deferred_.front().deadline;
        }
        return next;
    }
    // Fires at most `count_max` timers, so that a storm of expiries shares the loop with requests.
    void fire_timers(Instant now, int count_max = 256) {
        while (state_ == State::Active && !deferred_.empty() &&
               deferred_.front().deadline <= now.monotonic) {
            Deferred deferred = std::move(deferred_.front());
            deferred_.pop_front();
            finish(std::move(deferred), coordinator_error(ErrorCode::RequestTimedOut), now);
        }
        for (int fired = 0; state_ == State::Active && fired < count_max; ++fired) {
            std::optional<typename Types::TimerKey> key = timers_.take_due(now.monotonic);
            if (!key) {
                return;
            }
            ShardOutcome outcome;
            shard_->on_timer(*key, now, outcome);
            apply(std::move(outcome), now);
        }
    }

    // --- end -------------------------------------------------------------------------------------
    // Answers everything that waits with `error`; nothing may be run afterwards.
    void close(ErrorCode error) {
        if (state_ == State::Closed) {
            return;
        }
        state_ = State::Closed;
        seal();
        auto answer = [&](Deferred& deferred) {
            for (ShardReply& reply : deferred.replies) {
                Shard::fail_response(reply.response, error);
                replies_.push_back(std::move(reply));
            }
        };
        std::for_each(deferred_.begin(), deferred_.end(), answer);
        for (Pending& pending : sealed_) {
            std::for_each(pending.deferred.begin(), pending.deferred.end(), answer);
        }
        deferred_.clear();
        sealed_.clear();
        ShardOutcome outcome;
        shard_->on_closed(outcome);
        std::move(outcome.replies.begin(), outcome.replies.end(), std::back_inserter(replies_));
        std::move(outcome.notes.begin(), outcome.notes.end(), std::back_inserter(notes_));
    }

    // --- what the shell carries out
    // ---------------------------------------------------------------
    std::vector<ShardReply> take_replies() { return std::exchange(replies_, {}); }
    std::vector<Note> take_notes() { return std::exchange(notes_, {}); }

    // For tests.
    const TimerTable<typename Types::TimerKey>& timers() const { return timers_; }
    int64_t written_end() const { return written_end_; }
    int64_t committed_end() const { return committed_end_; }

 private:
    // Answers that wait for the log. offset_end is set once the batch is appended.
    struct Deferred {
        int64_t offset_end = 0;
        MonotonicTime deadline;
        std::vector<ShardReply> replies;
        std::optional<typename Types::Continuation> then;
    };
    struct Pending {
        Batch batch;
        size_t bytes = 0;
        std::vector<Deferred> deferred;
    };

    static constexpr size_t kBatchHeaderBytes = 61;

    static int64_t end_of(const Batch& batch) {
        return batch.base_offset + static_cast<int64_t>(batch.records.size());
    }

    void apply(ShardOutcome outcome, Instant now) {
        for (auto& change : outcome.timers) {
            change.after ? timers_.schedule(change.key, now.monotonic + *change.after)
                         : timers_.cancel(change.key);
        }
        std::move(outcome.replies.begin(), outcome.replies.end(), std::back_inserter(replies_));
        std::move(outcome.notes.begin(), outcome.notes.end(), std::back_inserter(notes_));

        Deferred deferred{0, now.monotonic + write_timeout_, std::move(outcome.committed_replies),
                          std::move(outcome.then)};
        if (!outcome.records.empty()) {
            append(outcome, now);
        }
        if (deferred.replies.empty() && !deferred.then) {
            return;
        }
        if (Pending* last = open_ ? &*open_ : (sealed_.empty() ? nullptr : &sealed_.back())) {
            last->deferred.push_back(std::move(deferred));
        } else if (written_end_ > committed_end_) {
            deferred.offset_end = written_end_;
            deferred_.push_back(std::move(deferred));
        } else {
            finish(std::move(deferred), ErrorCode::None, now);
        }
    }

    void append(ShardOutcome& outcome, Instant now) {
        std::vector<EncodedRecord> encoded;
        encoded.reserve(outcome.records.size());
        size_t bytes = 0;
        for (const Record& record : outcome.records) {
            encoded.push_back(Shard::encode(record));
            bytes += encoded.back().bytes_max();
        }
        if (outcome.atomic) {
            make_room(bytes);
        }
        for (size_t i = 0; i < encoded.size(); ++i) {
            if (!outcome.atomic) {
                make_room(encoded[i].bytes_max());
            }
            open_batch(now);
            Batch& batch = open_->batch;
            if (outcome.replay) {
                shard_->replay(end_of(batch), kNoProducerId.value(), outcome.records[i]);
            }
            open_->bytes += encoded[i].bytes_max();
            batch.records.push_back(std::move(encoded[i]));
        }
    }
    void make_room(size_t bytes) {
        if (open_ && open_->bytes + bytes > batch_bytes_max_) {
            seal();
        }
    }
    void open_batch(Instant now) {
        if (open_) {
            return;
        }
        open_.emplace();
        open_->batch.base_offset = sealed_.empty() ? written_end_ : end_of(sealed_.back().batch);
        open_->batch.created = now.wall;
        open_->bytes = kBatchHeaderBytes;
    }

    void finish(Deferred deferred, ErrorCode error, Instant now) {
        for (ShardReply& reply : deferred.replies) {
            if (error != ErrorCode::None) {
                Shard::fail_response(reply.response, error);
            }
            replies_.push_back(std::move(reply));
        }
        if (deferred.then) {
            ShardOutcome outcome;
            shard_->on_written(std::move(*deferred.then), error, now, outcome);
            apply(std::move(outcome), now);
        }
    }

    std::unique_ptr<Shard> shard_;
    size_t batch_bytes_max_;
    Duration write_timeout_;
    State state_ = State::Loading;

    // committed_end_ <= written_end_, both exclusive; what is open or sealed lies behind
    // written_end_.
    int64_t written_end_ = 0;
    int64_t committed_end_ = 0;
    std::optional<Pending> open_;
    std::deque<Pending> sealed_;
    std::deque<Deferred> deferred_;  // by offset_end

    TimerTable<typename Types::TimerKey> timers_;
    std::vector<ShardReply> replies_;
    std::vector<Note> notes_;
};

}  // namespace moldau::coordinator
