// What a client of a coordinator hears when the coordinator's own topic refused a write: clients
// know how to find a coordinator again, and know nothing of the partition behind it.
#pragma once

#include "base/error_code.h"

namespace moldau::coordinator {

constexpr ErrorCode coordinator_error(ErrorCode append_error) {
    switch (append_error) {
        case ErrorCode::UnknownTopicOrPartition:
        case ErrorCode::NotEnoughReplicas:
        case ErrorCode::NotEnoughReplicasAfterAppend:
        case ErrorCode::RequestTimedOut:
            return ErrorCode::CoordinatorNotAvailable;
        case ErrorCode::NotLeaderOrFollower:
        case ErrorCode::KafkaStorageError:
            return ErrorCode::NotCoordinator;
        case ErrorCode::MessageTooLarge:
        case ErrorCode::RecordListTooLarge:
        case ErrorCode::InvalidFetchSize:
            return ErrorCode::UnknownServerError;
        case ErrorCode::NetworkException:
            return ErrorCode::CoordinatorLoadInProgress;
        default:
            return append_error;
    }
}

}  // namespace moldau::coordinator
