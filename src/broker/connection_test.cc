// Connections over real sockets, with handlers that the test controls.
#include "broker/connection.h"

#include <condition_variable>
#include <future>

#include <gtest/gtest.h>

#include "broker/raw_client.h"
#include "broker/socket_server.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/heartbeat.h"
#include "runtime/logging.h"

namespace moldau::broker {
namespace {

Bytes heartbeat(int32_t correlation_id, int16_t key = protocol::HeartbeatRequest::kApiKey,
                int16_t version = 0) {
    protocol::Writer writer;
    writer.begin_frame();
    writer.write_int16(key);
    writer.write_int16(version);
    writer.write_int32(correlation_id);
    writer.write_string("client", false);
    protocol::HeartbeatRequest request;
    request.write(writer, 0);
    return protocol::join(writer.take_frame());
}

class ConnectionTest : public testing::Test, public RequestSink {
 protected:
    ConnectionTest() { runtime::set_log_level("root", runtime::LogLevel::Off); }

    void SetUp() override {
        loop_.start();
        config::Endpoint endpoint{"PLAINTEXT", config::SecurityProtocol::Plaintext, "127.0.0.1", 0};
        auto bound =
            server_.bind(endpoint, false, config::ServerConfig::for_tests(), *this, {&loop_});
        ASSERT_TRUE(bound) << bound.error().message;
        port_ = *bound;
        server_.start_accepting(false);
    }
    void TearDown() override {
        {
            MutexLock lock(mutex_);
            held_.clear();
        }
        server_.stop_accepting();
        server_.close_connections();
        loop_.stop();
        loop_.join();
    }

    bool serves(protocol::ApiKey key) const override { return key == protocol::ApiKey::Heartbeat; }
    void handle(Request request) override {
        if (hold_) {
            MutexLock lock(mutex_);
            held_.push_back(std::move(request));
            arrived_.notify_all();
            return;
        }
        request.respond(protocol::HeartbeatResponse());
    }
    std::vector<Request> wait_for_held(size_t count) {
        MutexLock lock(mutex_);
        while (held_.size() < count) {
            arrived_.wait(mutex_.native());
        }
        return std::exchange(held_, {});
    }

    runtime::LoopThread loop_{"test"};
    SocketServer server_{SocketServer::Limits{}};
    uint16_t port_ = 0;
    std::atomic<bool> hold_{false};
    Mutex mutex_;
    std::condition_variable_any arrived_;
    std::vector<Request> held_ GUARDED_BY(mutex_);
};

TEST_F(ConnectionTest, pipelined_requests_are_answered_in_order) {
    RawClient client(port_);
    Buffer all;
    for (int i = 0; i < 1000; ++i) {
        all.append(heartbeat(i).span());
    }
    client.send(all.span());
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(client.next_answer(), i);
    }
}

TEST_F(ConnectionTest, answers_given_out_of_order_by_another_thread_leave_in_order) {
    hold_ = true;
    RawClient client(port_);
    for (int i = 0; i < 3; ++i) {
        client.send(heartbeat(i).span());
    }
    std::vector<Request> requests = wait_for_held(3);
    for (size_t i : {2, 0, 1}) {
        requests[i].respond(protocol::HeartbeatResponse());
    }
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(client.next_answer(), i);
    }
}

TEST_F(ConnectionTest, requests_beyond_the_bound_wait_and_are_served_later) {
    hold_ = true;
    RawClient client(port_);
    Buffer all;
    const int count = static_cast<int>(Connection::kInFlightMax) + 50;
    for (int i = 0; i < count; ++i) {
        all.append(heartbeat(i).span());
    }
    client.send(all.span());
    std::vector<Request> first = wait_for_held(Connection::kInFlightMax);
    EXPECT_EQ(first.size(), Connection::kInFlightMax);
    hold_ = false;
    for (Request& request : first) {
        request.respond(protocol::HeartbeatResponse());
    }
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(client.next_answer(), i);
    }
}

TEST_F(ConnectionTest, a_request_without_an_answer_leaves_no_gap) {
    hold_ = true;
    RawClient client(port_);
    client.send(heartbeat(0).span());
    client.send(heartbeat(1).span());
    std::vector<Request> requests = wait_for_held(2);
    requests[1].respond(protocol::HeartbeatResponse());
    requests[0].respond_nothing();
    EXPECT_EQ(client.next_answer(), 1);
}

TEST_F(ConnectionTest, a_dropped_request_closes_its_connection) {
    hold_ = true;
    RawClient client(port_);
    client.send(heartbeat(0).span());
    wait_for_held(1).clear();
    EXPECT_EQ(client.next_answer(), -1);
}

TEST_F(ConnectionTest, apis_and_versions_not_served_close_after_what_was_answered) {
    RawClient client(port_);
    Buffer both;
    both.append(heartbeat(7).span());
    both.append(heartbeat(8, static_cast<int16_t>(protocol::ApiKey::Produce), 3).span());
    client.send(both.span());
    EXPECT_EQ(client.next_answer(), 7);
    EXPECT_EQ(client.next_answer(), -1);
    RawClient other(port_);
    other.send(heartbeat(1, protocol::HeartbeatRequest::kApiKey, 99).span());
    EXPECT_EQ(other.next_answer(), -1);
}

TEST_F(ConnectionTest, parked_requests_hear_that_the_client_has_left) {
    hold_ = true;
    auto client = std::make_unique<RawClient>(port_);
    client->send(heartbeat(0).span());
    std::vector<Request> requests = wait_for_held(1);
    std::promise<void> abandoned;
    std::promise<void> registered;
    loop_.post([&] {
        requests[0].on_abandoned([&] { abandoned.set_value(); });
        registered.set_value();
    });
    registered.get_future().wait();
    client.reset();
    abandoned.get_future().wait();
}

TEST(SocketServer, connections_beyond_the_limit_of_an_address_are_refused) {
    runtime::set_log_level("root", runtime::LogLevel::Off);
    struct Answerer : RequestSink {
        bool serves(protocol::ApiKey) const override { return true; }
        void handle(Request request) override { request.respond(protocol::HeartbeatResponse()); }
    } sink;
    runtime::LoopThread loop("test");
    loop.start();
    SocketServer server({.connections_max_per_ip = 1});
    config::Endpoint endpoint{"PLAINTEXT", config::SecurityProtocol::Plaintext, "127.0.0.1", 0};
    auto port = server.bind(endpoint, false, config::ServerConfig::for_tests(), sink, {&loop});
    ASSERT_TRUE(port);
    server.start_accepting(false);
    RawClient first(*port);
    first.send(heartbeat(1).span());
    EXPECT_EQ(first.next_answer(), 1);
    RawClient second(*port);
    EXPECT_EQ(second.next_answer(), -1);
    server.stop_accepting();
    server.close_connections();
}

TEST(SocketServer, a_security_protocol_that_is_not_spoken_is_refused_by_name) {
    struct Nobody : RequestSink {
        bool serves(protocol::ApiKey) const override { return false; }
        void handle(Request) override {}
    } sink;
    runtime::LoopThread loop("test");
    SocketServer server(SocketServer::Limits{});
    config::Endpoint endpoint{"SECURE", config::SecurityProtocol::Ssl, "127.0.0.1", 0};
    auto port = server.bind(endpoint, false, config::ServerConfig::for_tests(), sink, {&loop});
    ASSERT_FALSE(port);
    EXPECT_THAT(port.error().message, testing::HasSubstr("SSL"));
}

}  // namespace
}  // namespace moldau::broker
