#include "coordinator/group/classic/group.h"

#include <algorithm>

#include "coordinator/group/classic/subscription.h"

namespace moldau::coordinator {

ClassicGroup::ClassicGroup(std::string id, const protocol::GroupMetadataValue& value)
    : id_(std::move(id)),
      state_(value.members.empty() ? ClassicState::Empty : ClassicState::Stable),
      generation_(value.generation),
      protocol_name_(value.protocol) {
    if (value.current_state_timestamp != kNoTimestamp) {
        state_since_ = value.current_state_timestamp;
    }
    if (!value.protocol_type.empty()) {
        protocol_type_ = value.protocol_type;
    }
    for (const auto& entry : value.members) {
        ClassicMember member;
        member.id = entry.member_id;
        member.instance_id = entry.group_instance_id;
        member.client_id = entry.client_id;
        member.client_host = entry.client_host;
        member.session_timeout_ms = entry.session_timeout;
        // Records of version 0 had no rebalance timeout.
        member.rebalance_timeout_ms =
            entry.rebalance_timeout == -1 ? entry.session_timeout : entry.rebalance_timeout;
        member.protocols = {
            {value.protocol.value_or(""), Bytes::copy_of(entry.subscription.span())}};
        member.assignment = Bytes::copy_of(entry.assignment.span());
        count_protocols(member, 1);
        if (member.instance_id) {
            static_members_[*member.instance_id] = member.id;
        }
        members_.insert_or_assign(member.id, std::move(member));
    }
    if (!members_.empty()) {
        leader_ =
            value.leader && has_member(*value.leader) ? *value.leader : members_.begin()->first;
        protocol_name_ = value.protocol.value_or("");
    }
    subscribed_topics_ = read_subscriptions();
}

void ClassicGroup::transition_to(ClassicState to, TimestampMs now) {
    MOLDAU_ASSERT(may_become(state_, to));
    previous_state_ = state_;
    state_ = to;
    state_since_ = now;
}

ClassicMember* ClassicGroup::find(std::string_view member) {
    auto at = members_.find(member);
    return at == members_.end() ? nullptr : &at->second;
}

const ClassicMember* ClassicGroup::find(std::string_view member) const {
    auto at = members_.find(member);
    return at == members_.end() ? nullptr : &at->second;
}

ClassicMember& ClassicGroup::add(ClassicMember member, std::string protocol_type) {
    MOLDAU_ASSERT(!has_member(member.id));
    if (members_.empty()) {
        protocol_type_ = std::move(protocol_type);
    }
    if (member.instance_id) {
        MOLDAU_ASSERT(!static_members_.contains(*member.instance_id));
        static_members_[*member.instance_id] = member.id;
    }
    if (!leader_) {
        leader_ = member.id;
    }
    pending_join_.erase(member.id);
    count_protocols(member, 1);
    if (member.awaiting_join) {
        ++awaiting_join_count_;
    }
    std::string id = member.id;
    return members_.emplace(std::move(id), std::move(member)).first->second;
}

void ClassicGroup::remove(std::string_view member) {
    if (auto at = members_.find(member); at != members_.end()) {
        count_protocols(at->second, -1);
        if (at->second.awaiting_join) {
            --awaiting_join_count_;
        }
        if (at->second.instance_id) {
            static_members_.erase(*at->second.instance_id);
        }
        bool was_leader = is_leader(member);
        std::string id = at->first;  // `member` may be a view into the node.
        members_.erase(at);
        if (was_leader) {
            leader_ = members_.empty() ? std::nullopt : std::optional(members_.begin()->first);
        }
        pending_sync_.erase(id);
        return;
    }
    if (auto at = pending_join_.find(member); at != pending_join_.end()) {
        pending_join_.erase(at);
    }
}

int32_t ClassicGroup::rebalance_timeout_ms() const {
    int32_t longest = 0;
    for (const auto& [id, member] : members_) {
        longest = std::max(longest, member.rebalance_timeout_ms);
    }
    return longest;
}

const std::string* ClassicGroup::static_member(std::string_view instance) const {
    auto at = static_members_.find(instance);
    return at == static_members_.end() ? nullptr : &at->second;
}

ClassicMember& ClassicGroup::replace_static_member(std::string_view instance,
                                                   std::string_view old_id, std::string new_id) {
    auto node = members_.extract(members_.find(old_id));
    MOLDAU_ASSERT(!node.empty());
    MOLDAU_ASSERT(!node.mapped().awaiting_join);
    MOLDAU_ASSERT(!node.mapped().awaiting_sync);
    if (is_leader(old_id)) {
        leader_ = new_id;
    }
    // The successor owes the SyncGroup that the old member owed; under the old id the group would
    // wait for somebody who cannot come, and rebalance once more when that time is up.
    if (auto at = pending_sync_.find(old_id); at != pending_sync_.end()) {
        pending_sync_.erase(at);
        pending_sync_.insert(new_id);
    }
    static_members_.find(instance)->second = new_id;
    node.mapped().id = new_id;
    node.mapped().is_new = false;
    node.key() = std::move(new_id);
    return members_.insert(std::move(node)).position->second;
}

ErrorCode ClassicGroup::validate_member(std::string_view member,
                                        std::optional<std::string_view> instance) const {
    if (instance) {
        const std::string* owner = static_member(*instance);
        if (owner == nullptr) {
            return ErrorCode::UnknownMemberId;
        }
        if (*owner != member) {
            return ErrorCode::FencedInstanceId;
        }
    }
    return has_member(member) ? ErrorCode::None : ErrorCode::UnknownMemberId;
}

void ClassicGroup::set_awaiting_join(ClassicMember& member, std::optional<ReplyToken> token) {
    awaiting_join_count_ -= member.awaiting_join ? 1 : 0;
    awaiting_join_count_ += token ? 1 : 0;
    member.awaiting_join = token;
}

bool ClassicGroup::elect_joined_leader() {
    if (!leader_) {
        return false;
    }
    if (const ClassicMember* current = find(*leader_);
        current != nullptr && current->awaiting_join) {
        return true;
    }
    for (const auto& [id, member] : members_) {
        if (member.awaiting_join) {
            leader_ = id;
            return true;
        }
    }
    return false;
}

void ClassicGroup::start_next_generation(TimestampMs now) {
    // Generations are compared for equality and must not be negative.
    generation_ = generation_ == INT32_MAX ? 1 : generation_ + 1;
    if (members_.empty()) {
        protocol_name_.reset();
    } else {
        protocol_name_ = select_protocol();
    }
    subscribed_topics_ = read_subscriptions();
    transition_to(members_.empty() ? ClassicState::Empty : ClassicState::CompletingRebalance, now);
    clear_pending_sync();
}

void ClassicGroup::remove_pending_sync(std::string_view member) {
    if (auto at = pending_sync_.find(member); at != pending_sync_.end()) {
        pending_sync_.erase(at);
    }
}

void ClassicGroup::set_protocols(ClassicMember& member, MemberProtocols protocols) {
    count_protocols(member, -1);
    member.protocols = std::move(protocols);
    count_protocols(member, 1);
}

bool ClassicGroup::supports(std::string_view protocol_type,
                            const MemberProtocols& protocols) const {
    if (is(ClassicState::Empty)) {
        return !protocol_type.empty() && !protocols.empty();
    }
    if (protocol_type_ != protocol_type) {
        return false;
    }
    return std::ranges::any_of(protocols, [&](const MemberProtocol& offered) {
        auto at = protocol_support_.find(offered.name);
        size_t supporters = at == protocol_support_.end() ? 0 : static_cast<size_t>(at->second);
        return supporters == members_.size();
    });
}

std::string ClassicGroup::select_protocol() const {
    std::set<std::string_view> candidates;
    for (const auto& [name, supporters] : protocol_support_) {
        if (static_cast<size_t>(supporters) == members_.size()) {
            candidates.insert(name);
        }
    }
    std::map<std::string_view, int> votes;
    for (const auto& [id, member] : members_) {
        ++votes[member.vote(candidates)];
    }
    auto winner = std::ranges::max_element(
        votes, [](const auto& a, const auto& b) { return a.second < b.second; });
    MOLDAU_ASSERT(winner != votes.end());
    return std::string(winner->first);
}

bool ClassicGroup::is_subscribed_to(std::string_view topic) const {
    return subscribed_topics_ ? subscribed_topics_->contains(topic) : uses_consumer_protocol();
}

GroupMetadataRecord ClassicGroup::created_record() const {
    GroupMetadataRecord record;
    record.key.group = id_;
    record.value.emplace();
    record.value->protocol = std::nullopt;
    record.value->leader = std::nullopt;
    record.value->current_state_timestamp = state_since_.value_or(kNoTimestamp);
    return record;
}

GroupMetadataRecord ClassicGroup::header_record() const {
    GroupMetadataRecord record = created_record();
    record.value->protocol_type = protocol_type_.value_or("");
    record.value->generation = generation_;
    record.value->protocol = protocol_name_;
    record.value->leader = leader_;
    return record;
}

protocol::GroupMetadataValue::MemberMetadata ClassicGroup::member_record(
    const ClassicMember& member, Bytes assignment) const {
    MOLDAU_ASSERT(protocol_name_.has_value());
    const Bytes* subscription = member.metadata(*protocol_name_);
    MOLDAU_ASSERT(subscription != nullptr);
    protocol::GroupMetadataValue::MemberMetadata entry;
    entry.member_id = member.id;
    entry.group_instance_id = member.instance_id;
    entry.client_id = member.client_id;
    entry.client_host = member.client_host;
    entry.rebalance_timeout = member.rebalance_timeout_ms;
    entry.session_timeout = member.session_timeout_ms;
    entry.subscription = *subscription;
    entry.assignment = std::move(assignment);
    return entry;
}

void ClassicGroup::count_protocols(const ClassicMember& member, int by) {
    for (const MemberProtocol& entry : member.protocols) {
        auto at = protocol_support_.try_emplace(entry.name, 0).first;
        at->second += by;
        if (at->second == 0) {
            protocol_support_.erase(at);
        }
    }
}

std::optional<std::set<std::string, std::less<>>> ClassicGroup::read_subscriptions() const {
    if (!uses_consumer_protocol()) {
        return std::nullopt;
    }
    std::set<std::string, std::less<>> topics;
    for (const auto& [id, member] : members_) {
        const Bytes* metadata = protocol_name_ ? member.metadata(*protocol_name_) : nullptr;
        auto subscription = metadata ? subscribed_topics(*metadata) : std::nullopt;
        if (!subscription) {
            return std::nullopt;
        }
        topics.insert(subscription->begin(), subscription->end());
    }
    return topics;
}

}  // namespace moldau::coordinator
