"""An answer as text: fields at their defaults left out, what differs by nature replaced by names.

Ids are numbered in the order of their appearance in a script, so that the text still says which are equal.
"""
import json
import pathlib
import re

from harness.codec import INTEGERS, default, uuid_bytes

from . import batches

ERROR_TABLE = pathlib.Path(__file__).resolve().parents[3] / "src" / "base" / "error_code.cc"
ERROR_NAMES = dict(enumerate(re.findall(r'ErrorRow\{"(\w+)"', ERROR_TABLE.read_text()), -1))
DIRECTORY = re.compile(r"(?<=directoryId=)[\w-]{22}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


# What Kafka says of a timestamp that is out of range counts from now.
SPAN_OF_TIME = re.compile(r"should be within \[-?\d+, -?\d+\]")
# The same letter many times over.
RUN = re.compile(r"(.)\1{29,}")


class Masks:
    """What is not compared: `API.Field` or `*.Field`, with the reason behind it (masks.txt).

    `unserved` are the API keys and features that Kafka may advertise and Moldau must not."""

    def __init__(self, text):
        self.masked, self.unordered, self.unserved = set(), set(), set()
        for line in text.split("\n"):
            if line.strip() and not line.startswith("#"):
                word, names, _, reason = re.match(r"(\w+) (.*?)( because (.*))?$", line).groups()
                if not reason:
                    raise ValueError(f"a mask without a reason: {line}")
                getattr(self, {"mask": "masked"}.get(word, word)).update(names.split())


class Renderer:
    def __init__(self, masks, script_settings, places, hides_unserved=False):
        self.unserved = masks.unserved if hides_unserved else set()
        self.masked = masks.masked | script_settings.get("mask", set())
        self.unordered = masks.unordered | script_settings.get("unordered", set())
        self.places = places  # text of the server -> its name, as in {"19092": "PORT"}
        self.names = {}  # uuid or bytes -> name
        self.hidden = False  # ids without names, for sorting

    def name(self, value, name):
        """What the script bound to a variable appears under that name."""
        self.names.setdefault(value, name)

    def answer(self, message, values):
        return self._struct(message.base_name, message.root, values)

    def _struct(self, api, of, values):
        out = []
        for field in of.fields:
            if field.name in values and values[field.name] != default(field):
                if self._is(self.masked, api, field.name):
                    out.append(f"{field.name}: *")
                else:
                    out.append(f"{field.name}: {self._field(api, field, values[field.name])}")
        out += [f"{name}: {value.hex()}" for name, value in values.items() if name.startswith("tag ")]
        return "{" + ", ".join(out) + "}"

    @staticmethod
    def _is(names, api, field):
        return field in names or f"{api}.{field}" in names or f"*.{field}" in names

    def _field(self, api, field, value):
        if value is None:
            return "null"
        if not field.is_array:
            return self._one(api, field, value)
        if api == "ApiVersions":
            value = [one for one in value if str(one.get("ApiKey", one.get("Name"))) not in self.unserved]
        if self._is(self.unordered, api, field.name):
            value = sorted(value, key=lambda one: self._blank(api, field, one))
        return "[" + ", ".join(self._one(api, field, one) for one in value) + "]"

    def _blank(self, api, field, value):
        self.hidden, was = True, self.hidden
        try:
            return self._one(api, field, value)
        finally:
            self.hidden = was

    def _one(self, api, field, value):
        if value is None:
            return "null"
        if field.is_struct():
            return self._struct(api, field.struct, value)
        if field.name.endswith("ErrorCode") and field.type == "int16":
            return ERROR_NAMES.get(value, str(value))
        if field.type == "uuid":
            return self._id(value)
        if field.type == "records":
            return self.plain(batches.describe(value))
        if field.type in INTEGERS:
            return self.places.get(str(value), str(value)) if field.name.endswith("Port") else str(value)
        return self.plain(value)

    def plain(self, value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{name}: {self.plain(one)}" for name, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.plain, value)) + "]"
        if isinstance(value, bytes):
            if value and all(32 <= byte < 127 for byte in value):
                return self.text(value.decode())
            return f"<{value.hex()}>" if len(value) <= 64 else f"<{value[:64].hex()}... {len(value)} bytes>"
        return self.text(value) if isinstance(value, str) else json.dumps(value)

    def text(self, value):
        for was, now in self.places.items():
            value = re.sub(rf"(?<!\d){re.escape(was)}(?!\d)", now, value) if was.isdigit() else value.replace(was, now)
        for known, name in self.names.items():
            if isinstance(known, str):
                value = value.replace(known, name)
        value = DIRECTORY.sub(lambda found: self._id(uuid_bytes(found.group())), value)
        value = UUID.sub(lambda found: self._id(found.group()), value)
        value = SPAN_OF_TIME.sub("should be within [*, *]", value)
        value = RUN.sub(lambda found: f"{found[1]}*{len(found.group())}", value)
        return json.dumps(value, ensure_ascii=False)

    def _id(self, value):
        if self.hidden:
            return "id"
        if isinstance(value, bytes) and value[:15] == bytes(15):
            return f"id-{value[15]}"  # Kafka's reserved ones
        return self.names.setdefault(value, f"id{len(self.names) + 1}")
