// Fetch-based replication, both sides; snapshots for those who are too far behind.
#include <algorithm>

#include "base/assert.h"
#include "consensus/raft_core.h"

namespace moldau::consensus {

void RaftCore::handle(RequestId id, const FetchRequest& request, MonotonicTime now) {
    FetchResponse response;
    if (!is_cluster(request.cluster_id)) {
        response.header.top_error = ErrorCode::InconsistentClusterId;
        return answer(id, std::move(response));
    }
    if (request.position.offset < Offset(0) || request.position.epoch < LeaderEpoch(0) ||
        request.position.epoch > request.epoch || request.max_wait < Duration(0)) {
        response.header = response_header(ErrorCode::InvalidRequest);
        response.log_start = log_.start_offset();
        return answer(id, std::move(response));
    }
    if (answer_fetch(id, request, request.max_wait == Duration(0), now)) {
        return;
    }
    auto& leader = std::get<LeaderState>(state_);
    leader.parked.push_back({id, request, now + request.max_wait});
}

// Answers when there is something to say, or when it must. False: nothing new yet.
bool RaftCore::answer_fetch(RequestId id, const FetchRequest& request, bool at_once,
                            MonotonicTime now) {
    FetchResponse response;
    response.log_start = log_.start_offset();
    std::optional<ErrorCode> refusal = refuse_unless_leader(request.epoch);
    LogIndex::Validation validation = log_.validate(request.position);
    if (!refusal && validation.position == LogIndex::Position::Valid &&
        (request.replica.id == config_.self.id || request.max_bytes < 0)) {
        refusal = ErrorCode::UnknownServerError;  // as Kafka's leader answers what cannot be
    }
    if (refusal) {
        response.header = response_header(*refusal);
        answer(id, std::move(response));
        return true;
    }
    if (validation.position == LogIndex::Position::Valid && request.replica.id >= BrokerId(0)) {
        auto& leader = std::get<LeaderState>(state_);
        if (leader.replica_fetched(request.replica, request.position.offset, log_.end_offset(),
                                   now)) {
            leader_high_watermark_rose(now);
        }
    }
    response.header = response_header(ErrorCode::None);
    response.high_watermark = high_watermark();
    response.max_bytes = request.max_bytes;
    bool has_news = false;
    if (validation.position == LogIndex::Position::Snapshot) {
        response.snapshot = validation.at;
        has_news = true;
    } else if (validation.position == LogIndex::Position::Diverging) {
        response.diverging = validation.at;
        has_news = true;
    } else if (request.position.offset < log_.end_offset()) {
        response.read_from = request.position.offset;
        has_news = true;
    }
    // A replica that says what it knows hears of a higher high watermark at once (KIP-1166).
    has_news = has_news || (request.high_watermark && response.high_watermark &&
                            *request.high_watermark < *response.high_watermark);
    if (!has_news && !at_once) {
        return false;
    }
    answer(id, std::move(response));
    return true;
}

// `at_once`: whether or not there is something new to read.
void RaftCore::answer_parked(bool at_once, MonotonicTime now) {
    auto* leader = std::get_if<LeaderState>(&state_);
    if (leader == nullptr || leader->parked.empty()) {
        return;
    }
    std::vector<ParkedFetch> parked = std::exchange(leader->parked, {});
    for (ParkedFetch& fetch : parked) {
        if (!answer_fetch(fetch.id, fetch.request, at_once, now)) {
            std::get<LeaderState>(state_).parked.push_back(std::move(fetch));
        }
    }
}

void RaftCore::append(std::vector<LogEntry> entries) {
    bool are_voters_new = false;
    for (const LogEntry& entry : entries) {
        log_.append(entry.base, entry.end, entry.epoch);
        if (entry.control == nullptr) {
            continue;
        }
        if (entry.control->kraft_version) {
            history_.put_kraft_version(entry.control->kraft_version->first,
                                       entry.control->kraft_version->second);
        }
        if (entry.control->voters) {
            // In force from here on, committed or not (KIP-853).
            history_.put_voters(entry.control->voters->first, entry.control->voters->second);
            are_voters_new = true;
        }
    }
    ready_.push_back(AppendToLog{std::move(entries)});
    auto* leader = std::get_if<LeaderState>(&state_);
    if (are_voters_new && leader != nullptr) {
        leader->set_voters(voters());
    }
}

void RaftCore::commit_to(Offset offset) {
    if (committed_ && offset <= *committed_) {
        return;
    }
    committed_ = offset;
    ready_.push_back(HighWatermarkAdvanced{offset});
}

void RaftCore::leader_high_watermark_rose(MonotonicTime now) {
    Offset high_watermark = *std::get<LeaderState>(state_).high_watermark();
    commit_to(high_watermark);
    voter_change_committed(high_watermark);
    // Whoever waits hears of it, also those whose version cannot say what they know (KIP-1166).
    answer_parked(true, now);
}

FetchRequest RaftCore::fetch_request() const {
    FetchRequest request;
    request.cluster_id = config_.cluster_id;
    request.replica = config_.self;
    request.epoch = epoch_;
    request.position = log_.end();
    request.high_watermark = committed_.value_or(kNoOffset);
    request.max_wait = config_.fetch_wait_max;
    request.max_bytes = config_.fetch_bytes_max;
    return request;
}

MonotonicTime RaftCore::fetch_from_leader(Follower& follower, MonotonicTime now) {
    const Endpoint* endpoint = nullptr;
    for (const Endpoint& candidate : follower.leader_endpoints) {
        if (candidate.listener == config_.listener) {
            endpoint = &candidate;
        }
    }
    if (endpoint == nullptr || requests_.has_timed_out(follower.leader, now) ||
        requests_.is_backing_off(follower.leader, now)) {
        // Perhaps there is a new leader: others may know.
        return std::min(fetch_from_bootstrap(now),
                        std::max(now + milliseconds(1), requests_.ready_at(follower.leader, now)));
    }
    // One Fetch at a time: it acknowledges everything before.
    if (requests_.has_any_in_flight(now)) {
        return requests_.in_flight_until(now);
    }
    Peer leader{follower.leader, endpoint->host, endpoint->port};
    if (follower.download && follower.download->is_complete) {
        return MonotonicTime::max();
    }
    if (follower.download) {
        return send(
            leader,
            FetchSnapshotRequest{config_.cluster_id, config_.self, epoch_, follower.download->id,
                                 follower.download->position, config_.fetch_bytes_max},
            now);
    }
    return send(leader, fetch_request(), now);
}

MonotonicTime RaftCore::fetch_from_bootstrap(MonotonicTime now) {
    if (requests_.has_any_in_flight(now)) {
        return requests_.in_flight_until(now);
    }
    std::vector<Peer> peers = config_.bootstrap;
    if (peers.empty()) {
        for (BrokerId id : voters().ids()) {
            if (std::optional<Peer> peer = peer_of(id); peer && id != config_.self.id) {
                peers.push_back(*peer);
            }
        }
    }
    MonotonicTime next = MonotonicTime::max();
    // Any will do; the turn moves with the random state, so that a dead one is not asked for ever.
    size_t first = peers.empty() ? 0 : static_cast<size_t>(random_ % peers.size());
    random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
    for (size_t i = 0; i < peers.size(); ++i) {
        const Peer& peer = peers[(first + i) % peers.size()];
        next = std::min(next, requests_.ready_at(peer.id, now));
        if (requests_.is_ready(peer.id, now)) {
            return send(peer, fetch_request(), now);
        }
    }
    return next;
}

bool RaftCore::handle(const Peer&, const FetchResponse& response, MonotonicTime now) {
    if (std::optional<bool> used = handle_header(response.header, now)) {
        return *used;
    }
    auto* follower = std::get_if<Follower>(&state_);
    if (follower == nullptr || response.header.error != ErrorCode::None ||
        response.header.leader != follower->leader) {
        return false;
    }
    if (response.diverging) {
        if (!truncate_for(*response.diverging)) {
            return false;
        }
    } else if (response.snapshot) {
        if (response.snapshot->offset < Offset(0) || response.snapshot->epoch < LeaderEpoch(0) ||
            response.snapshot->offset < committed_.value_or(Offset(0))) {
            return false;
        }
        follower->download = SnapshotDownload{*response.snapshot, 0, false};
    } else {
        if (!append_fetched(response.entries)) {
            return false;
        }
        if (response.high_watermark) {
            commit_to(std::min(*response.high_watermark, log_.end_offset()));
        }
    }
    follower->fetch_deadline = now + config_.fetch_timeout;
    follower->has_fetched = true;
    return true;
}

// The leader's log parts from ours: keep what both have. A demand to drop what is committed is
// refused.
bool RaftCore::truncate_for(const OffsetAndEpoch& diverging) {
    Offset end = std::min(diverging.offset, log_.end_offset());
    if (diverging.epoch != LeaderEpoch(0)) {
        OffsetAndEpoch local = log_.end_of_epoch(diverging.epoch);
        end = local.epoch == diverging.epoch ? std::min(local.offset, diverging.offset)
                                             : local.offset;
    }
    if (end < committed_.value_or(log_.start_offset()) || end > log_.end_offset()) {
        return false;
    }
    if (end < log_.end_offset()) {
        log_.truncate_to(end);
        history_.truncate_to(end);
        ready_.push_back(TruncateLog{end});
    }
    return true;
}

bool RaftCore::append_fetched(const std::vector<LogEntry>& entries) {
    std::vector<LogEntry> fit;
    Offset next = log_.end_offset();
    LeaderEpoch last_epoch = log_.last_epoch();
    for (const LogEntry& entry : entries) {
        // A batch of a later epoch than ours came from a leader we do not follow yet.
        if (entry.base != next || entry.end <= entry.base || entry.epoch > epoch_ ||
            entry.epoch < last_epoch) {
            break;
        }
        next = entry.end;
        last_epoch = entry.epoch;
        fit.push_back(entry);
    }
    if (fit.empty()) {
        return entries.empty();
    }
    append(std::move(fit));
    // The next Fetch counts as an acknowledgement, so it waits for the device.
    ready_.push_back(SyncLog{log_.end_offset(), true});
    return true;
}

void RaftCore::handle(RequestId id, const FetchSnapshotRequest& request, MonotonicTime now) {
    FetchSnapshotResponse response;
    response.snapshot = request.snapshot;
    response.position = request.position;
    response.max_bytes = request.max_bytes;
    if (!is_cluster(request.cluster_id)) {
        response.header.top_error = ErrorCode::InconsistentClusterId;
        return answer(id, std::move(response));
    }
    if (std::optional<ErrorCode> refusal = refuse_unless_leader(request.epoch)) {
        response.header = response_header(*refusal);
        return answer(id, std::move(response));
    }
    bool is_servable =
        request.snapshot != kBootstrapSnapshotId && log_.snapshots().contains(request.snapshot);
    ErrorCode error = !is_servable            ? ErrorCode::SnapshotNotFound
                      : request.position < 0  ? ErrorCode::PositionOutOfRange
                      : request.max_bytes < 0 ? ErrorCode::InvalidRequest
                                              : ErrorCode::None;
    if (error == ErrorCode::None) {
        std::get<LeaderState>(state_).replica_heard(request.replica, now);
    }
    response.header = response_header(error);
    answer(id, std::move(response));
}

bool RaftCore::handle(const Peer&, const FetchSnapshotResponse& response, MonotonicTime now) {
    if (std::optional<bool> used = handle_header(response.header, now)) {
        return *used;
    }
    auto* follower = std::get_if<Follower>(&state_);
    if (follower == nullptr || !follower->download || follower->download->is_complete) {
        return false;
    }
    SnapshotDownload& download = *follower->download;
    if (response.header.error == ErrorCode::SnapshotNotFound ||
        response.header.error == ErrorCode::PositionOutOfRange) {
        // The leader has a newer one by now: the next Fetch will name it.
        follower->download.reset();
        follower->fetch_deadline = now + config_.fetch_timeout;
        return true;
    }
    auto chunk_bytes = static_cast<int64_t>(response.chunk.size());
    if (response.header.error != ErrorCode::None || response.snapshot != download.id ||
        response.position != download.position || chunk_bytes == 0 ||
        response.position + chunk_bytes > response.size) {
        return false;
    }
    download.position += chunk_bytes;
    download.is_complete = download.position == response.size;
    ready_.push_back(
        StoreSnapshotChunk{download.id, response.position, response.chunk, download.is_complete});
    follower->fetch_deadline = now + config_.fetch_timeout;
    follower->has_fetched = true;
    return true;
}

}  // namespace moldau::consensus
