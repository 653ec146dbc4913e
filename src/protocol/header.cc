#include "protocol/header.h"

namespace moldau::protocol {

Result<RequestHeader> read_request_header(Reader& reader) {
    Reader ahead = reader;
    int16_t key = ahead.read_int16();
    int16_t version = ahead.read_int16();
    if (!ahead.ok()) {
        return fail(ahead.error());
    }
    const ApiInfo* api = find_api(key);
    if (api == nullptr) {
        return fail(ErrorCode::InvalidRequest, "unknown api key: api_key={}", key);
    }
    if (!api->versions.contains(version) && api->key != ApiKey::ApiVersions) {
        return fail(ErrorCode::UnsupportedVersion, "unsupported api version: api={} version={}",
                    api->name, version);
    }
    // An ApiVersions request from the future has the newest header that both sides know.
    int16_t header_version =
        version > api->versions.last ? 2 : api->request_header_version(version);
    RequestHeader header = RequestHeader::read(reader, header_version);
    if (!reader.ok()) {
        return fail(reader.error());
    }
    // Kafka takes a null client id for an empty one.
    if (!header.client_id) {
        header.client_id.emplace();
    }
    return header;
}

void write_request_header(Writer& writer, const RequestHeader& header) {
    const ApiInfo* api = find_api(header.request_api_key);
    MOLDAU_ASSERT(api != nullptr);
    header.write(writer, api->request_header_version(header.request_api_version));
}

void write_response_header(Writer& writer, const ApiInfo& api, int16_t version,
                           int32_t correlation_id) {
    ResponseHeader header;
    header.correlation_id = correlation_id;
    header.write(writer, api.response_header_version(version));
}

Result<int32_t> read_response_header(Reader& reader, const ApiInfo& api, int16_t version) {
    ResponseHeader header = ResponseHeader::read(reader, api.response_header_version(version));
    if (!reader.ok()) {
        return fail(reader.error());
    }
    return header.correlation_id;
}

}  // namespace moldau::protocol
