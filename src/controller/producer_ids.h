// Producer ids: hands out blocks of ids that no other broker ever gets. Pure.
#pragma once

#include "controller/decision.h"
#include "protocol/messages/allocate_producer_ids.h"

namespace moldau::controller {

inline constexpr int32_t kProducerIdBlockSize = 1000;

// Errors: StaleBrokerEpoch; UnknownServerError when all ids are used up.
Result<Decision<protocol::AllocateProducerIdsResponse>> allocate_producer_ids(
    const View& view, const protocol::AllocateProducerIdsRequest& request);

}  // namespace moldau::controller
