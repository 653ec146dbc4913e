// Request and response headers: which version of the header goes with a message, and reading the
// one whose version is only known once its first four bytes are.
#pragma once

#include "protocol/api_keys.h"
#include "protocol/messages/header.h"

namespace moldau::protocol {

// Reads the header that starts a request and leaves `reader` at the body.
// Errors: InvalidRequest for an unknown key, UnsupportedVersion for a version that the API has not,
// except for ApiVersions, whose header any client may send and whose handler answers with the
// versions that are there (KIP-511). Whether the listener serves the API is the caller's matter.
Result<RequestHeader> read_request_header(Reader& reader);

void write_request_header(Writer& writer, const RequestHeader& header);

// The header of an answer to a request of that API and version.
void write_response_header(Writer& writer, const ApiInfo& api, int16_t version,
                           int32_t correlation_id);
// Reads it and returns the correlation id.
Result<int32_t> read_response_header(Reader& reader, const ApiInfo& api, int16_t version);

}  // namespace moldau::protocol
