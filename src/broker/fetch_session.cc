#include "broker/fetch_session.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/assert.h"

namespace moldau::broker {
namespace {

int32_t next_session_epoch(int32_t epoch) {
    return epoch == std::numeric_limits<int32_t>::max() ? 1 : epoch + 1;
}

}  // namespace

const std::string FetchTarget::kNoName;

struct FetchSessions::Session {
    struct Entry {
        FetchTarget target;
        // What the client was told last.
        int64_t high_watermark = -1;
        int64_t log_start_offset = -1;
    };
    struct KeyLess {
        using is_transparent = void;
        bool operator()(const FetchTarget* a, const FetchTarget* b) const {
            return a->key() < b->key();
        }
    };

    int32_t id = kNoFetchSession;
    int32_t epoch = 0;  // of the request that is to come
    bool by_topic_id = false;
    bool from_follower = false;
    MonotonicTime created_at;
    MonotonicTime used_at;
    // In the order in which they are served: whoever got records goes to the end.
    std::list<Entry> entries;
    std::map<const FetchTarget*, std::list<Entry>::iterator, KeyLess> index;

    Worth worth() const { return {from_follower, entries.size(), id}; }

    Entry* find(const FetchTarget& target) {
        auto at = index.find(&target);
        return at == index.end() ? nullptr : &*at->second;
    }
    Entry& put(FetchTarget target) {
        if (Entry* known = find(target)) {
            // Names and ids stay: the index points at them.
            known->target.current_leader_epoch = target.current_leader_epoch;
            known->target.last_fetched_epoch = target.last_fetched_epoch;
            known->target.fetch_offset = target.fetch_offset;
            known->target.log_start_offset = target.log_start_offset;
            known->target.bytes_max = target.bytes_max;
            return *known;
        }
        auto at = entries.insert(entries.end(), Entry{std::move(target)});
        index.emplace(&at->target, at);
        return *at;
    }
    void forget(const FetchTarget& target) {
        auto at = index.find(&target);
        if (at != index.end()) {
            auto entry = at->second;
            index.erase(at);
            entries.erase(entry);
        }
    }
    void move_to_end(const FetchTarget& target) {
        entries.splice(entries.end(), entries, index.find(&target)->second);
    }
};

FetchSessions::FetchSessions(size_t sessions_max, Duration idle_min, std::function<uint64_t()> draw)
    : sessions_max_(sessions_max), idle_min_(idle_min), draw_(std::move(draw)) {}

FetchSessions::~FetchSessions() = default;

FetchContext FetchSessions::begin(FetchSessionRequest request, MonotonicTime now) {
    FetchContext context;
    context.by_topic_id_ = request.by_topic_id;
    context.from_follower_ = request.from_follower;
    MutexLock lock(mutex_);
    if (request.session_epoch == kInitialSessionEpoch ||
        request.session_epoch == kFinalSessionEpoch) {
        erase(request.session_id);
        context.kind_ = request.session_epoch == kInitialSessionEpoch
                            ? FetchContext::Kind::Full
                            : FetchContext::Kind::Sessionless;
        context.targets_ = std::move(request.targets);
        return context;
    }
    auto found = sessions_.find(request.session_id);
    if (found == sessions_.end()) {
        context.error_ = ErrorCode::FetchSessionIdNotFound;
        return context;
    }
    Session& session = *found->second;
    if (session.epoch != request.session_epoch) {
        context.error_ = ErrorCode::InvalidFetchSessionEpoch;
        return context;
    }
    if (session.by_topic_id != request.by_topic_id) {
        context.error_ = ErrorCode::FetchSessionTopicIdError;
        return context;
    }
    partition_count_ -= session.entries.size();
    for (FetchTarget& target : request.targets) {
        session.put(std::move(target));
    }
    for (const FetchTarget& target : request.forgotten) {
        session.forget(target);
    }
    partition_count_ += session.entries.size();
    if (session.entries.empty()) {
        erase(session.id);
        return context;
    }
    by_use_.erase({session.used_at, session.id});
    session.used_at = now;
    by_use_.emplace(now, session.id);
    session.epoch = next_session_epoch(session.epoch);
    context.kind_ = FetchContext::Kind::Incremental;
    context.session_id_ = session.id;
    context.next_epoch_ = session.epoch;
    context.targets_.reserve(session.entries.size());
    for (const Session::Entry& entry : session.entries) {
        context.targets_.push_back(entry.target);
    }
    return context;
}

FetchSessionAnswer FetchSessions::finish(const FetchContext& context,
                                         std::span<const FetchResult> results, MonotonicTime now) {
    MOLDAU_ASSERT(results.size() == context.targets_.size());
    FetchSessionAnswer answer;
    answer.error = context.error_;
    answer.included.assign(results.size(), true);
    if (context.kind_ == FetchContext::Kind::Sessionless) {
        return answer;
    }
    MutexLock lock(mutex_);
    if (context.kind_ == FetchContext::Kind::Full) {
        answer.session_id = create(context, results, now);
        return answer;
    }
    answer.session_id = context.session_id_;
    auto found = sessions_.find(context.session_id_);
    if (found == sessions_.end()) {
        // Displaced while the request was parked: this answer is whole, the next request will be
        // told.
        return answer;
    }
    Session& session = *found->second;
    if (session.epoch != context.next_epoch_) {
        answer.error = ErrorCode::InvalidFetchSessionEpoch;
        answer.included.assign(results.size(), false);
        return answer;
    }
    for (size_t i = 0; i < results.size(); ++i) {
        const FetchResult& result = results[i];
        Session::Entry* entry = session.find(context.targets_[i]);
        if (entry == nullptr) {
            answer.included[i] = false;
            continue;
        }
        answer.included[i] = result.has_records || result.has_error || result.must_be_told ||
                             entry->high_watermark != result.high_watermark ||
                             entry->log_start_offset != result.log_start_offset;
        // After an error the partition is told again as soon as it is well.
        entry->high_watermark = result.has_error ? -1 : result.high_watermark;
        entry->log_start_offset = result.log_start_offset;
        if (result.has_records) {
            session.move_to_end(context.targets_[i]);
        }
    }
    return answer;
}

int32_t FetchSessions::create(const FetchContext& context, std::span<const FetchResult> results,
                              MonotonicTime now) {
    if (!make_room(context.from_follower_, context.targets_.size(), now)) {
        return kNoFetchSession;
    }
    auto session = std::make_unique<Session>();
    do {
        session->id = static_cast<int32_t>(draw_() & 0x7fffffff);
    } while (session->id == kNoFetchSession || sessions_.contains(session->id));
    session->epoch = next_session_epoch(kInitialSessionEpoch);
    session->by_topic_id = context.by_topic_id_;
    session->from_follower = context.from_follower_;
    session->created_at = now;
    session->used_at = now;
    for (size_t i = 0; i < context.targets_.size(); ++i) {
        Session::Entry& entry = session->put(context.targets_[i]);
        entry.high_watermark = results[i].has_error ? -1 : results[i].high_watermark;
        entry.log_start_offset = results[i].log_start_offset;
    }
    int32_t id = session->id;
    partition_count_ += session->entries.size();
    by_use_.emplace(now, id);
    sessions_.emplace(id, std::move(session));
    return id;
}

bool FetchSessions::make_room(bool from_follower, size_t partitions, MonotonicTime now) {
    if (sessions_.size() < sessions_max_) {
        return true;
    }
    if (by_use_.empty()) {
        return false;
    }
    auto [used_at, idlest] = *by_use_.begin();
    if (now - used_at > idle_min_) {
        erase(idlest);
        ++eviction_count_;
        return true;
    }
    // A follower may displace any consumer at once; consumers only what has had its time.
    const Session* least = nullptr;
    for (const auto& [id, session] : sessions_) {
        bool had_its_time = now - session->created_at > idle_min_;
        bool evictable = had_its_time || (from_follower && !session->from_follower);
        if (evictable && (least == nullptr || session->worth() < least->worth())) {
            least = session.get();
        }
    }
    if (least == nullptr || Worth{from_follower, partitions, 0} < least->worth()) {
        return false;
    }
    erase(least->id);
    ++eviction_count_;
    return true;
}

void FetchSessions::erase(int32_t id) {
    auto found = sessions_.find(id);
    if (found == sessions_.end()) {
        return;
    }
    partition_count_ -= found->second->entries.size();
    by_use_.erase({found->second->used_at, id});
    sessions_.erase(found);
}

size_t FetchSessions::session_count() const {
    MutexLock lock(mutex_);
    return sessions_.size();
}

size_t FetchSessions::partition_count() const {
    MutexLock lock(mutex_);
    return partition_count_;
}

uint64_t FetchSessions::eviction_count() const {
    MutexLock lock(mutex_);
    return eviction_count_;
}

}  // namespace moldau::broker
