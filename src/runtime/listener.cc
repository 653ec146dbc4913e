#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <future>
#include <system_error>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/logging.h"
#include "runtime/loop_impl.h"
#include "runtime/tcp.h"

namespace moldau::runtime {

namespace {

Logger log("kafka.network.Acceptor");

// Accepted per wake, so that a storm of connections leaves room for the rest of the loop.
constexpr int kAcceptsPerWake = 64;
// After running out of descriptors: long enough for connections to end, short enough to go unseen.
constexpr Duration kAcceptPause = milliseconds(100);

std::string reason(int error) {
    return std::generic_category().message(error);
}

struct Address {
    std::string host;
    uint16_t port = 0;
};

Address address_of(const sockaddr_storage& storage) {
    char text[INET6_ADDRSTRLEN] = "";
    if (storage.ss_family == AF_INET) {
        auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
        return {text, ntohs(v4.sin_port)};
    }
    if (storage.ss_family == AF_INET6) {
        auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof(text));
        } else {
            inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
        }
        return {text, ntohs(v6.sin6_port)};
    }
    return {};
}

Address local_address_of(int descriptor) {
    sockaddr_storage storage{};
    socklen_t length = sizeof(storage);
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
        return {};
    }
    return address_of(storage);
}

Result<int> bind_and_listen(int family, const sockaddr* address, socklen_t length,
                            const ListenOptions& options) {
    int descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    auto refused = [&](const char* step) {
        int error = errno;
        if (descriptor >= 0) {
            ::close(descriptor);
        }
        // Kafka's words, which people search for.
        return fail(ErrorCode::InvalidConfig, "Socket server failed to bind to {}:{}: {}.{}",
                    options.host.empty() ? "0.0.0.0" : options.host, options.port, reason(error),
                    error == EAFNOSUPPORT ? step : "");
    };
    if (descriptor < 0) {
        return refused("socket");
    }
    int on = 1;
    int off = 0;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family == AF_INET6 && options.host.empty()) {
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    // Buffer sizes are inherited by accepted sockets, and the window scale is fixed at the
    // handshake.
    if (options.send_buffer_bytes >= 0) {
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &options.send_buffer_bytes, sizeof(int));
    }
    if (options.receive_buffer_bytes >= 0) {
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof(int));
    }
    if (::bind(descriptor, address, length) != 0) {
        return refused("bind");
    }
    if (::listen(descriptor, options.backlog) != 0) {
        return refused("listen");
    }
    return descriptor;
}

Result<int> open_listening_socket(const ListenOptions& options) {
    if (options.host.empty()) {
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        any.sin6_addr = in6addr_any;
        any.sin6_port = htons(options.port);
        auto both =
            bind_and_listen(AF_INET6, reinterpret_cast<sockaddr*>(&any), sizeof(any), options);
        if (both || errno == EADDRINUSE || errno == EACCES) {
            return both;
        }
        // No IPv6 on this machine.
        sockaddr_in any4{};
        any4.sin_family = AF_INET;
        any4.sin_port = htons(options.port);
        return bind_and_listen(AF_INET, reinterpret_cast<sockaddr*>(&any4), sizeof(any4), options);
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    int error =
        getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
    if (error != 0) {
        return fail(ErrorCode::InvalidConfig, "Socket server failed to bind to {}:{}: {}.",
                    options.host, options.port, gai_strerror(error));
    }
    // A name with addresses of both kinds is bound to the IPv4 one, as on a JVM.
    addrinfo* chosen = found;
    for (addrinfo* each = found; each != nullptr; each = each->ai_next) {
        if (each->ai_family == AF_INET) {
            chosen = each;
            break;
        }
    }
    auto descriptor =
        bind_and_listen(chosen->ai_family, chosen->ai_addr, chosen->ai_addrlen, options);
    freeaddrinfo(found);
    return descriptor;
}

}  // namespace

Socket::Socket(int descriptor, std::string peer_host, uint16_t peer_port, std::string local_host,
               uint16_t local_port)
    : descriptor_(descriptor),
      peer_host_(std::move(peer_host)),
      peer_port_(peer_port),
      local_host_(std::move(local_host)),
      local_port_(local_port) {}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      peer_host_(std::move(other.peer_host_)),
      peer_port_(other.peer_port_),
      local_host_(std::move(other.local_host_)),
      local_port_(other.local_port_) {}

Socket& Socket::operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(peer_host_, other.peer_host_);
    std::swap(peer_port_, other.peer_port_);
    std::swap(local_host_, other.local_host_);
    std::swap(local_port_, other.local_port_);
    return *this;
}

Socket::~Socket() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

int Socket::release() {
    return std::exchange(descriptor_, -1);
}

struct TcpListener::Impl : std::enable_shared_from_this<TcpListener::Impl> {
    Impl(LoopThread& owner, int listening)
        : loop(owner),
          descriptor(owner.impl().context, listening),
          port(local_address_of(listening).port) {}

    void wait() {
        descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [self = shared_from_this()](const boost::system::error_code& error) {
                                  if (!error) {
                                      self->accept_some();
                                  }
                              });
    }

    void accept_some() {
        if (!descriptor.is_open() || paused) {
            return;
        }
        for (int i = 0; i < kAcceptsPerWake; ++i) {
            sockaddr_storage storage{};
            socklen_t length = sizeof(storage);
            int accepted =
                ::accept4(descriptor.native_handle(), reinterpret_cast<sockaddr*>(&storage),
                          &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (accepted < 0) {
                if (errno == EAGAIN) {
                    return wait();
                }
                if (errno == EINTR || errno == ECONNABORTED) {
                    continue;
                }
                MOLDAU_LOG_WARN(log, "Error while accepting connection: {}", reason(errno));
                retry = loop.schedule_after(kAcceptPause,
                                            [self = shared_from_this()] { self->accept_some(); });
                return;
            }
            int on = 1;
            setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            setsockopt(accepted, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
            Address peer = address_of(storage);
            Address local = local_address_of(accepted);
            on_accept(Socket(accepted, std::move(peer.host), peer.port, std::move(local.host),
                             local.port));
            if (!descriptor.is_open() || paused) {
                return;
            }
        }
        // More may wait, and a wait would only report newcomers.
        loop.post([self = shared_from_this()] { self->accept_some(); });
    }

    LoopThread& loop;
    boost::asio::posix::stream_descriptor descriptor;
    const uint16_t port;
    std::function<void(Socket)> on_accept;
    bool paused = false;
    Timer retry;
};

Result<std::unique_ptr<TcpListener>> TcpListener::open(LoopThread& loop,
                                                       const ListenOptions& options) {
    MOLDAU_TRY(int descriptor, open_listening_socket(options));
    return std::unique_ptr<TcpListener>(new TcpListener(std::make_shared<Impl>(loop, descriptor)));
}

TcpListener::~TcpListener() {
    close();
}

uint16_t TcpListener::port() const {
    return impl_->port;
}

void TcpListener::start(std::function<void(Socket)> on_accept) {
    impl_->loop.post([impl = impl_, on_accept = std::move(on_accept)]() mutable {
        impl->on_accept = std::move(on_accept);
        impl->accept_some();
    });
}

void TcpListener::pause() {
    impl_->paused = true;
}

void TcpListener::resume() {
    if (std::exchange(impl_->paused, false)) {
        impl_->loop.post([impl = impl_] { impl->accept_some(); });
    }
}

void TcpListener::close() {
    auto shut = [impl = impl_] {
        impl->retry.cancel();
        boost::system::error_code ignored;
        impl->descriptor.close(ignored);
    };
    if (impl_->loop.in_loop() || !impl_->loop.running()) {
        return shut();
    }
    std::promise<void> closed;
    auto done = closed.get_future();
    impl_->loop.post([&] {
        shut();
        closed.set_value();
    });
    done.wait();
}

}  // namespace moldau::runtime
