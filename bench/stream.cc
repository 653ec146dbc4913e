#include "stream.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace moldau::bench {

void die(const std::string& why) {
    fmt::print(stderr, "moldau_bench: {}\n", why);
    std::exit(1);
}

Stream::Stream(const std::string& host, int port, double seconds) {
    using Clock = std::chrono::steady_clock;
    auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
        die(fmt::format("not an IPv4 address: host={}", host));
    }
    while (true) {
        descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
            break;
        }
        ::close(descriptor_);
        descriptor_ = -1;
        if (Clock::now() >= deadline) {
            die(fmt::format("cannot connect: host={} port={} reason={}", host, port,
                            std::strerror(errno)));
        }
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Stream::~Stream() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

void Stream::send(const std::vector<uint8_t>& frame) {
    size_t sent = 0;
    while (sent < frame.size()) {
        ssize_t n = ::send(descriptor_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            die(fmt::format("send failed: reason={}", std::strerror(errno)));
        }
        sent += static_cast<size_t>(n);
    }
}

bool Stream::read_exactly(uint8_t* to, size_t bytes) {
    while (bytes > 0) {
        if (begin_ < end_) {
            size_t part = std::min(bytes, end_ - begin_);
            std::memcpy(to, buffer_.data() + begin_, part);
            begin_ += part;
            to += part;
            bytes -= part;
            continue;
        }
        // A large rest goes straight to its place.
        bool direct = bytes >= buffer_.size();
        ssize_t n =
            ::recv(descriptor_, direct ? to : buffer_.data(), direct ? bytes : buffer_.size(), 0);
        if (n <= 0) {
            return false;
        }
        if (direct) {
            to += n;
            bytes -= static_cast<size_t>(n);
        } else {
            begin_ = 0;
            end_ = static_cast<size_t>(n);
        }
    }
    return true;
}

bool Stream::receive(std::vector<uint8_t>& answer) {
    uint32_t length = 0;
    if (!read_exactly(reinterpret_cast<uint8_t*>(&length), sizeof(length))) {
        return false;
    }
    answer.resize(ntohl(length));
    return read_exactly(answer.data(), answer.size());
}

}  // namespace moldau::bench
