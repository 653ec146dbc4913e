#include "config/server_config.h"

namespace moldau::config {
namespace {

ConfigMap combined(const ConfigMap& extra = {}) {
    ConfigMap properties = {
        {"node.id", "1"},
        {"process.roles", "broker,controller"},
        {"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"},
        {"advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"},
        {"controller.listener.names", "CONTROLLER"},
        {"controller.quorum.bootstrap.servers", "localhost:9093"},
        {"log.dirs", "/a,/b"},
    };
    for (const auto& [name, value] : extra) {
        properties.insert_or_assign(name, value);
    }
    return properties;
}

ServerConfig load(const ConfigMap& extra = {}) {
    auto config = ServerConfig::load(combined(extra));
    EXPECT_TRUE(config.has_value()) << config.error().message;
    return *config;
}

std::string error_of(const ConfigMap& extra) {
    auto config = ServerConfig::load(combined(extra));
    return config ? "" : config.error().message;
}

TEST(ServerConfig, a_combined_node_of_the_4_x_form_is_read) {
    ServerConfig config = load();
    EXPECT_EQ(config.node_id(), 1);
    EXPECT_TRUE(config.is_broker());
    EXPECT_TRUE(config.is_controller());
    ASSERT_EQ(config.broker_listeners().size(), 1U);
    EXPECT_EQ(config.broker_listeners()[0],
              (Endpoint{"PLAINTEXT", SecurityProtocol::Plaintext, "", 9092}));
    ASSERT_EQ(config.controller_listeners().size(), 1U);
    EXPECT_EQ(config.controller_listeners()[0].port, 9093);
    ASSERT_EQ(config.advertised_broker_listeners().size(), 1U);
    EXPECT_EQ(config.advertised_broker_listeners()[0].host, "localhost");
    EXPECT_EQ(config.quorum_bootstrap_servers(), (std::vector<HostAndPort>{{"localhost", 9093}}));
    EXPECT_TRUE(config.quorum_voters().empty());
    EXPECT_EQ(config.inter_broker_listener_name(), "PLAINTEXT");
    EXPECT_EQ(config.log_dirs(), (std::vector<std::string>{"/a", "/b"}));
    EXPECT_EQ(config.metadata_log_dir(), "/a");
}

TEST(ServerConfig, a_combined_node_of_the_3_x_form_is_read) {
    ConfigMap properties = combined({{"controller.quorum.voters", "1@localhost:9093"}});
    properties.erase("controller.quorum.bootstrap.servers");
    properties["advertised.listeners"] = "PLAINTEXT://localhost:9092";
    auto config = ServerConfig::load(properties);
    ASSERT_TRUE(config.has_value());
    ASSERT_EQ(config->quorum_voters().size(), 1U);
    EXPECT_EQ(config->quorum_voters()[0], (Voter{1, {"localhost", 9093}}));
    ASSERT_EQ(config->advertised_controller_listeners().size(), 1U);
    EXPECT_EQ(config->advertised_controller_listeners()[0].host, "localhost");
}

TEST(ServerConfig, broker_id_stands_in_for_node_id) {
    ConfigMap properties = combined();
    properties.erase("node.id");
    properties["broker.id"] = "7";
    auto config = ServerConfig::load(properties);
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->node_id(), 7);
    EXPECT_EQ(error_of({{"broker.id", "2"}}),
              "You must set `node.id` to the same value as `broker.id`.");
}

TEST(ServerConfig, missing_required_keys_are_named) {
    ConfigReport report;
    EXPECT_FALSE(ServerConfig::load({}, &report).has_value());
    EXPECT_THAT(report.errors,
                testing::Contains(
                    "Missing required configuration \"node.id\" which has no default value."));
    EXPECT_THAT(
        report.errors,
        testing::Contains(
            "Missing required configuration \"process.roles\" which has no default value."));
}

TEST(ServerConfig, each_bad_value_is_one_error_line) {
    ConfigReport report;
    EXPECT_FALSE(
        ServerConfig::load(combined({{"num.partitions", "0"}, {"log.roll.ms", "soon"}}), &report)
            .has_value());
    EXPECT_THAT(report.errors,
                testing::UnorderedElementsAre(
                    "Invalid value 0 for configuration num.partitions: Value must be at least 1",
                    "Invalid value soon for configuration log.roll.ms: Not a number of type LONG"));
}

TEST(ServerConfig, time_synonyms_are_read_finest_unit_first) {
    EXPECT_EQ(load().log_config().retention_ms, 604'800'000);
    EXPECT_EQ(load({{"log.retention.hours", "2"}}).log_config().retention_ms, 7'200'000);
    EXPECT_EQ(load({{"log.retention.hours", "2"}, {"log.retention.minutes", "3"}})
                  .log_config()
                  .retention_ms,
              180'000);
    EXPECT_EQ(
        load({{"log.retention.minutes", "3"}, {"log.retention.ms", "4"}}).log_config().retention_ms,
        4);
    EXPECT_EQ(load({{"log.retention.hours", "-1"}}).log_config().retention_ms, -1);
    EXPECT_EQ(load({{"log.roll.hours", "1"}}).log_config().segment_ms, 3'600'000);
    EXPECT_EQ(load({{"log.flush.scheduler.interval.ms", "50"}}).log_config().flush_ms, 50);
}

TEST(ServerConfig, listeners_must_parse_and_differ) {
    EXPECT_EQ(error_of({{"listeners", "PLAINTEXT:9092"}}),
              "Error creating broker listeners from '[PLAINTEXT:9092]': Unable to parse "
              "PLAINTEXT:9092 to a broker endpoint");
    EXPECT_EQ(
        error_of({{"listeners", "PLAINTEXT://:9092,CONTROLLER://:9092"}}),
        "Error creating broker listeners from '[PLAINTEXT://:9092, CONTROLLER://:9092]': Each "
        "listener must have a different port, listeners: [PLAINTEXT://:9092, "
        "CONTROLLER://:9092]");
    EXPECT_EQ(error_of({{"listeners", "INSIDE://:9092,CONTROLLER://:9093"}}),
              "Error creating broker listeners from '[INSIDE://:9092, CONTROLLER://:9093]': No "
              "security protocol defined for listener INSIDE");
}

TEST(ServerConfig, one_port_may_be_shared_by_ipv4_and_ipv6) {
    ServerConfig config =
        load({{"listeners", "PLAINTEXT://127.0.0.1:9092,SSL://[::1]:9092,CONTROLLER://:9093"},
              {"listener.security.protocol.map",
               "PLAINTEXT:PLAINTEXT,SSL:PLAINTEXT,CONTROLLER:PLAINTEXT"}});
    EXPECT_EQ(config.listeners()[1].host, "::1");
}

TEST(ServerConfig, named_listeners_follow_the_protocol_map) {
    ServerConfig config = load(
        {{"listeners", "INSIDE://:9092,OUTSIDE://:9094,CONTROLLER://:9093"},
         {"advertised.listeners", "INSIDE://a:9092,OUTSIDE://b:9094"},
         {"listener.security.protocol.map", "inside:PLAINTEXT,OUTSIDE:SSL,CONTROLLER:PLAINTEXT"},
         {"inter.broker.listener.name", "INSIDE"}});
    EXPECT_EQ(config.inter_broker_listener_name(), "INSIDE");
    EXPECT_EQ(config.protocol_of("OUTSIDE"), SecurityProtocol::Ssl);
    EXPECT_EQ(error_of({{"inter.broker.listener.name", "NOWHERE"}}),
              "Listener with name NOWHERE defined in inter.broker.listener.name not found in "
              "listener.security.protocol.map.");
}

TEST(ServerConfig, roles_and_listeners_must_fit) {
    EXPECT_EQ(error_of({{"process.roles", "broker"}}),
              "controller.listener.names must not contain a value appearing in the 'listeners' "
              "configuration when running KRaft with just the broker role");
    EXPECT_EQ(error_of({{"process.roles", "controller"}}),
              "The listeners config must only contain KRaft controller listeners from "
              "controller.listener.names when process.roles=controller");
    EXPECT_EQ(error_of({{"controller.quorum.voters", "2@localhost:9093"}}),
              "If process.roles contains the 'controller' role, the node id 1 must be included in "
              "the set of voters controller.quorum.voters=Set(2)");
    EXPECT_EQ(
        error_of({{"advertised.listeners", "PLAINTEXT://0.0.0.0:9092"}}),
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable "
        "IP address.");
    EXPECT_EQ(error_of({{"process.roles", "broker,zookeeper"}}),
              "Invalid value zookeeper for configuration process.roles: String must be one of: "
              "broker, controller");
}

TEST(ServerConfig, unknown_keys_warn_with_the_nearest_known_one) {
    ConfigReport report;
    ASSERT_TRUE(ServerConfig::load(combined({{"log.retention.hour", "1"},
                                             {"zookeeper.connect", "localhost:2181"},
                                             {"qqq", "1"}}),
                                   &report)
                    .has_value());
    EXPECT_THAT(report.warnings,
                testing::UnorderedElementsAre(
                    "Unknown configuration log.retention.hour is ignored. Did you mean "
                    "log.retention.hours?",
                    "Configuration zookeeper.connect is no longer used: there is no ZooKeeper: set "
                    "process.roles and controller.quorum.voters.",
                    "Unknown configuration qqq is ignored."));
}

TEST(ServerConfig, a_known_key_without_effect_is_accepted_with_a_notice) {
    ConfigReport report;
    ASSERT_TRUE(ServerConfig::load(combined({{"sasl.kerberos.service.name", "kafka"}}), &report)
                    .has_value());
    EXPECT_THAT(report.notices,
                testing::Contains("Configuration sasl.kerberos.service.name is accepted and has no "
                                  "effect yet."));
}

TEST(ServerConfig, dynamic_values_lie_over_static_ones_broker_over_cluster) {
    ServerConfig config = load({{"log.retention.hours", "1"}});
    ServerConfig changed = config.with_dynamic({{"log.retention.ms", "5"}, {"num.io.threads", "9"}},
                                               {{"log.retention.ms", "6"}});
    EXPECT_EQ(changed.log_config().retention_ms, 6);
    EXPECT_EQ(changed.num_io_threads(), 9);
    EXPECT_EQ(config.log_config().retention_ms, 3'600'000);
}

TEST(ServerConfig, a_bad_dynamic_value_is_left_out_and_named) {
    ConfigReport report;
    ServerConfig changed = load().with_dynamic({}, {{"num.io.threads", "x"}}, &report);
    EXPECT_EQ(changed.num_io_threads(), 8);
    EXPECT_EQ(report.warnings.size(), 1U);
}

TEST(ServerConfig, dynamic_changes_are_checked_in_kafkas_words) {
    ServerConfig config = load();
    auto error = [&](const ConfigMap& proposed, bool per_broker) {
        auto status = config.validate_dynamic(proposed, per_broker);
        return status ? "" : status.error().message;
    };
    EXPECT_EQ(error({{"num.partitions", "3"}}, true),
              "Cannot update these configs dynamically: [num.partitions]");
    EXPECT_EQ(error({{"num.io.threads", "100"}}, true),
              "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count "
              "update validation failed for num.io.threads=100, value should not be greater than "
              "double the current value 8 for configuration Invalid dynamic configuration");
    EXPECT_NE(error({{"listeners", "PLAINTEXT://:9092,x"}}, true), "");
    EXPECT_EQ(error({{"log.cleaner.threads", "20"}}, true),
              "Invalid value org.apache.kafka.common.config.ConfigException: Log cleaner threads "
              "cannot be increased to more than double the current value 1 for configuration "
              "Invalid dynamic configuration");
    EXPECT_EQ(error({{"listeners", "PLAINTEXT://:1"}}, false),
              "Cannot update these configs at default cluster level, broker id must be specified: "
              "[listeners]");
    EXPECT_EQ(error({{"log.retention.ms", "1"}, {"leader.replication.throttled.rate", "9"}}, true),
              "");
}

TEST(ServerConfig, group_configs_stay_within_the_brokers_bounds) {
    ServerConfig config = load();
    auto error = [&](const ConfigMap& configs) {
        auto status = config.validate_group_configs(configs);
        return status ? "" : status.error().message;
    };
    EXPECT_EQ(error({{"consumer.session.timeout.ms", "50000"}}), "");
    EXPECT_EQ(error({{"consumer.session.timeout.ms", "1"}}),
              "consumer.session.timeout.ms must be greater than or equal to "
              "group.consumer.min.session.timeout.ms");
    EXPECT_EQ(error({{"nosuch", "1"}}), "Unknown group config name: nosuch");
}

}  // namespace
}  // namespace moldau::config
