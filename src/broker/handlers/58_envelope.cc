#include "broker/handlers/58_envelope.h"

#include <arpa/inet.h>

#include "protocol/records/principal.h"

namespace moldau::broker {

namespace {

// Errors: PrincipalDeserializationFailure.
Result<std::string> read_principal(const std::optional<Bytes>& content) {
    protocol::Reader reader(content.value_or(Bytes()));
    int16_t version = reader.read_int16();
    protocol::DefaultPrincipalData principal;
    if (reader.ok() && protocol::DefaultPrincipalData::kVersions.contains(version)) {
        principal = protocol::DefaultPrincipalData::read(reader, version);
        if (reader.ok()) {
            return principal.type + ":" + principal.name;
        }
    }
    return fail(ErrorCode::PrincipalDeserializationFailure,
                "principal in the envelope cannot be read: version={}", version);
}

// Errors: InvalidRequest unless the bytes are an IPv4 or IPv6 address.
Result<std::string> read_address(const Bytes& content) {
    constexpr size_t kIpv4Bytes = 4;
    constexpr size_t kIpv6Bytes = 16;
    if (content.size() != kIpv4Bytes && content.size() != kIpv6Bytes) {
        return fail(ErrorCode::InvalidRequest, "client address in the envelope is none: bytes={}",
                    content.size());
    }
    char text[INET6_ADDRSTRLEN];
    int family = content.size() == kIpv4Bytes ? AF_INET : AF_INET6;
    return std::string(inet_ntop(family, content.begin(), text, sizeof(text)));
}

}  // namespace

Result<OpenedEnvelope> open_envelope(const protocol::EnvelopeRequest& envelope) {
    OpenedEnvelope opened;
    quorum::ControllerRequest& request = opened.request;
    MOLDAU_TRY(request.principal, read_principal(envelope.request_principal));
    MOLDAU_TRY(request.client_host, read_address(envelope.client_host_address));
    protocol::Reader reader(envelope.request_data);
    auto header = protocol::read_request_header(reader);
    if (!header) {
        return fail(ErrorCode::UnsupportedVersion, "request in the envelope cannot be read: {}",
                    header.error().message);
    }
    opened.header = std::move(*header);
    request.api_key = opened.header.request_api_key;
    request.api_version = opened.header.request_api_version;
    request.client_id = opened.header.client_id.value_or("");
    request.forwarded = true;
    const protocol::ApiInfo* api = protocol::find_api(request.api_key);
    if (!api->forwardable) {
        return fail(ErrorCode::InvalidRequest, "api is not eligible for forwarding: api={}",
                    api->name);
    }
    request.body = envelope.request_data.slice(reader.position());
    return opened;
}

protocol::EnvelopeResponse seal_envelope(const protocol::RequestHeader& header,
                                         Result<protocol::Chain> answer) {
    protocol::EnvelopeResponse response;
    if (!answer) {
        bool is_unreadable = answer.error().code == ErrorCode::InvalidRequest;
        response.error_code =
            to_wire(is_unreadable ? ErrorCode::UnsupportedVersion : answer.error().code);
        return response;
    }
    protocol::Writer writer;
    protocol::write_response_header(writer, *protocol::find_api(header.request_api_key),
                                    header.request_api_version, header.correlation_id);
    for (const Bytes& piece : *answer) {
        writer.write_raw(piece);
    }
    response.response_data = protocol::join(writer.take());
    return response;
}

}  // namespace moldau::broker
