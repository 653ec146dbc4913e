#include "runtime/tcp.h"

#include <deque>
#include <future>

#include <gtest/gtest.h>

#include "base/endian.h"

namespace moldau::runtime {
namespace {

Bytes frame_of(std::string_view body) {
    Buffer frame;
    frame.resize(4);
    store_big(frame.data(), static_cast<int32_t>(body.size()));
    frame.append(body);
    return std::move(frame).freeze();
}

// Answers every frame with the same frame.
class Echo : public FrameHandler {
 public:
    void on_frames(std::vector<Bytes>& frames) override {
        for (Bytes& frame : frames) {
            stream->send({frame_of(frame.view())});
        }
    }
    void on_closed(const Error&) override { closed.set_value(); }

    std::shared_ptr<FrameStream> stream;
    std::promise<void> closed;
};

class Client : public FrameHandler {
 public:
    void on_frames(std::vector<Bytes>& frames) override {
        for (Bytes& frame : frames) {
            received.push_back(frame.str());
            if (received.size() == expected) {
                done.set_value();
            }
        }
    }
    void on_closed(const Error& error) override { closed.set_value(error); }

    std::shared_ptr<FrameStream> stream;
    std::vector<std::string> received;
    size_t expected = 0;
    std::promise<void> done;
    std::promise<Error> closed;
};

class TcpTest : public testing::Test {
 protected:
    void SetUp() override {
        loop.start();
        auto opened = TcpListener::open(loop, {.host = "127.0.0.1"});
        ASSERT_TRUE(opened) << opened.error().message;
        listener = std::move(*opened);
        listener->start([this](Socket socket) {
            Echo& target = echo.stream == nullptr ? echo : echoes.emplace_back();
            target.stream = FrameStream::open(loop, std::move(socket), &target,
                                              {.frame_bytes_max = 1 << 20, .memory = memory});
        });
    }
    void connect(Client& client) {
        std::promise<void> connected;
        connect_tcp(loop, "localhost", listener->port(), seconds(10), [&](Result<Socket> socket) {
            ASSERT_TRUE(socket) << socket.error().message;
            client.stream = FrameStream::open(loop, std::move(*socket), &client);
            connected.set_value();
        });
        connected.get_future().wait();
    }
    // Everything that uses the objects on the stack runs before the loop ends.
    void TearDown() override {
        listener->close();
        loop.stop();
        loop.join();
    }

    LoopThread loop{"test"};
    std::unique_ptr<TcpListener> listener;
    std::shared_ptr<ReceiveMemory> memory;  // of the streams that are accepted
    Echo echo;
    std::deque<Echo> echoes;  // of further connections
};

TEST_F(TcpTest, frames_of_all_sizes_come_back_in_order) {
    Client client;
    connect(client);
    std::vector<std::string> sent;
    for (size_t size : {0ul, 1ul, 100ul, 5000ul, 300'000ul, 7ul, 1'000'000ul}) {
        sent.emplace_back(size, 'x');
    }
    client.expected = sent.size();
    loop.post([&] {
        for (const std::string& body : sent) {
            client.stream->send({frame_of(body)});
        }
        client.stream->flush();
    });
    client.done.get_future().wait();
    EXPECT_EQ(client.received, sent);
}

TEST_F(TcpTest, oversize_frame_closes_the_stream) {
    Client client;
    connect(client);
    loop.post([&] {
        client.stream->send({frame_of(std::string(2 << 20, 'x'))});
        client.stream->flush();
    });
    echo.closed.get_future().wait();
    client.closed.get_future().wait();
}

TEST_F(TcpTest, paused_stream_reads_what_arrived_once_resumed) {
    Client client;
    connect(client);
    client.expected = 1;
    loop.post([&] {
        client.stream->pause_reading();
        client.stream->send({frame_of("ping")});
        client.stream->flush();
        loop.post([&] { client.stream->resume_reading(); });
    });
    client.done.get_future().wait();
    EXPECT_EQ(client.received.front(), "ping");
}

// Two clients send frames that are each larger than all the memory there is for frames; what is
// read of the second meanwhile is a few bytes.
TEST_F(TcpTest, a_frame_that_finds_no_memory_waits_until_there_is_some) {
    memory = ReceiveMemory::of(100'000);
    auto held = std::make_optional(memory->take(100'000));
    Client client;
    connect(client);
    const std::string large(400'000, 'x');
    client.expected = 3;
    loop.post([&] {
        client.stream->send({frame_of("a"), frame_of(large), frame_of("b")});
        client.stream->flush();
    });
    Client other;
    connect(other);
    other.expected = 1;
    loop.post([&] {
        other.stream->send({frame_of(large)});
        other.stream->flush();
    });
    // Whoever is let in, one at a time, comes to its end.
    loop.post([&] { held.reset(); });
    client.done.get_future().wait();
    EXPECT_EQ(client.received, (std::vector<std::string>{"a", large, "b"}));
    other.done.get_future().wait();
    EXPECT_EQ(other.received.front(), large);
    std::promise<int64_t> left;
    loop.post([&] { left.set_value(memory->taken()); });
    EXPECT_EQ(left.get_future().get(), 0);
}

TEST_F(TcpTest, a_stream_that_ends_while_it_waits_for_memory_leaves_its_place) {
    memory = ReceiveMemory::of(100);
    auto held = std::make_optional(memory->take(100));
    {
        Client client;
        connect(client);
        std::promise<void> closed;
        loop.post([&] {
            client.stream->send({frame_of("never read")});
            client.stream->flush();
            loop.post([&] {
                client.stream->close();
                echo.stream->close();
                closed.set_value();
            });
        });
        closed.get_future().wait();
    }
    std::promise<int64_t> left;
    loop.post([&] {
        held.reset();
        left.set_value(memory->taken());
    });
    EXPECT_EQ(left.get_future().get(), 0);
}

TEST_F(TcpTest, end_of_stream_behind_the_last_bytes_is_seen) {
    Client client;
    connect(client);
    loop.post([&] {
        client.stream->send({frame_of("last")});
        client.stream->close_after_flush();
    });
    echo.closed.get_future().wait();
}

TEST_F(TcpTest, connecting_to_nobody_fails_with_the_address) {
    uint16_t free_port = 0;
    {
        auto opened = TcpListener::open(loop, {.host = "127.0.0.1"});
        free_port = (*opened)->port();
    }
    std::promise<Error> failed;
    connect_tcp(loop, "127.0.0.1", free_port, seconds(10),
                [&](Result<Socket> socket) { failed.set_value(socket.error()); });
    Error error = failed.get_future().get();
    EXPECT_EQ(error.code, ErrorCode::BrokerNotAvailable);
    EXPECT_THAT(error.message, testing::HasSubstr(fmt::format("127.0.0.1:{}", free_port)));
}

TEST_F(TcpTest, a_port_in_use_is_refused_with_kafkas_words) {
    auto second = TcpListener::open(loop, {.host = "127.0.0.1", .port = listener->port()});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, testing::HasSubstr("Socket server failed to bind to"));
}

TEST_F(TcpTest, empty_host_answers_both_kinds_of_address) {
    auto both = TcpListener::open(loop, {});
    ASSERT_TRUE(both);
    std::promise<std::string> peer;
    (*both)->start([&](Socket socket) { peer.set_value(socket.peer_host()); });
    Socket kept;
    std::promise<void> connected;
    connect_tcp(loop, "127.0.0.1", (*both)->port(), seconds(10), [&](Result<Socket> socket) {
        ASSERT_TRUE(socket);
        kept = std::move(*socket);
        connected.set_value();
    });
    connected.get_future().wait();
    EXPECT_EQ(peer.get_future().get(), "127.0.0.1");
}

}  // namespace
}  // namespace moldau::runtime
