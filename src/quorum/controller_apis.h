// What a controller does for each API key: how the request is read, which decider answers it, and
// what an error looks like in that response. Used by ControllerHost alone, on the control loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "controller/decision.h"
#include "controller/sessions.h"
#include "protocol/wire.h"
#include "quorum/controller_channel.h"

namespace moldau::quorum {

class QuorumDriver;

struct ControllerContext {
    controller::View view;
    const controller::Sessions& sessions;
    const QuorumDriver& quorum;
    const controller::Draw& draw;
    int64_t next_offset;  // that the next record will get
    MonotonicTime now;
};

// A decision with its response already encoded at the version of the request.
struct EncodedDecision {
    metadata::Records records;
    bool atomic = true;
    protocol::Chain response;
    // To be called when the records are in the log, or at once when there are none; with the offset
    // of the last record of the log. Soft state only.
    std::function<void(controller::Sessions&, int64_t last_offset)> afterwards;
    // The response to give when the records could not be appended, by error.
    std::function<Result<protocol::Chain>(const Error&)> failed;
};

bool is_controller_api(int16_t api_key);

// Errors: UnsupportedVersion for an api or version that is not served, InvalidRequest for a body
// that does not parse.
Result<EncodedDecision> decide(const ControllerContext& context, const ControllerRequest& request);

// The response that carries `error` in place of an answer, for a request that never reached a
// decider. Errors: as decide().
Result<protocol::Chain> error_response_for(const ControllerRequest& request, const Error& error);

}  // namespace moldau::quorum
