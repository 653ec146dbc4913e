#include "broker/directory_assignments.h"

#include <deque>

#include <gtest/gtest.h>

#include "protocol/messages/assign_replicas_to_dirs.h"
#include "quorum/controller_channel.h"
#include "runtime/logging.h"

namespace moldau::broker {
namespace {

const Uuid kOrders{1, 1};
const Uuid kPayments{2, 2};
const Uuid kFirst{0, 500};
const Uuid kSecond{0, 600};

// Keeps what was asked until the test answers.
class HeldController final : public quorum::ControllerChannel {
 public:
    void send(quorum::ControllerRequest request, quorum::ControllerReply reply) override {
        asked.push_back(
            protocol::decode<protocol::AssignReplicasToDirsRequest>(request.body, 0).value());
        replies.push_back(std::move(reply));
    }
    // Answers the oldest request with `code` for each partition.
    void answer(ErrorCode code, ErrorCode whole = ErrorCode::None) {
        protocol::AssignReplicasToDirsResponse response;
        response.error_code = to_wire(whole);
        for (const auto& directory : asked.back().directories) {
            auto& in = response.directories.emplace_back();
            in.id = directory.id;
            for (const auto& topic : directory.topics) {
                auto& of = in.topics.emplace_back();
                of.topic_id = topic.topic_id;
                for (const auto& partition : topic.partitions) {
                    auto& one = of.partitions.emplace_back();
                    one.partition_index = partition.partition_index;
                    one.error_code = to_wire(code);
                }
            }
        }
        protocol::Chain chain;
        chain.push_back(protocol::encode(response, 0));
        take_reply()(std::move(chain));
    }
    void fail_one() { take_reply()(fail(ErrorCode::RequestTimedOut, "nobody leads")); }

    std::vector<protocol::AssignReplicasToDirsRequest> asked;
    std::deque<quorum::ControllerReply> replies;

 private:
    quorum::ControllerReply take_reply() {
        auto reply = std::move(replies.front());
        replies.pop_front();
        return reply;
    }
};

class DirectoryAssignmentsTest : public testing::Test {
 protected:
    DirectoryAssignmentsTest() {
        runtime::set_log_level("root", runtime::LogLevel::Off);
        assignments_.set_controller(controller_);
    }

    runtime::ManualLoop loop_;
    std::atomic<int64_t> epoch_{7};
    HeldController controller_;
    DirectoryAssignments assignments_{3, epoch_, loop_};
};

TEST_F(DirectoryAssignmentsTest, what_one_turn_brings_leaves_together_by_directory) {
    assignments_.assign(kOrders, 0, kFirst);
    assignments_.assign(kOrders, 1, kSecond);
    assignments_.assign(kPayments, 0, kFirst);
    EXPECT_TRUE(controller_.asked.empty());
    loop_.advance(Duration(0));
    ASSERT_EQ(controller_.asked.size(), 1u);
    const auto& request = controller_.asked[0];
    EXPECT_EQ(request.broker_id, 3);
    EXPECT_EQ(request.broker_epoch, 7);
    ASSERT_EQ(request.directories.size(), 2u);
    EXPECT_EQ(request.directories[0].id, kFirst);
    EXPECT_EQ(request.directories[0].topics.size(), 2u);
    EXPECT_EQ(request.directories[1].id, kSecond);
    EXPECT_EQ(request.directories[1].topics.at(0).partitions.at(0).partition_index, 1);
    controller_.answer(ErrorCode::None);
    loop_.advance(seconds(60));
    EXPECT_EQ(controller_.asked.size(), 1u) << "taken: told once";
}

TEST_F(DirectoryAssignmentsTest, waits_for_the_registration) {
    epoch_ = -1;
    assignments_.assign(kOrders, 0, kFirst);
    loop_.advance(seconds(1));
    EXPECT_TRUE(controller_.asked.empty());
    epoch_ = 9;
    loop_.advance(seconds(1));
    ASSERT_EQ(controller_.asked.size(), 1u);
    EXPECT_EQ(controller_.asked[0].broker_epoch, 9);
}

TEST_F(DirectoryAssignmentsTest, what_comes_during_a_request_goes_with_the_next) {
    assignments_.assign(kOrders, 0, kFirst);
    loop_.advance(Duration(0));
    assignments_.assign(kOrders, 1, kFirst);
    loop_.advance(seconds(1));
    EXPECT_EQ(controller_.asked.size(), 1u);
    controller_.answer(ErrorCode::None);
    loop_.advance(Duration(0));
    ASSERT_EQ(controller_.asked.size(), 2u);
    EXPECT_EQ(controller_.asked[1].directories.at(0).topics.at(0).partitions.size(), 1u);
}

TEST_F(DirectoryAssignmentsTest, a_failure_is_tried_again_and_a_later_word_counts) {
    assignments_.assign(kOrders, 0, kFirst);
    loop_.advance(Duration(0));
    assignments_.assign(kOrders, 0, kSecond);
    controller_.fail_one();
    loop_.advance(seconds(1));
    ASSERT_EQ(controller_.asked.size(), 2u);
    EXPECT_EQ(controller_.asked[1].directories.at(0).id, kSecond);
    controller_.answer(ErrorCode::None, ErrorCode::StaleBrokerEpoch);
    loop_.advance(seconds(1));
    EXPECT_EQ(controller_.asked.size(), 3u);
}

TEST_F(DirectoryAssignmentsTest, a_replica_that_is_gone_is_forgotten_and_a_refused_one_is_not) {
    assignments_.assign(kOrders, 0, kFirst);
    loop_.advance(Duration(0));
    controller_.answer(ErrorCode::UnknownServerError);
    loop_.advance(seconds(1));
    ASSERT_EQ(controller_.asked.size(), 2u);
    controller_.answer(ErrorCode::UnknownTopicId);
    loop_.advance(seconds(60));
    EXPECT_EQ(controller_.asked.size(), 2u);
}

TEST_F(DirectoryAssignmentsTest, a_request_is_bounded) {
    auto count = static_cast<int32_t>(DirectoryAssignments::kPerRequestMax) + 1;
    for (int32_t partition = 0; partition < count; ++partition) {
        assignments_.assign(kOrders, partition, kFirst);
    }
    loop_.advance(Duration(0));
    controller_.answer(ErrorCode::None);
    loop_.advance(Duration(0));
    ASSERT_EQ(controller_.asked.size(), 2u);
    EXPECT_EQ(controller_.asked[1].directories.at(0).topics.at(0).partitions.size(), 1u);
}

}  // namespace
}  // namespace moldau::broker
