#include "broker/isr_proposals.h"

#include "broker/partition.h"
#include "protocol/api_keys.h"
#include "protocol/messages/alter_partition.h"
#include "quorum/controller_channel.h"
#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.server.DefaultAlterPartitionManager");

constexpr Duration kRetry = milliseconds(50);

std::vector<BrokerId> ids_of(const std::vector<int32_t>& numbers) {
    return {numbers.begin(), numbers.end()};
}

// Errors by which the controller says that the change did not and will not happen.
bool is_refusal(ErrorCode code) {
    return code == ErrorCode::OperationNotAttempted || code == ErrorCode::IneligibleReplica;
}

// Errors after which only the metadata log can say how things stand.
bool is_superseded(ErrorCode code) {
    return code == ErrorCode::UnknownTopicOrPartition || code == ErrorCode::UnknownTopicId ||
           code == ErrorCode::NewLeaderElected || code == ErrorCode::InvalidRequest ||
           code == ErrorCode::FencedLeaderEpoch || code == ErrorCode::InvalidUpdateVersion ||
           code == ErrorCode::NotLeaderOrFollower;
}

}  // namespace

void IsrProposals::submit(std::shared_ptr<Partition> partition, replication::IsrProposal proposal) {
    loop_.post([this, partition = std::move(partition), proposal = std::move(proposal)]() mutable {
        if (stopped_) {
            return;
        }
        Key key(partition->topic_id(), partition->topic_partition().partition);
        waiting_.insert_or_assign(key, Item{std::move(partition), std::move(proposal)});
        send();
    });
}

void IsrProposals::stop() {
    stopped_ = true;
    waiting_.clear();
    retry_.cancel();
}

void IsrProposals::send() {
    if (in_flight_ || stopped_ || waiting_.empty() || retry_.armed()) {
        return;
    }
    if (broker_epoch_.load() < 0) {
        retry_ = loop_.schedule_after(kRetry, [this] { send(); });
        return;
    }
    in_flight_ = true;
    auto items = std::exchange(waiting_, {});
    protocol::AlterPartitionRequest request = request_of(items);
    controller_->call<protocol::AlterPartitionResponse>(
        request, protocol::api_info(protocol::ApiKey::AlterPartition).served().last,
        [this, items = std::move(items)](Result<protocol::AlterPartitionResponse> response) {
            in_flight_ = false;
            if (!stopped_) {
                answered(items, response);
                send();
            }
        });
}

protocol::AlterPartitionRequest IsrProposals::request_of(const std::map<Key, Item>& items) const {
    protocol::AlterPartitionRequest request;
    request.broker_id = broker_id_;
    request.broker_epoch = broker_epoch_.load();
    for (const auto& [key, item] : items) {
        if (request.topics.empty() || request.topics.back().topic_id != key.first) {
            request.topics.emplace_back().topic_id = key.first;
        }
        auto& partition = request.topics.back().partitions.emplace_back();
        partition.partition_index = key.second;
        partition.leader_epoch = item.proposal.leader_epoch.value();
        partition.partition_epoch = item.proposal.partition_epoch;
        partition.leader_recovery_state = item.proposal.recovered ? 0 : 1;
        for (const auto& [member, epoch] : item.proposal.isr) {
            auto& state = partition.new_isr_with_epochs.emplace_back();
            state.broker_id = member.value();
            state.broker_epoch = member.value() == broker_id_ ? request.broker_epoch : epoch;
        }
    }
    return request;
}

void IsrProposals::answered(const std::map<Key, Item>& items,
                            const Result<protocol::AlterPartitionResponse>& response) {
    std::map<Key, const protocol::AlterPartitionResponse::PartitionData*> answers;
    if (response && response->error_code == 0) {
        for (const auto& topic : response->topics) {
            for (const auto& partition : topic.partitions) {
                answers.emplace(Key(topic.topic_id, partition.partition_index), &partition);
            }
        }
    } else {
        MOLDAU_LOG_WARN(
            log, "The controller did not take changes of in-sync sets: {}",
            response ? fmt::format("error={}", response->error_code) : response.error().message);
    }
    for (const auto& [key, item] : items) {
        auto found = answers.find(key);
        if (found == answers.end()) {
            // No answer settles it; a later proposal of the partition counts more.
            waiting_.emplace(key, item);
            retry_ = loop_.schedule_after(kRetry, [this] { send(); });
            continue;
        }
        const auto& answer = *found->second;
        auto code = static_cast<ErrorCode>(answer.error_code);
        if (code == ErrorCode::None) {
            item.partition->proposal_accepted(LeaderEpoch(answer.leader_epoch), ids_of(answer.isr),
                                              answer.partition_epoch,
                                              answer.leader_recovery_state != 0);
        } else if (is_refusal(code)) {
            item.partition->proposal_rejected();
        } else if (!is_superseded(code)) {
            waiting_.emplace(key, item);
            retry_ = loop_.schedule_after(kRetry, [this] { send(); });
        }
    }
}

}  // namespace moldau::broker
