// Incremental fetch sessions (KIP-227): the broker remembers what a client fetches and what it told
// it last, so that requests and answers carry only what changed.
//
// A request begins a FetchContext, the handler serves context.targets(), and finish() says which
// results the client must see and under which session id. The cache is bounded: when full, a new
// session displaces one that has idled, or one worth less (followers before consumers, then larger
// before smaller).
//
// FetchSessions may be used from any thread; a FetchContext belongs to its request.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/error_code.h"
#include "base/mutex.h"
#include "base/time.h"
#include "base/uuid.h"

namespace moldau::broker {

inline constexpr int32_t kNoFetchSession = 0;
// Session epochs with a meaning of their own.
inline constexpr int32_t kInitialSessionEpoch = 0;  // a full fetch that opens a session
inline constexpr int32_t kFinalSessionEpoch = -1;   // a full fetch without a session

// One partition to fetch. Up to version 12 the name identifies the topic, from 13 on the id.
struct FetchTarget {
    std::string topic;
    Uuid topic_id;
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int32_t last_fetched_epoch = -1;
    int64_t fetch_offset = 0;
    int64_t log_start_offset = -1;
    int32_t bytes_max = 0;

    auto key() const { return std::tie(topic_id, topic_id.is_zero() ? topic : kNoName, partition); }

 private:
    static const std::string kNoName;
};

// What a session must know of a partition's result.
struct FetchResult {
    int64_t high_watermark = -1;
    int64_t log_start_offset = -1;
    bool has_records = false;
    bool has_error = false;
    bool must_be_told = false;  // diverging epoch, preferred read replica
};

struct FetchSessionRequest {
    int32_t session_id = kNoFetchSession;
    int32_t session_epoch = kFinalSessionEpoch;
    bool by_topic_id = false;
    bool from_follower = false;
    std::vector<FetchTarget> targets;
    std::vector<FetchTarget> forgotten;  // only the keys matter
};

class FetchContext {
 public:
    // For the whole answer: None, FetchSessionIdNotFound, InvalidFetchSessionEpoch or
    // FetchSessionTopicIdError. With an error there is nothing to serve.
    ErrorCode error() const { return error_; }
    const std::vector<FetchTarget>& targets() const { return targets_; }
    bool is_incremental() const { return kind_ == Kind::Incremental; }

 private:
    friend class FetchSessions;
    enum class Kind { Sessionless, Full, Incremental };

    Kind kind_ = Kind::Sessionless;
    ErrorCode error_ = ErrorCode::None;
    int32_t session_id_ = kNoFetchSession;
    int32_t next_epoch_ = 0;
    bool by_topic_id_ = false;
    bool from_follower_ = false;
    std::vector<FetchTarget> targets_;
};

struct FetchSessionAnswer {
    ErrorCode error = ErrorCode::None;
    int32_t session_id = kNoFetchSession;
    std::vector<bool> included;  // for each target, whether its result goes into the answer
};

class FetchSessions {
 public:
    // `draw` returns random bits for session ids. `sessions_max` is
    // max.incremental.fetch.session.cache.slots; one that was used within `idle_min` is not
    // displaced for being idle.
    FetchSessions(size_t sessions_max, Duration idle_min, std::function<uint64_t()> draw);
    ~FetchSessions();

    FetchContext begin(FetchSessionRequest request, MonotonicTime now) EXCLUDES(mutex_);
    // `results` are parallel to context.targets(). Called once, when the answer is complete.
    FetchSessionAnswer finish(const FetchContext& context, std::span<const FetchResult> results,
                              MonotonicTime now) EXCLUDES(mutex_);

    size_t session_count() const EXCLUDES(mutex_);
    size_t partition_count() const EXCLUDES(mutex_);
    uint64_t eviction_count() const EXCLUDES(mutex_);

 private:
    struct Session;

    // Worth of a session when room is needed: less is displaced first.
    using Worth = std::tuple<bool, size_t, int32_t>;

    int32_t create(const FetchContext& context, std::span<const FetchResult> results,
                   MonotonicTime now) REQUIRES(mutex_);
    bool make_room(bool from_follower, size_t partitions, MonotonicTime now) REQUIRES(mutex_);
    void erase(int32_t id) REQUIRES(mutex_);

    const size_t sessions_max_;
    const Duration idle_min_;
    const std::function<uint64_t()> draw_;
    mutable Mutex mutex_;
    std::unordered_map<int32_t, std::unique_ptr<Session>> sessions_ GUARDED_BY(mutex_);
    std::set<std::pair<MonotonicTime, int32_t>> by_use_ GUARDED_BY(mutex_);
    size_t partition_count_ GUARDED_BY(mutex_) = 0;
    uint64_t eviction_count_ GUARDED_BY(mutex_) = 0;
};

}  // namespace moldau::broker
