#include "broker/config_admin.h"

#include <gtest/gtest.h>

#include "broker/handlers/32_describe_configs.h"
#include "broker/handlers/74_list_config_resources.h"
#include "metadata/delta.h"
#include "metadata/test_records.h"
#include "runtime/logging.h"

namespace moldau::broker {
namespace {

using protocol::IncrementalAlterConfigsRequest;

runtime::Logger log_("kafka.test.ConfigAdminTest");

IncrementalAlterConfigsRequest::AlterConfigsResource resource(int8_t type, const std::string& name,
                                                              const std::string& key,
                                                              int8_t operation,
                                                              std::optional<std::string> value) {
    IncrementalAlterConfigsRequest::AlterConfigsResource result;
    result.resource_type = type;
    result.resource_name = name;
    auto& config = result.configs.emplace_back();
    config.name = key;
    config.config_operation = operation;
    config.value = std::move(value);
    return result;
}

class ConfigAdmin : public testing::Test {
 protected:
    Preprocessed run(std::vector<IncrementalAlterConfigsRequest::AlterConfigsResource> resources) {
        IncrementalAlterConfigsRequest request;
        request.resources = std::move(resources);
        return preprocess({1, config, *image}, request);
    }
    std::string message(const IncrementalAlterConfigsRequest::AlterConfigsResource& resource) {
        Preprocessed answers = run({resource});
        return answers[0] ? answers[0]->message : "left to the controller";
    }

    config::ServerConfig config = config::ServerConfig::for_tests({{"node.id", "1"}});
    metadata::ImagePtr image = metadata::empty_image();
};

TEST_F(ConfigAdmin, topics_groups_and_metrics_are_left_to_the_controller) {
    for (int8_t type : {2, 16, 32}) {
        EXPECT_EQ(message(resource(type, "x", "k", 0, "v")), "left to the controller");
    }
    EXPECT_EQ(message(resource(99, "x", "k", 0, "v")), "Unknown resource type 99");
}

TEST_F(ConfigAdmin, malformed_resources_are_refused_here) {
    EXPECT_EQ(message(resource(2, "x", "k", 0, std::nullopt)), "Null value not supported for : k");
    EXPECT_EQ(message(resource(2, "x", "k", 1, std::nullopt)), "left to the controller");
    auto twice = resource(2, "x", "k", 0, "v");
    twice.configs.push_back(twice.configs[0]);
    EXPECT_EQ(message(twice), "Error due to duplicate config keys");
    auto answers = run({resource(2, "x", "k", 0, "v"), resource(2, "x", "l", 0, "v")});
    EXPECT_EQ(answers[0]->message, "Each resource must appear at most once.");
    EXPECT_EQ(answers[1]->message, "Each resource must appear at most once.");
}

TEST_F(ConfigAdmin, a_broker_changes_itself_and_the_defaults_only) {
    EXPECT_EQ(message(resource(4, "2", "log.cleaner.threads", 0, "2")),
              "Unexpected broker id, expected 1, but received 2");
    EXPECT_EQ(message(resource(4, "abc", "log.cleaner.threads", 0, "2")),
              "Node id must be an integer, but it is: abc");
    EXPECT_EQ(message(resource(4, "1", "log.cleaner.threads", 0, "2")), "left to the controller");
    EXPECT_EQ(message(resource(4, "", "log.cleaner.threads", 0, "2")), "left to the controller");
    EXPECT_NE(message(resource(4, "1", "log.dirs", 0, "/x")), "left to the controller");
    EXPECT_EQ(message(resource(4, "1", "log.cleaner.threads", 2, "2")),
              "Config value append is not allowed for config key: log.cleaner.threads");
    EXPECT_EQ(message(resource(4, "1", "nosuch.key", 2, "2")), "Unknown config name: nosuch.key");
}

TEST_F(ConfigAdmin, log_levels_change_at_once_and_are_described) {
    EXPECT_EQ(message(resource(8, "2", log_.name(), 0, "DEBUG")),
              "Unexpected node id. Expected 1, but received 2");
    EXPECT_EQ(message(resource(8, "1", "no.such.logger", 0, "DEBUG")),
              "Logger no.such.logger does not exist!");
    EXPECT_EQ(message(resource(8, "1", log_.name(), 0, "LOUD")),
              std::string("Cannot set the log level of ") + log_.name() +
                  " to LOUD as it is not a supported log level. Valid log levels are DEBUG, ERROR, "
                  "FATAL, INFO, TRACE, WARN");
    EXPECT_EQ(message(resource(8, "1", "root", 1, std::nullopt)),
              "Removing the log level of the root logger is not allowed");
    EXPECT_EQ(message(resource(8, "1", log_.name(), 2, "INFO")),
              "APPEND operation is not allowed for the BROKER_LOGGER resource");
    Preprocessed done = run({resource(8, "1", log_.name(), 0, "ERROR")});
    EXPECT_EQ(done[0]->code, ErrorCode::None);
    EXPECT_EQ(log_.level(), runtime::LogLevel::Error);

    protocol::DescribeConfigsRequest request;
    auto& asked = request.resources.emplace_back();
    asked.resource_type = 8;
    asked.resource_name = "1";
    asked.configuration_keys = std::vector<std::string>{log_.name()};
    auto described = answer_describe_configs(config, *image, 1, request);
    ASSERT_EQ(described.results[0].configs.size(), 1u);
    EXPECT_EQ(described.results[0].configs[0].value, "ERROR");
    run({resource(8, "1", log_.name(), 1, std::nullopt)});
    EXPECT_NE(log_.level(), runtime::LogLevel::Error);
}

class DescribeConfigs : public ConfigAdmin {
 protected:
    DescribeConfigs() {
        metadata::Delta delta(image);
        EXPECT_TRUE(delta.replay(metadata::topic_record("t", metadata::test_id(1))));
        EXPECT_TRUE(delta.replay(metadata::config_record(2, "t", "retention.ms", "1000")));
        EXPECT_TRUE(
            delta.replay(metadata::config_record(16, "subscription", "interval.ms", "500")));
        auto broker = metadata::broker_record(1, 1);
        broker.fenced = false;
        EXPECT_TRUE(delta.replay(protocol::MetadataRecord(broker)));
        image = delta.apply({1, 1, 1});
    }
    protocol::DescribeConfigsResponse::DescribeConfigsResult describe(
        int8_t type, const std::string& name, std::vector<std::string> keys = {}) {
        protocol::DescribeConfigsRequest request;
        auto& asked = request.resources.emplace_back();
        asked.resource_type = type;
        asked.resource_name = name;
        asked.configuration_keys = std::move(keys);
        request.include_synonyms = true;
        return answer_describe_configs(config, *image, 1, request).results[0];
    }
};

TEST_F(DescribeConfigs, a_topics_own_value_comes_before_its_synonyms) {
    auto result = describe(2, "t", {"retention.ms"});
    ASSERT_EQ(result.configs.size(), 1u);
    EXPECT_EQ(result.configs[0].value, "1000");
    EXPECT_EQ(result.configs[0].config_source, 1);
    EXPECT_EQ(result.configs[0].config_type, 5);
    EXPECT_EQ(result.configs[0].synonyms[0].name, "retention.ms");
    EXPECT_EQ(result.configs[0].documentation, std::nullopt);
    EXPECT_GT(describe(2, "t").configs.size(), 30u);
}

TEST_F(DescribeConfigs, each_resource_has_its_own_errors) {
    EXPECT_EQ(error_code_from_wire(describe(2, "nosuch").error_code),
              ErrorCode::UnknownTopicOrPartition);
    EXPECT_EQ(error_code_from_wire(describe(2, "bad name").error_code),
              ErrorCode::InvalidTopicException);
    EXPECT_EQ(describe(4, "7").error_message,
              "Unexpected broker id, expected 1 or empty string, but received 7");
    EXPECT_EQ(describe(8, "").error_message, "Broker id must not be empty");
    EXPECT_EQ(describe(16, "").error_message, "Client metrics subscription name must not be empty");
    EXPECT_EQ(describe(32, "").error_message, "Group name must not be empty");
    EXPECT_EQ(describe(4, "1").error_code, 0);
}

TEST_F(DescribeConfigs, resources_are_listed_by_type) {
    protocol::ListConfigResourcesRequest request;
    EXPECT_EQ(answer_list_config_resources(*image, request, 0).config_resources.size(), 1u);
    EXPECT_EQ(answer_list_config_resources(*image, request, 1).config_resources.size(), 4u);
    request.resource_types = {2};
    auto topics = answer_list_config_resources(*image, request, 1);
    ASSERT_EQ(topics.config_resources.size(), 1u);
    EXPECT_EQ(topics.config_resources[0].resource_name, "t");
    request.resource_types = {99};
    EXPECT_EQ(error_code_from_wire(answer_list_config_resources(*image, request, 1).error_code),
              ErrorCode::UnsupportedVersion);
}

}  // namespace
}  // namespace moldau::broker
