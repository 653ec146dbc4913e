// The raft protocol on the wire: what other nodes ask of this one (Fetch of the metadata log,
// FetchSnapshot, Vote, BeginQuorumEpoch, EndQuorumEpoch, RemoveRaftVoter, UpdateRaftVoter) in the
// terms of consensus::RaftCore, and the core's answers back, in every version. Pure functions, used
// by ControllerHost; any thread.
//
// Kafka runs one raft partition. Whatever names another is refused here, as a whole, before the
// core hears of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "consensus/messages.h"
#include "protocol/wire.h"

namespace moldau::quorum {

bool is_raft_api(int16_t api_key);

struct RaftCall {
    int16_t api_key = 0;
    int16_t api_version = 0;
    // By which the request came: leaders are named by their address on the same one.
    std::string listener;
};

// What this node says of itself when it refuses without asking the core.
struct RaftSelf {
    std::string_view cluster_id;
    consensus::ResponseHeader header;  // error None, with the present leader
};

// A question for the core, or the answer already.
using RaftQuestion = std::variant<consensus::Request, protocol::Chain>;

// Errors: UnsupportedVersion for an api or version that is not served, InvalidRequest for a body
// that does not parse.
Result<RaftQuestion> read_raft_request(const RaftCall& call, const Bytes& body,
                                       const RaftSelf& self);
// `response` answers a request of that call.
Result<protocol::Chain> write_raft_response(const RaftCall& call,
                                            const consensus::Response& response);

}  // namespace moldau::quorum
