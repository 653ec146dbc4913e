#include "client/fetch_session.h"

#include <algorithm>
#include <limits>

namespace moldau::client {
namespace {

// From here on a topic is named by its id; before, by its name.
constexpr int16_t kTopicIdVersion = 13;
constexpr int32_t kFinalEpoch = -1;

// The place of the topic at the end of the list; partitions come in order of their topics.
template <typename Topic>
Topic& topic_of(std::vector<Topic>& topics, const TopicPartition& tp, const Uuid& id) {
    if (topics.empty() || topics.back().topic != tp.topic || topics.back().topic_id != id) {
        topics.emplace_back();
        topics.back().topic = tp.topic;
        topics.back().topic_id = id;
    }
    return topics.back();
}

int32_t next_epoch(int32_t epoch) {
    return epoch == std::numeric_limits<int32_t>::max() ? 1 : epoch + 1;
}

}  // namespace

int16_t FetchSession::ask(const Targets& wanted, protocol::FetchRequest& request) {
    bool by_id = std::ranges::none_of(
        wanted, [](const auto& target) { return target.second.topic_id.is_zero(); });
    if (epoch_ > 0 && by_id != by_id_ && !wanted.empty()) {
        epoch_ = 0;  // a session speaks of topics in one way only
    }
    if (epoch_ == 0) {
        targets_.clear();
        names_.clear();
    }
    if (epoch_ == 0 || !wanted.empty()) {
        by_id_ = by_id;
    }
    request.session_id = id_;
    request.session_epoch = epoch_;
    for (const auto& [tp, target] : targets_) {
        auto still = wanted.find(tp);
        if (still == wanted.end() || still->second.topic_id != target.topic_id) {
            topic_of(request.forgotten_topics_data, tp, target.topic_id)
                .partitions.push_back(tp.partition);
        }
    }
    for (const auto& [tp, target] : wanted) {
        names_[target.topic_id] = tp.topic;
        if (auto known = targets_.find(tp); known != targets_.end() && known->second == target) {
            continue;
        }
        protocol::FetchRequest::FetchPartition one;
        one.partition = tp.partition;
        one.current_leader_epoch = target.leader_epoch;
        one.fetch_offset = target.offset;
        one.partition_max_bytes = target.bytes_max;
        topic_of(request.topics, tp, target.topic_id).partitions.push_back(std::move(one));
    }
    targets_ = wanted;
    return by_id_ ? protocol::FetchRequest::kVersions.last : int16_t{kTopicIdVersion - 1};
}

Result<FetchSession::Told> FetchSession::accept(protocol::FetchResponse& answer) {
    if (answer.error_code != 0) {
        ErrorCode error = error_code_from_wire(answer.error_code);
        if (error == ErrorCode::FetchSessionIdNotFound) {
            id_ = 0;  // there is nothing to close
        }
        epoch_ = 0;
        return fail(error, "the broker could not process the fetch: session={}", id_);
    }
    Told told;
    bool foreign = false;
    for (auto& topic : answer.responses) {
        auto name = names_.find(topic.topic_id);
        const std::string& known =
            topic.topic.empty() && name != names_.end() ? name->second : topic.topic;
        for (auto& partition : topic.partitions) {
            TopicPartition tp{known, partition.partition_index};
            foreign = foreign || !targets_.contains(tp);
            told[std::move(tp)] = &partition;
        }
    }
    bool full = epoch_ == 0;
    if (foreign || (full && told.size() != targets_.size())) {
        // A full answer may be empty when the broker wants to be left in peace for a while.
        if (full) {
            id_ = 0;
        }
        epoch_ = 0;
        return fail(ErrorCode::FetchSessionTopicIdError,
                    "the fetch answer does not fit what was asked: asked={} told={}",
                    targets_.size(), told.size());
    }
    if (answer.session_id == 0) {
        // The broker keeps no session for us, or no longer.
        id_ = 0;
        epoch_ = 0;
    } else {
        id_ = answer.session_id;
        epoch_ = next_epoch(epoch_);
    }
    return told;
}

void FetchSession::lose() {
    epoch_ = 0;
}

bool FetchSession::end(protocol::FetchRequest& request) const {
    request.session_id = id_;
    request.session_epoch = kFinalEpoch;
    return id_ != 0;
}

}  // namespace moldau::client
