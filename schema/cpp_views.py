"""Writes the views of messages that the schema marks with `view`: the same fields, read in place."""

import cpp_struct
import cpp_text
from notation import PRIMITIVES, snake_case

TYPES = {"string": "std::string_view", "bytes": "ByteView", "records": "ByteView"}


def view_type(field):
    text = field.type if field.is_struct() else TYPES.get(field.type, PRIMITIVES[field.type][0]) \
        if field.type in PRIMITIVES else field.type
    if field.is_array:
        text = f"ArrayView<{text}>"
    return text if field.nullable.empty() else f"std::optional<{text}>"


class ViewWriter(cpp_struct.StructWriter):
    """Emits the view of one struct of a message."""

    def __init__(self, code, message, struct):
        super().__init__(code, message, struct)
        self.view_name = f"{message.name}View"
        self.own_name = self.view_name if self.is_root else struct.name
        self.owned = self.qualified  # the struct that copy() returns
        self.qualified = self.view_name if self.is_root else f"{self.view_name}::{struct.name}"

    def declare(self):
        code = self.code
        code.open(f"struct {self.own_name} {{")
        if self.is_root:
            code.line(f"using Message = {self.message.name};\n")
            for struct in self.message.structs:
                ViewWriter(code, self.message, struct).declare()
        for field in self.struct.fields:
            by_value = field.nullable.empty() and not field.is_array and field.type not in TYPES
            code.line(cpp_text.declaration(field) if by_value else self._declaration(field))
        code.line("")
        if self.is_root:
            code.line("// Errors: InvalidRequest when the message is malformed.")
            code.line(f"static Result<{self.own_name}> parse(const Bytes& body, int16_t version);")
        code.line(f"static {self.own_name} read(Reader& reader, int16_t version);")
        code.line(f"{self.owned} copy() const;")
        code.close("};")
        code.line("")

    def _declaration(self, field):
        null = field.nullable.empty() or cpp_text.default_is_null(field)
        return f"{view_type(field)} {cpp_text.member(field)}" + ("" if null else "{std::in_place}") + ";"

    def define(self):
        code = self.code
        if self.is_root:
            code.open(f"Result<{self.own_name}> {self.own_name}::parse(const Bytes& body, "
                      "int16_t version) {")
            code.line("Reader reader(Bytes::borrowed_forever(body.span()));")
            code.line(f"{self.own_name} view = read(reader, version);")
            code.open("if (!reader.ok()) {")
            code.line("return fail(reader.error());")
            code.close()
            code.line("return view;")
            code.close()
        self._define_read()
        code.open(f"{self.owned} {self.qualified}::copy() const {{")
        code.line(f"{self.owned} to;")
        for field in self.struct.fields:
            code.line(f"to.{cpp_text.member(field)} = copy_view({cpp_text.member(field)});")
        code.line("return to;")
        code.close()
        code.line("")

    def local_type(self):
        return self.own_name

    def _read_field(self, field, flex, tagged=False):
        code, to = self.code, f"to.{cpp_text.member(field)}"
        present = field.versions.intersect(self.within)
        null = cpp_text.condition(field.nullable, present) if not field.nullable.empty() else "false"
        if field.is_array:
            least = cpp_text.element_bytes_min(field, self.message, self.within)
            nullable = "" if field.nullable.empty() else f"{null}, "
            code.line(f"read_array_view(reader, version, {flex}, {least}, {nullable}{to});")
        elif field.type in TYPES:
            noun = "string" if field.type == "string" else "bytes"
            if null in ("true", "false"):
                code.line(f"{to} = reader.read_{'nullable_' if null == 'true' else ''}{noun}_view({flex});")
            else:
                code.open(f"if ({null}) {{")
                code.line(f"{to} = reader.read_nullable_{noun}_view({flex});")
                code.middle("} else {")
                code.line(f"{to} = reader.read_{noun}_view({flex});")
                code.close()
        else:
            super()._read_field(field, flex, tagged)


def emit_header(message):
    code = cpp_text.Code()
    base = snake_case(message.base_name)
    code.line(cpp_text.HEADER_NOTE.format(source=message.file) + "#pragma once\n")
    code.line(f'#include "protocol/messages/{base}.h"')
    code.line('#include "protocol/views.h"\n')
    code.line("namespace moldau::protocol {\n")
    ViewWriter(code, message, message.root).declare()
    code.line("}  // namespace moldau::protocol")
    return code.text()


def emit_source(messages):
    code = cpp_text.Code()
    code.line(cpp_text.HEADER_NOTE.format(source=""))
    for message in messages:
        code.line(f'#include "protocol/views/{snake_case(message.base_name)}.h"')
    code.line("\nnamespace moldau::protocol {\n")
    for message in messages:
        for struct in message.structs + [message.root]:
            ViewWriter(code, message, struct).define()
    code.line("}  // namespace moldau::protocol")
    return code.text()
