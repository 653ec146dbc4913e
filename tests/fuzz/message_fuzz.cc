// Every message type of one family, in any version: what is read can be written, and what was
// written is read and written again unchanged. Input: type (2 bytes), version (1), message.
#include "fuzz.h"
#include "protocol/testing/registry.h"

namespace {

using namespace moldau;
using protocol::testing::MessageType;

enum class Family { requests, responses, records };

Family family_of(const MessageType& type) {
    if (type.name.ends_with("Request")) {
        return Family::requests;
    }
    return type.name.ends_with("Response") ? Family::responses : Family::records;
}

std::vector<const MessageType*> types_of(Family family) {
    std::vector<const MessageType*> types;
    for (const MessageType& type : protocol::testing::message_types()) {
        if (family_of(type) == family) {
            types.push_back(&type);
        }
    }
    return types;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const auto kTypes = types_of(Family::MOLDAU_FUZZ_FAMILY);
    fuzz::Input input(data, size);
    const MessageType& type = *kTypes[input.word() % kTypes.size()];
    auto version = static_cast<int16_t>(input.byte());
    Bytes message = input.rest();
    if (type.view_agrees != nullptr) {
        MOLDAU_ASSERT(type.view_agrees(message, version));
    }

    protocol::Reader reader(message);
    protocol::Writer writer;
    type.rewrite(reader, writer, version);
    if (!reader.ok()) {
        return 0;
    }
    MOLDAU_ASSERT(writer.ok());
    Bytes written = protocol::join(writer.take());
    auto again = protocol::testing::rewrite(type, written, version);
    MOLDAU_ASSERT(again.has_value());
    MOLDAU_ASSERT(*again == written);
    if (type.json != nullptr) {
        protocol::Reader for_json(message);
        MOLDAU_ASSERT(!type.json(for_json, version).empty());
    }
    return 0;
}
