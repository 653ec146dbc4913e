"""Writes the C++ of the messages: plain structs in light headers, their code in few .cc files."""

import cpp_json
import cpp_registry
import cpp_views
from cpp_struct import StructWriter
from cpp_text import HEADER_NOTE, Code
from notation import snake_case

# Each is one compiler run; about as many lines in each.
GROUPS = 12

METADATA_DECLARATIONS = """// As log batches and snapshots carry it: frame version 1, type, version, body.
Bytes encode_metadata_record(const MetadataRecord& record, int16_t version);
// Strict: an unknown frame, type or version, and bytes left over, are errors.
Result<MetadataRecord> decode_metadata_record(Bytes frame);
struct VersionedMetadataRecord {
    MetadataRecord record;
    int16_t version = 0;
};
// The same, with the version that was read.
Result<VersionedMetadataRecord> decode_versioned_metadata_record(Bytes frame);
// {"type":"TOPIC_RECORD","version":0,"data":{...}}, as Kafka's dump tool prints it.
std::string metadata_record_json(const MetadataRecord& record, int16_t version);
int16_t metadata_record_type(const MetadataRecord& record);
// The newest version this build knows of that record.
int16_t metadata_record_version_max(const MetadataRecord& record);
// "TOPIC_RECORD"; empty for an unknown type.
std::string_view metadata_record_type_name(int16_t type);
// The body alone; unknown types are errors, malformed bodies mark the reader.
Result<MetadataRecord> read_metadata_body(Reader& reader, int16_t type, int16_t version);
"""


def header_of(message):
    """(path below protocol/, name of the schema it stands for)."""
    folder = message.file.split("/")[0]
    if folder == "api":
        return f"messages/{snake_case(message.base_name)}.h"
    if folder == "header":
        return "messages/header.h"
    return f"records/{folder}.h"


def emit_header(path, messages):
    code = Code()
    sources = sorted({m.file for m in messages})
    source = sources[0] if len(sources) == 1 else sources[0].split("/")[0] + "/"
    code.line(HEADER_NOTE.format(source=source) + "#pragma once\n")
    for include in ("<cstdint>", "<optional>", "<string>", "<string_view>", "<vector>"):
        code.line(f"#include {include}")
    code.line("")
    if any(cpp_json.wanted(m) for m in messages):
        code.line('#include "protocol/json.h"')
    code.line('#include "protocol/wire.h"\n')
    code.line("namespace moldau::protocol {\n")
    for message in messages:
        StructWriter(code, message, message.root).declare()
    code.line("}  // namespace moldau::protocol")
    return code.text()


def emit_group(headers, messages):
    code = Code()
    code.line(HEADER_NOTE.format(source="") + '#include "protocol/codec.h"')
    for header in headers:
        code.line(f'#include "protocol/{header}"')
    code.line("\nnamespace moldau::protocol {\n")
    for message in messages:
        for struct in message.structs + [message.root]:
            StructWriter(code, message, struct).define()
    code.line("}  // namespace moldau::protocol")
    return code.text()


def group_messages(by_header):
    """Splits the headers, in order, into GROUPS runs of about the same number of fields."""
    def weight(messages):
        return sum(3 + len(s.fields) for m in messages for s in m.structs + [m.root])

    total = sum(weight(messages) for messages in by_header.values())
    groups, so_far = [[] for _ in range(GROUPS)], 0
    for header, messages in by_header.items():
        groups[min(GROUPS - 1, so_far * GROUPS // total)].append(header)
        so_far += weight(messages)
    return [group for group in groups if group]


def emit_metadata_variant(messages):
    """The declarations that close records/metadata.h, and their .cc."""
    records = sorted(messages, key=lambda m: m.key)
    names = ", ".join(m.name for m in records)
    header = f"""// Every record of the metadata log, by ascending type.
using MetadataRecord = std::variant<{names}>;

"""+METADATA_DECLARATIONS
    code = Code()
    code.line(HEADER_NOTE.format(source="metadata/") + '#include "protocol/records/metadata.h"\n')
    code.line("namespace moldau::protocol {\n")
    code.open("Result<MetadataRecord> read_metadata_body(Reader& reader, int16_t type, "
              "int16_t version) {")
    code.open("switch (type) {")
    for m in records:
        code.open(f"case {m.name}::kApiKey:")
        code.line(f"return {m.name}::read(reader, version);")
        code.depth -= 1
    code.open("default:")
    code.line('return fail(ErrorCode::UnsupportedVersion, "unknown metadata record: type={}", type);')
    code.depth -= 1
    code.close()
    code.close()
    code.line("")
    code.open("std::string_view metadata_record_type_name(int16_t type) {")
    code.open("switch (type) {")
    for m in records:
        code.open(f"case {m.name}::kApiKey:")
        code.line(f'return "{snake_case(m.name).upper()}";')
        code.depth -= 1
    code.open("default:")
    code.line("return {};")
    code.depth -= 1
    code.close()
    code.close()
    code.line("\n}  // namespace moldau::protocol")
    return header, code.text()


def emit_api_table(messages):
    requests = sorted((m for m in messages if m.kind == "request"), key=lambda m: m.key)
    enum = Code()
    enum.line(HEADER_NOTE.format(source="api/") + "#pragma once\n\n#include <cstdint>\n")
    enum.line("namespace moldau::protocol {\n")
    enum.open("enum class ApiKey : int16_t {")
    for m in requests:
        enum.line(f"{m.base_name} = {m.key},")
    enum.close("};")
    enum.line("\n}  // namespace moldau::protocol")
    table = Code()
    table.line(HEADER_NOTE.format(source="api/") + '#include "protocol/api_keys.h"\n')
    table.line("namespace moldau::protocol {\n")
    table.open("const std::array<ApiInfo, kApiCount> kApis{{")
    for m in requests:
        listeners = " | ".join("kOnBroker" if l == "broker" else "kOnController"
                               for l in m.listeners) or "0"
        flexible = m.flexible.intersect(m.versions)
        flags = ", ".join(str(b).lower() for b in
                          (m.latest_unstable, m.cluster_action, m.forwardable))
        table.line(f'{{ApiKey::{m.base_name}, "{m.base_name}", {{{m.versions.low}, '
                   f"{m.versions.high}}}, {{{flexible.low}, {flexible.high}}}, {listeners}, "
                   f"{flags}}},")
    table.close("}};")
    table.line("\n}  // namespace moldau::protocol")
    return enum.text(), table.text(), len(requests)


def generate(messages):
    """Output path -> text."""
    files = {}
    live = [m for m in messages if not m.versions.empty()]
    by_header = {}
    for message in live:
        by_header.setdefault(header_of(message), []).append(message)
    variant, variant_source = emit_metadata_variant(by_header["records/metadata.h"])
    for header, group in by_header.items():
        text = emit_header(header, group)
        if header == "records/metadata.h":
            text = text.replace("#include <vector>", "#include <variant>\n#include <vector>")
            text = text.replace("}  // namespace", variant + "\n}  // namespace")
        files[f"protocol/{header}"] = text
    for number, headers in enumerate(group_messages(by_header)):
        group = [m for header in headers for m in by_header[header]]
        files[f"protocol/group_{number:02}.cc"] = emit_group(headers, group)
    files["protocol/metadata_variant.cc"] = variant_source
    enum, table, _ = emit_api_table(messages)
    files["protocol/messages/api_key.h"] = enum
    viewed = [m for m in live if m.view]
    for message in viewed:
        files[f"protocol/views/{snake_case(message.base_name)}.h"] = cpp_views.emit_header(message)
    files["protocol/views.cc"] = cpp_views.emit_source(viewed)
    files["protocol/registry.cc"] = cpp_registry.emit(by_header)
    files["protocol/api_table.cc"] = table
    return files
