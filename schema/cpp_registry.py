"""Writes the table of all message types for tests and fuzzing: read and write again by name."""

import cpp_json
import cpp_text
from notation import snake_case


def emit(by_header):
    code = cpp_text.Code()
    code.line(cpp_text.HEADER_NOTE.format(source="") + '#include "protocol/testing/registry.h"\n')
    for header in by_header:
        code.line(f'#include "protocol/{header}"')
    viewed = [m for messages in by_header.values() for m in messages if m.view]
    for m in viewed:
        code.line(f'#include "protocol/views/{snake_case(m.base_name)}.h"')
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

// Whether the view agrees with the message: both malformed, or the same content.
template <typename View>
bool view_agrees(const Bytes& input, int16_t version) {
    auto view = View::parse(input, version);
    auto message = decode<typename View::Message>(input, version);
    return view.has_value() == message.has_value() && (!view || view->copy() == *message);
}

constexpr MessageType kTypes[] = {""")
    code.depth = 1
    for messages in by_header.values():
        for m in messages:
            json = f"json<{m.name}>" if cpp_json.wanted(m) else "nullptr"
            view = f"view_agrees<{m.name}View>" if m.view else "nullptr"
            code.line(f"{{{m.name}::kName, {m.name}::kVersions, rewrite<{m.name}>, {json}, {view}}},")
    code.close("};")
    code.line("\n}  // namespace\n")
    code.line("std::span<const MessageType> message_types() { return kTypes; }\n")
    code.line("}  // namespace moldau::protocol::testing")
    return code.text()
