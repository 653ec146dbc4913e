// After a change of leader a position may lie behind the end of what the new leader kept, or among
// records that replaced those that were read. The leader's end of the epoch last read tells
// (KIP-320). Pure.
#pragma once

#include <cstdint>
#include <variant>

#include "base/error_code.h"

namespace moldau::client {

struct Position {
    int64_t offset = -1;        // of the next record
    int32_t leader_epoch = -1;  // of the record before it; -1: not known
};

struct PositionValid {};
// Records that were read are gone; reading goes on at `last`, the end of what both have in common.
struct PositionTruncated {
    Position last;
};
// The leader knows nothing so old.
struct PositionUnknown {};
// The leader that was asked is not the leader that is known there: ask again with newer metadata.
struct PositionAskAgain {};
struct PositionRefused {
    ErrorCode error;
};
using PositionVerdict = std::variant<PositionValid, PositionTruncated, PositionUnknown,
                                     PositionAskAgain, PositionRefused>;

// `told`: the leader's epoch and end offset for position.leader_epoch, or the error instead.
PositionVerdict judge_position(const Position& position, ErrorCode error, const Position& told);

}  // namespace moldau::client
