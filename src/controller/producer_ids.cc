#include "controller/producer_ids.h"

#include <algorithm>
#include <limits>

#include "controller/leaders.h"

namespace moldau::controller {

Result<Decision<protocol::AllocateProducerIdsResponse>> allocate_producer_ids(
    const View& view, const protocol::AllocateProducerIdsRequest& request) {
    MOLDAU_CHECK(check_broker_epoch(view.state, request.broker_id, request.broker_epoch));
    int64_t first = std::max<int64_t>(view.state.image().producer_ids.next_producer_id, 0);
    if (first > std::numeric_limits<int64_t>::max() - kProducerIdBlockSize) {
        return fail(ErrorCode::UnknownServerError,
                    "Exhausted all producerIds as the next block's end producerId has exceeded the "
                    "int64 type limit");
    }
    protocol::ProducerIdsRecord record;
    record.broker_id = request.broker_id;
    record.broker_epoch = request.broker_epoch;
    record.next_producer_id = first + kProducerIdBlockSize;
    Decision<protocol::AllocateProducerIdsResponse> decision;
    decision.records.push_back({record, 0});
    decision.response.producer_id_start = first;
    decision.response.producer_id_len = kProducerIdBlockSize;
    return decision;
}

}  // namespace moldau::controller
