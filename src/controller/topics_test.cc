#include "controller/topics.h"

#include <set>

#include <gtest/gtest.h>

#include "controller/test_cluster.h"

namespace moldau::controller {
namespace {

using Ids = std::vector<int32_t>;

struct Refusal {
    ErrorCode code;
    std::string message;
};

void expect_refused(TestCluster& cluster, const protocol::CreateTopicsRequest& request,
                    const Refusal& expected) {
    auto response = cluster.create(request);
    ASSERT_EQ(response.topics.size(), 1u);
    EXPECT_EQ(error_code_from_wire(response.topics[0].error_code), expected.code);
    EXPECT_EQ(response.topics[0].error_message, expected.message);
    EXPECT_EQ(cluster.state().image().topics.by_id.size(), 0u);
}

TEST(CreateTopics, a_topic_has_leaders_in_sync_replicas_and_directories_at_once) {
    TestCluster cluster;
    cluster.add_brokers(3);
    auto response = cluster.create("orders", 4, 2);
    EXPECT_EQ(response.topics[0].error_code, 0);
    EXPECT_EQ(response.topics[0].num_partitions, 4);
    EXPECT_EQ(response.topics[0].replication_factor, 2);
    EXPECT_FALSE(response.topics[0].topic_id.is_zero());
    for (int32_t index = 0; index < 4; ++index) {
        const auto& partition = cluster.partition("orders", index);
        EXPECT_EQ(partition.replicas.size(), 2u);
        EXPECT_EQ(partition.isr, partition.replicas);
        EXPECT_EQ(partition.leader, partition.replicas.front());
        EXPECT_EQ(partition.leader_epoch, 0);
        EXPECT_EQ(partition.partition_epoch, 0);
        EXPECT_EQ(partition.directories[0],
                  metadata::test_id(2000 + static_cast<uint64_t>(partition.leader)));
    }
}

TEST(CreateTopics, the_answer_lists_every_config_in_name_order_with_its_source) {
    TestCluster cluster;
    cluster.add_brokers(1);
    auto request = cluster.topic_request("t", 1, 1);
    auto& config = request.topics[0].configs.emplace_back();
    config.name = "retention.ms";
    config.value = " 1000 ";  // comes back, and is kept, as it was written
    auto response = cluster.create(request);
    const auto& configs = *response.topics[0].configs;
    EXPECT_GT(configs.size(), 30u);
    EXPECT_TRUE(std::ranges::is_sorted(configs, {}, [](const auto& c) { return c.name; }));
    auto at = std::ranges::find(configs, "retention.ms", [](const auto& c) { return c.name; });
    EXPECT_EQ(at->value, " 1000 ");
    EXPECT_EQ(at->config_source, 1);
    EXPECT_EQ(cluster.state().image().configs.of_topic("t").at("retention.ms"), " 1000 ");
}

TEST(CreateTopics, minus_one_means_the_defaults_of_the_configuration) {
    TestCluster cluster(30, true, {{"num.partitions", "6"}, {"default.replication.factor", "2"}});
    cluster.add_brokers(2);
    cluster.create("t", -1, -1);
    EXPECT_EQ(cluster.state().image().topics.find("t")->partitions.size(), 6u);
    EXPECT_EQ(cluster.partition("t").replicas.size(), 2u);
}

TEST(CreateTopics, names_configs_and_numbers_are_refused_in_kafkas_words) {
    TestCluster cluster;
    cluster.add_brokers(1);
    auto make = [&](const std::string& name) { return cluster.topic_request(name, 1, 1); };
    expect_refused(cluster, make("bad name!"),
                   {ErrorCode::InvalidTopicException,
                    "Topic name is invalid: 'bad name!' contains one or more characters other than "
                    "ASCII alphanumerics, '.', '_' and '-'"});
    expect_refused(cluster, make("."),
                   {ErrorCode::InvalidTopicException, "Topic name is invalid: '.' is not allowed"});
    expect_refused(cluster, make("__cluster_metadata"),
                   {ErrorCode::InvalidRequest,
                    "Creation of internal topic __cluster_metadata is prohibited."});
    expect_refused(cluster, cluster.topic_request("t", 1, 3),
                   {ErrorCode::InvalidReplicationFactor,
                    "Unable to replicate the partition 3 time(s): The target replication factor of "
                    "3 cannot be reached because only 1 broker(s) are registered or some brokers "
                    "have all their log directories cordoned."});
    expect_refused(cluster, cluster.topic_request("t", 0, 1),
                   {ErrorCode::InvalidPartitions,
                    "Number of partitions was set to an invalid non-positive value."});
    expect_refused(cluster, cluster.topic_request("t", 1, 0),
                   {ErrorCode::InvalidReplicationFactor,
                    "Replication factor must be larger than 0, or -1 to use the default value."});
    expect_refused(
        cluster, cluster.topic_request("t", 10001, 1),
        {ErrorCode::PolicyViolation, "Excessively large number of partitions per request."});
    auto with_config = [&](const std::string& name, std::optional<std::string> value) {
        auto request = make("t");
        auto& config = request.topics[0].configs.emplace_back();
        config.name = name;
        config.value = std::move(value);
        return request;
    };
    expect_refused(cluster, with_config("nosuch.config", "1"),
                   {ErrorCode::InvalidConfig, "Unknown topic config name: nosuch.config"});
    expect_refused(cluster, with_config("retention.ms", "abc"),
                   {ErrorCode::InvalidConfig,
                    "Invalid value abc for configuration retention.ms: Not a number of type LONG"});
    expect_refused(cluster, with_config("segment.bytes", "1"),
                   {ErrorCode::InvalidConfig,
                    "Invalid value 1 for configuration segment.bytes: Value must be at least "
                    "1048576"});
    expect_refused(
        cluster, with_config("retention.ms", std::nullopt),
        {ErrorCode::InvalidConfig, "Null value not supported for topic configs: retention.ms"});
}

TEST(CreateTopics, existing_and_colliding_names_are_refused) {
    TestCluster cluster;
    cluster.add_brokers(1);
    cluster.create("my.dotted_topic", 1, 1);
    auto exists = cluster.create("my.dotted_topic", 1, 1);
    EXPECT_EQ(error_code_from_wire(exists.topics[0].error_code), ErrorCode::TopicAlreadyExists);
    EXPECT_EQ(exists.topics[0].error_message, "Topic 'my.dotted_topic' already exists.");
    auto collides = cluster.create("my_dotted.topic", 1, 1);
    EXPECT_EQ(error_code_from_wire(collides.topics[0].error_code),
              ErrorCode::InvalidTopicException);
    EXPECT_EQ(collides.topics[0].error_message,
              "Topic 'my_dotted.topic' collides with existing topic: my.dotted_topic");
    EXPECT_EQ(cluster.create("my-dotted-topic", 1, 1).topics[0].error_code, 0);
}

TEST(CreateTopics, a_name_asked_for_twice_is_answered_once_and_not_created) {
    TestCluster cluster;
    cluster.add_brokers(1);
    auto request = cluster.topic_request("t", 1, 1);
    request.topics.push_back(request.topics[0]);
    request.topics.push_back(cluster.topic_request("u", 1, 1).topics[0]);
    auto response = cluster.create(request);
    ASSERT_EQ(response.topics.size(), 2u);
    EXPECT_EQ(response.topics[0].error_code, 0);
    EXPECT_EQ(response.topics[1].error_message, "Duplicate topic name.");
    EXPECT_EQ(cluster.state().image().topics.find("t"), nullptr);
}

TEST(CreateTopics, validate_only_answers_and_writes_nothing) {
    TestCluster cluster;
    cluster.add_brokers(1);
    auto request = cluster.topic_request("t", 2, 1);
    request.validate_only = true;
    auto decision = create_topics(cluster.view(), request, true, cluster.draw());
    EXPECT_EQ(decision.response.topics[0].error_code, 0);
    EXPECT_EQ(decision.response.topics[0].num_partitions, 2);
    EXPECT_TRUE(decision.records.empty());
}

TEST(CreateTopics, manual_assignments_are_checked) {
    TestCluster cluster;
    cluster.add_brokers(3);
    auto assigned = [&](std::vector<Ids> lists) {
        auto request = cluster.topic_request("t", -1, -1);
        int32_t index = 0;
        for (Ids& list : lists) {
            auto& assignment = request.topics[0].assignments.emplace_back();
            assignment.partition_index = index++;
            assignment.broker_ids = std::move(list);
        }
        return request;
    };
    auto refused = [&](const protocol::CreateTopicsRequest& request, const std::string& message) {
        expect_refused(cluster, request, {ErrorCode::InvalidReplicaAssignment, message});
    };
    refused(assigned({{7}}),
            "The manual partition assignment includes broker 7, but no such broker "
            "is registered.");
    refused(assigned({{1, 1}}),
            "The manual partition assignment includes the broker 1 more than once.");
    refused(assigned({{0, 1}, {2}}),
            "The manual partition assignment includes a partition with 1 replica(s), but this is "
            "not consistent with previous partitions, which have 2 replica(s).");
    refused(assigned({{}}), "The manual partition assignment includes an empty replica list.");
    auto gap = assigned({{0}, {1}});
    gap.topics[0].assignments[1].partition_index = 2;
    refused(gap, "partitions should be a consecutive 0-based integer sequence");
    auto both = assigned({{0}});
    both.topics[0].num_partitions = 1;
    expect_refused(cluster, both,
                   {ErrorCode::InvalidRequest,
                    "A manual partition assignment was specified, but numPartitions was not set to "
                    "-1."});
    cluster.fence(2);
    refused(
        assigned({{2}}),
        "All brokers specified in the manual partition assignment for partition 0 are fenced or "
        "in controlled shutdown.");
    EXPECT_EQ(cluster.create(assigned({{2, 1}})).topics[0].error_code, 0);
    EXPECT_EQ(cluster.partition("t").isr, Ids{1});
    EXPECT_EQ(cluster.partition("t").leader, 1);
}

TEST(Placement, spreads_leaders_and_replicas_over_brokers_and_racks) {
    TestCluster cluster;
    cluster.add_brokers(6, {"a", "b", "c"});
    cluster.create("t", 60, 3);
    std::map<int32_t, int> leaders;
    std::map<int32_t, int> replicas;
    for (const auto& [index, partition] : cluster.state().image().topics.find("t")->partitions) {
        ++leaders[partition.leader];
        std::set<int32_t> racks;
        for (int32_t replica : partition.replicas) {
            ++replicas[replica];
            racks.insert(replica % 3);
        }
        EXPECT_EQ(racks.size(), 3u) << "partition " << index;
    }
    ASSERT_EQ(leaders.size(), 6u);
    for (const auto& [broker, count] : leaders) {
        EXPECT_GE(count, 5) << broker;
        EXPECT_LE(count, 15) << broker;
    }
    for (const auto& [broker, count] : replicas) {
        EXPECT_EQ(count, 30) << broker;
    }
}

TEST(Placement, fenced_brokers_come_last_and_never_lead) {
    TestCluster cluster;
    cluster.add_brokers(4);
    cluster.fence(3);
    cluster.create("two", 12, 2);
    for (const auto& [index, partition] : cluster.state().image().topics.find("two")->partitions) {
        EXPECT_FALSE(partition.is_replica(3));
    }
    cluster.create("four", 4, 4);
    for (const auto& [index, partition] : cluster.state().image().topics.find("four")->partitions) {
        EXPECT_EQ(partition.replicas.back(), 3);
        EXPECT_EQ(partition.isr.size(), 3u);
        EXPECT_NE(partition.leader, 3);
    }
}

protocol::DeleteTopicsResponse remove(TestCluster& cluster,
                                      const protocol::DeleteTopicsRequest& request) {
    auto decision = delete_topics(cluster.view(), request, 6);
    EXPECT_TRUE(decision);
    cluster.replay(decision->records);
    return decision->response;
}

TEST(DeleteTopics, by_name_and_by_id_with_the_errors_of_each) {
    TestCluster cluster;
    cluster.add_brokers(1);
    cluster.create("a", 2, 1);
    cluster.create("b", 1, 1);
    Uuid b = cluster.state().image().topics.find("b")->id;
    protocol::DeleteTopicsRequest request;
    request.topics.emplace_back().name = "a";
    request.topics.emplace_back().topic_id = b;
    request.topics.emplace_back().name = "nosuch";
    request.topics.emplace_back().topic_id = metadata::test_id(99);
    request.topics.emplace_back();
    auto response = remove(cluster, request);
    std::map<std::string, ErrorCode> by_name;
    std::multiset<ErrorCode> nameless;
    for (const auto& result : response.responses) {
        if (result.name) {
            by_name[*result.name] = error_code_from_wire(result.error_code);
        } else {
            nameless.insert(error_code_from_wire(result.error_code));
        }
    }
    EXPECT_EQ(by_name.at("a"), ErrorCode::None);
    EXPECT_EQ(by_name.at("b"), ErrorCode::None);
    EXPECT_EQ(by_name.at("nosuch"), ErrorCode::UnknownTopicOrPartition);
    EXPECT_TRUE(nameless.contains(ErrorCode::UnknownTopicId));
    EXPECT_TRUE(nameless.contains(ErrorCode::InvalidRequest));
    EXPECT_TRUE(cluster.state().image().topics.by_id.empty());
    EXPECT_TRUE(cluster.state().partitions_with_isr_member(0).empty());
}

TEST(DeleteTopics, a_topic_named_twice_or_in_two_ways_stays) {
    TestCluster cluster;
    cluster.add_brokers(1);
    cluster.create("a", 1, 1);
    cluster.create("b", 1, 1);
    protocol::DeleteTopicsRequest request;
    request.topics.emplace_back().name = "a";
    request.topics.emplace_back().name = "a";
    request.topics.emplace_back().name = "b";
    request.topics.emplace_back().topic_id = cluster.state().image().topics.find("b")->id;
    auto response = remove(cluster, request);
    ASSERT_EQ(response.responses.size(), 2u);
    EXPECT_EQ(response.responses[0].error_message, "Duplicate topic name.");
    EXPECT_EQ(response.responses[1].error_message,
              "The provided topic name maps to an ID that was already supplied.");
    EXPECT_EQ(cluster.state().image().topics.by_id.size(), 2u);
}

TEST(DeleteTopics, can_be_switched_off) {
    TestCluster cluster(30, true, {{"delete.topic.enable", "false"}});
    auto refused = delete_topics(cluster.view(), {}, 6);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::TopicDeletionDisabled);
    EXPECT_EQ(delete_topics(cluster.view(), {}, 2).error().code, ErrorCode::InvalidRequest);
}

TEST(DeleteTopics, the_name_is_free_again_and_collisions_are_forgotten) {
    TestCluster cluster;
    cluster.add_brokers(1);
    cluster.create("a.b", 1, 1);
    protocol::DeleteTopicsRequest request;
    request.topics.emplace_back().name = "a.b";
    remove(cluster, request);
    EXPECT_EQ(cluster.create("a_b", 1, 1).topics[0].error_code, 0);
}

protocol::CreatePartitionsResponse grow(TestCluster& cluster, const std::string& topic,
                                        int32_t count, std::vector<Ids> assignments = {}) {
    protocol::CreatePartitionsRequest request;
    auto& entry = request.topics.emplace_back();
    entry.name = topic;
    entry.count = count;
    entry.assignments = std::nullopt;
    if (!assignments.empty()) {
        entry.assignments.emplace();
        for (Ids& brokers : assignments) {
            entry.assignments->emplace_back().broker_ids = std::move(brokers);
        }
    }
    auto decision = create_partitions(cluster.view(), request, cluster.draw());
    cluster.replay(decision.records);
    return decision.response;
}

TEST(CreatePartitions, adds_partitions_with_the_topics_replication_factor) {
    TestCluster cluster;
    cluster.add_brokers(3);
    cluster.create("t", 1, 2);
    EXPECT_EQ(grow(cluster, "t", 3).results[0].error_code, 0);
    EXPECT_EQ(cluster.state().image().topics.find("t")->partitions.size(), 3u);
    EXPECT_EQ(cluster.partition("t", 2).replicas.size(), 2u);
    EXPECT_EQ(grow(cluster, "t", 4, {{2, 0}}).results[0].error_code, 0);
    EXPECT_EQ(cluster.partition("t", 3).replicas, (Ids{2, 0}));
}

TEST(CreatePartitions, refuses_in_kafkas_words) {
    TestCluster cluster;
    cluster.add_brokers(1);
    cluster.create("parts", 4, 1);
    EXPECT_EQ(grow(cluster, "parts", 4).results[0].error_message,
              "Topic already has 4 partition(s).");
    EXPECT_EQ(grow(cluster, "parts", 1).results[0].error_message,
              "The topic parts currently has 4 partition(s); 1 would not be an increase.");
    EXPECT_EQ(grow(cluster, "parts", 6, {{0}}).results[0].error_message,
              "Attempted to add 2 additional partition(s), but only 1 assignment(s) were "
              "specified.");
    auto unknown = grow(cluster, "nosuch", 2).results[0];
    EXPECT_EQ(error_code_from_wire(unknown.error_code), ErrorCode::UnknownTopicOrPartition);
    EXPECT_EQ(unknown.error_message, std::nullopt);
    EXPECT_EQ(cluster.state().image().topics.find("parts")->partitions.size(), 4u);
}

}  // namespace
}  // namespace moldau::controller
