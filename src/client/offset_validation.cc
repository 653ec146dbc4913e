#include "client/offset_validation.h"

namespace moldau::client {

PositionVerdict judge_position(const Position& position, ErrorCode error, const Position& told) {
    switch (error) {
        case ErrorCode::None:
            break;
        case ErrorCode::TopicAuthorizationFailed:
        case ErrorCode::UnsupportedVersion:
            return PositionRefused{error};
        default:
            return PositionAskAgain{};
    }
    if (told.offset < 0 || told.leader_epoch < 0) {
        return PositionUnknown{};
    }
    if (told.offset < position.offset) {
        return PositionTruncated{told};
    }
    return PositionValid{};
}

}  // namespace moldau::client
