// ClassicGroup: the members of one group of the classic protocol, their votes, leader and
// generation. It is data with invariants; the protocol that moves it is ClassicProtocol. Membership
// is volatile: what survives a restart is the GroupMetadata record of the last completed rebalance.
// Belongs to one GroupShard; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/error_code.h"
#include "coordinator/group/classic/member.h"
#include "coordinator/group/classic/state.h"
#include "coordinator/group/types.h"
#include "coordinator/runtime/instant.h"

namespace moldau::coordinator {

inline constexpr std::string_view kConsumerProtocolType = "consumer";

class ClassicGroup {
 public:
    using Members = std::map<std::string, ClassicMember, std::less<>>;

    ClassicGroup(std::string id, TimestampMs now) : id_(std::move(id)), state_since_(now) {}
    // The group as its record left it: Empty without members, Stable with them.
    ClassicGroup(std::string id, const protocol::GroupMetadataValue& value);

    const std::string& id() const { return id_; }
    ClassicState state() const { return state_; }
    ClassicState previous_state() const { return previous_state_; }
    bool is(ClassicState state) const { return state_ == state; }
    bool is_any(ClassicState a, ClassicState b) const { return state_ == a || state_ == b; }
    // When the state was entered; nullopt when an old record did not tell.
    std::optional<TimestampMs> state_since() const { return state_since_; }
    int32_t generation() const { return generation_; }
    const std::optional<std::string>& protocol_type() const { return protocol_type_; }
    const std::optional<std::string>& protocol_name() const { return protocol_name_; }
    const std::optional<std::string>& leader() const { return leader_; }
    bool is_leader(std::string_view member) const { return leader_ && *leader_ == member; }
    bool uses_consumer_protocol() const { return protocol_type_ == kConsumerProtocolType; }

    void transition_to(ClassicState to, TimestampMs now);
    bool can_rebalance() const { return may_become(state_, ClassicState::PreparingRebalance); }

    // --- members ---------------------------------------------------------------------------------
    const Members& members() const { return members_; }
    size_t size() const { return members_.size(); }
    bool has_member(std::string_view member) const { return members_.contains(member); }
    ClassicMember* find(std::string_view member);
    const ClassicMember* find(std::string_view member) const;
    template <typename Change>
    void for_each_member(Change&& change) {
        for (auto& [id, member] : members_) {
            change(member);
        }
    }
    // The first member decides the protocol type, and is the leader until another is chosen.
    ClassicMember& add(ClassicMember member, std::string protocol_type);
    // Forgets a member, pending or full; a leader that goes is replaced.
    void remove(std::string_view member);
    // The longest time a member may take to rejoin.
    int32_t rebalance_timeout_ms() const;

    // Members that were given an id and have not joined with it yet (KIP-394).
    bool is_pending(std::string_view member) const { return pending_join_.contains(member); }
    void add_pending(std::string member) { pending_join_.insert(std::move(member)); }
    size_t pending_count() const { return pending_join_.size(); }

    // --- static members
    // --------------------------------------------------------------------------- The member id of
    // an instance, or nullptr.
    const std::string* static_member(std::string_view instance) const;
    size_t static_member_count() const { return static_members_.size(); }
    // Gives the instance's place to a new member id. Requests of the old one must be answered
    // before.
    ClassicMember& replace_static_member(std::string_view instance, std::string_view old_id,
                                         std::string new_id);

    // None, UnknownMemberId or FencedInstanceId.
    ErrorCode validate_member(std::string_view member,
                              std::optional<std::string_view> instance) const;

    // --- join phase
    // -------------------------------------------------------------------------------
    void set_awaiting_join(ClassicMember& member, std::optional<ReplyToken> token);
    size_t awaiting_join_count() const { return awaiting_join_count_; }
    bool all_members_joined() const {
        return awaiting_join_count_ == members_.size() && pending_join_.empty();
    }
    // Keeps the leader if it rejoined, else takes a member that did. False when none did.
    bool elect_joined_leader();
    // Numbers the next generation: CompletingRebalance with a chosen protocol, or Empty without
    // members.
    void start_next_generation(TimestampMs now);
    // Remaining part of the extended first delay (group.initial.rebalance.delay.ms).
    struct InitialDelay {
        milliseconds delay{0};
        milliseconds remaining{0};
        bool member_added = false;
    };
    InitialDelay initial_delay;

    // --- sync phase
    // -------------------------------------------------------------------------------
    const std::set<std::string, std::less<>>& pending_sync() const { return pending_sync_; }
    void add_pending_sync(const std::string& member) { pending_sync_.insert(member); }
    void remove_pending_sync(std::string_view member);
    void clear_pending_sync() { pending_sync_.clear(); }

    // --- protocols
    // --------------------------------------------------------------------------------
    void set_protocols(ClassicMember& member, MemberProtocols protocols);
    // Whether a member that offers these could join.
    bool supports(std::string_view protocol_type, const MemberProtocols& protocols) const;
    // The protocol that all members support and most prefer; the first by name among equals.
    std::string select_protocol() const;
    // Whether offsets of the topic are in use by members. True as well when members use the
    // consumer protocol in words that could not be read.
    bool is_subscribed_to(std::string_view topic) const;
    bool knows_subscriptions() const { return subscribed_topics_.has_value(); }

    // --- record
    // ----------------------------------------------------------------------------------- The group
    // as a record, each member with what `assignment(member)` returns.
    template <typename Assignment>
    GroupMetadataRecord record(Assignment&& assignment) const {
        GroupMetadataRecord record = header_record();
        for (const auto& [id, member] : members_) {
            record.value->members.push_back(member_record(member, assignment(member)));
        }
        return record;
    }
    // The record of a group that was just created.
    GroupMetadataRecord created_record() const;

 private:
    GroupMetadataRecord header_record() const;
    protocol::GroupMetadataValue::MemberMetadata member_record(const ClassicMember& member,
                                                               Bytes assignment) const;
    void count_protocols(const ClassicMember& member, int by);
    std::optional<std::set<std::string, std::less<>>> read_subscriptions() const;

    std::string id_;
    ClassicState state_ = ClassicState::Empty;
    ClassicState previous_state_ = ClassicState::Dead;
    std::optional<TimestampMs> state_since_;
    int32_t generation_ = 0;
    std::optional<std::string> protocol_type_;
    std::optional<std::string> protocol_name_;
    std::optional<std::string> leader_;  // a key of members_, when members_ is not empty.

    Members members_;
    std::map<std::string, std::string, std::less<>> static_members_;  // instance id -> member id
    std::set<std::string, std::less<>> pending_join_;
    std::set<std::string, std::less<>> pending_sync_;
    size_t awaiting_join_count_ = 0;                            // members with awaiting_join.
    std::map<std::string, int, std::less<>> protocol_support_;  // name -> members that support it
    // Of all members; nullopt when not of the consumer protocol, or unreadable.
    std::optional<std::set<std::string, std::less<>>> subscribed_topics_;
};

}  // namespace moldau::coordinator
