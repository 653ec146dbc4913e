"""Messages in their wire form, made from schema/ alone: right ones, and wrong ones when asked.

A value may be put where its type does not allow it: None stands for null anywhere, Raw for bytes that are
written as they are, Count for an array's length without its elements. Decoding trusts nothing: what does not
fit the schema, or is left over, is an Undecodable.
"""
import base64
import pathlib
import struct
import sys

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "schema"
sys.path.insert(0, str(SCHEMA))
import notation  # noqa: E402

INTEGERS = {"int8": "b", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q"}


class Raw(bytes):
    """Written in the place of a field, without any length."""


class Count(int):
    """An array's length as it is told, with no element behind it."""


class Undecodable(Exception):
    """The bytes are not the message."""


class UnknownField(Exception):
    """The script names a field that no version of the message has."""


class Catalog:
    """Every request and response by the name of its API."""

    def __init__(self):
        self.requests, self.responses = {}, {}
        for message in notation.parse_folder(SCHEMA):
            if message.kind in ("request", "response"):
                (self.requests if message.kind == "request" else self.responses)[message.base_name] = message

    def name(self, key):
        return next((name for name, message in self.requests.items() if message.key == key), str(key))


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


def uuid_bytes(value):
    """16 bytes, or Kafka's 22 characters."""
    return base64.urlsafe_b64decode(value + "==") if isinstance(value, str) else value


def fields_of(message, version):
    """(path, field) of every field of a version, those of structs after the struct itself."""
    def walk(of, path):
        for field in of.fields:
            if version in field.versions:
                yield (*path, field.name), field
                if field.is_struct():
                    yield from walk(field.struct, (*path, field.name))
    return walk(message.root, ())
