"""Messages in their wire form, by schema/ alone: encoded by schema/encoder.py, and decoded here. Decoding trusts
nothing: what does not fit the schema, or is left over, is an Undecodable.
"""
import pathlib
import struct
import sys

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "schema"
sys.path.insert(0, str(SCHEMA))
import notation  # noqa: E402
from encoder import INTEGERS, Count, Raw, UnknownField, default, encode, length, uuid_bytes, varint  # noqa: E402,F401


class Undecodable(Exception):
    """The bytes are not the message."""


class Catalog:
    """Every request and response by the name of its API."""

    def __init__(self):
        self.requests, self.responses = {}, {}
        for message in notation.parse_folder(SCHEMA):
            if message.kind in ("request", "response"):
                (self.requests if message.kind == "request" else self.responses)[message.base_name] = message

    def name(self, key):
        return next((name for name, message in self.requests.items() if message.key == key), str(key))


def decode(message, version, content):
    """The body as dicts, every field of the version in wire order."""
    values, size = decode_front(message, version, content)
    if size != len(content):
        raise Undecodable(f"{message.name} v{version}: {len(content) - size} bytes are left over")
    return values


def decode_front(message, version, content):
    """(values, bytes read) where more may follow."""
    decoder = _Decoder(message, version, content)
    try:
        return decoder.struct(message.root), decoder.at
    except (struct.error, UnicodeDecodeError) as error:
        raise Undecodable(f"{message.name} v{version}: {error}") from None


class _Decoder:
    def __init__(self, message, version, content):
        self.version, self.content, self.at = version, content, 0
        self.flexible = version in message.flexible

    def take(self, size):
        if size < 0 or self.at + size > len(self.content):
            raise Undecodable(f"{size} bytes wanted at {self.at}, {len(self.content)} are there")
        self.at += size
        return self.content[self.at - size:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def length(self, flexible, wide):
        if flexible:
            size = self.varint() - 1
        else:
            size = self.number(">i" if wide else ">h")
        return None if size == -1 else size

    def struct(self, of):
        values = {}
        for field in of.fields:
            if self.version in field.versions:
                values[field.name] = default(field) if field.tag is not None else self.field(field)
        if self.flexible:
            for _ in range(self.varint()):
                tag, end = self.varint(), self.varint()
                end += self.at
                field = next((f for f in of.fields if f.tag == tag and self.version in f.versions), None)
                if field is None:
                    values[f"tag {tag}"] = self.take(end - self.at)
                else:
                    values[field.name] = self.field(field, tagged=True)
                if self.at != end:
                    raise Undecodable(f"tag {tag} of {of.name} has another size than it says")
        return values

    def field(self, field, tagged=False):
        flexible = self.flexible if field.flexible is None else self.version in field.flexible
        if field.is_array:
            size = self.length(flexible, True)
            return None if size is None else [self.one(field, flexible) for _ in range(size)]
        if field.is_struct() and self.version in field.nullable:
            if self.number(">b") == (0 if tagged else -1):
                return None
        return self.one(field, flexible)

    def one(self, field, flexible):
        kind = field.type
        if field.is_struct():
            return self.struct(field.struct)
        if kind == "bool":
            return self.take(1) != b"\0"
        if kind in INTEGERS:
            return self.number(">" + INTEGERS[kind])
        if kind == "float64":
            return self.number(">d")
        if kind == "uuid":
            return self.take(16)
        size = self.length(flexible, kind != "string")
        if size is None:
            return None
        content = self.take(size)
        return content.decode() if kind == "string" else content


def fields_of(message, version):
    """(path, field) of every field of a version, those of structs after the struct itself."""
    def walk(of, path):
        for field in of.fields:
            if version in field.versions:
                yield (*path, field.name), field
                if field.is_struct():
                    yield from walk(field.struct, (*path, field.name))
    return walk(message.root, ())
