"""Reads the schema notation (grammar: README.md) into a small model.

A Message owns its Structs; a Field names a primitive, a Struct, or an array of either. Everything a
generator or a comparison needs is resolved here, and every mistake stops with file and line.
"""

import pathlib
import re

import glossary

VERSION_MAX = 32767

# type -> (C++ type, bytes on the wire); variable-length types have no size.
PRIMITIVES = {
    "bool": ("bool", 1),
    "int8": ("int8_t", 1),
    "int16": ("int16_t", 2),
    "uint16": ("uint16_t", 2),
    "int32": ("int32_t", 4),
    "uint32": ("uint32_t", 4),
    "int64": ("int64_t", 8),
    "float64": ("double", 8),
    "uuid": ("Uuid", 16),
    "string": ("std::string", None),
    "bytes": ("Bytes", None),
    "records": ("Bytes", None),
}

KINDS = ("request", "response", "header", "data", "metadata", "coordinator_key", "coordinator_value")

FIELD = re.compile(r"( +)(\w+) +(\[?\w+\]?) +(none|\d+(?:\+|-\d+)?)(?: +(.*))?$")
HEAD = re.compile(r"(\w+) (\w+): (.*)$")


class SchemaError(Exception):
    pass


class Versions:
    """A range of versions, both ends included; empty when low > high."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    @staticmethod
    def parse(text):
        if text == "none":
            return Versions(0, -1)
        if text.endswith("+"):
            return Versions(int(text[:-1]), VERSION_MAX)
        low, _, high = text.partition("-")
        return Versions(int(low), int(high or low))

    def empty(self):
        return self.low > self.high

    def __contains__(self, version):
        return self.low <= version <= self.high

    def covers(self, other):
        return other.empty() or (self.low <= other.low and other.high <= self.high)

    def intersect(self, other):
        both = Versions(max(self.low, other.low), min(self.high, other.high))
        return both if not both.empty() else Versions(0, -1)

    def __eq__(self, other):
        return (self.low, self.high) == (other.low, other.high)

    def __str__(self):
        if self.empty():
            return "none"
        if self.high == VERSION_MAX:
            return f"{self.low}+"
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


class Field:
    def __init__(self, name, type_text, versions):
        self.name = name
        self.is_array = type_text.startswith("[")
        self.type = type_text.strip("[]")  # of the element, for an array
        self.versions = versions
        self.nullable = Versions(0, -1)
        self.tag = None
        self.default = None  # text; None when the type's zero
        self.ignorable = False
        self.is_key = False
        self.zero_copy = False
        self.streamed = False
        self.flexible = None  # overrides the message's
        self.entity = None
        self.meaning = None  # one sentence; from the schema, else from the glossary
        self.children = []
        self.struct = None

    def is_struct(self):
        return self.struct is not None


class Struct:
    def __init__(self, name, versions):
        self.name = name
        self.versions = versions
        self.fields = []


class Message:
    def __init__(self, kind, base_name):
        self.kind = kind
        self.base_name = base_name
        self.name = base_name + {"request": "Request", "response": "Response"}.get(kind, "")
        self.key = None
        self.versions = Versions(0, -1)
        self.flexible = Versions(0, -1)
        self.listeners = []
        self.latest_unstable = False
        self.cluster_action = False
        self.forwardable = False
        self.view = False
        self.meaning = None  # what it is for; a response or value may leave that to what it belongs to
        self.root = None
        self.structs = []  # those below the root, each after the ones it contains
        self.file = None  # of the schema, relative to its folder


def parse_file(path, relative):
    messages = []
    lines = path.read_text().split("\n")
    stack = []  # (indent, list of fields) innermost last
    structs = {}
    message = None
    meaning = []  # the comment lines right above
    for number, raw in enumerate(lines, 1):
        line, _, comment = raw.partition("#")
        line = line.rstrip()
        if not line:
            meaning = meaning + [comment.strip()] if comment else []
            continue
        try:
            if line[0] != " ":
                match = HEAD.match(line)
                if match is None:
                    raise SchemaError("not a message line")
                kind, name, attributes = match.groups()
                if kind == "struct":
                    struct = Struct(name, Versions.parse(attributes.removeprefix("versions ")))
                    structs[name] = struct
                    stack = [(0, struct.fields)]
                    continue
                if kind not in KINDS:
                    raise SchemaError(f"unknown kind {kind}")
                message = Message(kind, name)
                message.file = relative
                message.root = Struct(message.name, None)
                message.common = structs = {}
                _message_attributes(message, attributes)
                message.meaning, meaning = " ".join(meaning) or None, []
                messages.append(message)
                stack = [(0, message.root.fields)]
                continue
            match = FIELD.match(line)
            if match is None:
                raise SchemaError("not a field line: name type versions [attributes]")
            indent = len(match.group(1))
            while stack and stack[-1][0] >= indent:
                stack.pop()
            field = Field(match.group(2), match.group(3), Versions.parse(match.group(4)))
            _field_attributes(field, match.group(5) or "")
            field.meaning, meaning = " ".join(meaning) or None, []
            if not stack:
                raise SchemaError("field outside of a message")
            stack[-1][1].append(field)
            stack.append((indent, field.children))
        except (SchemaError, ValueError) as error:
            raise SystemExit(f"{path}:{number}: {error}")
    for message in messages:
        try:
            _resolve(message)
        except SchemaError as error:
            raise SystemExit(f"{path}: {message.name}: {error}")
        if message.meaning is None and message is messages[0]:
            raise SystemExit(f"{path}: {message.name}: no comment above says what it is for")
    return messages


def parse_folder(folder):
    folder = pathlib.Path(folder)
    messages = []
    for path in sorted(folder.glob("*/*.schema")):
        messages += parse_file(path, path.relative_to(folder).as_posix())
    glossary.give_meanings(messages, folder / "glossary.md")
    return messages


def snake_case(name):
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


def _message_attributes(message, text):
    for attribute in text.split(", "):
        word, _, value = attribute.partition(" ")
        if word == "key":
            message.key = int(value)
        elif word == "versions":
            message.versions = Versions.parse(value)
        elif word == "flexible":
            message.flexible = Versions.parse(value)
        elif word == "listeners":
            message.listeners = value.split()
        elif word in ("latest_unstable", "cluster_action", "forwardable", "view") and not value:
            setattr(message, word, True)
        else:
            raise SchemaError(f"unknown attribute '{attribute}'")


def _field_attributes(field, text):
    for attribute in filter(None, text.split(", ")):
        word, _, value = attribute.partition(" ")
        if word == "nullable":
            field.nullable = Versions.parse(value) if value else field.versions
        elif word == "tag":
            field.tag = int(value)
        elif word == "default":
            field.default = value
        elif word == "flexible":
            field.flexible = Versions.parse(value)
        elif word == "entity":
            field.entity = value
        elif word == "key" and not value:
            field.is_key = True
        elif word in ("ignorable", "zero_copy", "streamed") and not value:
            setattr(field, word, True)
        else:
            raise SchemaError(f"unknown attribute '{attribute}'")


def _resolve(message):
    """Binds field types to structs, in an order where a struct comes after those it contains."""
    done = {}

    def visit(struct):
        for field in struct.fields:
            if field.type in PRIMITIVES:
                if field.children:
                    raise SchemaError(f"{field.name}: a {field.type} has no fields of its own")
                continue
            if field.children:
                if field.type in done or field.type in message.common:
                    raise SchemaError(f"struct {field.type} is defined twice")
                field.struct = Struct(field.type, field.versions)
                field.struct.fields = field.children
            else:
                field.struct = done.get(field.type) or message.common.get(field.type)
                if field.struct is None:
                    raise SchemaError(f"{field.name}: unknown type {field.type}")
            if field.type not in done:
                visit(field.struct)
                done[field.type] = field.struct
                message.structs.append(field.struct)
            _check(field, message)
        tags = sorted(f.tag for f in struct.fields if f.tag is not None)
        if tags != list(range(len(tags))):
            raise SchemaError(f"{struct.name}: tags {tags} have a gap or a duplicate")

    message.root.versions = message.versions
    visit(message.root)


def _check(field, message):
    if field.tag is not None and not message.flexible.covers(field.versions):
        raise SchemaError(f"{field.name}: tagged in versions that are not flexible")
    if field.streamed and not (field.is_array and field.is_struct() and field.tag is None
                               and field.nullable.empty() and field.versions.covers(message.versions)):
        raise SchemaError(f"{field.name}: only an array of structs that is always there can be streamed")
    if field.default == "null" and not field.nullable.covers(field.versions):
        raise SchemaError(f"{field.name}: default null but not always nullable")
