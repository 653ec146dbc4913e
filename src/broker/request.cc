#include "broker/request.h"

#include "broker/connection.h"
#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.server.KafkaApis");

}  // namespace

Request::Request(std::shared_ptr<Connection> connection, uint64_t sequence,
                 const protocol::ApiInfo& api, protocol::RequestHeader header, Bytes body,
                 MonotonicTime received_at)
    : connection_(std::move(connection)),
      api_(&api),
      header_(std::move(header)),
      client_id_(header_.client_id.value_or("")),
      body_(std::move(body)),
      sequence_(sequence),
      received_at_(received_at) {}

Request::~Request() {
    if (connection_ != nullptr && !connection_->is_closed()) {
        MOLDAU_LOG_ERROR(log, "request dropped without an answer: api={} version={} correlation={}",
                         api_->name, version(), correlation_id());
        close();
    }
}

const std::string& Request::principal() const {
    return connection_->principal();
}
const std::string& Request::client_host() const {
    return connection_->client_host();
}
const std::string& Request::listener_name() const {
    return connection_->listener().name;
}
const ListenerInfo& Request::listener() const {
    return connection_->listener();
}
runtime::EventLoop& Request::loop() const {
    return connection_->loop();
}

void Request::begin_response(protocol::Writer& writer, int16_t version) const {
    writer.begin_frame();
    protocol::write_response_header(writer, *api_, version, correlation_id());
}

void Request::finish_response(protocol::Writer& writer) {
    if (!writer.ok()) {
        return refuse(writer.error());
    }
    finish(writer.take_frame());
}

void Request::respond_encoded(protocol::Chain body) {
    protocol::Writer writer;
    begin_response(writer, version());
    for (const Bytes& piece : body) {
        writer.write_raw(piece);
    }
    finish_response(writer);
}

void Request::respond_nothing() {
    finish({});
}

void Request::finish(protocol::Chain frame) {
    MOLDAU_ASSERT(connection_ != nullptr);
    auto connection = std::move(connection_);
    connection->complete(sequence_, std::move(frame));
}

void Request::close() {
    auto connection = std::move(connection_);
    connection->close_from_anywhere();
}

void Request::refuse(const Error& error) {
    MOLDAU_LOG_ERROR(log,
                     "Closing connection after a request that cannot be served: api={} version={} "
                     "client={} host={} reason={}",
                     api_->name, version(), client_id_, client_host(), error.message);
    close();
}

void Request::hold_connection() {
    connection_->hold(body_.size());
}

void Request::release_connection() {
    connection_->release();
}

void Request::on_abandoned(runtime::Task task) {
    connection_->on_abandoned(sequence_, std::move(task));
}

void Request::set_client_software(std::string name, std::string version) {
    connection_->set_client_software(std::move(name), std::move(version));
}

}  // namespace moldau::broker
