#include "controller/leaders.h"

#include <algorithm>
#include <set>

#include "controller/configs.h"
#include "controller/partition_change.h"
#include "metadata/features.h"
#include "metadata/registrations.h"

namespace moldau::controller {

namespace {

using metadata::kNoLeaderChange;
using metadata::LeaderRecoveryState;
using metadata::Partition;
using metadata::Records;
using protocol::AlterPartitionRequest;
using protocol::AlterPartitionResponse;
using Ids = std::vector<int32_t>;

bool contains(const Ids& ids, int32_t id) {
    return std::ranges::find(ids, id) != ids.end();
}

PartitionChange change_of(const View& view, const PartitionKey& key) {
    return PartitionChange(view.state, key, effective_min_isr(view, key.topic_id));
}

const std::string& topic_name(const View& view, const PartitionKey& key) {
    return view.state.image().topics.find(key.topic_id)->name;
}

using Isr = std::vector<std::pair<int32_t, int64_t>>;  // broker and its epoch, -1: not told

Isr proposed_isr(const AlterPartitionRequest::PartitionData& data, int16_t version) {
    Isr isr;
    if (version < 3) {
        for (int32_t broker : data.new_isr) {
            isr.emplace_back(broker, -1);
        }
    } else {
        for (const auto& member : data.new_isr_with_epochs) {
            isr.emplace_back(member.broker_id, member.broker_epoch);
        }
    }
    return isr;
}

bool is_valid_isr(const Partition& partition, const Isr& isr) {
    std::set<int32_t> seen;
    return !isr.empty() && std::ranges::all_of(isr, [&](const auto& member) {
        return member.first >= 0 && seen.insert(member.first).second &&
               partition.is_replica(member.first);
    });
}

bool is_eligible(const State& state, const std::pair<int32_t, int64_t>& member) {
    const metadata::Broker* broker = state.broker(member.first);
    return broker != nullptr && broker->active() &&
           (member.second == -1 || member.second == broker->epoch);
}

ErrorCode check_alteration(const State& state, int32_t sender, const Partition* partition,
                           const AlterPartitionRequest::PartitionData& data, const Isr& isr) {
    if (partition == nullptr) {
        return ErrorCode::UnknownTopicOrPartition;
    }
    // A leader that knows more than this controller has heard from the next one.
    if (data.leader_epoch > partition->leader_epoch ||
        data.partition_epoch > partition->partition_epoch) {
        return ErrorCode::NotController;
    }
    if (data.leader_epoch < partition->leader_epoch) {
        return ErrorCode::FencedLeaderEpoch;
    }
    if (sender != partition->leader) {
        return ErrorCode::InvalidRequest;
    }
    if (data.partition_epoch < partition->partition_epoch) {
        return ErrorCode::InvalidUpdateVersion;
    }
    bool with_leader = std::ranges::any_of(
        isr, [&](const auto& member) { return member.first == partition->leader; });
    if (!is_valid_isr(*partition, isr) || !with_leader) {
        return ErrorCode::InvalidRequest;
    }
    bool recovering =
        data.leader_recovery_state == static_cast<int8_t>(LeaderRecoveryState::Recovering);
    if (recovering &&
        (isr.size() > 1 || partition->leader_recovery_state == LeaderRecoveryState::Recovered)) {
        return ErrorCode::InvalidRequest;
    }
    if (!std::ranges::all_of(isr, [&](const auto& m) { return is_eligible(state, m); })) {
        return ErrorCode::IneligibleReplica;
    }
    return ErrorCode::None;
}

}  // namespace

Records leader_and_isr_updates(const View& view, const BrokerEvent& event,
                               const std::vector<PartitionKey>& partitions) {
    Records records;
    for (const PartitionKey& key : partitions) {
        const Partition& partition = *view.state.image().topics.partition(key.topic_id, key.index);
        PartitionChange change = change_of(view, key);
        change.may_lead([&view, event](int32_t broker) {
            return broker != event.leaving && broker != event.uncleanly_shut_down &&
                   (broker == event.arriving || view.state.is_active(broker));
        });
        if (unclean_leader_election_enabled(view, topic_name(view, key))) {
            change.election(Election::Unclean);
        }
        if (event.uncleanly_shut_down >= 0) {
            change.uncleanly_shut_down({event.uncleanly_shut_down});
        }
        Ids isr;
        std::ranges::copy_if(partition.isr, std::back_inserter(isr), [&event](int32_t member) {
            return member != event.leaving && member != event.uncleanly_shut_down;
        });
        change.isr(std::move(isr));
        if (auto record = change.build()) {
            records.push_back(std::move(*record));
        }
    }
    return records;
}

Status check_broker_epoch(const State& state, int32_t broker, int64_t epoch) {
    const metadata::Broker* registration = state.broker(broker);
    if (registration == nullptr) {
        return fail(ErrorCode::StaleBrokerEpoch, "No broker registration found for broker id {}",
                    broker);
    }
    if (registration->epoch != epoch) {
        return fail(ErrorCode::StaleBrokerEpoch,
                    "Expected broker epoch {}, but got broker epoch {}", registration->epoch,
                    epoch);
    }
    return {};
}

Result<Decision<AlterPartitionResponse>> alter_partition(const View& view,
                                                         const AlterPartitionRequest& request,
                                                         int16_t version) {
    Decision<AlterPartitionResponse> decision;
    if (request.topics.empty()) {
        return decision;  // even of a stale sender, as in Kafka
    }
    MOLDAU_CHECK(check_broker_epoch(view.state, request.broker_id, request.broker_epoch));
    decision.atomic = false;
    for (const auto& topic_data : request.topics) {
        auto& answers = decision.response.topics.emplace_back();
        answers.topic_id = topic_data.topic_id;
        const metadata::Topic* topic = view.state.image().topics.find(topic_data.topic_id);
        for (const auto& data : topic_data.partitions) {
            auto& answer = answers.partitions.emplace_back();
            answer.partition_index = data.partition_index;
            if (topic == nullptr) {
                answer.error_code = to_wire(ErrorCode::UnknownTopicId);
                continue;
            }
            const Partition* before = topic->partitions.find(data.partition_index);
            Isr isr = proposed_isr(data, version);
            ErrorCode error = check_alteration(view.state, request.broker_id, before, data, isr);
            if (error != ErrorCode::None) {
                answer.error_code = to_wire(error);
                continue;
            }
            PartitionKey key{topic->id, data.partition_index};
            PartitionChange change = change_of(view, key);
            if (unclean_leader_election_enabled(view, topic->name)) {
                change.election(Election::Unclean);
            }
            Ids members;
            for (const auto& member : isr) {
                members.push_back(member.first);
            }
            change.isr(std::move(members));
            change.recovery_state(static_cast<LeaderRecoveryState>(data.leader_recovery_state));
            Partition after = *before;
            if (auto record = change.build()) {
                const auto& changed = std::get<protocol::PartitionChangeRecord>(record->record);
                after = metadata::merge(*before, changed);
                bool moved =
                    changed.leader != kNoLeaderChange && changed.leader != request.broker_id;
                decision.records.push_back(std::move(*record));
                if (moved) {
                    // The new ISR completed a reassignment that leaves the sender out.
                    answer.error_code = to_wire(ErrorCode::NewLeaderElected);
                    continue;
                }
            }
            answer.leader_id = after.leader;
            answer.leader_epoch = after.leader_epoch;
            answer.isr = after.isr;
            answer.leader_recovery_state = static_cast<int8_t>(after.leader_recovery_state);
            answer.partition_epoch = after.partition_epoch;
        }
    }
    return decision;
}

namespace {

constexpr int8_t kPreferredElection = 0;
constexpr int8_t kUncleanElection = 1;

Status elect(const View& view, const std::string& topic_name, int32_t index, int8_t type,
             Records& records) {
    const metadata::Topic* topic = view.state.image().topics.find(topic_name);
    if (topic == nullptr) {
        return fail(ErrorCode::UnknownTopicOrPartition, "No such topic as {}", topic_name);
    }
    const Partition* partition = topic->partitions.find(index);
    if (partition == nullptr) {
        return fail(ErrorCode::UnknownTopicOrPartition, "No such partition as {}-{}", topic_name,
                    index);
    }
    bool preferred = type == kPreferredElection;
    if (preferred ? partition->leader == partition->preferred_replica() : partition->has_leader()) {
        return fail(ErrorCode::ElectionNotNeeded,
                    "Leader election not needed for topic partition.");
    }
    auto record = change_of(view, {topic->id, index})
                      .election(preferred ? Election::Preferred : Election::Unclean)
                      .build();
    if (!record) {
        return preferred ? fail(ErrorCode::PreferredLeaderNotAvailable,
                                "The preferred leader was not available.")
                         : fail(ErrorCode::EligibleLeadersNotAvailable,
                                "Eligible topic partition leaders are not available.");
    }
    records.push_back(std::move(*record));
    return {};
}

}  // namespace

Result<Decision<protocol::ElectLeadersResponse>> elect_leaders(
    const View& view, const protocol::ElectLeadersRequest& request) {
    if (request.election_type != kPreferredElection && request.election_type != kUncleanElection) {
        return fail(ErrorCode::InvalidRequest, "Unknown election type {}", request.election_type);
    }
    Decision<protocol::ElectLeadersResponse> decision;
    decision.atomic = false;
    auto answer = [&](auto& results, const std::string& topic, int32_t index, bool all) {
        Status status = elect(view, topic, index, request.election_type, decision.records);
        if (all && !status && status.error().code == ErrorCode::ElectionNotNeeded) {
            return;  // asked for everything: only what happened is told
        }
        auto& result = results.partition_result.emplace_back();
        result.partition_id = index;
        result.error_message = std::nullopt;
        if (!status) {
            result.error_code = to_wire(status.error().code);
            result.error_message = status.error().message;
        }
    };
    if (!request.topic_partitions) {
        for (const auto& [name, id] : view.state.image().topics.ids) {
            auto& results = decision.response.replica_election_results.emplace_back();
            results.topic = name;
            for (const auto& [index, partition] : view.state.image().topics.find(id)->partitions) {
                answer(results, name, index, true);
            }
        }
        return decision;
    }
    for (const auto& topic : *request.topic_partitions) {
        auto& results = decision.response.replica_election_results.emplace_back();
        results.topic = topic.topic;
        for (int32_t index : topic.partitions) {
            answer(results, topic.topic, index, false);
        }
    }
    return decision;
}

Records rebalance_leaders(const View& view, size_t count_max) {
    Records records;
    for (const PartitionKey& key : view.state.partitions_off_preferred_leader(count_max)) {
        if (auto record = change_of(view, key).election(Election::Preferred).build()) {
            records.push_back(std::move(*record));
        }
    }
    return records;
}

Records elect_unclean_leaders(const View& view, size_t count_max) {
    Records records;
    for (const PartitionKey& key : view.state.partitions_without_leader()) {
        if (records.size() >= count_max) {
            break;
        }
        if (!unclean_leader_election_enabled(view, topic_name(view, key))) {
            continue;
        }
        if (auto record = change_of(view, key).election(Election::Unclean).build()) {
            records.push_back(std::move(*record));
        }
    }
    return records;
}

Result<Decision<protocol::AssignReplicasToDirsResponse>> assign_replicas_to_directories(
    const View& view, const protocol::AssignReplicasToDirsRequest& request) {
    if (!metadata::is_directory_assignment_supported(view.state.metadata_version())) {
        return fail(ErrorCode::UnsupportedVersion, "Directory assignment is not supported yet.");
    }
    MOLDAU_CHECK(check_broker_epoch(view.state, request.broker_id, request.broker_epoch));
    const metadata::Broker& broker = *view.state.broker(request.broker_id);
    Decision<protocol::AssignReplicasToDirsResponse> decision;
    decision.atomic = false;
    std::vector<PartitionKey> offline;
    for (const auto& directory : request.directories) {
        auto& directory_answer = decision.response.directories.emplace_back();
        directory_answer.id = directory.id;
        for (const auto& topic_data : directory.topics) {
            auto& topic_answer = directory_answer.topics.emplace_back();
            topic_answer.topic_id = topic_data.topic_id;
            const metadata::Topic* topic = view.state.image().topics.find(topic_data.topic_id);
            for (const auto& data : topic_data.partitions) {
                auto& answer = topic_answer.partitions.emplace_back();
                answer.partition_index = data.partition_index;
                const Partition* partition =
                    topic == nullptr ? nullptr : topic->partitions.find(data.partition_index);
                if (topic == nullptr) {
                    answer.error_code = to_wire(ErrorCode::UnknownTopicId);
                } else if (partition == nullptr) {
                    answer.error_code = to_wire(ErrorCode::UnknownTopicOrPartition);
                } else if (!contains(partition->replicas, request.broker_id)) {
                    answer.error_code = to_wire(ErrorCode::NotLeaderOrFollower);
                } else {
                    PartitionKey key{topic->id, data.partition_index};
                    auto record =
                        change_of(view, key).directory(request.broker_id, directory.id).build();
                    if (record) {
                        decision.records.push_back(std::move(*record));
                    }
                    if (!broker.has_online_directory(directory.id)) {
                        offline.push_back(key);
                    }
                }
            }
        }
    }
    BrokerEvent event;
    event.leaving = request.broker_id;
    std::ranges::move(leader_and_isr_updates(view, event, offline),
                      std::back_inserter(decision.records));
    return decision;
}

}  // namespace moldau::controller
