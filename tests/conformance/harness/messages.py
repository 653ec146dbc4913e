"""Any request in any version, from the schemas of this project: dicts in, dicts out, keyed by Kafka's field names.

    with Caller(port) as caller:
        answer = caller.ask("Fetch", 17, {"MaxWaitMs": 500, "Topics": [...]})

Fields left out have their defaults. Uuids and bytes are bytes objects. `ask` may be given a field that the
version does not have: it is dropped, as Kafka's classes drop what is ignorable.
"""
import functools

from . import codec, wire

KRAFT_TOPIC_ID = bytes(15) + b"\x01"


@functools.cache
def _schemas():
    return {message.name: message for message in codec.notation.parse_folder(codec.SCHEMA)}


def schema(name):
    """`FetchRequest`, `FetchResponse`, `RequestHeader`, a record ..."""
    return _schemas()[name]


def key_and_versions(api):
    """The API's key and the versions that exist, by the name without `Request`."""
    message = schema(api + "Request")
    return message.key, range(message.versions.low, message.versions.high + 1)


def encode(name, version, values):
    message = schema(name)
    assert version in message.versions, f"{name} has no version {version}"
    return codec.encode(message, version, values)


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
    header, size = codec.decode_front(schema("ResponseHeader"), 1 if flexible else 0, content)
    values = codec.decode(schema(api + "Response"), version, content[size:])
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
