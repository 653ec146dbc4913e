// Outcome: everything one coordinator operation wants from the world: records to append, answers to
// send, timers to set, words for the log. The operation itself touches nothing outside its shard.
//
// `Types` names the vocabulary of one kind of coordinator:
//   Record        a typed record of its topic
//   Response      a variant of every answer it gives
//   Continuation  a variant of what it may want to do once its records are committed
//   TimerKey      an ordered identity of a timer
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/time.h"

namespace moldau::coordinator {

// Names a request that waits for its answer. The shell gives one to each request and keeps the
// connection; the core only knows the number.
using ReplyToken = uint64_t;

template <typename Response>
struct Reply {
    ReplyToken to = 0;
    Response response;
};

template <typename TimerKey>
struct TimerChange {
    TimerKey key;
    std::optional<Duration> after;  // nullopt cancels
};

enum class NoteLevel { Debug, Info, Warn, Error };

struct Note {
    NoteLevel level;
    std::string text;
};

template <typename Types>
struct Outcome {
    // Appended in this order; all in one batch when `atomic`.
    std::vector<typename Types::Record> records;
    // False when the operation already moved its volatile state, so that replaying its own records
    // on the leader would undo it (classic groups). After a restart the records alone count.
    bool replay = true;
    bool atomic = true;

    // Sent as soon as the operation has run.
    std::vector<Reply<typename Types::Response>> replies;
    // Sent once the records are committed; without records, once all that was written before is.
    std::vector<Reply<typename Types::Response>> committed_replies;
    // Handed back to the shard at that same moment, or with the error when the write failed.
    std::optional<typename Types::Continuation> then;

    std::vector<TimerChange<typename Types::TimerKey>> timers;
    std::vector<Note> notes;

    void reply(ReplyToken to, typename Types::Response response) {
        replies.push_back({to, std::move(response)});
    }
    void reply_when_committed(ReplyToken to, typename Types::Response response) {
        committed_replies.push_back({to, std::move(response)});
    }
    void schedule(typename Types::TimerKey key, Duration after) {
        timers.push_back({std::move(key), after});
    }
    void cancel(typename Types::TimerKey key) { timers.push_back({std::move(key), std::nullopt}); }

    template <typename... Args>
    void note(NoteLevel level, fmt::format_string<Args...> format, Args&&... args) {
        notes.push_back({level, fmt::format(format, std::forward<Args>(args)...)});
    }
};

}  // namespace moldau::coordinator
