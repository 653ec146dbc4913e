// Encodes an answer of the controller or the quorum. Any thread.
#pragma once

#include "base/result.h"
#include "protocol/wire.h"

namespace moldau::quorum {

// Errors: UnsupportedVersion when the version cannot carry what the message says.
template <typename Message>
Result<protocol::Chain> encode_chain(const Message& message, int16_t version) {
    protocol::Writer writer;
    message.write(writer, version);
    if (!writer.ok()) {
        return fail(writer.error());
    }
    return writer.take();
}

}  // namespace moldau::quorum
