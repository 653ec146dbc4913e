"""Any request in any version, from the schemas of this project: dicts in, dicts out, keyed by Kafka's field names.

    with Caller(port) as caller:
        answer = caller.ask("Fetch", 17, {"MaxWaitMs": 500, "Topics": [...]})

Fields left out have their defaults. Uuids and bytes are bytes objects. `ask` may be given a field that the
version does not have: it is dropped, as Kafka's classes drop what is ignorable.
"""
import functools
import struct
import sys

from . import settings, wire

sys.path.insert(0, str(settings.ROOT / "schema"))
import notation  # noqa: E402

FORMS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "float64": ">d"}
ZERO = {"bool": False, "string": "", "bytes": b"", "records": None, "uuid": bytes(16), "float64": 0.0}
KRAFT_TOPIC_ID = bytes(15) + b"\x01"


@functools.cache
def _schemas():
    return {message.name: message for message in notation.parse_folder(settings.ROOT / "schema")}


def schema(name):
    """`FetchRequest`, `FetchResponse`, `RequestHeader`, a record ..."""
    return _schemas()[name]


def key_and_versions(api):
    """The API's key and the versions that exist, by the name without `Request`."""
    message = schema(api + "Request")
    return message.key, range(message.versions.low, message.versions.high + 1)


def default_of(field):
    if field.is_array:
        return None if field.default == "null" else []
    if field.is_struct():
        return None if field.default == "null" else {f.name: default_of(f) for f in field.struct.fields}
    if field.default is None:
        return ZERO.get(field.type, 0)
    if field.default == "null":
        return None
    if field.type == "bool":
        return field.default == "true"
    if field.type in ("string", "bytes", "uuid"):
        return ZERO[field.type]
    return float(field.default) if field.type == "float64" else int(field.default, 0)


def encode(name, version, values):
    message = schema(name)
    return _Encoder(message, version).struct(message.root, values)


def decode(name, version, content):
    """(values, bytes read)"""
    message = schema(name)
    decoder = _Decoder(message, version, content)
    return decoder.struct(message.root), decoder.at


def unsigned(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Codec:
    def __init__(self, message, version):
        assert version in message.versions, f"{message.name} has no version {version}"
        self.version = version
        self.flexible = version in message.flexible

    def is_flexible(self, field):
        return self.flexible if field.flexible is None else self.version in field.flexible

    def plain_and_tagged(self, fields):
        here = [field for field in fields if self.version in field.versions]
        return ([field for field in here if field.tag is None],
                sorted((field for field in here if field.tag is not None), key=lambda field: field.tag))


class _Encoder(_Codec):
    def struct(self, of, values):
        unknown = set(values) - {field.name for field in of.fields}
        assert not unknown, f"{of.name} has no {unknown}"
        plain, tagged = self.plain_and_tagged(of.fields)
        out = b"".join(self.field(field, values.get(field.name, default_of(field))) for field in plain)
        if self.flexible:
            present = [(field.tag, self.field(field, values[field.name])) for field in tagged
                       if values.get(field.name, default_of(field)) != default_of(field)]
            out += unsigned(len(present))
            for tag, content in present:
                out += unsigned(tag) + unsigned(len(content)) + content
        return out

    def length(self, field, size, form):
        """`size` is None for null."""
        if self.is_flexible(field):
            return unsigned(0 if size is None else size + 1)
        return struct.pack(form, -1 if size is None else size)

    def field(self, field, value):
        if field.is_array:
            size = None if value is None else len(value)
            return self.length(field, size, ">i") + b"".join(self.one(field, item) for item in value or ())
        return self.one(field, value)

    def one(self, field, value):
        if field.is_struct():
            if self.version in field.nullable and not field.is_array:
                return b"\xff" if value is None else b"\x01" + self.struct(field.struct, value)
            return self.struct(field.struct, value)
        if field.type in FORMS:
            return struct.pack(FORMS[field.type], value)
        if field.type == "bool":
            return bytes([value])
        if field.type == "uuid":
            return value
        content = value.encode() if isinstance(value, str) else value
        size = None if content is None else len(content)
        return self.length(field, size, ">h" if field.type == "string" else ">i") + (content or b"")


class _Decoder(_Codec):
    def __init__(self, message, version, content):
        super().__init__(message, version)
        self.content, self.at = content, 0

    def take(self, size):
        assert self.at + size <= len(self.content), "the message ends early"
        self.at += size
        return self.content[self.at - size:self.at]

    def unpack(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def struct(self, of):
        plain, tagged = self.plain_and_tagged(of.fields)
        values = {field.name: self.field(field) for field in plain}
        if self.flexible:
            values |= {field.name: default_of(field) for field in tagged}
            for _ in range(self.unsigned()):
                tag, end = self.unsigned(), self.unsigned() + self.at
                for field in tagged:
                    if field.tag == tag:
                        values[field.name] = self.field(field)
                assert self.at <= end
                self.at = end
        return values

    def length(self, field, form):
        size = self.unsigned() - 1 if self.is_flexible(field) else self.unpack(form)
        return None if size < 0 else size

    def field(self, field):
        if not field.is_array:
            return self.one(field)
        size = self.length(field, ">i")
        return None if size is None else [self.one(field) for _ in range(size)]

    def one(self, field):
        if field.is_struct():
            if self.version in field.nullable and not field.is_array and self.unpack(">b") < 0:
                return None
            return self.struct(field.struct)
        if field.type in FORMS:
            return self.unpack(FORMS[field.type])
        if field.type == "bool":
            return self.take(1) != b"\0"
        if field.type == "uuid":
            return self.take(16)
        size = self.length(field, ">h" if field.type == "string" else ">i")
        content = None if size is None else self.take(size)
        return content.decode() if field.type == "string" and content is not None else content


def frame(api, version, values, correlation=1, client="raw", body=None):
    """A request with its header, without the length; `body` replaces the encoded values."""
    message = schema(api + "Request")
    header = {"RequestApiKey": message.key, "RequestApiVersion": version, "CorrelationId": correlation,
              "ClientId": client}
    if body is None:
        body = encode(api + "Request", version, values)
    return encode("RequestHeader", 2 if version in message.flexible else 1, header) + body


def parse_answer(api, version, content):
    """(correlation id, values) of a whole response frame; every byte must be accounted for."""
    flexible = version in schema(api + "Request").flexible and api != "ApiVersions"
    header, size = decode("ResponseHeader", 1 if flexible else 0, content)
    values, read = decode(api + "Response", version, content[size:])
    assert size + read == len(content), f"{len(content) - size - read} bytes are left over"
    return header["CorrelationId"], values


class Caller(wire.Connection):
    """One connection that asks in any API and version."""

    correlation = 0

    def send_request(self, api, version, values=None, **rest):
        self.correlation += 1
        self.send_frame(frame(api, version, values or {}, self.correlation, **rest))

    def receive(self, api, version):
        correlation, values = parse_answer(api, version, self.read_frame())
        assert correlation == self.correlation, (correlation, self.correlation)
        return values

    def ask(self, api, version, values=None, **rest):
        self.send_request(api, version, values, **rest)
        return self.receive(api, version)
