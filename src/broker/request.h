// Request: one request of one client, on its way from the connection that read it to the handler
// that answers it. Movable, answered exactly once, from any thread; answers leave the connection in
// the order of the requests, whatever the order of answering. Dropping a Request unanswered closes
// its connection: a response is missing, and every later one would be taken for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "protocol/api_keys.h"
#include "protocol/header.h"
#include "protocol/wire.h"
#include "runtime/event_loop.h"

namespace moldau::broker {

class Connection;
struct ListenerInfo;

class Request {
 public:
    Request(std::shared_ptr<Connection> connection, uint64_t sequence, const protocol::ApiInfo& api,
            protocol::RequestHeader header, Bytes body, MonotonicTime received_at);
    Request(Request&& other) noexcept = default;
    Request& operator=(Request&& other) = delete;
    ~Request();

    protocol::ApiKey api_key() const { return api_->key; }
    const protocol::ApiInfo& api() const { return *api_; }
    int16_t version() const { return header_.request_api_version; }
    int32_t correlation_id() const { return header_.correlation_id; }
    // Empty when the client gave none.
    const std::string& client_id() const { return client_id_; }
    // "User:ANONYMOUS" on a listener without authentication.
    const std::string& principal() const;
    // Numeric address of the peer, without port.
    const std::string& client_host() const;
    // The listener's name, as configured.
    const std::string& listener_name() const;
    const ListenerInfo& listener() const;
    MonotonicTime received_at() const { return received_at_; }
    // Without the header. A slice of it keeps the receive buffer that it came in, with what others
    // sent: good for as long as a request is under way, too much for anything that waits.
    const Bytes& body() const { return body_; }
    // The body is not needed any more. Views of it end.
    void release_body() { body_ = Bytes(); }
    // The loop on which the connection lives, for timers and for work that belongs to it.
    runtime::EventLoop& loop() const;

    // The body as a message, which takes its place. An unreadable body closes the connection, as in
    // Kafka, and logs why:
    //   auto message = request.read<FetchRequest>();
    //   if (!message) { return; }
    template <typename Message>
    std::optional<Message> read() {
        auto message = protocol::decode<Message>(body_, version());
        if (!message) {
            refuse(message.error());
            return std::nullopt;
        }
        release_body();
        return std::move(*message);
    }

    // The same as a view (protocol/views.h), which is good for as long as this request's body.
    template <typename View>
    std::optional<View> view() {
        auto view = View::parse(body_, version());
        if (!view) {
            refuse(view.error());
            return std::nullopt;
        }
        return *view;
    }

    template <typename Response>
    void respond(const Response& response) {
        respond_at_version(response, version());
    }
    // For ApiVersions, which answers versions that it does not know in version 0.
    template <typename Response>
    void respond_at_version(const Response& response, int16_t version) {
        protocol::Writer writer;
        begin_response(writer, version);
        response.write(writer, version);
        finish_response(writer);
    }
    // A response body encoded elsewhere, in this request's version.
    void respond_encoded(protocol::Chain body);
    // The request wants no answer (Produce with acks=0).
    void respond_nothing();
    // Closes the connection: Kafka's answer to what it will not discuss.
    void close();
    // Closes the connection and logs `error` with what was asked.
    void refuse(const Error& error);

    // Runs on the loop when the connection closes before the answer; call on the loop, once.
    // Parked requests let go of what they hold there.
    void on_abandoned(runtime::Task task);

    // Until release_connection(), later requests of the connection wait unhandled: this one must
    // not be overtaken. On the loop, in pairs.
    void hold_connection();
    void release_connection();

    // ApiVersions tells what the client is (KIP-511).
    void set_client_software(std::string name, std::string version);

 private:
    void begin_response(protocol::Writer& writer, int16_t version) const;
    void finish_response(protocol::Writer& writer);
    void finish(protocol::Chain frame);

    std::shared_ptr<Connection> connection_;  // null once answered
    const protocol::ApiInfo* api_;
    protocol::RequestHeader header_;
    std::string client_id_;
    Bytes body_;
    uint64_t sequence_;
    MonotonicTime received_at_;
};

// Where a listener's requests go.
class RequestSink {
 public:
    virtual ~RequestSink() = default;
    // Whether the listener serves the API at all; a request for another closes the connection.
    virtual bool serves(protocol::ApiKey key) const = 0;
    // Whether as many requests wait for other threads as may.
    virtual bool is_full() const { return false; }
    // Runs on the connection's loop and must not block.
    virtual void handle(Request request) = 0;
};

}  // namespace moldau::broker
