#include "protocol/testing/registry.h"

namespace moldau::protocol::testing {

Result<Bytes> rewrite(const MessageType& type, const Bytes& input, int16_t version) {
    Reader reader(input);
    Writer writer;
    type.rewrite(reader, writer, version);
    if (!reader.ok()) {
        return fail(reader.error());
    }
    if (reader.remaining() != 0) {
        return fail(ErrorCode::InvalidRequest, "bytes left over: left={}", reader.remaining());
    }
    if (!writer.ok()) {
        return fail(writer.error());
    }
    return join(writer.take());
}

const MessageType* find_message_type(std::string_view name) {
    for (const MessageType& type : message_types()) {
        if (type.name == name) {
            return &type;
        }
    }
    return nullptr;
}

}  // namespace moldau::protocol::testing
