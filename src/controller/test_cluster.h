// A controller in a test: state, configuration, a clock and seeded randomness, and verbs that
// decide and replay in one step.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controller/brokers.h"
#include "controller/configs.h"
#include "controller/decision.h"
#include "controller/leaders.h"
#include "controller/topics.h"
#include "metadata/test_records.h"

namespace moldau::controller {

class TestCluster {
 public:
    explicit TestCluster(int16_t metadata_version = 30, bool elr = true,
                         config::ConfigMap config = {})
        : config_(config::ServerConfig::for_tests(config)), sessions_(seconds(9)) {
        replay(metadata::feature_record("metadata.version", metadata_version));
        if (elr) {
            replay(metadata::feature_record("eligible.leader.replicas.version", 1));
        }
    }

    View view() const { return {state_, config_, "cluster"}; }
    const State& state() const { return state_; }
    Sessions& sessions() { return sessions_; }
    const Draw& draw() const { return draw_; }

    void replay(const protocol::MetadataRecord& record) {
        Status status = state_.replay(record, ++offset_);
        ASSERT_TRUE(status) << status.error().message;
        log_.push_back(record);
    }
    void replay(const metadata::Records& records) {
        for (const auto& record : records) {
            // Through bytes, as the log does it: a record that cannot be written at its version
            // shows.
            Bytes bytes = protocol::encode_metadata_record(record.record, record.version);
            auto read = protocol::decode_metadata_record(bytes);
            ASSERT_TRUE(read) << read.error().message;
            replay(*read);
        }
    }
    const std::vector<protocol::MetadataRecord>& log() const { return log_; }

    // Unfenced brokers 0 .. count-1, each in a rack of its own name when racks are given.
    void add_brokers(int32_t count, std::vector<std::string> racks = {}) {
        for (int32_t id = 0; id < count; ++id) {
            auto record = metadata::broker_record(id, offset_ + 1);
            if (!racks.empty()) {
                record.rack = racks[static_cast<size_t>(id) % racks.size()];
            }
            record.fenced = false;
            replay(protocol::MetadataRecord(record));
        }
    }
    void fence(int32_t broker) { replay(fence_broker(view(), broker)); }
    void unfence(int32_t broker) {
        protocol::BrokerHeartbeatRequest request;
        request.broker_id = broker;
        request.broker_epoch = state_.broker(broker)->epoch;
        request.current_metadata_offset = offset_;
        auto decision = heartbeat(view(), sessions_, request);
        ASSERT_TRUE(decision);
        replay(decision->decision.records);
    }

    protocol::CreateTopicsRequest topic_request(const std::string& name, int32_t partitions,
                                                int16_t replication_factor) const {
        protocol::CreateTopicsRequest request;
        auto& topic = request.topics.emplace_back();
        topic.name = name;
        topic.num_partitions = partitions;
        topic.replication_factor = replication_factor;
        return request;
    }
    protocol::CreateTopicsResponse create(const protocol::CreateTopicsRequest& request) {
        auto decision = create_topics(view(), request, true, draw_);
        replay(decision.records);
        return decision.response;
    }
    protocol::CreateTopicsResponse create(const std::string& name, int32_t partitions,
                                          int16_t replication_factor) {
        return create(topic_request(name, partitions, replication_factor));
    }
    // A topic of one partition on these brokers.
    void create_on(const std::string& name, std::vector<int32_t> brokers) {
        auto request = topic_request(name, -1, -1);
        auto& assignment = request.topics[0].assignments.emplace_back();
        assignment.broker_ids = std::move(brokers);
        auto response = create(request);
        ASSERT_EQ(response.topics[0].error_code, 0) << *response.topics[0].error_message;
    }
    void set_topic_config(const std::string& topic, const std::string& key,
                          const std::string& value) {
        replay(metadata::config_record(2, topic, key, value));
    }

    const metadata::Partition& partition(const std::string& topic, int32_t index = 0) const {
        return *state_.image().topics.partition(topic, index);
    }
    PartitionKey key(const std::string& topic, int32_t index = 0) const {
        return {state_.image().topics.find(topic)->id, index};
    }
    int64_t offset() const { return offset_; }

 private:
    config::ServerConfig config_;
    State state_;
    Sessions sessions_;
    int64_t offset_ = -1;
    uint64_t seed_ = 4711;
    Draw draw_ = [this] {
        seed_ += 0x9e3779b97f4a7c15ULL;
        uint64_t z = seed_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    };
    std::vector<protocol::MetadataRecord> log_;
};

}  // namespace moldau::controller
