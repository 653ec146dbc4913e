// Connections over real sockets, with handlers that the test controls.
#include "broker/connection.h"

#include <condition_variable>
#include <future>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "broker/raw_client.h"
#include "broker/request_queue.h"
#include "broker/socket_server.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/sasl_authenticate.h"
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
    bool is_full() const override { return full_; }
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
    SocketServer server_{ConnectionLimits{}};
    uint16_t port_ = 0;
    std::atomic<bool> hold_{false};
    std::atomic<bool> full_{false};
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

TEST_F(ConnectionTest, a_full_sink_gets_one_request_of_a_connection_at_a_time) {
    hold_ = true;
    full_ = true;
    RawClient client(port_);
    Buffer all;
    for (int i = 0; i < 3; ++i) {
        all.append(heartbeat(i).span());
    }
    client.send(all.span());
    for (int i = 0; i < 3; ++i) {
        std::vector<Request> requests = wait_for_held(1);
        ASSERT_EQ(requests.size(), 1u);
        requests[0].respond(protocol::HeartbeatResponse());
        EXPECT_EQ(client.next_answer(), i);
    }
}

TEST(RequestQueue, counts_tasks_until_they_start_or_are_dropped) {
    auto queue = RequestQueue::of(2);
    bool ran = false;
    runtime::Task first = queue->queued([&] {
        ran = true;
        EXPECT_EQ(queue->length(), 1);
    });
    runtime::Task second = queue->queued([] {});
    EXPECT_TRUE(queue->is_full());
    first();
    EXPECT_TRUE(ran);
    EXPECT_FALSE(queue->is_full());
    second = nullptr;
    EXPECT_EQ(queue->length(), 0);
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

// One loop, one listener of each name, and an answer to everything.
class SocketServerTest : public testing::Test, public RequestSink {
 protected:
    SocketServerTest() { runtime::set_log_level("root", runtime::LogLevel::Off); }
    // Not the destructor's work: the loop calls this sink until it has ended.
    void TearDown() override {
        server_->stop_accepting();
        server_->close_connections();
        loop_.stop();
        loop_.join();
    }
    void start(ConnectionLimits limits, std::initializer_list<std::string> listeners) {
        loop_.start();
        server_ = std::make_unique<SocketServer>(std::move(limits));
        for (const std::string& name : listeners) {
            config::Endpoint endpoint{name, config::SecurityProtocol::Plaintext, "127.0.0.1", 0};
            auto port =
                server_->bind(endpoint, false, config::ServerConfig::for_tests(), *this, {&loop_});
            ASSERT_TRUE(port) << port.error().message;
            ports_[name] = *port;
        }
        server_->start_accepting(false);
    }
    static int32_t ask(RawClient& client, int32_t number) {
        client.send(heartbeat(number).span());
        return client.next_answer();
    }
    bool serves(protocol::ApiKey) const override { return true; }
    void handle(Request request) override {
        if (answer_bytes_ == 0) {
            return request.respond(protocol::HeartbeatResponse());
        }
        protocol::SaslAuthenticateResponse large;
        large.auth_bytes = Bytes::copy_of(std::string(static_cast<size_t>(answer_bytes_), 'x'));
        request.respond(large);
    }

    runtime::LoopThread loop_{"test"};
    std::unique_ptr<SocketServer> server_;
    int32_t answer_bytes_ = 0;
    std::map<std::string, uint16_t> ports_;
};

TEST(AnswerBytes, shrink_with_what_clients_leave_unread_and_never_to_nothing) {
    constexpr int64_t kMax = 100 << 20;
    UnsentAnswers unsent{kMax};
    EXPECT_EQ(unsent.answer_bytes_max(), kMax / 4);
    for (int i = 0; i < 5000; ++i) {
        unsent.bytes += unsent.answer_bytes_max();
    }
    EXPECT_LE(unsent.bytes, kMax + 5000 * UnsentAnswers::kAnswerBytesMin);
    EXPECT_TRUE(unsent.is_full());
    unsent.bytes = 10 * kMax;
    EXPECT_EQ(unsent.answer_bytes_max(), UnsentAnswers::kAnswerBytesMin);
}

TEST(AnswerBytes, are_a_part_of_a_small_nodes_memory) {
    EXPECT_EQ(UnsentAnswers::bytes_max_of(256 << 20), 32 << 20);
    EXPECT_EQ(UnsentAnswers::bytes_max_of(1 << 20), 16 << 20);
    EXPECT_EQ(UnsentAnswers::bytes_max_of(int64_t{64} << 30), 128 << 20);
}

TEST_F(SocketServerTest, what_a_client_does_not_read_is_counted_until_it_leaves) {
    answer_bytes_ = 1 << 20;
    start({}, {"OUTER"});
    auto lazy = std::make_unique<RawClient>(ports_["OUTER"]);
    for (int i = 0; i < 64; ++i) {
        lazy->send(heartbeat(i).span());
    }
    while (server_->unsent_bytes() == 0) {
        std::this_thread::yield();
    }
    // It is not read from any more, far from the 64 MiB it asked for.
    RawClient other(ports_["OUTER"]);
    other.send(heartbeat(7).span());
    EXPECT_EQ(other.next_answer(), 7);
    EXPECT_LE(server_->unsent_bytes(),
              static_cast<int64_t>(Connection::kOutputBytesMax) + answer_bytes_);
    lazy.reset();
    while (server_->connection_count() > 1) {
        std::this_thread::yield();
    }
    EXPECT_EQ(server_->unsent_bytes(), 0);
}

TEST_F(SocketServerTest, a_full_node_serves_the_next_connection_once_one_has_left) {
    start({.connections_max = 1}, {"OUTER"});
    auto first = std::make_unique<RawClient>(ports_["OUTER"]);
    EXPECT_EQ(ask(*first, 1), 1);
    RawClient second(ports_["OUTER"]);
    second.send(heartbeat(2).span());
    RawClient third(ports_["OUTER"]);
    third.send(heartbeat(3).span());
    EXPECT_EQ(ask(*first, 4), 4);
    EXPECT_EQ(server_->connection_count(), 1u);
    first.reset();
    EXPECT_EQ(second.next_answer(), 2);
}

TEST_F(SocketServerTest, more_room_is_taken_at_once_when_the_limit_is_raised) {
    start({.connections_max = 1}, {"OUTER"});
    RawClient first(ports_["OUTER"]);
    EXPECT_EQ(ask(first, 1), 1);
    RawClient second(ports_["OUTER"]);
    second.send(heartbeat(2).span());
    EXPECT_EQ(ask(first, 3), 3);
    server_->set_limits({.connections_max = 2});
    EXPECT_EQ(second.next_answer(), 2);
}

TEST_F(SocketServerTest, another_broker_displaces_the_connection_used_least_recently) {
    start({.connections_max = 2, .inter_broker_listener = "INNER"}, {"INNER", "OUTER"});
    RawClient old(ports_["OUTER"]);
    RawClient recent(ports_["OUTER"]);
    EXPECT_EQ(ask(recent, 1), 1);
    EXPECT_EQ(ask(old, 1), 1);
    EXPECT_EQ(ask(recent, 2), 2);
    RawClient broker(ports_["INNER"]);
    EXPECT_EQ(ask(broker, 1), 1);
    EXPECT_EQ(old.next_answer(), -1);
    EXPECT_EQ(ask(recent, 3), 3);
}

TEST_F(SocketServerTest, a_connection_that_waits_for_room_does_not_hold_up_the_stop) {
    start({.connections_max = 1}, {"OUTER"});
    RawClient first(ports_["OUTER"]);
    EXPECT_EQ(ask(first, 1), 1);
    RawClient second(ports_["OUTER"]);
    EXPECT_EQ(ask(first, 2), 2);
    server_->stop_accepting();
    EXPECT_EQ(second.next_answer(), -1);
}

TEST(SocketServer, a_security_protocol_that_is_not_spoken_is_refused_by_name) {
    struct Nobody : RequestSink {
        bool serves(protocol::ApiKey) const override { return false; }
        void handle(Request) override {}
    } sink;
    runtime::LoopThread loop("test");
    SocketServer server(ConnectionLimits{});
    config::Endpoint endpoint{"SECURE", config::SecurityProtocol::Ssl, "127.0.0.1", 0};
    auto port = server.bind(endpoint, false, config::ServerConfig::for_tests(), sink, {&loop});
    ASSERT_FALSE(port);
    EXPECT_THAT(port.error().message, testing::HasSubstr("SSL"));
}

}  // namespace
}  // namespace moldau::broker
