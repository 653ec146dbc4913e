#include "broker/metadata_answers.h"

#include <gtest/gtest.h>

#include "broker/authorized_operations.h"

namespace moldau::broker {
namespace {

constexpr Uuid kOrdersId{7, 7};

class MetadataAnswersTest : public testing::Test {
 protected:
    MetadataAnswersTest() {
        add_broker(1);
        add_broker(2);
        add_topic("orders", kOrdersId, 3);
        add_topic("__consumer_offsets", {8, 8}, 1);
    }

    void add_broker(int32_t id, bool fenced = false, std::string listener = "PLAINTEXT") {
        metadata::Broker broker;
        broker.id = id;
        broker.fenced = fenced;
        broker.endpoints.push_back({listener, "host" + std::to_string(id), 9092, 0});
        image_.cluster.brokers.put(id, broker);
    }
    void add_topic(std::string name, Uuid id, int32_t partitions) {
        metadata::Topic topic;
        topic.name = name;
        topic.id = id;
        for (int32_t i = 0; i < partitions; ++i) {
            metadata::Partition partition;
            partition.replicas = {1, 2};
            partition.isr = {1, 2};
            partition.directories = {{9, 1}, {9, 2}};
            partition.leader = 1 + i % 2;
            partition.leader_epoch = 5;
            topic.partitions.put(i, partition);
        }
        image_.topics.by_id.put(id, topic);
        image_.topics.ids.put(name, id);
    }
    struct Told {
        protocol::MetadataResponse response;
        std::vector<std::string> missing;  // and to be created, when all allow it
        std::vector<std::string> to_create_against_broker;
    };
    Told ask(std::optional<std::vector<std::string>> names, int16_t version = 13) {
        protocol::MetadataRequest request;
        request.topics.reset();
        if (names) {
            request.topics.emplace();
            for (const std::string& name : *names) {
                request.topics->emplace_back().name = name;
            }
        }
        return ask(request, version).value();
    }
    // What the client reads of the answer.
    Result<Told> ask(const protocol::MetadataRequest& request, int16_t version) {
        Bytes body = protocol::encode(request, version);
        auto view = protocol::MetadataRequestView::parse(body, version).value();
        MOLDAU_TRY(auto answer,
                   MetadataAnswer::find(image_, view, {"cluster", "PLAINTEXT", version}));
        Bytes told = protocol::encode(answer, version);
        return Told{protocol::decode<protocol::MetadataResponse>(told, version).value(),
                    answer.topics_to_create(true), answer.topics_to_create(false)};
    }

    metadata::Image image_;
};

TEST_F(MetadataAnswersTest, null_means_all_topics_and_empty_means_none) {
    EXPECT_EQ(ask(std::nullopt).response.topics.size(), 2u);
    EXPECT_EQ(ask(std::vector<std::string>{}).response.topics.size(), 0u);
    EXPECT_EQ(ask(std::vector<std::string>{}, 0).response.topics.size(), 2u);
    EXPECT_EQ(ask(std::nullopt).response.brokers.size(), 2u);
    EXPECT_EQ(ask(std::nullopt).response.controller_id, 1);
}

TEST_F(MetadataAnswersTest, describes_partitions_with_their_leaders) {
    auto topics = ask(std::vector<std::string>{"orders"}).response.topics;
    ASSERT_EQ(topics.size(), 1u);
    ASSERT_EQ(topics[0].partitions.size(), 3u);
    EXPECT_EQ(topics[0].topic_id, kOrdersId);
    EXPECT_FALSE(topics[0].is_internal);
    EXPECT_EQ(topics[0].partitions[1].leader_id, 2);
    EXPECT_EQ(topics[0].partitions[1].leader_epoch, 5);
    EXPECT_EQ(topics[0].partitions[1].replica_nodes, (std::vector<int32_t>{1, 2}));
    EXPECT_EQ(topics[0].partitions[1].error_code, 0);
}

TEST_F(MetadataAnswersTest, missing_and_illegal_names_have_their_own_errors) {
    auto answer = ask(std::vector<std::string>{"nothing", "a b", "nothing"});
    ASSERT_EQ(answer.response.topics.size(), 2u);
    EXPECT_EQ(answer.response.topics[0].error_code, to_wire(ErrorCode::UnknownTopicOrPartition));
    EXPECT_EQ(answer.response.topics[1].error_code, to_wire(ErrorCode::InvalidTopicException));
    EXPECT_EQ(answer.missing, (std::vector<std::string>{"nothing"}));
}

TEST_F(MetadataAnswersTest, what_is_asked_for_twice_is_told_once_where_it_came_first) {
    add_topic("shop", {9, 9}, 1);
    auto topics =
        ask(std::vector<std::string>{"shop", "orders", "shop", "a b", "a b"}).response.topics;
    ASSERT_EQ(topics.size(), 3u);
    EXPECT_EQ(topics[0].name, "shop");
    EXPECT_EQ(topics[0].partitions.size(), 1u);
    EXPECT_EQ(topics[1].name, "orders");
    EXPECT_EQ(topics[1].partitions.size(), 3u);
    EXPECT_EQ(topics[2].name, "a b");
    EXPECT_TRUE(topics[2].partitions.empty());
}

TEST_F(MetadataAnswersTest, one_id_in_a_request_makes_ids_count_and_names_no_longer) {
    protocol::MetadataRequest request;
    request.topics->emplace_back().name = "orders";
    auto& by_id = request.topics->emplace_back();
    by_id.name = std::nullopt;
    by_id.topic_id = Uuid{8, 8};
    request.topics->push_back(by_id);
    auto topics = ask(request, 12).value().response.topics;
    ASSERT_EQ(topics.size(), 1u);
    EXPECT_EQ(topics[0].name, "__consumer_offsets");
    EXPECT_TRUE(topics[0].is_internal);
}

TEST_F(MetadataAnswersTest, first_use_creates_only_what_client_and_broker_allow) {
    protocol::MetadataRequest request;
    request.topics->emplace_back().name = "nothing";
    request.topics->emplace_back().name = "orders";
    auto told = ask(request, 13).value();
    EXPECT_EQ(told.missing, (std::vector<std::string>{"nothing"}));
    EXPECT_TRUE(told.to_create_against_broker.empty());
    request.allow_auto_topic_creation = false;
    EXPECT_TRUE(ask(request, 13).value().missing.empty());
    EXPECT_TRUE(ask(std::nullopt).missing.empty());
}

TEST_F(MetadataAnswersTest, a_refused_request_shows_the_error_on_each_topic) {
    protocol::MetadataRequest request;
    request.topics->emplace_back().name = "orders";
    request.topics->emplace_back().topic_id = kOrdersId;
    Bytes body = protocol::encode(request, 13);
    auto response = refuse_metadata(protocol::MetadataRequestView::parse(body, 13).value(),
                                    ErrorCode::InvalidRequest);
    ASSERT_EQ(response.topics.size(), 2u);
    EXPECT_EQ(response.topics[0].name, "orders");
    EXPECT_EQ(response.topics[1].topic_id, kOrdersId);
    EXPECT_EQ(response.topics[1].error_code, to_wire(ErrorCode::InvalidRequest));
}

TEST_F(MetadataAnswersTest, a_fenced_broker_is_hidden_and_its_replicas_are_offline) {
    add_broker(2, true);
    auto response = ask(std::vector<std::string>{"orders"}).response;
    EXPECT_EQ(response.brokers.size(), 1u);
    const auto& partition = response.topics[0].partitions[0];
    EXPECT_EQ(partition.error_code, to_wire(ErrorCode::ReplicaNotAvailable));
    EXPECT_EQ(partition.isr_nodes, (std::vector<int32_t>{1}));
    EXPECT_EQ(partition.offline_replicas, (std::vector<int32_t>{2}));
}

TEST_F(MetadataAnswersTest, a_leader_without_the_listener_is_told_apart_from_version_6_on) {
    add_broker(2, false, "OTHER");
    EXPECT_EQ(
        ask(std::vector<std::string>{"orders"}, 6).response.topics[0].partitions[1].error_code,
        to_wire(ErrorCode::ListenerNotFound));
    EXPECT_EQ(
        ask(std::vector<std::string>{"orders"}, 5).response.topics[0].partitions[1].error_code,
        to_wire(ErrorCode::LeaderNotAvailable));
}

TEST_F(MetadataAnswersTest, looks_up_by_id_from_version_12_on) {
    protocol::MetadataRequest request;
    request.topics->emplace_back().topic_id = kOrdersId;
    request.topics->emplace_back().topic_id = Uuid{1, 2};
    for (auto& topic : *request.topics) {
        topic.name = std::nullopt;
    }
    auto answer = ask(request, 12).value();
    ASSERT_EQ(answer.response.topics.size(), 2u);
    EXPECT_EQ(answer.response.topics[0].name, "orders");
    EXPECT_EQ(answer.response.topics[1].error_code, to_wire(ErrorCode::UnknownTopicId));
    EXPECT_FALSE(answer.response.topics[1].name.has_value());
    EXPECT_EQ(ask(request, 11).error().code, ErrorCode::InvalidRequest);
}

TEST_F(MetadataAnswersTest, operations_are_listed_when_asked) {
    protocol::MetadataRequest request;
    request.topics.reset();
    request.include_topic_authorized_operations = true;
    request.include_cluster_authorized_operations = true;
    auto response = ask(request, 10).value().response;
    EXPECT_EQ(response.topics[0].topic_authorized_operations, kTopicOperations);
    EXPECT_EQ(response.cluster_authorized_operations, kClusterOperations);
    EXPECT_EQ(ask(std::nullopt).response.cluster_authorized_operations, kNoAuthorizedOperations);
}

TEST_F(MetadataAnswersTest, describe_cluster_refuses_other_endpoint_types) {
    protocol::DescribeClusterRequest request;
    EXPECT_EQ(answer_describe_cluster(image_, request, {"c", "PLAINTEXT", 2}).brokers.size(), 2u);
    request.endpoint_type = 2;
    EXPECT_EQ(answer_describe_cluster(image_, request, {"c", "PLAINTEXT", 1}).error_code,
              to_wire(ErrorCode::MismatchedEndpointType));
    request.endpoint_type = 9;
    EXPECT_EQ(answer_describe_cluster(image_, request, {"c", "PLAINTEXT", 1}).error_code,
              to_wire(ErrorCode::UnsupportedEndpointType));
}

TEST_F(MetadataAnswersTest, pages_through_topics_with_the_cursor) {
    protocol::DescribeTopicPartitionsRequest request;
    request.response_partition_limit = 2;
    std::vector<std::string> seen;
    for (int pages = 0; pages < 10; ++pages) {
        auto page =
            answer_describe_topic_partitions(image_, request, {"c", "PLAINTEXT", 0}, 2000).value();
        for (const auto& topic : page.topics) {
            for (const auto& partition : topic.partitions) {
                seen.push_back(*topic.name + "-" + std::to_string(partition.partition_index));
            }
        }
        if (!page.next_cursor) {
            break;
        }
        request.cursor.emplace();
        request.cursor->topic_name = page.next_cursor->topic_name;
        request.cursor->partition_index = page.next_cursor->partition_index;
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"__consumer_offsets-0", "orders-0", "orders-1",
                                              "orders-2"}));
}

TEST_F(MetadataAnswersTest, a_cursor_outside_the_asked_topics_is_refused) {
    protocol::DescribeTopicPartitionsRequest request;
    request.topics.emplace_back().name = "orders";
    request.cursor.emplace().topic_name = "aaa";
    EXPECT_EQ(
        answer_describe_topic_partitions(image_, request, {"c", "PLAINTEXT", 0}, 10).error().code,
        ErrorCode::InvalidRequest);
}

}  // namespace
}  // namespace moldau::broker
