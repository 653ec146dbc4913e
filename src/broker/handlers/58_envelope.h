// Envelope (key 58), version 0.
// Behaviour: a broker hands on what a client asked of it, with the client's principal and address
// (KIP-590). The request inside is read like any other and answered inside the envelope, header and
// all. What is wrong with the envelope itself is said outside: PrincipalDeserializationFailure,
// InvalidRequest for an address that is none or an API that is not forwarded, UnsupportedVersion
// for a request that cannot be read or is not served. NotController stands outside too: the broker
// shall look for the controller.
#pragma once

#include "base/result.h"
#include "protocol/header.h"
#include "protocol/messages/envelope.h"
#include "quorum/controller_channel.h"

namespace moldau::broker {

struct OpenedEnvelope {
    protocol::RequestHeader header;
    quorum::ControllerRequest request;
};

Result<OpenedEnvelope> open_envelope(const protocol::EnvelopeRequest& envelope);

// `answer` is the encoded body of the answer to the request with that header.
protocol::EnvelopeResponse seal_envelope(const protocol::RequestHeader& header,
                                         Result<protocol::Chain> answer);

}  // namespace moldau::broker
