// TCP for everything that speaks Kafka's framing: Socket (an owned descriptor), TcpListener,
// FrameStream (frames in, gather writes out), connect_tcp.
// Objects belong to the loop they were given; callbacks run there.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/event_loop.h"
#include "runtime/receive_memory.h"

namespace moldau::runtime {

// A connected socket on its way to the loop that will own it.
class Socket {
 public:
    Socket() = default;
    Socket(int descriptor, std::string peer_host, uint16_t peer_port, std::string local_host,
           uint16_t local_port);
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) noexcept;
    ~Socket();

    int descriptor() const { return descriptor_; }
    // Gives the descriptor away.
    int release();
    // Numeric; an IPv4 peer of a dual-stack listener shows as IPv4.
    const std::string& peer_host() const { return peer_host_; }
    uint16_t peer_port() const { return peer_port_; }
    const std::string& local_host() const { return local_host_; }
    uint16_t local_port() const { return local_port_; }

 private:
    int descriptor_ = -1;
    std::string peer_host_;
    uint16_t peer_port_ = 0;
    std::string local_host_;
    uint16_t local_port_ = 0;
};

struct ListenOptions {
    // Empty: every address, IPv6 and IPv4 alike. Otherwise a name or a numeric address.
    std::string host;
    uint16_t port = 0;  // 0: the system chooses, see TcpListener::port()
    int backlog = 50;
    // SO_SNDBUF and SO_RCVBUF of the sockets; -1 leaves the system's.
    int send_buffer_bytes = -1;
    int receive_buffer_bytes = -1;
};

class TcpListener {
 public:
    // Binds and listens. Errors: InvalidConfig with the address and the system's words.
    static Result<std::unique_ptr<TcpListener>> open(LoopThread& loop,
                                                     const ListenOptions& options);
    ~TcpListener();

    uint16_t port() const;
    // Hands every new connection to `on_accept`, on the loop. Call once, from any thread.
    void start(std::function<void(Socket)> on_accept);
    // Accepts no more until resume(); who connects meanwhile waits in the system's queue.
    // On the loop; `on_accept` may call them.
    void pause();
    void resume();
    // No connection is accepted after this returns. From any thread but the loop's when the loop
    // runs, or from the loop itself.
    void close();

 private:
    struct Impl;
    explicit TcpListener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_;
};

class FrameStream;

// What a FrameStream tells its owner, on the loop.
class FrameHandler {
 public:
    virtual ~FrameHandler() = default;
    // All frames that one wake brought, in order; never empty. The handler may take them out.
    // Output sent during this call leaves in one write after it.
    virtual void on_frames(std::vector<Bytes>& frames) = 0;
    // Queued output has reached the socket, after pending_bytes() had been above zero.
    virtual void on_drained() {}
    // The peer closed, the connection failed, or a frame was malformed. Last call; the stream is
    // closed. `error.code` is None when the peer closed between frames.
    virtual void on_closed(const Error& error) = 0;
};

struct StreamOptions {
    int32_t frame_bytes_max = 100 * 1024 * 1024;
    // Shared by many streams: the output that sockets have not taken yet. Outlives the stream.
    std::atomic<int64_t>* unsent_bytes = nullptr;
    // Shared by many streams: what their frames may take; none: no limit.
    std::shared_ptr<ReceiveMemory> memory = nullptr;
};

class FrameStream : public std::enable_shared_from_this<FrameStream> {
 public:
    // On the loop (or before it starts); calls the handler later, never from within. `handler` must
    // live until on_closed or close().
    static std::shared_ptr<FrameStream> open(LoopThread& loop, Socket socket, FrameHandler* handler,
                                             const StreamOptions& options = {});
    virtual ~FrameStream() = default;

    // Queues bytes for output; they leave with flush(), or together at the end of on_frames.
    virtual void send(std::vector<Bytes> chain) = 0;
    virtual void flush() = 0;
    // Output that the socket has not taken yet.
    virtual size_t pending_bytes() const = 0;
    // Stops and restarts reading: frames already cut are still delivered.
    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;
    // Closes at once; the handler hears nothing any more. Safe inside its calls.
    virtual void close() = 0;
    // Closes once pending output has left; nothing more is read.
    virtual void close_after_flush() = 0;
    virtual bool is_open() const = 0;
};

// Connects without blocking the loop; `done` runs on the loop, unless the loop stops first.
// Errors: BrokerNotAvailable with the address and the system's words, RequestTimedOut.
void connect_tcp(LoopThread& loop, const std::string& host, uint16_t port, Duration timeout,
                 std::function<void(Result<Socket>)> done);

}  // namespace moldau::runtime
