#include "controller/brokers.h"

#include <gtest/gtest.h>

#include "controller/test_cluster.h"

namespace moldau::controller {
namespace {

protocol::BrokerRegistrationRequest registration(int32_t id, uint64_t incarnation) {
    protocol::BrokerRegistrationRequest request;
    request.broker_id = id;
    request.cluster_id = "cluster";
    request.incarnation_id = metadata::test_id(incarnation);
    request.log_dirs = {metadata::test_id(2000 + static_cast<uint64_t>(id))};
    request.rack = std::nullopt;
    auto& feature = request.features.emplace_back();
    feature.name = "metadata.version";
    feature.min_supported_version = 7;
    feature.max_supported_version = 30;
    auto& elr = request.features.emplace_back();
    elr.name = "eligible.leader.replicas.version";
    elr.max_supported_version = 1;
    return request;
}

class Registration : public testing::Test {
 protected:
    Result<Decision<protocol::BrokerRegistrationResponse>> decide(
        const protocol::BrokerRegistrationRequest& request) {
        return register_broker(cluster.view(), cluster.sessions(), request, 4, 0,
                               cluster.offset() + 1, now);
    }
    int64_t accept(const protocol::BrokerRegistrationRequest& request) {
        auto decision = decide(request);
        EXPECT_TRUE(decision) << decision.error().message;
        cluster.replay(decision->records);
        return decision->response.broker_epoch;
    }
    Error refuse(const protocol::BrokerRegistrationRequest& request) {
        auto decision = decide(request);
        EXPECT_FALSE(decision);
        return decision ? Error() : decision.error();
    }
    protocol::BrokerHeartbeatResponse beat(int32_t id, bool want_fence, bool want_shut_down,
                                           int64_t offset) {
        protocol::BrokerHeartbeatRequest request;
        request.broker_id = id;
        request.broker_epoch = cluster.state().broker(id)->epoch;
        request.current_metadata_offset = offset;
        request.want_fence = want_fence;
        request.want_shut_down = want_shut_down;
        auto decision = heartbeat(cluster.view(), cluster.sessions(), request);
        EXPECT_TRUE(decision);
        cluster.replay(decision->decision.records);
        cluster.sessions().touch(id, request.broker_epoch, offset, now);
        if (decision->enters_controlled_shutdown) {
            cluster.sessions().set_controlled_shutdown_offset(id, cluster.offset());
        }
        return decision->decision.response;
    }

    TestCluster cluster;
    MonotonicTime now{seconds(100)};
};

TEST_F(Registration, a_new_broker_is_fenced_and_its_epoch_is_the_next_offset) {
    int64_t expected = cluster.offset() + 1;
    EXPECT_EQ(accept(registration(1, 1)), expected);
    const metadata::Broker* broker = cluster.state().broker(1);
    EXPECT_TRUE(broker->fenced);
    EXPECT_EQ(broker->epoch, expected);
    EXPECT_EQ(cluster.state().registration_offset(1), expected);
}

TEST_F(Registration, the_same_incarnation_keeps_epoch_and_fencing) {
    int64_t epoch = accept(registration(1, 1));
    beat(1, false, false, cluster.offset());
    EXPECT_FALSE(cluster.state().broker(1)->fenced);
    EXPECT_EQ(accept(registration(1, 1)), epoch);
    EXPECT_FALSE(cluster.state().broker(1)->fenced);
}

TEST_F(Registration, another_incarnation_waits_until_the_session_is_over) {
    accept(registration(1, 1));
    beat(1, false, false, cluster.offset());
    EXPECT_EQ(refuse(registration(1, 2)).code, ErrorCode::DuplicateBrokerRegistration);
    now += seconds(10);
    accept(registration(1, 2));
    EXPECT_TRUE(cluster.state().broker(1)->fenced);
}

TEST_F(Registration, checks_come_in_kafkas_order_with_kafkas_words) {
    auto request = registration(1, 1);
    request.cluster_id = "other";
    EXPECT_EQ(refuse(request).message, "Expected cluster ID cluster, but got cluster ID other");
    EXPECT_EQ(refuse(request).code, ErrorCode::InconsistentClusterId);

    request = registration(1, 1);
    request.is_migrating_zk_broker = true;
    EXPECT_EQ(refuse(request).code, ErrorCode::BrokerIdNotRegistered);

    request = registration(1, 1);
    request.log_dirs.clear();
    EXPECT_EQ(refuse(request).message, "No directories specified in request");
    request.log_dirs = {kUnassignedDirectory};
    EXPECT_EQ(refuse(request).message, "Reserved directory ID in request");
    request.log_dirs = {metadata::test_id(7), metadata::test_id(7)};
    EXPECT_EQ(refuse(request).message, "Duplicate directory ID in request");
    EXPECT_EQ(refuse(request).code, ErrorCode::InvalidRegistration);

    accept(registration(2, 2));
    request = registration(1, 1);
    request.log_dirs = registration(2, 2).log_dirs;
    EXPECT_TRUE(refuse(request).message.starts_with("Broker 2 is already registered with"));

    request = registration(1, 1);
    auto& listener = request.listeners.emplace_back();
    listener.name = "EXTERNAL";
    for (int16_t nothing_known : {-1, 4}) {
        listener.security_protocol = nothing_known;
        EXPECT_EQ(refuse(request).code, ErrorCode::UnknownServerError);
    }
    EXPECT_EQ(refuse(request).message, "Unknown security protocol 4 in listener EXTERNAL");
    listener.security_protocol = 3;
    EXPECT_TRUE(decide(request));

    request = registration(1, 1);
    request.features[0].max_supported_version = 29;
    EXPECT_EQ(refuse(request).message,
              "Unable to register because the broker does not support finalized version 30 of "
              "metadata.version. The broker wants a version between 7 and 29, inclusive.");
    EXPECT_EQ(refuse(request).code, ErrorCode::UnsupportedVersion);

    request = registration(1, 1);
    request.features.erase(request.features.begin());
    EXPECT_EQ(refuse(request).message, "Request features do not contain 'metadata.version'");

    request = registration(1, 1);
    request.features.pop_back();  // ELR is finalized at 1 and the broker does not know it
    EXPECT_EQ(refuse(request).code, ErrorCode::UnsupportedVersion);
}

TEST_F(Registration, a_finalized_kraft_version_counts_like_any_feature) {
    auto request = registration(1, 1);
    auto refused = register_broker(cluster.view(), cluster.sessions(), request, 4, 1, 1, now);
    EXPECT_EQ(refused.error().code, ErrorCode::UnsupportedVersion);
    auto& kraft = request.features.emplace_back();
    kraft.name = "kraft.version";
    kraft.max_supported_version = 1;
    EXPECT_TRUE(register_broker(cluster.view(), cluster.sessions(), request, 4, 1, 1, now));
}

TEST_F(Registration, a_clean_restart_keeps_the_replica_eligible) {
    int64_t epoch = accept(registration(0, 1));
    beat(0, false, false, cluster.offset());
    cluster.create_on("t", {0});
    beat(0, true, true, cluster.offset());
    EXPECT_EQ(cluster.partition("t").elr, std::vector<int32_t>{0});
    auto again = registration(0, 2);
    again.previous_broker_epoch = epoch;
    now += seconds(10);
    accept(again);
    beat(0, false, false, cluster.offset());
    EXPECT_EQ(cluster.partition("t").leader, 0);
    EXPECT_EQ(cluster.partition("t").leader_recovery_state,
              metadata::LeaderRecoveryState::Recovered);
}

TEST_F(Registration, a_broker_is_unfenced_only_after_it_has_read_its_registration) {
    int64_t epoch = accept(registration(1, 1));
    auto behind = beat(1, false, false, epoch - 1);
    EXPECT_TRUE(behind.is_fenced);
    EXPECT_FALSE(behind.is_caught_up);
    auto wants_fence = beat(1, true, false, epoch);
    EXPECT_TRUE(wants_fence.is_fenced);
    EXPECT_TRUE(wants_fence.is_caught_up);
    EXPECT_FALSE(beat(1, false, false, epoch).is_fenced);
    EXPECT_FALSE(cluster.state().broker(1)->fenced);
}

TEST_F(Registration, a_heartbeat_of_another_epoch_is_stale) {
    accept(registration(1, 1));
    protocol::BrokerHeartbeatRequest request;
    request.broker_id = 1;
    request.broker_epoch = 12345;
    auto stale = heartbeat(cluster.view(), cluster.sessions(), request);
    EXPECT_EQ(stale.error().code, ErrorCode::StaleBrokerEpoch);
    request.broker_id = 9;
    EXPECT_EQ(heartbeat(cluster.view(), cluster.sessions(), request).error().message,
              "No broker registration found for broker id 9");
}

TEST_F(Registration, a_broker_is_fenced_when_its_session_ends) {
    accept(registration(1, 1));
    beat(1, false, false, cluster.offset());
    EXPECT_EQ(cluster.sessions().expired(cluster.state(), now + seconds(9)), std::nullopt);
    EXPECT_EQ(cluster.sessions().expired(cluster.state(), now + seconds(10)), 1);
    cluster.fence(1);
    EXPECT_EQ(cluster.sessions().expired(cluster.state(), now + seconds(10)), std::nullopt);
}

TEST_F(Registration, a_new_controller_gives_everybody_a_session_but_trusts_its_own_process) {
    accept(registration(0, 1));
    accept(registration(1, 2));
    beat(0, false, false, cluster.offset());
    beat(1, false, false, cluster.offset());
    cluster.sessions().begin(cluster.state(), 1, now);
    EXPECT_EQ(refuse(registration(0, 5)).code, ErrorCode::DuplicateBrokerRegistration);
    EXPECT_EQ(cluster.sessions().expired(cluster.state(), now + seconds(9)), std::nullopt);
    accept(registration(1, 6));
}

TEST_F(Registration, controlled_shutdown_moves_leaders_and_waits_for_the_others) {
    accept(registration(0, 1));
    accept(registration(1, 2));
    beat(0, false, false, cluster.offset());
    beat(1, false, false, cluster.offset());
    cluster.create_on("t", {0, 1});
    beat(1, false, false, cluster.offset());
    auto first = beat(0, false, true, cluster.offset());
    EXPECT_FALSE(first.should_shut_down);
    EXPECT_TRUE(cluster.state().broker(0)->in_controlled_shutdown);
    EXPECT_EQ(cluster.partition("t").leader, 1);
    auto too_early = beat(0, false, true, cluster.offset());
    EXPECT_FALSE(too_early.should_shut_down);  // broker 1 has not read it yet
    beat(1, false, false, cluster.offset());
    auto done = beat(0, false, true, cluster.offset());
    EXPECT_TRUE(done.should_shut_down);
    EXPECT_TRUE(cluster.state().broker(0)->fenced);
}

TEST_F(Registration, a_lone_broker_shuts_down_in_two_steps) {
    accept(registration(0, 1));
    beat(0, false, false, cluster.offset());
    cluster.create_on("t", {0});
    EXPECT_FALSE(beat(0, false, true, cluster.offset()).should_shut_down);
    EXPECT_EQ(cluster.partition("t").leader, -1);
    EXPECT_TRUE(beat(0, false, true, cluster.offset()).should_shut_down);
}

TEST_F(Registration, an_offline_directory_costs_its_leaderships) {
    auto request = registration(0, 1);
    request.log_dirs.push_back(metadata::test_id(3000));
    accept(request);
    accept(registration(1, 2));
    beat(0, false, false, cluster.offset());
    beat(1, false, false, cluster.offset());
    cluster.create_on("t", {0, 1});
    protocol::AssignReplicasToDirsRequest assign;
    assign.broker_id = 0;
    assign.broker_epoch = cluster.state().broker(0)->epoch;
    auto& directory = assign.directories.emplace_back();
    directory.id = metadata::test_id(3000);
    auto& topic = directory.topics.emplace_back();
    topic.topic_id = cluster.key("t").topic_id;
    topic.partitions.emplace_back().partition_index = 0;
    cluster.replay(assign_replicas_to_directories(cluster.view(), assign)->records);
    EXPECT_EQ(cluster.partition("t").leader, 0);

    protocol::BrokerHeartbeatRequest beat_with_failure;
    beat_with_failure.broker_id = 0;
    beat_with_failure.broker_epoch = assign.broker_epoch;
    beat_with_failure.current_metadata_offset = cluster.offset();
    beat_with_failure.offline_log_dirs = {metadata::test_id(3000)};
    auto decision = heartbeat(cluster.view(), cluster.sessions(), beat_with_failure);
    cluster.replay(decision->decision.records);
    EXPECT_EQ(cluster.partition("t").leader, 1);
    EXPECT_EQ(cluster.state().broker(0)->directories.size(), 1u);
}

// A broker tells of its cordoned directories when it has caught up; in which order says nothing.
TEST_F(Registration, cordoned_directories_are_written_when_first_told_and_when_they_change) {
    accept(registration(1, 1));
    protocol::BrokerHeartbeatRequest request;
    request.broker_id = 1;
    request.broker_epoch = cluster.state().broker(1)->epoch;
    request.want_fence = true;
    auto records = [&](std::optional<std::vector<Uuid>> cordoned) {
        request.cordoned_log_dirs = std::move(cordoned);
        auto decision = heartbeat(cluster.view(), cluster.sessions(), request);
        EXPECT_TRUE(decision);
        cluster.replay(decision->decision.records);
        return decision->decision.records.size();
    };
    Uuid one = metadata::test_id(1);
    Uuid two = metadata::test_id(2);
    EXPECT_EQ(records(std::nullopt), 0u);
    EXPECT_EQ(records(std::vector<Uuid>()), 1u);
    EXPECT_EQ(records(std::vector<Uuid>()), 0u);
    EXPECT_EQ(records(std::vector{one, two}), 1u);
    EXPECT_EQ(records(std::vector{two, one}), 0u);
}

// Once in the metadata log, every node that replays the record would have to make something of it.
TEST_F(Registration, a_controller_whose_security_protocol_is_unknown_is_refused) {
    protocol::ControllerRegistrationRequest request;
    request.controller_id = 7;
    request.listeners.emplace_back().security_protocol = 4;
    EXPECT_EQ(register_controller(cluster.view(), request).error().code,
              ErrorCode::UnknownServerError);
    request.listeners[0].security_protocol = 1;
    EXPECT_TRUE(register_controller(cluster.view(), request));
}

TEST_F(Registration, unregistering_needs_a_registered_broker) {
    accept(registration(0, 1));
    protocol::UnregisterBrokerRequest request;
    request.broker_id = 5;
    EXPECT_EQ(unregister_broker(cluster.view(), request).error().message,
              "Broker ID 5 is not currently registered");
    request.broker_id = 0;
    cluster.replay(unregister_broker(cluster.view(), request)->records);
    EXPECT_EQ(cluster.state().broker(0), nullptr);
}

}  // namespace
}  // namespace moldau::controller
