"""Writes the JSON form of records, as Kafka's tools print it.

Fields come in schema order under their camelCase names; a tagged field with its default is left out,
and a field that the version lacks is not printed.
"""

import cpp_text
from notation import PRIMITIVES


def wanted(message):
    return message.file.split("/")[0] not in ("api", "header")


def define(struct_writer):
    code, struct, within = struct_writer.code, struct_writer.struct, struct_writer.within
    code.open(f"void {struct_writer.qualified}::write_json([[maybe_unused]] JsonWriter& json, "
              "[[maybe_unused]] int16_t version) const {")
    code.line("json.open_object();")
    for field in struct.fields:
        test = cpp_text.condition(field.versions, within)
        if test == "false":
            continue
        tests = [] if test == "true" else [test]
        if field.tag is not None:
            tests.append(f"!({cpp_text.is_default(field, cpp_text.own(field))})")
        if tests:
            code.open(f"if ({' && '.join(tests)}) {{")
        code.line(f'json.name("{field.name[0].lower() + field.name[1:]}");')
        code.line(f"write_json_value(json, version, {cpp_text.own(field)});")
        if tests:
            code.close()
    code.line("json.close_object();")
    code.close()
