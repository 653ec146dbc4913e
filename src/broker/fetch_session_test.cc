#include "broker/fetch_session.h"

#include <gtest/gtest.h>

namespace moldau::broker {
namespace {

class FetchSessionTest : public testing::Test {
 protected:
    FetchSessionTest() : sessions_(2, seconds(120), [this] { return ++drawn_; }) {}

    static FetchTarget target(std::string topic, int32_t partition, int64_t offset = 0) {
        FetchTarget made;
        made.topic = std::move(topic);
        made.partition = partition;
        made.fetch_offset = offset;
        return made;
    }
    FetchContext begin(int32_t id, int32_t epoch, std::vector<FetchTarget> targets,
                       std::vector<FetchTarget> forgotten = {}, bool follower = false) {
        FetchSessionRequest request;
        request.session_id = id;
        request.session_epoch = epoch;
        request.targets = std::move(targets);
        request.forgotten = std::move(forgotten);
        request.from_follower = follower;
        return sessions_.begin(std::move(request), now_);
    }
    FetchSessionAnswer finish(const FetchContext& context, std::vector<FetchResult> results) {
        return sessions_.finish(context, results, now_);
    }
    int32_t open(std::vector<FetchTarget> targets, bool follower = false) {
        FetchContext context = begin(0, kInitialSessionEpoch, std::move(targets), {}, follower);
        return finish(context, std::vector<FetchResult>(context.targets().size(), {10, 0}))
            .session_id;
    }

    uint64_t drawn_ = 0;
    MonotonicTime now_{};
    FetchSessions sessions_;
};

TEST_F(FetchSessionTest, without_a_session_everything_is_answered) {
    FetchContext context = begin(0, kFinalSessionEpoch, {target("a", 0)});
    FetchSessionAnswer answer = finish(context, {{10, 0}});
    EXPECT_EQ(answer.session_id, 0);
    EXPECT_TRUE(answer.included[0]);
    EXPECT_EQ(sessions_.session_count(), 0u);
}

TEST_F(FetchSessionTest, only_changes_are_answered) {
    int32_t id = open({target("a", 0), target("a", 1), target("b", 0)});
    EXPECT_NE(id, 0);
    FetchContext context = begin(id, 1, {});
    ASSERT_EQ(context.targets().size(), 3u);
    FetchSessionAnswer answer = finish(context, {{10, 0}, {11, 0}, {10, 0, true}});
    EXPECT_EQ(answer.session_id, id);
    EXPECT_EQ(answer.included, (std::vector<bool>{false, true, true}));
}

TEST_F(FetchSessionTest, whoever_got_records_is_served_last_next_time) {
    int32_t id = open({target("a", 0), target("a", 1)});
    FetchContext context = begin(id, 1, {});
    finish(context, {{10, 0, true}, {10, 0}});
    EXPECT_EQ(begin(id, 2, {}).targets()[0].partition, 1);
}

TEST_F(FetchSessionTest, requests_add_change_and_forget_partitions) {
    int32_t id = open({target("a", 0), target("a", 1)});
    FetchContext context = begin(id, 1, {target("a", 1, 7), target("c", 0)}, {target("a", 0)});
    ASSERT_EQ(context.targets().size(), 2u);
    EXPECT_EQ(context.targets()[0].fetch_offset, 7);
    EXPECT_EQ(context.targets()[1].topic, "c");
    EXPECT_EQ(sessions_.partition_count(), 2u);
}

TEST_F(FetchSessionTest, an_error_is_told_and_its_end_too) {
    int32_t id = open({target("a", 0)});
    FetchResult failed{-1, -1};
    failed.has_error = true;
    EXPECT_TRUE(finish(begin(id, 1, {}), {failed}).included[0]);
    EXPECT_TRUE(finish(begin(id, 2, {}), {{10, 0}}).included[0]);
    EXPECT_FALSE(finish(begin(id, 3, {}), {{10, 0}}).included[0]);
}

TEST_F(FetchSessionTest, unknown_ids_and_wrong_epochs_are_errors) {
    EXPECT_EQ(begin(99, 1, {}).error(), ErrorCode::FetchSessionIdNotFound);
    int32_t id = open({target("a", 0)});
    EXPECT_EQ(begin(id, 2, {}).error(), ErrorCode::InvalidFetchSessionEpoch);
    FetchSessionRequest by_id;
    by_id.session_id = id;
    by_id.session_epoch = 1;
    by_id.by_topic_id = true;
    EXPECT_EQ(sessions_.begin(by_id, now_).error(), ErrorCode::FetchSessionTopicIdError);
}

TEST_F(FetchSessionTest, a_repeated_request_is_refused_while_the_first_is_parked) {
    int32_t id = open({target("a", 0)});
    FetchContext first = begin(id, 1, {});
    EXPECT_EQ(begin(id, 1, {}).error(), ErrorCode::InvalidFetchSessionEpoch);
    FetchContext overtaking = begin(id, 2, {});
    EXPECT_EQ(finish(first, {{11, 0}}).error, ErrorCode::InvalidFetchSessionEpoch);
    EXPECT_EQ(finish(overtaking, {{11, 0}}).error, ErrorCode::None);
}

TEST_F(FetchSessionTest, forgetting_the_last_partition_closes_the_session) {
    int32_t id = open({target("a", 0)});
    FetchContext context = begin(id, 1, {}, {target("a", 0)});
    EXPECT_TRUE(context.targets().empty());
    EXPECT_EQ(finish(context, {}).session_id, 0);
    EXPECT_EQ(sessions_.session_count(), 0u);
}

TEST_F(FetchSessionTest, a_full_cache_makes_room_only_from_idle_sessions) {
    int32_t first = open({target("a", 0)});
    open({target("b", 0)});
    EXPECT_EQ(open({target("c", 0)}), 0);
    now_ += seconds(121);
    EXPECT_NE(open({target("c", 0)}), 0);
    EXPECT_EQ(begin(first, 1, {}).error(), ErrorCode::FetchSessionIdNotFound);
    EXPECT_EQ(sessions_.eviction_count(), 1u);
}

TEST_F(FetchSessionTest, a_follower_displaces_a_consumer_at_once) {
    open({target("a", 0)});
    open({target("b", 0)});
    EXPECT_NE(open({target("c", 0)}, true), 0);
    EXPECT_EQ(sessions_.session_count(), 2u);
}

TEST_F(FetchSessionTest, a_full_fetch_closes_the_session_it_names) {
    int32_t id = open({target("a", 0)});
    begin(id, kInitialSessionEpoch, {target("a", 0)});
    EXPECT_EQ(sessions_.session_count(), 0u);
}

}  // namespace
}  // namespace moldau::broker
