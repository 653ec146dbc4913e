#include "client/fetch_session.h"

#include <gtest/gtest.h>

namespace moldau::client {
namespace {

const Uuid kOrders(0, 7);

class FetchSessionTest : public testing::Test {
 protected:
    static FetchSession::Targets orders(std::map<int32_t, int64_t> offsets, Uuid id = kOrders) {
        FetchSession::Targets targets;
        for (auto [partition, offset] : offsets) {
            targets[{"orders", partition}] = {id, offset, 3, 1000};
        }
        return targets;
    }
    protocol::FetchRequest ask(const FetchSession::Targets& wanted) {
        protocol::FetchRequest request;
        version_ = session_.ask(wanted, request);
        return request;
    }
    // Tells of these partitions, by topic id.
    Result<FetchSession::Told> answer(std::vector<int32_t> partitions, int32_t session_id = 42,
                                      ErrorCode error = ErrorCode::None) {
        response_ = protocol::FetchResponse();
        response_.error_code = to_wire(error);
        response_.session_id = session_id;
        if (!partitions.empty()) {
            auto& topic = response_.responses.emplace_back();
            topic.topic_id = kOrders;
            for (int32_t partition : partitions) {
                topic.partitions.emplace_back().partition_index = partition;
            }
        }
        return session_.accept(response_);
    }
    static std::vector<int32_t> asked(const protocol::FetchRequest& request) {
        std::vector<int32_t> partitions;
        for (const auto& topic : request.topics) {
            for (const auto& one : topic.partitions) {
                partitions.push_back(one.partition);
            }
        }
        return partitions;
    }
    void open() {
        ask(orders({{0, 10}, {1, 20}}));
        ASSERT_TRUE(answer({0, 1}).has_value());
    }

    FetchSession session_;
    protocol::FetchResponse response_;
    int16_t version_ = 0;
};

TEST_F(FetchSessionTest, opens_with_a_full_request) {
    auto request = ask(orders({{0, 10}, {1, 20}}));
    EXPECT_EQ(request.session_id, 0);
    EXPECT_EQ(request.session_epoch, 0);
    EXPECT_EQ(asked(request), (std::vector<int32_t>{0, 1}));
    EXPECT_EQ(version_, protocol::FetchRequest::kVersions.last);
}

TEST_F(FetchSessionTest, then_names_only_what_changed) {
    open();
    auto request = ask(orders({{0, 10}, {1, 25}}));
    EXPECT_EQ(request.session_id, 42);
    EXPECT_EQ(request.session_epoch, 1);
    EXPECT_EQ(asked(request), (std::vector<int32_t>{1}));
    EXPECT_TRUE(request.forgotten_topics_data.empty());
    auto told = answer({});
    ASSERT_TRUE(told.has_value());
    EXPECT_TRUE(told->empty());
    EXPECT_EQ(ask(orders({{0, 10}, {1, 25}})).session_epoch, 2);
}

TEST_F(FetchSessionTest, asks_again_for_a_partition_whose_leader_epoch_changed) {
    open();
    auto targets = orders({{0, 10}, {1, 20}});
    targets.at({"orders", 0}).leader_epoch = 4;
    auto request = ask(targets);
    EXPECT_EQ(asked(request), (std::vector<int32_t>{0}));
    EXPECT_EQ(request.topics[0].partitions[0].current_leader_epoch, 4);
}

TEST_F(FetchSessionTest, forgets_what_is_no_longer_wanted) {
    open();
    auto request = ask(orders({{1, 20}}));
    EXPECT_TRUE(request.topics.empty());
    ASSERT_EQ(request.forgotten_topics_data.size(), 1u);
    EXPECT_EQ(request.forgotten_topics_data[0].topic_id, kOrders);
    EXPECT_EQ(request.forgotten_topics_data[0].partitions, (std::vector<int32_t>{0}));
}

TEST_F(FetchSessionTest, forgets_the_old_id_of_a_topic_made_anew_and_adds_the_new_one) {
    open();
    auto request = ask(orders({{0, 0}, {1, 0}}, Uuid(0, 8)));
    EXPECT_EQ(request.forgotten_topics_data[0].topic_id, kOrders);
    EXPECT_EQ(request.topics[0].topic_id, Uuid(0, 8));
    EXPECT_EQ(asked(request), (std::vector<int32_t>{0, 1}));
}

TEST_F(FetchSessionTest, opens_anew_without_an_id_when_the_broker_forgot_the_session) {
    open();
    ask(orders({{0, 10}, {1, 20}}));
    EXPECT_EQ(answer({}, 0, ErrorCode::FetchSessionIdNotFound).error().code,
              ErrorCode::FetchSessionIdNotFound);
    auto request = ask(orders({{0, 10}, {1, 20}}));
    EXPECT_EQ(request.session_id, 0);
    EXPECT_EQ(request.session_epoch, 0);
    EXPECT_EQ(asked(request), (std::vector<int32_t>{0, 1}));
}

TEST_F(FetchSessionTest, closes_the_session_and_opens_another_after_a_wrong_epoch) {
    open();
    ask(orders({{0, 10}, {1, 20}}));
    EXPECT_FALSE(answer({}, 0, ErrorCode::InvalidFetchSessionEpoch).has_value());
    auto request = ask(orders({{0, 10}, {1, 20}}));
    EXPECT_EQ(request.session_id, 42);
    EXPECT_EQ(request.session_epoch, 0);
    EXPECT_EQ(asked(request), (std::vector<int32_t>{0, 1}));
}

TEST_F(FetchSessionTest, a_lost_answer_opens_the_session_anew) {
    open();
    ask(orders({{0, 11}, {1, 20}}));
    session_.lose();
    auto request = ask(orders({{0, 11}, {1, 20}}));
    EXPECT_EQ(request.session_epoch, 0);
    EXPECT_EQ(asked(request), (std::vector<int32_t>{0, 1}));
}

TEST_F(FetchSessionTest, goes_on_with_full_requests_when_the_broker_keeps_no_session) {
    ask(orders({{0, 10}}));
    ASSERT_TRUE(answer({0}, 0).has_value());
    auto request = ask(orders({{0, 10}}));
    EXPECT_EQ(request.session_epoch, 0);
    EXPECT_EQ(asked(request), (std::vector<int32_t>{0}));
}

TEST_F(FetchSessionTest, refuses_an_answer_about_what_it_did_not_ask) {
    open();
    ask(orders({{0, 10}, {1, 20}}));
    EXPECT_FALSE(answer({5}).has_value());
    EXPECT_EQ(ask(orders({{0, 10}})).session_epoch, 0);
}

TEST_F(FetchSessionTest, refuses_a_full_answer_that_leaves_partitions_out) {
    ask(orders({{0, 10}, {1, 20}}));
    EXPECT_FALSE(answer({0}).has_value());
    EXPECT_EQ(ask(orders({{0, 10}, {1, 20}})).session_id, 0);
}

TEST_F(FetchSessionTest, speaks_in_names_while_one_topic_has_no_id_and_then_starts_anew) {
    auto targets = orders({{0, 10}});
    targets[{"payments", 0}] = {Uuid(), 0, 1, 1000};
    ask(targets);
    EXPECT_EQ(version_, 12);
    session_.lose();
    open();
    auto request = ask(targets);
    EXPECT_EQ(version_, 12);
    EXPECT_EQ(request.session_epoch, 0);
    EXPECT_EQ(request.session_id, 42);
}

TEST_F(FetchSessionTest, ends_a_session_that_is_open) {
    protocol::FetchRequest request;
    EXPECT_FALSE(session_.end(request));
    open();
    EXPECT_TRUE(session_.end(request));
    EXPECT_EQ(request.session_id, 42);
    EXPECT_EQ(request.session_epoch, -1);
}

}  // namespace
}  // namespace moldau::client
