#include "broker/coordinator_log.h"

#include <utility>

#include "broker/partition.h"
#include "broker/replica_manager.h"

namespace moldau::broker {

Result<std::shared_ptr<Partition>> PartitionLog::find(int32_t partition) const {
    std::shared_ptr<Partition> found = replicas_.find(topic_, partition);
    if (found == nullptr) {
        return fail(ErrorCode::NotLeaderOrFollower, "partition is not here: partition={}-{}",
                    topic_, partition);
    }
    return found;
}

Result<CoordinatorLog::Bounds> PartitionLog::bounds(int32_t partition) {
    MOLDAU_TRY(auto found, find(partition));
    MOLDAU_TRY(auto offsets, found->offsets(std::nullopt));
    return Bounds{offsets.log_start_offset, offsets.high_watermark, offsets.log_end_offset};
}

Result<Bytes> PartitionLog::read(int32_t partition, Offset from, int32_t bytes_max) {
    MOLDAU_TRY(auto found, find(partition));
    ReadRequest request;
    request.fetch_offset = from;
    request.bytes_max = bytes_max;
    request.bound = storage::ReadBound::LogEnd;
    MOLDAU_TRY(auto result, found->read(request));
    return std::move(result.log.records);
}

Result<CoordinatorLog::Appended> PartitionLog::append(int32_t partition, LeaderEpoch epoch,
                                                      const Bytes& batch) {
    MOLDAU_TRY(auto found, find(partition));
    auto outcome = found->append(
        batch, {.origin = record::AppendOrigin::Coordinator, .current_leader_epoch = epoch});
    if (!outcome) {
        Error& error = outcome.error().error;
        // A coordinator knows leaders that changed, and nothing of epochs in requests.
        if (error.code == ErrorCode::FencedLeaderEpoch ||
            error.code == ErrorCode::UnknownLeaderEpoch) {
            error.code = ErrorCode::NotLeaderOrFollower;
        }
        return std::unexpected(std::move(error));
    }
    return Appended{outcome->log.log_end_offset, outcome->committed};
}

void PartitionLog::watch(int32_t partition, std::function<void(Offset)> listener) {
    if (std::shared_ptr<Partition> found = replicas_.find(topic_, partition)) {
        found->on_high_watermark(std::move(listener));
    }
}

}  // namespace moldau::broker
