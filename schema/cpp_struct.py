"""Writes one struct of a message: its declaration, and straight-line code that reads and writes it.

Tests of the version are emitted only where the versions of a message really differ in a field.
"""

import cpp_json
from cpp_text import (comment, condition, declaration, element_bytes_min, is_default, member, own, purpose)
from notation import PRIMITIVES

READERS = {"bool": "bool", "int8": "int8", "int16": "int16", "uint16": "uint16", "int32": "int32",
           "uint32": "uint32", "int64": "int64", "float64": "float64", "uuid": "uuid"}


class StructWriter:
    """Emits the members of one struct of a message."""

    def __init__(self, code, message, struct):
        self.code, self.message, self.struct = code, message, struct
        self.is_root = struct is message.root
        self.within = struct.versions.intersect(message.versions)
        self.qualified = message.name if self.is_root else f"{message.name}::{struct.name}"
        self.flexible = condition(message.flexible, self.within)

    def flex(self, field):
        if field.flexible is not None:
            return condition(field.flexible, self.within)
        return self.flexible if self.flexible in ("true", "false") else "flexible"

    def local_type(self):
        return self.struct.name

    def uses_flexible(self):
        return self.flexible not in ("true", "false")

    def trivial(self):
        return all(f.nullable.empty() and not f.is_array and not f.is_struct()
                   and PRIMITIVES[f.type][1] for f in self.struct.fields)

    def streamed(self):
        return next((field for field in self.struct.fields if field.streamed), None)

    # Declarations.
    def declare(self):
        code, name = self.code, self.struct.name
        if self.is_root:
            comment(code, purpose(self.message))
        code.open(f"struct {name} {{")
        if self.is_root:
            self._constants()
            for struct in self.message.structs:
                StructWriter(code, self.message, struct).declare()
        for field in self.struct.fields:
            comment(code, field.meaning)
            code.line(declaration(field))
        if self.struct.fields:
            code.line("")
        if self.trivial():
            code.line(f"{name}() = default;")
        else:
            code.line(f"{name}();")
            # Copies are rare: they are made where they are used.
            code.line(f"{name}(const {name}&) = default;")
            code.line(f"{name}({name}&&) noexcept;")
            code.line(f"{name}& operator=(const {name}&) = default;")
            code.line(f"{name}& operator=({name}&&) noexcept;")
            code.line(f"~{name}();")
        code.line(f"static {name} read(Reader& reader, int16_t version);")
        code.line("void write(Writer& writer, int16_t version) const;")
        if self.streamed() is not None:
            array = member(self.streamed())
            comment(code, f"For an answer that is written while its {array} are found: what comes before them, "
                          "then each by its own write(), then the rest.")
            code.line(f"void write_before_{array}(Writer& writer, int16_t version, size_t count) const;")
            code.line(f"void write_after_{array}(Writer& writer, int16_t version) const;")
        if cpp_json.wanted(self.message):
            code.line("void write_json(JsonWriter& json, int16_t version) const;")
        code.line(f"bool operator==(const {name}&) const = default;")
        code.close("};")
        code.line("")

    def _constants(self):
        message, code = self.message, self.code
        code.line(f'static constexpr std::string_view kName = "{message.name}";')
        if message.key is not None:
            constant = "kRecordType" if message.kind.startswith("coordinator") else "kApiKey"
            code.line(f"static constexpr int16_t {constant} = {message.key};")
        flexible = message.flexible.intersect(message.versions)
        code.line(f"static constexpr VersionRange kVersions{{{message.versions.low}, "
                  f"{message.versions.high}}};")
        code.line(f"static constexpr VersionRange kFlexibleVersions{{{flexible.low}, "
                  f"{flexible.high}}};")
        code.line("")

    # Definitions.
    def define(self):
        code, name, full = self.code, self.struct.name, self.qualified
        if not self.trivial():
            code.line(f"{full}::{name}() = default;")
            code.line(f"{full}::{name}({name}&&) noexcept = default;")
            code.line(f"{full}& {full}::operator=({name}&&) noexcept = default;")
            code.line(f"{full}::~{name}() = default;")
        self._define_read()
        self._define_write()
        if cpp_json.wanted(self.message):
            cpp_json.define(self)
        code.line("")

    def _known_versions_guard(self, stream, result):
        versions = self.message.versions
        self.code.open(f"if (version < {versions.low} || version > {versions.high}) {{")
        self.code.line(f'{stream}.fail("unsupported version of {self.message.name}");')
        self.code.line(f"return{result};")
        self.code.close()

    def _define_read(self):
        code = self.code
        code.open(f"{self.qualified} {self.qualified}::read([[maybe_unused]] Reader& reader, "
                  "[[maybe_unused]] int16_t version) {")
        code.line(f"{self.local_type()} to;")
        if self.is_root:
            self._known_versions_guard("reader", " to")
        if self.uses_flexible():
            code.line(f"[[maybe_unused]] const bool flexible = {self.flexible};")
        run = None
        for field in self.struct.fields:
            test = condition(field.versions, self.within)
            if field.tag is not None or test == "false":
                continue
            if run not in (None, "true") and test != run:
                code.close()
            if test != "true" and test != run:
                code.open(f"if ({test}) {{")
            run = test
            self._read_field(field, self.flex(field))
        if run not in (None, "true"):
            code.close()
        self._read_tags()
        code.line("return to;")
        code.close()

    def _read_field(self, field, flex, tagged=False):
        code, to = self.code, f"to.{member(field)}"
        present = field.versions.intersect(self.within)
        null = condition(field.nullable, present) if not field.nullable.empty() else "false"
        if field.is_array:
            least = element_bytes_min(field, self.message, self.within)
            nullable = "" if field.nullable.empty() else f"{null}, "
            code.line(f"read_array(reader, version, {flex}, {least}, {nullable}{to});")
        elif field.is_struct():
            read = f"{to} = {field.type}::read(reader, version);"
            if null == "false":
                code.line(read)
                return
            marker = "reader.read_unsigned_varint() == 0" if tagged else "reader.read_int8() < 0"
            code.open(f"if ({'' if null == 'true' else '(' + null + ') && '}{marker}) {{")
            code.line(f"{to}.reset();")
            code.middle("} else {")
            code.line(read)
            code.close()
        elif field.type in ("string", "bytes", "records"):
            noun = "string" if field.type == "string" else "bytes"
            if null == "true":
                code.line(f"{to} = reader.read_nullable_{noun}({flex});")
            elif null == "false":
                code.line(f"{to} = reader.read_{noun}({flex});")
            else:
                code.open(f"if ({null}) {{")
                code.line(f"{to} = reader.read_nullable_{noun}({flex});")
                code.middle("} else {")
                code.line(f"{to} = reader.read_{noun}({flex});")
                code.close()
        else:
            code.line(f"{to} = reader.read_{READERS[field.type]}();")

    def _read_tags(self):
        if self.flexible == "false":
            return
        code = self.code
        tagged = [f for f in self.struct.fields if f.tag is not None]
        if self.uses_flexible():
            code.open("if (flexible) {")
        if not tagged:
            code.line("reader.skip_tagged_fields();")
        else:
            flexible_here = self.message.flexible.intersect(self.within)
            code.open("reader.read_tagged_fields([&](uint32_t tag) {")
            code.open("switch (tag) {")
            for field in tagged:
                code.open(f"case {field.tag}:")
                test = condition(field.versions, flexible_here)
                if test != "true":
                    code.open(f"if (!({test})) {{")
                    code.line('reader.fail("tagged field of another version");')
                    code.line("return true;")
                    code.close()
                self._read_field(field, "true", tagged=True)
                code.line("return true;")
                code.depth -= 1
            code.open("default:")
            code.line("return false;")
            code.depth -= 1
            code.close()
            code.close("});")
        if self.uses_flexible():
            code.close()

    def _define_write(self):
        streamed = self.streamed()
        if streamed is None:
            self._open_write("write")
            self._write_fields(self.struct.fields)
            self._write_tags()
            return self.code.close()
        code, name = self.code, member(streamed)
        at = self.struct.fields.index(streamed)
        self._open_write(f"write_before_{name}", ", size_t count")
        self._write_fields(self.struct.fields[:at])
        code.line(f"writer.write_array_length(static_cast<int32_t>(count), {self.flex(streamed)});")
        code.close()
        self._open_write(f"write_after_{name}", begins=False)
        self._write_fields(self.struct.fields[at + 1:])
        self._write_tags()
        code.close()
        code.open(f"void {self.qualified}::write(Writer& writer, int16_t version) const {{")
        code.line(f"write_before_{name}(writer, version, {name}.size());")
        code.open(f"for (const auto& element : {name}) {{")
        code.line("element.write(writer, version);")
        code.close()
        code.line(f"write_after_{name}(writer, version);")
        code.close()

    def _open_write(self, name, more="", begins=True):
        self.code.open(f"void {self.qualified}::{name}([[maybe_unused]] Writer& writer, "
                       f"[[maybe_unused]] int16_t version{more}) const {{")
        if self.is_root and begins:
            self._known_versions_guard("writer", "")
        if self.uses_flexible():
            self.code.line(f"[[maybe_unused]] const bool flexible = {self.flexible};")

    def _write_fields(self, fields):
        """The untagged ones in their order; a set field that the version lacks fails."""
        code, run = self.code, None
        for field in fields:
            test = condition(field.versions, self.within)
            refused = test != "true" and not field.ignorable
            if run is not None and (test != run or refused):
                code.close()
                run = None
            if field.tag is None and test != "false":
                if test != "true" and run is None:
                    code.open(f"if ({test}) {{")
                    run = test
                self._write_field(field, self.flex(field))
            if refused:
                value = is_default(field, own(field))
                fail = f'writer.fail("{member(field)} is set in a version without it");'
                if run is not None:
                    code.middle(f"}} else if (!({value})) {{")
                    run = None
                elif test == "false":
                    code.open(f"if (!({value})) {{")
                else:
                    code.open(f"if (!({test}) && !({value})) {{")
                code.line(fail)
                code.close()
        if run is not None:
            code.close()

    def _write_field(self, field, flex, tagged=False, to="writer"):
        code, value = self.code, own(field)
        present = field.versions.intersect(self.within)
        null = condition(field.nullable, present) if not field.nullable.empty() else "false"
        if field.is_array:
            nullable = "" if field.nullable.empty() else f"{null}, "
            code.line(f"write_array({to}, version, {flex}, {nullable}{value});")
        elif field.is_struct():
            if null == "false":
                code.line(f"{value}.write({to}, version);")
                return
            code.open(f"if ({value}) {{")
            code.line(f"{to}.write_unsigned_varint(1);" if tagged else f"{to}.write_int8(1);")
            code.line(f"{value}->write({to}, version);")
            code.middle("} else {")
            code.line(f"{to}.write_unsigned_varint(0);" if tagged else f"{to}.write_int8(-1);")
            code.close()
        elif field.type in ("string", "bytes", "records"):
            noun = "string" if field.type == "string" else "bytes"
            if field.nullable.empty():
                code.line(f"{to}.write_{noun}({value}, {flex});")
            elif null == "true":
                code.line(f"{to}.write_nullable_{noun}({value}, {flex});")
            elif null == "false":
                code.line(f"write_{noun}_not_null({to}, {value}, {flex});")
            else:
                code.open(f"if ({null}) {{")
                code.line(f"{to}.write_nullable_{noun}({value}, {flex});")
                code.middle("} else {")
                code.line(f"write_{noun}_not_null({to}, {value}, {flex});")
                code.close()
        else:
            code.line(f"{to}.write_{READERS[field.type]}({value});")

    def _write_tags(self):
        if self.flexible == "false":
            return
        code = self.code
        tagged = sorted((f for f in self.struct.fields if f.tag is not None
                         and not f.versions.intersect(self.within).empty()), key=lambda f: f.tag)
        if self.uses_flexible():
            code.open("if (flexible) {")
        if not tagged:
            code.line("writer.write_unsigned_varint(0);")
        else:
            flexible_here = self.message.flexible.intersect(self.within)
            for field in tagged:
                test = condition(field.versions, flexible_here)
                test = "" if test == "true" else f"{test} && "
                code.line(f"const bool has_{member(field)} = "
                          f"{test}!({is_default(field, own(field))});")
            count = " + ".join(f"(has_{member(f)} ? 1u : 0u)" for f in tagged)
            code.line(f"writer.write_unsigned_varint({count});")
            for field in tagged:
                code.open(f"if (has_{member(field)}) {{")
                size = None if field.is_array or field.is_struct() else PRIMITIVES[field.type][1]
                if size is not None:
                    code.line(f"writer.write_unsigned_varint({field.tag});")
                    code.line(f"writer.write_unsigned_varint({size});")
                    self._write_field(field, "true", tagged=True)
                else:
                    code.line("Writer content;")
                    self._write_field(field, "true", tagged=True, to="content")
                    code.line(f"writer.write_tagged({field.tag}, std::move(content));")
                code.close()
        if self.uses_flexible():
            code.close()
