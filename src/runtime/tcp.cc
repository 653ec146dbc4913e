#include "runtime/tcp.h"

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <deque>
#include <system_error>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "runtime/frame_reader.h"
#include "runtime/loop_impl.h"

namespace moldau::runtime {

namespace {

using boost::asio::ip::tcp;
using Descriptor = boost::asio::posix::stream_descriptor;

// Reads per wake before other connections get their turn.
constexpr int kReadsPerWake = 4;
// What a stream reads at once between frames when memory for them is scarce: the beginning of a
// large one, which then waits for memory, shall be small.
constexpr size_t kScarceReadBytes = 4096;
// Slices per sendmsg.
constexpr size_t kSlicesPerWrite = 64;

class TcpFrameStream final : public FrameStream {
 public:
    TcpFrameStream(LoopThread& loop, Socket socket, FrameHandler* handler,
                   const StreamOptions& options)
        : loop_(loop),
          descriptor_(loop.impl().context, socket.release()),
          handler_(handler),
          reader_(options.frame_bytes_max),
          unsent_total_(options.unsent_bytes),
          memory_(options.memory) {}
    ~TcpFrameStream() override { stop_waiting_for_memory(); }

    void begin() {
        // Bytes may have arrived before the descriptor was registered: ask once without waiting,
        // but not from here, where the caller does not know its stream yet.
        loop_.post([self = self()] { self->read_some(); });
    }

    void send(std::vector<Bytes> chain) override {
        if (!open_) {
            return;
        }
        for (Bytes& piece : chain) {
            if (!piece.empty()) {
                output_bytes_ += piece.size();
                output_.push_back(std::move(piece));
            }
        }
        if (waiting_to_write_) {
            account();
        }
    }

    void flush() override {
        if (!waiting_to_write_) {
            write_some();
        }
    }

    size_t pending_bytes() const override { return output_bytes_; }

    void pause_reading() override { paused_ = true; }

    void resume_reading() override {
        if (!paused_) {
            return;
        }
        paused_ = false;
        if (!waiting_to_read_ && !delivering_) {
            // What arrived meanwhile was reported to nobody: read instead of waiting.
            loop_.post([self = self()] { self->read_some(); });
        }
    }

    void close() override {
        if (!open_) {
            return;
        }
        open_ = false;
        handler_ = nullptr;
        output_.clear();
        output_bytes_ = 0;
        account();
        stop_waiting_for_memory();
        share_.reset();
        boost::system::error_code ignored;
        descriptor_.close(ignored);
    }

    void close_after_flush() override {
        closing_ = true;
        if (!delivering_ && output_.empty()) {
            close();
        } else {
            flush();
        }
    }

    bool is_open() const override { return open_; }

 private:
    std::shared_ptr<TcpFrameStream> self() {
        return std::static_pointer_cast<TcpFrameStream>(shared_from_this());
    }
    bool wants_input() const { return open_ && !paused_ && !closing_; }

    void wait_to_read() {
        if (waiting_to_read_ || !wants_input()) {
            return;
        }
        waiting_to_read_ = true;
        descriptor_.async_wait(Descriptor::wait_read,
                               [self = self()](const boost::system::error_code& error) {
                                   self->waiting_to_read_ = false;
                                   if (!error) {
                                       self->read_some();
                                   }
                               });
    }

    // Reads until the socket is empty. A read that leaves room has emptied it: what came since, or
    // the end of the stream behind the last bytes, is reported when the wait begins, because that
    // asks epoll anew.
    void read_some() {
        ReceiveBlock& block = loop_.impl().receive_block;
        for (int round = 0; round < kReadsPerWake; ++round) {
            if (!wants_input()) {
                return;
            }
            if (memory_ != nullptr && !has_memory()) {
                return;
            }
            FrameReader::Space space = reader_.prepare(block);
            if (memory_ != nullptr && memory_->is_scarce()) {
                read_little(space);
            }
            std::array<iovec, 2> vectors;
            for (size_t i = 0; i < space.count; ++i) {
                vectors[i] = {space.spans[i].data(), space.spans[i].size()};
            }
            ssize_t got = space.count == 1
                              ? ::recv(descriptor_.native_handle(), vectors[0].iov_base,
                                       vectors[0].iov_len, MSG_DONTWAIT)
                              : ::readv(descriptor_.native_handle(), vectors.data(),
                                        static_cast<int>(space.count));
            if (got == 0) {
                return end(reader_.mid_frame()
                               ? Error{ErrorCode::NetworkException, "peer closed inside a frame"}
                               : Error{ErrorCode::None, "peer closed"});
            }
            if (got < 0) {
                if (errno == EAGAIN || errno == EWOULDBLOCK) {
                    if (reader_.frame_bytes() == 0) {
                        share_.reset();
                    }
                    return wait_to_read();
                }
                if (errno == EINTR) {
                    continue;
                }
                return end({ErrorCode::NetworkException,
                            "read failed: " + std::generic_category().message(errno)});
            }
            Status cut = reader_.commit(block, static_cast<size_t>(got), frames_);
            if (!frames_.empty()) {
                deliver();
                share_.reset();
            }
            if (!cut && open_) {
                return end(cut.error());
            }
            if (static_cast<size_t>(got) < space.bytes()) {
                return wait_to_read();
            }
        }
        if (wants_input()) {
            loop_.post([self = self()] { self->read_some(); });
        }
    }

    // Whether the next read may begin; otherwise it will once there is memory for it.
    bool has_memory() {
        if (memory_ticket_) {
            return false;
        }
        // Nothing is kept while waiting: what is taken belongs to frames that come to their end.
        auto wanted = static_cast<int64_t>(std::max(reader_.frame_bytes(), kScarceReadBytes));
        bool between_frames = reader_.frame_bytes() == 0;
        if (share_.bytes() >= wanted || (between_frames && !memory_->is_scarce())) {
            return true;
        }
        share_.reset();
        if (auto share = memory_->try_take(wanted)) {
            share_ = std::move(*share);
            return true;
        }
        memory_ticket_ = memory_->wait(
            wanted, [&loop = loop_, weak = weak_from_this()](ReceiveMemory::Share share) {
                loop.post([weak, share = std::move(share)]() mutable {
                    if (auto stream = std::static_pointer_cast<TcpFrameStream>(weak.lock())) {
                        stream->memory_granted(std::move(share));
                    }
                });
            });
        return false;
    }

    void memory_granted(ReceiveMemory::Share share) {
        memory_ticket_.reset();
        if (wants_input()) {  // else it asks again
            share_ = std::move(share);
            read_some();
        }
    }

    void stop_waiting_for_memory() {
        if (memory_ticket_) {
            memory_->cancel(*std::exchange(memory_ticket_, std::nullopt));
        }
    }

    void read_little(FrameReader::Space& space) const {
        if (reader_.mid_frame()) {
            space.count = 1;  // nothing behind this frame
        } else {
            space.spans[0] =
                space.spans[0].first(std::min(space.spans[0].size(), kScarceReadBytes));
        }
    }

    void deliver() {
        delivering_ = true;
        handler_->on_frames(frames_);
        delivering_ = false;
        // The slices die here, so that the receive block can be used again.
        frames_.clear();
        if (open_ && !waiting_to_write_) {
            write_some();
        }
    }

    void write_some() {
        bool waited = waiting_to_write_;
        waiting_to_write_ = false;
        while (!output_.empty()) {
            std::array<iovec, kSlicesPerWrite> vectors;
            size_t count = 0;
            for (const Bytes& piece : output_) {
                size_t skip = count == 0 ? front_sent_ : 0;
                vectors[count++] = {const_cast<uint8_t*>(piece.data()) + skip, piece.size() - skip};
                if (count == kSlicesPerWrite) {
                    break;
                }
            }
            msghdr message{};
            message.msg_iov = vectors.data();
            message.msg_iovlen = count;
            ssize_t put =
                ::sendmsg(descriptor_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (put < 0) {
                if (errno == EINTR) {
                    continue;
                }
                if (errno == EAGAIN || errno == EWOULDBLOCK) {
                    return wait_to_write();
                }
                return end({ErrorCode::NetworkException,
                            "write failed: " + std::generic_category().message(errno)});
            }
            consume(static_cast<size_t>(put));
        }
        account();
        if (closing_) {
            return close();
        }
        if (waited) {
            handler_->on_drained();
        }
    }

    void consume(size_t sent) {
        output_bytes_ -= sent;
        sent += front_sent_;
        while (!output_.empty() && sent >= output_.front().size()) {
            sent -= output_.front().size();
            output_.pop_front();
        }
        front_sent_ = sent;
    }

    // Tells the total how much of ours waits for the socket.
    void account() {
        if (unsent_total_ != nullptr && accounted_ != output_bytes_) {
            unsent_total_->fetch_add(static_cast<int64_t>(output_bytes_ - accounted_),
                                     std::memory_order_relaxed);
            accounted_ = output_bytes_;
        }
    }

    void wait_to_write() {
        waiting_to_write_ = true;
        account();
        descriptor_.async_wait(Descriptor::wait_write,
                               [self = self()](const boost::system::error_code& error) {
                                   if (!error && self->open_) {
                                       self->write_some();
                                   }
                               });
    }

    void end(const Error& error) {
        FrameHandler* handler = handler_;
        close();
        if (handler != nullptr) {
            handler->on_closed(error);
        }
    }

    LoopThread& loop_;
    Descriptor descriptor_;
    FrameHandler* handler_;
    FrameReader reader_;
    std::vector<Bytes> frames_;
    std::deque<Bytes> output_;
    size_t output_bytes_ = 0;
    std::atomic<int64_t>* unsent_total_;
    size_t accounted_ = 0;  // our share of it; zero while the socket takes all
    const std::shared_ptr<ReceiveMemory> memory_;
    ReceiveMemory::Share share_;             // of the frame that is gathered, until it was handled
    std::optional<uint64_t> memory_ticket_;  // while it waits for one
    size_t front_sent_ = 0;                  // bytes of output_.front() that have left
    bool open_ = true;
    bool closing_ = false;
    bool paused_ = false;
    bool delivering_ = false;
    bool waiting_to_read_ = false;
    bool waiting_to_write_ = false;
};

// One attempt to connect; keeps itself alive through its callbacks.
class Connect : public std::enable_shared_from_this<Connect> {
 public:
    Connect(LoopThread& loop, std::string host, uint16_t port,
            std::function<void(Result<Socket>)> done)
        : loop_(loop),
          socket_(loop.impl().context),
          resolver_(loop.impl().context),
          host_(std::move(host)),
          port_(port),
          done_(std::move(done)) {}

    void run(Duration timeout) {
        timer_ = loop_.schedule_after(timeout, [self = shared_from_this()] {
            self->finish(fail(ErrorCode::RequestTimedOut, "connect timed out: address={}:{}",
                              self->host_, self->port_));
        });
        boost::system::error_code not_numeric;
        auto address = boost::asio::ip::make_address(host_, not_numeric);
        if (!not_numeric) {
            return try_next({tcp::endpoint(address, port_)}, 0);
        }
        resolver_.async_resolve(
            host_, std::to_string(port_),
            [self = shared_from_this()](const boost::system::error_code& error,
                                        const tcp::resolver::results_type& found) {
                if (error) {
                    return self->finish(fail(ErrorCode::BrokerNotAvailable,
                                             "cannot resolve host: host={} reason={}", self->host_,
                                             error.message()));
                }
                std::vector<tcp::endpoint> endpoints;
                for (const auto& each : found) {
                    endpoints.push_back(each.endpoint());
                }
                self->try_next(std::move(endpoints), 0);
            });
    }

 private:
    void try_next(std::vector<tcp::endpoint> endpoints, size_t i) {
        if (done_ == nullptr) {
            return;
        }
        boost::system::error_code ignored;
        socket_.close(ignored);
        tcp::endpoint endpoint = endpoints[i];
        socket_.async_connect(endpoint,
                              [self = shared_from_this(), endpoints = std::move(endpoints),
                               i](const boost::system::error_code& error) mutable {
                                  if (!error) {
                                      return self->connected();
                                  }
                                  if (i + 1 < endpoints.size()) {
                                      return self->try_next(std::move(endpoints), i + 1);
                                  }
                                  self->finish(fail(ErrorCode::BrokerNotAvailable,
                                                    "cannot connect: address={}:{} reason={}",
                                                    self->host_, self->port_, error.message()));
                              });
    }

    void connected() {
        boost::system::error_code ignored;
        socket_.set_option(tcp::no_delay(true), ignored);
        socket_.set_option(boost::asio::socket_base::keep_alive(true), ignored);
        socket_.native_non_blocking(true, ignored);
        auto peer = socket_.remote_endpoint(ignored);
        auto local = socket_.local_endpoint(ignored);
        int descriptor = socket_.release(ignored);
        finish(Socket(descriptor, peer.address().to_string(), peer.port(),
                      local.address().to_string(), local.port()));
    }

    void finish(Result<Socket> result) {
        if (done_ == nullptr) {
            return;
        }
        auto done = std::exchange(done_, nullptr);
        timer_.cancel();
        resolver_.cancel();
        boost::system::error_code ignored;
        socket_.close(ignored);
        done(std::move(result));
    }

    LoopThread& loop_;
    tcp::socket socket_;
    tcp::resolver resolver_;
    std::string host_;
    uint16_t port_;
    std::function<void(Result<Socket>)> done_;
    Timer timer_;
};

}  // namespace

std::shared_ptr<FrameStream> FrameStream::open(LoopThread& loop, Socket socket,
                                               FrameHandler* handler,
                                               const StreamOptions& options) {
    auto stream = std::make_shared<TcpFrameStream>(loop, std::move(socket), handler, options);
    stream->begin();
    return stream;
}

void connect_tcp(LoopThread& loop, const std::string& host, uint16_t port, Duration timeout,
                 std::function<void(Result<Socket>)> done) {
    auto attempt = std::make_shared<Connect>(loop, host, port, std::move(done));
    loop.dispatch([attempt, timeout] { attempt->run(timeout); });
}

}  // namespace moldau::runtime
