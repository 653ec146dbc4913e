#include <gtest/gtest.h>

#include "broker/handlers/58_envelope.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/fetch.h"
#include "protocol/records/principal.h"

namespace moldau::broker {
namespace {

Bytes principal(const std::string& name, int16_t version = 0) {
    protocol::DefaultPrincipalData data;
    data.type = "User";
    data.name = name;
    protocol::Writer writer;
    writer.write_int16(version);
    data.write(writer, 0);
    return protocol::join(writer.take());
}

template <typename Request>
Bytes request_of(int16_t version) {
    protocol::RequestHeader header;
    header.request_api_key = Request::kApiKey;
    header.request_api_version = version;
    header.correlation_id = 77;
    header.client_id = "app";
    protocol::Writer writer;
    protocol::write_request_header(writer, header);
    Request().write(writer, version);
    return protocol::join(writer.take());
}

protocol::EnvelopeRequest envelope() {
    protocol::EnvelopeRequest made;
    made.request_principal = principal("alice");
    made.client_host_address = Bytes::copy_of(std::string("\x7f\x00\x00\x01", 4));
    made.request_data = request_of<protocol::CreateTopicsRequest>(7);
    return made;
}

ErrorCode code_of(const protocol::EnvelopeRequest& request) {
    auto opened = open_envelope(request);
    return opened ? ErrorCode::None : opened.error().code;
}

TEST(Envelope, carries_request_principal_and_address) {
    auto opened = open_envelope(envelope());
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->request.principal, "User:alice");
    EXPECT_EQ(opened->request.client_host, "127.0.0.1");
    EXPECT_EQ(opened->request.client_id, "app");
    EXPECT_EQ(opened->request.api_key, protocol::CreateTopicsRequest::kApiKey);
    EXPECT_EQ(opened->request.api_version, 7);
    EXPECT_TRUE(opened->request.forwarded);
    EXPECT_TRUE(protocol::decode<protocol::CreateTopicsRequest>(opened->request.body, 7));
}

TEST(Envelope, reads_ipv6_addresses) {
    auto request = envelope();
    request.client_host_address = Bytes::copy_of(std::string(15, '\0') + "\x01");
    auto opened = open_envelope(request);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->request.client_host, "::1");
}

TEST(Envelope, refuses_what_it_cannot_read_in_kafkas_order) {
    auto request = envelope();
    request.request_data = Bytes();
    EXPECT_EQ(code_of(request), ErrorCode::UnsupportedVersion);
    request.client_host_address = Bytes::copy_of(std::string("127.0.0.1"));
    EXPECT_EQ(code_of(request), ErrorCode::InvalidRequest);
    request.request_principal = principal("alice", 1);
    EXPECT_EQ(code_of(request), ErrorCode::PrincipalDeserializationFailure);
    request.request_principal.reset();
    EXPECT_EQ(code_of(request), ErrorCode::PrincipalDeserializationFailure);
}

TEST(Envelope, refuses_an_api_that_brokers_answer_themselves) {
    auto request = envelope();
    request.request_data = request_of<protocol::FetchRequest>(12);
    EXPECT_EQ(code_of(request), ErrorCode::InvalidRequest);
}

TEST(Envelope, seals_the_answer_with_its_header_and_errors_outside) {
    auto opened = open_envelope(envelope());
    ASSERT_TRUE(opened);
    protocol::Chain body;
    body.push_back(Bytes::copy_of(std::string("body")));
    auto sealed = seal_envelope(opened->header, body);
    ASSERT_TRUE(sealed.response_data);
    protocol::Reader reader(*sealed.response_data);
    auto correlation = protocol::read_response_header(
        reader, protocol::api_info(protocol::ApiKey::CreateTopics), 7);
    EXPECT_EQ(correlation.value(), 77);
    EXPECT_EQ(reader.remaining(), 4u);

    auto lost = seal_envelope(opened->header, fail(ErrorCode::NotController, "moved"));
    EXPECT_EQ(lost.error_code, to_wire(ErrorCode::NotController));
    EXPECT_FALSE(lost.response_data);
    auto unreadable = seal_envelope(opened->header, fail(ErrorCode::InvalidRequest, "bad body"));
    EXPECT_EQ(unreadable.error_code, to_wire(ErrorCode::UnsupportedVersion));
}

}  // namespace
}  // namespace moldau::broker
