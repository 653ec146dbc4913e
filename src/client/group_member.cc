#include "client/group_member.h"

#include <algorithm>

#include "protocol/records/consumer_protocol.h"

namespace moldau::client {
namespace {

constexpr std::string_view kConsumerProtocolType = "consumer";
constexpr int16_t kSubscriptionVersion = 3;
constexpr int16_t kAssignmentVersion = 3;

template <typename Message>
Bytes encode_versioned(const Message& message, int16_t version) {
    protocol::Writer writer;
    writer.write_int16(version);
    message.write(writer, version);
    return protocol::join(writer.take());
}

// A member may write a newer version; what is known of it stands first.
template <typename Message>
Result<Message> decode_versioned(const Bytes& bytes) {
    protocol::Reader reader(bytes);
    int16_t version = std::min(reader.read_int16(), Message::kVersions.last);
    Message message;
    if (reader.ok() && version >= 0) {
        message = Message::read(reader, version);
    }
    if (!reader.ok() || version < 0) {
        return fail(reader.error());
    }
    return message;
}

template <typename Message>
std::vector<TopicPartition> flatten(const Message& topics) {
    std::vector<TopicPartition> partitions;
    for (const auto& topic : topics) {
        for (int32_t partition : topic.partitions) {
            partitions.push_back({topic.topic, partition});
        }
    }
    return partitions;
}

template <typename Element, typename Range>
std::vector<Element> by_topic(const Range& partitions) {
    std::map<std::string, std::vector<int32_t>> grouped;
    for (const TopicPartition& tp : partitions) {
        grouped[tp.topic].push_back(tp.partition);
    }
    std::vector<Element> elements;
    for (auto& [topic, indexes] : grouped) {
        Element element;
        element.topic = topic;
        element.partitions = std::move(indexes);
        elements.push_back(std::move(element));
    }
    return elements;
}

}  // namespace

Bytes encode_subscription(const AssignorMember& member, const std::string& rack) {
    protocol::ConsumerProtocolSubscription subscription;
    subscription.topics.assign(member.topics.begin(), member.topics.end());
    subscription.user_data = member.user_data;
    subscription.owned_partitions =
        by_topic<protocol::ConsumerProtocolSubscription::TopicPartition>(member.owned);
    subscription.generation_id = member.generation;
    if (!rack.empty()) {
        subscription.rack_id = rack;
    }
    return encode_versioned(subscription, kSubscriptionVersion);
}

Result<AssignorMember> decode_subscription(const Bytes& bytes) {
    MOLDAU_TRY(auto subscription, decode_versioned<protocol::ConsumerProtocolSubscription>(bytes));
    AssignorMember member;
    member.topics.insert(subscription.topics.begin(), subscription.topics.end());
    member.owned = flatten(subscription.owned_partitions);
    member.generation = subscription.generation_id;
    member.user_data = std::move(subscription.user_data);
    return member;
}

Bytes encode_assignment(const std::vector<TopicPartition>& partitions) {
    protocol::ConsumerProtocolAssignment assignment;
    assignment.assigned_partitions =
        by_topic<protocol::ConsumerProtocolAssignment::TopicPartition>(partitions);
    return encode_versioned(assignment, kAssignmentVersion);
}

Result<std::vector<TopicPartition>> decode_assignment(const Bytes& bytes) {
    if (bytes.empty()) {
        return std::vector<TopicPartition>();
    }
    MOLDAU_TRY(auto assignment, decode_versioned<protocol::ConsumerProtocolAssignment>(bytes));
    return flatten(assignment.assigned_partitions);
}

// Members can only keep partitions when every assignor that may be chosen knows of it.
GroupMember::GroupMember(GroupMemberConfig config)
    : config_(std::move(config)),
      cooperative_(std::ranges::all_of(config_.assignors, &Assignor::cooperative)) {}

void GroupMember::subscribe(MonotonicTime now, std::set<std::string> topics) {
    if (topics == topics_) {
        return;
    }
    topics_ = std::move(topics);
    if (state_ == State::Stable || state_ == State::Syncing || state_ == State::Joining) {
        rejoin(now);
    }
}

void GroupMember::on_partition_counts(MonotonicTime now, std::map<std::string, int32_t> counts) {
    counts_ = std::move(counts);
    if (state_ == State::Stable && leads_ && counts_ != counts_assigned_) {
        rejoin(now);
    }
}

void GroupMember::on_poll(MonotonicTime now) {
    last_poll_ = now;
    if (state_ == State::Resting && !topics_.empty()) {
        look(now);
    }
}

void GroupMember::look(MonotonicTime now) {
    if (state_ != State::Looking) {
        keeps_place_ = state_ == State::Stable;
    }
    state_ = State::Looking;
    heartbeat_in_flight_ = false;
    retry_at_.reset();
    last_heard_ = now;
    ready_.find_coordinator = true;
}

void GroupMember::on_coordinator(MonotonicTime now, bool found) {
    if (state_ != State::Looking) {
        return;
    }
    if (!found) {
        retry_at_ = now + config_.retry_backoff;
        return;
    }
    last_heard_ = now;
    if (std::exchange(keeps_place_, false)) {
        // The group lives on with its members: a heartbeat tells whether this is still one.
        state_ = State::Stable;
        heartbeat_due_ = now;
        return;
    }
    rejoin(now);
}

void GroupMember::rejoin(MonotonicTime now) {
    retry_at_.reset();
    std::set<TopicPartition> unwanted = owned_;
    if (cooperative_) {
        std::erase_if(unwanted,
                      [&](const TopicPartition& tp) { return topics_.contains(tp.topic); });
    }
    if (!unwanted.empty()) {
        revoke(unwanted);
        return;
    }
    state_ = State::Joining;
    heartbeat_due_ = now + config_.heartbeat_interval;
    send_join();
}

void GroupMember::revoke(const std::set<TopicPartition>& partitions) {
    if (state_ != State::Revoking) {
        state_ = State::Revoking;
        revoking_ = partitions;
        ready_.revoke = partitions;
    }
}

void GroupMember::revoked(MonotonicTime) {
    for (const TopicPartition& tp : std::exchange(revoking_, {})) {
        owned_.erase(tp);
    }
    if (state_ == State::Revoking) {
        state_ = State::Joining;
        send_join();
    }
}

void GroupMember::send_join() {
    protocol::JoinGroupRequest request;
    request.group_id = config_.group_id;
    request.session_timeout_ms = static_cast<int32_t>(to_ms(config_.session_timeout));
    request.rebalance_timeout_ms = static_cast<int32_t>(to_ms(config_.poll_interval_max));
    request.member_id = member_id_;
    request.group_instance_id = config_.group_instance_id;
    request.protocol_type = kConsumerProtocolType;
    AssignorMember me;
    me.topics = topics_;
    me.owned.assign(owned_.begin(), owned_.end());
    me.generation = generation_ < 0 ? -1 : assigned_generation_;
    for (const Assignor* assignor : config_.assignors) {
        protocol::JoinGroupRequest::JoinGroupRequestProtocol offered;
        offered.name = assignor->protocol;
        me.user_data = assignor->user_data(assigned_, assigned_generation_);
        offered.metadata = encode_subscription(me, config_.rack);
        request.protocols.push_back(std::move(offered));
    }
    ready_.join = std::move(request);
}

void GroupMember::retry_join(MonotonicTime now) {
    state_ = State::Joining;
    retry_at_ = now + config_.retry_backoff;
}

// What every answer of the coordinator may say. True when it was one of these.
bool GroupMember::handle_common(MonotonicTime now, ErrorCode error) {
    switch (error) {
        case ErrorCode::CoordinatorNotAvailable:
        case ErrorCode::NotCoordinator:
        case ErrorCode::NetworkException:
        case ErrorCode::RequestTimedOut:
            look(now);
            return true;
        case ErrorCode::CoordinatorLoadInProgress:
            retry_join(now);
            return true;
        case ErrorCode::UnknownMemberId:
            forget_membership(false);
            lose_partitions();
            retry_join(now);
            retry_at_ = now;
            return true;
        case ErrorCode::IllegalGeneration:
            forget_membership(true);
            lose_partitions();
            retry_join(now);
            retry_at_ = now;
            return true;
        default:
            return false;
    }
}

void GroupMember::on_join(MonotonicTime now, const Result<protocol::JoinGroupResponse>& answer) {
    if (state_ != State::Joining) {
        return;  // meanwhile the subscription changed or the member left
    }
    ErrorCode error = answer ? error_code_from_wire(answer->error_code) : answer.error().code;
    if (error == ErrorCode::None) {
        member_id_ = answer->member_id;
        generation_ = answer->generation_id;
        protocol_name_ = answer->protocol_name.value_or("");
        last_heard_ = now;
        state_ = State::Syncing;
        send_sync(*answer);
        return;
    }
    if (error == ErrorCode::MemberIdRequired) {
        member_id_ = answer->member_id;
        send_join();
        return;
    }
    if (error == ErrorCode::RebalanceInProgress) {
        retry_join(now);
        return;
    }
    if (!handle_common(now, error)) {
        fail_for_good({error, fmt::format("the group refused this member: group={} error={}",
                                          config_.group_id, error)});
    }
}

void GroupMember::send_sync(const protocol::JoinGroupResponse& joined) {
    protocol::SyncGroupRequest request;
    request.group_id = config_.group_id;
    request.generation_id = generation_;
    request.member_id = member_id_;
    request.group_instance_id = config_.group_instance_id;
    request.protocol_type = kConsumerProtocolType;
    request.protocol_name = protocol_name_;
    leads_ = joined.leader == member_id_;
    if (leads_ && !joined.skip_assignment) {
        std::vector<AssignorMember> members;
        std::map<std::string, int32_t> counts;
        for (const auto& joiner : joined.members) {
            // A subscription that cannot be read gets nothing; its owner is broken, not the group.
            AssignorMember member = decode_subscription(joiner.metadata).value_or(AssignorMember());
            member.member_id = joiner.member_id;
            member.group_instance_id = joiner.group_instance_id;
            for (const std::string& topic : member.topics) {
                if (auto known = counts_.find(topic); known != counts_.end()) {
                    counts[topic] = known->second;
                }
            }
            members.push_back(std::move(member));
        }
        counts_assigned_ = counts_;
        const Assignor* assignor = find_assignor(protocol_name_);
        if (assignor == nullptr) {
            fail_for_good(
                {ErrorCode::InconsistentGroupProtocol,
                 fmt::format("the group chose an unknown assignor: name={}", protocol_name_)});
            return;
        }
        for (auto& [member_id, partitions] : assignor->assign(members, counts)) {
            protocol::SyncGroupRequest::SyncGroupRequestAssignment assignment;
            assignment.member_id = member_id;
            assignment.assignment = encode_assignment(partitions);
            request.assignments.push_back(std::move(assignment));
        }
    }
    ready_.sync = std::move(request);
}

void GroupMember::on_sync(MonotonicTime now, const Result<protocol::SyncGroupResponse>& answer) {
    if (state_ != State::Syncing) {
        return;
    }
    ErrorCode error = answer ? error_code_from_wire(answer->error_code) : answer.error().code;
    if (error == ErrorCode::None) {
        auto assigned = decode_assignment(answer->assignment);
        if (!assigned) {
            fail_for_good(assigned.error());
            return;
        }
        assign(now, *assigned);
        return;
    }
    if (error == ErrorCode::RebalanceInProgress) {
        rejoin(now);
        return;
    }
    if (!handle_common(now, error)) {
        fail_for_good({error, fmt::format("the group refused this member: group={} error={}",
                                          config_.group_id, error)});
    }
}

void GroupMember::assign(MonotonicTime now, const std::vector<TopicPartition>& assigned) {
    state_ = State::Stable;
    last_heard_ = now;
    heartbeat_due_ = now + config_.heartbeat_interval;
    assigned_ = assigned;
    assigned_generation_ = generation_;
    std::set<TopicPartition> added(assigned.begin(), assigned.end());
    std::set<TopicPartition> left_out;
    for (const TopicPartition& tp : owned_) {
        if (added.erase(tp) == 0) {
            left_out.insert(tp);
        }
    }
    owned_.insert(added.begin(), added.end());
    ready_.assigned = std::move(added);
    if (!left_out.empty()) {
        revoke(left_out);
    } else if (leads_ && counts_ != counts_assigned_) {
        rejoin(now);
    }
}

void GroupMember::on_heartbeat(MonotonicTime now,
                               const Result<protocol::HeartbeatResponse>& answer) {
    heartbeat_in_flight_ = false;
    if (state_ != State::Stable && state_ != State::Revoking && state_ != State::Joining) {
        return;
    }
    ErrorCode error = answer ? error_code_from_wire(answer->error_code) : answer.error().code;
    if (error == ErrorCode::None) {
        last_heard_ = now;
        return;
    }
    if (error == ErrorCode::RebalanceInProgress) {
        last_heard_ = now;
        if (state_ == State::Stable) {
            rejoin(now);
        }
        return;
    }
    if (state_ == State::Joining && error != ErrorCode::FencedInstanceId) {
        return;  // the join's own answer will say more
    }
    if (!handle_common(now, error)) {
        fail_for_good({error, fmt::format("the group ended this member: group={} error={}",
                                          config_.group_id, error)});
    }
}

void GroupMember::on_commit_error(MonotonicTime now, ErrorCode error, int32_t generation) {
    if (state_ != State::Stable || generation != generation_) {
        return;  // the group has moved on since
    }
    if (error == ErrorCode::RebalanceInProgress) {
        rejoin(now);
    } else {
        handle_common(now, error);
    }
}

void GroupMember::tick(MonotonicTime now) {
    if (retry_at_ && now >= *retry_at_) {
        retry_at_.reset();
        if (state_ == State::Looking) {
            ready_.find_coordinator = true;
        } else if (state_ == State::Joining) {
            send_join();
        }
    }
    bool has_place = state_ == State::Stable || state_ == State::Revoking;
    if (!has_place) {
        return;
    }
    if (state_ == State::Stable && now >= last_poll_ + config_.poll_interval_max) {
        // The application is stuck: others shall have its partitions.
        lose_partitions();
        leave(now);
        return;
    }
    if (now >= last_heard_ + config_.session_timeout) {
        look(now);
        return;
    }
    if (now >= heartbeat_due_ && !heartbeat_in_flight_) {
        protocol::HeartbeatRequest request;
        request.group_id = config_.group_id;
        request.generation_id = generation_;
        request.member_id = member_id_;
        request.group_instance_id = config_.group_instance_id;
        ready_.heartbeat = std::move(request);
        heartbeat_in_flight_ = true;
        heartbeat_due_ = now + config_.heartbeat_interval;
    }
}

void GroupMember::leave(MonotonicTime) {
    if (!member_id_.empty() && !config_.group_instance_id && state_ != State::Failed) {
        protocol::LeaveGroupRequest request;
        request.group_id = config_.group_id;
        protocol::LeaveGroupRequest::MemberIdentity member;
        member.member_id = member_id_;
        member.reason = "the consumer is being closed";
        request.members.push_back(std::move(member));
        ready_.leave = std::move(request);
    }
    forget_membership(config_.group_instance_id.has_value());
    owned_.clear();
    revoking_.clear();
    state_ = State::Resting;
    retry_at_.reset();
    ready_.join.reset();
    ready_.sync.reset();
    ready_.heartbeat.reset();
    ready_.find_coordinator = false;
}

void GroupMember::forget_membership(bool keep_member_id) {
    generation_ = -1;
    leads_ = false;
    heartbeat_in_flight_ = false;
    if (!keep_member_id) {
        member_id_.clear();
    }
}

void GroupMember::lose_partitions() {
    if (!owned_.empty()) {
        ready_.lost = std::exchange(owned_, {});
        ready_.revoke.reset();
        revoking_.clear();
    }
}

void GroupMember::fail_for_good(Error error) {
    state_ = State::Failed;
    lose_partitions();
    ready_.failed = std::move(error);
}

MonotonicTime GroupMember::next_timeout() const {
    MonotonicTime earliest = retry_at_.value_or(MonotonicTime::max());
    if (state_ == State::Stable || state_ == State::Revoking) {
        earliest = std::min(earliest, last_heard_ + config_.session_timeout);
        if (!heartbeat_in_flight_) {
            earliest = std::min(earliest, heartbeat_due_);
        }
    }
    if (state_ == State::Stable) {
        earliest = std::min(earliest, last_poll_ + config_.poll_interval_max);
    }
    return earliest;
}

}  // namespace moldau::client
