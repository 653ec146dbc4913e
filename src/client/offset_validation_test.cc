#include "client/offset_validation.h"

#include <gtest/gtest.h>

namespace moldau::client {
namespace {

template <typename Verdict>
bool is(const PositionVerdict& verdict) {
    return std::holds_alternative<Verdict>(verdict);
}

const Position kPosition{100, 4};

TEST(JudgePosition, is_valid_up_to_the_end_of_its_epoch) {
    EXPECT_TRUE(is<PositionValid>(judge_position(kPosition, ErrorCode::None, {100, 4})));
    EXPECT_TRUE(is<PositionValid>(judge_position(kPosition, ErrorCode::None, {250, 4})));
}

TEST(JudgePosition, is_truncated_when_the_leader_ends_earlier) {
    auto verdict = judge_position(kPosition, ErrorCode::None, {90, 3});
    ASSERT_TRUE(is<PositionTruncated>(verdict));
    EXPECT_EQ(std::get<PositionTruncated>(verdict).last.offset, 90);
    EXPECT_EQ(std::get<PositionTruncated>(verdict).last.leader_epoch, 3);
}

TEST(JudgePosition, is_unknown_when_the_leader_has_no_such_epoch) {
    EXPECT_TRUE(is<PositionUnknown>(judge_position(kPosition, ErrorCode::None, {-1, -1})));
}

TEST(JudgePosition, is_asked_again_when_leaders_disagree_and_refused_without_permission) {
    EXPECT_TRUE(is<PositionAskAgain>(judge_position(kPosition, ErrorCode::FencedLeaderEpoch, {})));
    EXPECT_TRUE(is<PositionAskAgain>(judge_position(kPosition, ErrorCode::NetworkException, {})));
    EXPECT_TRUE(
        is<PositionRefused>(judge_position(kPosition, ErrorCode::TopicAuthorizationFailed, {})));
}

}  // namespace
}  // namespace moldau::client
