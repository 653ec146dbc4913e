// All message types by name, for tests that treat them alike: round trips, fuzzing, comparison with
// Kafka's own classes. Not part of the product: it pulls every message into one program.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "protocol/json.h"
#include "protocol/wire.h"

namespace moldau::protocol::testing {

struct MessageType {
    std::string_view name;  // "FetchRequest"
    VersionRange versions;
    // Reads one message and writes it again in the same version.
    void (*rewrite)(Reader& reader, Writer& writer, int16_t version);
    // Reads one message and prints it; null for the types without a JSON form.
    std::string (*json)(Reader& reader, int16_t version);
    // Whether its view says the same as the message; null for the types without one.
    bool (*view_agrees)(const Bytes& input, int16_t version);
};

std::span<const MessageType> message_types();

// What comes out when `input` is read as that type and written again; an error unless all of it was
// read and could be written.
Result<Bytes> rewrite(const MessageType& type, const Bytes& input, int16_t version);

const MessageType* find_message_type(std::string_view name);

}  // namespace moldau::protocol::testing
