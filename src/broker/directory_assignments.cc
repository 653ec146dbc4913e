#include "broker/directory_assignments.h"

#include <algorithm>

#include "protocol/messages/assign_replicas_to_dirs.h"
#include "quorum/controller_channel.h"
#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("org.apache.kafka.server.AssignmentsManager");

constexpr Duration kRetryMin = milliseconds(100);
constexpr int kDoublingsMax = 6;  // to 6.4 s

// The controller knows of no such replica here: nothing is left to tell.
bool is_settled(ErrorCode code) {
    return code == ErrorCode::None || code == ErrorCode::UnknownTopicId ||
           code == ErrorCode::UnknownTopicOrPartition || code == ErrorCode::NotLeaderOrFollower;
}

protocol::AssignReplicasToDirsRequest request_of(
    const std::map<std::pair<Uuid, int32_t>, Uuid>& sent) {
    std::map<Uuid, std::map<Uuid, std::vector<int32_t>>> by_directory;
    for (const auto& [key, directory] : sent) {
        by_directory[directory][key.first].push_back(key.second);
    }
    protocol::AssignReplicasToDirsRequest request;
    for (const auto& [directory, topics] : by_directory) {
        auto& in = request.directories.emplace_back();
        in.id = directory;
        for (const auto& [topic_id, partitions] : topics) {
            auto& topic = in.topics.emplace_back();
            topic.topic_id = topic_id;
            for (int32_t partition : partitions) {
                topic.partitions.emplace_back().partition_index = partition;
            }
        }
    }
    return request;
}

}  // namespace

void DirectoryAssignments::assign(const Uuid& topic_id, int32_t partition, const Uuid& directory) {
    if (stopped_) {
        return;
    }
    waiting_.insert_or_assign(Key(topic_id, partition), directory);
    // At the end of this turn: one change of metadata may bring thousands.
    if (!timer_.armed() && !in_flight_) {
        send_later(Duration(0));
    }
}

void DirectoryAssignments::stop() {
    stopped_ = true;
    waiting_.clear();
    timer_.cancel();
}

void DirectoryAssignments::send_later(Duration delay) {
    timer_ = loop_.schedule_after(delay, [this] { send(); });
}

void DirectoryAssignments::send() {
    if (in_flight_ || stopped_ || waiting_.empty()) {
        return;
    }
    if (broker_epoch_.load() < 0) {
        return send_later(kRetryMin);  // not registered yet
    }
    Assignments sent;
    while (!waiting_.empty() && sent.size() < kPerRequestMax) {
        sent.insert(waiting_.extract(waiting_.begin()));
    }
    protocol::AssignReplicasToDirsRequest request = request_of(sent);
    request.broker_id = broker_id_;
    request.broker_epoch = broker_epoch_.load();
    in_flight_ = true;
    controller_->call<protocol::AssignReplicasToDirsResponse>(
        request, 0,
        [this, sent = std::move(sent)](
            const Result<protocol::AssignReplicasToDirsResponse>& response) mutable {
            in_flight_ = false;
            if (!stopped_) {
                answered(std::move(sent), response);
            }
        });
}

void DirectoryAssignments::answered(
    Assignments sent, const Result<protocol::AssignReplicasToDirsResponse>& response) {
    bool is_taken = response && response->error_code == 0;
    if (is_taken) {
        for (const auto& directory : response->directories) {
            for (const auto& topic : directory.topics) {
                for (const auto& partition : topic.partitions) {
                    if (is_settled(static_cast<ErrorCode>(partition.error_code))) {
                        sent.erase(Key(topic.topic_id, partition.partition_index));
                    }
                }
            }
        }
    }
    if (!sent.empty()) {
        MOLDAU_LOG_WARN(log, "The controller did not take the directories of {} replicas: {}",
                        sent.size(),
                        !response   ? response.error().message
                        : !is_taken ? fmt::format("error={}", response->error_code)
                                    : "some were refused");
    }
    failures_ = sent.empty() ? 0 : failures_ + 1;
    // What was said meanwhile counts more.
    waiting_.merge(sent);
    if (!waiting_.empty()) {
        send_later(failures_ == 0 ? Duration(0)
                                  : kRetryMin * (1 << std::min(failures_ - 1, kDoublingsMax)));
    }
}

}  // namespace moldau::broker
