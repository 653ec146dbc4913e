"""Writes the table of all message types for tests and fuzzing: read and write again by name."""

import cpp
import cpp_json


def emit(by_header):
    code = cpp.Code()
    code.line(cpp.HEADER_NOTE.format(source="") + '#include "protocol/testing/registry.h"\n')
    for header in by_header:
        code.line(f'#include "protocol/{header}"')
    code.line("\nnamespace moldau::protocol::testing {")
    code.line("namespace {\n")
    code.line("""template <typename Message>
void rewrite(Reader& reader, Writer& writer, int16_t version) {
    Message::read(reader, version).write(writer, version);
}
template <typename Message>
std::string json(Reader& reader, int16_t version) {
    return to_json(Message::read(reader, version), version);
}

constexpr MessageType kTypes[] = {""")
    code.depth = 1
    for messages in by_header.values():
        for m in messages:
            json = f"json<{m.name}>" if cpp_json.wanted(m) else "nullptr"
            code.line(f"{{{m.name}::kName, {m.name}::kVersions, rewrite<{m.name}>, {json}}},")
    code.close("};")
    code.line("\n}  // namespace\n")
    code.line("std::span<const MessageType> message_types() { return kTypes; }\n")
    code.line("}  // namespace moldau::protocol::testing")
    return code.text()
