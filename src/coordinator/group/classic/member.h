// ClassicMember: one member of a classic group. Owned by its ClassicGroup.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "coordinator/runtime/outcome.h"
#include "protocol/messages/join_group.h"

namespace moldau::coordinator {

// An assignment strategy the member can follow, with its subscription in that strategy's words.
struct MemberProtocol {
    std::string name;
    Bytes metadata;

    friend bool operator==(const MemberProtocol&, const MemberProtocol&) = default;
};
using MemberProtocols = std::vector<MemberProtocol>;

// Copies the bytes: a member outlives the buffer its request was read into. A name that comes twice
// counts once, as it would be two votes of one member.
inline MemberProtocols member_protocols(
    const std::vector<protocol::JoinGroupRequest::JoinGroupRequestProtocol>& requested) {
    MemberProtocols protocols;
    for (const auto& entry : requested) {
        if (std::ranges::find(protocols, entry.name, &MemberProtocol::name) != protocols.end()) {
            continue;
        }
        protocols.push_back({entry.name, Bytes::copy_of(entry.metadata.span())});
    }
    return protocols;
}

struct ClassicMember {
    std::string id;
    std::optional<std::string> instance_id;  // present for a static member (KIP-345)
    std::string client_id;
    std::string client_host;
    int32_t rebalance_timeout_ms = 0;
    int32_t session_timeout_ms = 0;
    MemberProtocols protocols;  // in the member's order of preference
    Bytes assignment;

    // Requests that wait for the group: at most one of the two.
    std::optional<ReplyToken> awaiting_join;
    std::optional<ReplyToken> awaiting_sync;
    // Joined, and has not been told its id by a JoinGroup answer yet.
    bool is_new = false;

    bool is_static() const { return instance_id.has_value(); }
    // A member whose request is parked here cannot send heartbeats; a new one must still time out,
    // or clients that gave up would stay for ever.
    bool has_satisfied_heartbeat() const { return !is_new && (awaiting_join || awaiting_sync); }

    const Bytes* metadata(std::string_view protocol) const {
        for (const MemberProtocol& entry : protocols) {
            if (entry.name == protocol) {
                return &entry.metadata;
            }
        }
        return nullptr;
    }
    // The first of the member's protocols that is among the candidates, which must hold one of
    // them.
    const std::string& vote(const std::set<std::string_view>& candidates) const {
        for (const MemberProtocol& entry : protocols) {
            if (candidates.contains(entry.name)) {
                return entry.name;
            }
        }
        assertion_failed("a member supports a candidate protocol", __FILE__, __LINE__);
    }
};

}  // namespace moldau::coordinator
