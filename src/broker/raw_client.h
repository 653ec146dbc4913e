// RawClient: a blocking client that writes and reads frames by hand, for tests. It waits for an
// answer no longer than kPatienceSeconds, so that a request which was forgotten fails its test.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/endian.h"
#include "protocol/wire.h"

namespace moldau::broker {

// A request, framed; `flexible` says that the version is one of those.
template <typename Request>
Bytes frame_of(const Request& request, int16_t version, int32_t correlation_id,
               bool flexible = false) {
    protocol::Writer writer;
    writer.begin_frame();
    writer.write_int16(Request::kApiKey);
    writer.write_int16(version);
    writer.write_int32(correlation_id);
    writer.write_string("client", false);
    if (flexible) {
        writer.write_unsigned_varint(0);  // tagged fields
    }
    request.write(writer, version);
    return protocol::join(writer.take_frame());
}

class RawClient {
 public:
    static constexpr int kPatienceSeconds = 20;

    explicit RawClient(uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
                  0);
        timeval patience{kPatienceSeconds, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        int on = 1;
        ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient() { ::close(descriptor_); }

    // False when the server has closed.
    bool send(std::span<const uint8_t> bytes) {
        return ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(bytes.size());
    }
    // The correlation id of the next answer; -1 when the server closed or forgot.
    int32_t next_answer() {
        std::optional<Bytes> frame = next_frame();
        return frame ? load_big<int32_t>(frame->data()) : -1;
    }
    // The answer to one request; nullopt when the server closed or forgot.
    template <typename Response, typename Request>
    std::optional<Response> ask(const Request& request, int16_t version) {
        if (!send(frame_of(request, version, 1).span())) {
            return std::nullopt;
        }
        return answer<Response>(version);
    }
    // The next answer, whatever it is to.
    template <typename Response>
    std::optional<Response> answer(int16_t version) {
        std::optional<Bytes> frame = next_frame();
        if (!frame) {
            return std::nullopt;
        }
        auto response = protocol::decode<Response>(frame->slice(sizeof(int32_t)), version);
        EXPECT_TRUE(response) << response.error().message;
        return response ? std::optional(std::move(*response)) : std::nullopt;
    }
    // Goes without reading what was sent: the server's next write fails.
    void reset() {
        linger now{1, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        ::shutdown(descriptor_, SHUT_RD);
    }

 private:
    std::optional<Bytes> next_frame() {
        std::array<uint8_t, 4> prefix;
        if (!receive(prefix)) {
            return std::nullopt;
        }
        Buffer body;
        body.resize(static_cast<size_t>(load_big<int32_t>(prefix.data())));
        return receive(body.span()) ? std::optional(std::move(body).freeze()) : std::nullopt;
    }
    bool receive(std::span<uint8_t> target) {
        size_t done = 0;
        while (done < target.size()) {
            ssize_t got = ::recv(descriptor_, target.data() + done, target.size() - done, 0);
            if (got <= 0) {
                return false;
            }
            done += static_cast<size_t>(got);
        }
        return true;
    }
    int descriptor_;
};

}  // namespace moldau::broker
