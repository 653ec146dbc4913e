"""A message of schema/ in its wire form, right, or wrong when asked: the encoder of all tests. It shares no line
with the generated C++, so that the two check each other.

A value may be put where its type does not allow it: None stands for null anywhere, Raw for bytes that are
written as they are, Count for an array's length without its elements.
"""
import base64
import struct

INTEGERS = {"int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q"}


class Raw(bytes):
    """Written in the place of a field, without any length."""


class Count(int):
    """An array's length as it is told, with no element behind it."""


class UnknownField(Exception):
    """The script names a field that no version of the message has."""


def encode(message, version, values):
    """The body. Fields that the version lacks are left out; those not given have their defaults."""
    return _Encoder(message, version).struct(message.root, values)


class _Encoder:
    def __init__(self, message, version):
        self.message, self.version = message, version
        self.flexible = version in message.flexible

    def struct(self, of, values):
        unknown = set(values) - {field.name for field in of.fields} - {"tagged"}
        if unknown:
            raise UnknownField(f"{of.name} has no {', '.join(sorted(unknown))}")
        out, tagged = b"", []
        for field in of.fields:
            if self.version not in field.versions:
                continue
            value = values.get(field.name, default(field))
            if field.tag is None:
                out += self.field(field, value)
            elif value != default(field):
                tagged.append((field.tag, self.field(field, value, tagged=True)))
        if self.flexible:
            # `tagged` holds extra ones as [tag, bytes], in the order given.
            tagged = sorted(tagged) + [(tag, content) for tag, content in values.get("tagged", ())]
            out += varint(len(tagged)) + b"".join(
                varint(tag) + varint(len(content)) + content for tag, content in tagged)
        return out

    def field(self, field, value, tagged=False):
        if isinstance(value, Raw):
            return bytes(value)
        flexible = self.flexible if field.flexible is None else self.version in field.flexible
        if field.is_array:
            if isinstance(value, Count):
                return varint(value + 1) if flexible else struct.pack(">i", value)
            out = [self.one(field, element, flexible) for element in value or ()]
            return length(None if value is None else len(out), flexible, True) + b"".join(out)
        if field.is_struct() and self.version in field.nullable:
            if tagged:
                return varint(0) if value is None else varint(1) + self.one(field, value, True)
            return b"\xff" if value is None else b"\x01" + self.one(field, value, flexible)
        return self.one(field, value, flexible)

    def one(self, field, value, flexible):
        kind = field.type
        if isinstance(value, Raw):
            return bytes(value)
        if field.is_struct():
            return self.struct(field.struct, value or {})
        if kind == "bool":
            return bytes([int(value)])
        if kind in INTEGERS:
            return struct.pack(">" + INTEGERS[kind], value)
        if kind == "float64":
            return struct.pack(">d", value)
        if kind == "uuid":
            return uuid_bytes(value)
        data = value.encode(errors="surrogateescape") if isinstance(value, str) else value
        return length(None if data is None else len(data), flexible, kind != "string") + (data or b"")


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def length(size, flexible, wide):
    """A length prefix; None is null."""
    if flexible:
        return varint(0 if size is None else size + 1)
    return struct.pack(">i" if wide else ">h", -1 if size is None else size)


def default(field):
    """The value of a field that nobody set."""
    if field.default == "null" or (field.type == "records" and not field.nullable.empty()):
        return None
    if field.is_array:
        return []
    if field.is_struct():
        return {child.name: default(child) for child in field.struct.fields}
    if field.type == "bool":
        return field.default == "true"
    if field.type in INTEGERS:
        return int(field.default or "0", 0)
    if field.type == "float64":
        return float(field.default or 0)
    if field.type == "uuid":
        return bytes(16)
    return (field.default or "") if field.type == "string" else b""


def uuid_bytes(value):
    """16 bytes, or Kafka's 22 characters."""
    return base64.urlsafe_b64decode(value + "==") if isinstance(value, str) else value
