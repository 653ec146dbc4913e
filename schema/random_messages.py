#!/usr/bin/env python3
"""Prints random messages in their wire form, made from the schema alone: an encoder that shares no
line with the generated C++, so that the two check each other.

    random_messages.py <schema folder> <seed> <messages per version>

One line each: "<message> <version> <hex>", "-" for no bytes. Same arguments, same output.
"""

import pathlib
import random
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import notation

INTEGERS = {"int8": ("b", 8), "int16": ("h", 16), "uint16": ("H", 16), "int32": ("i", 32),
            "uint32": ("I", 32), "int64": ("q", 64)}
TEXT = ["", "a", "orders", "__consumer_offsets", "žluťoučký kůň", "日本語", "🐎", 'quote " back \\ tab \t',
        "line\nend", "x" * 200]


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def length(n, wide, flexible):
    """Length prefix; n is None for null."""
    if flexible:
        return varint(0 if n is None else n + 1)
    return struct.pack(">i" if wide else ">h", -1 if n is None else n)


class Encoder:
    def __init__(self, message, version, rng):
        self.message, self.version, self.rng = message, version, rng
        self.flexible = version in message.flexible

    # Values are ints, str, bytes, bool, float, lists, dicts of field name to value, or None.
    def value(self, field):
        if self.version in field.nullable and self.rng.random() < 0.25:
            return None
        if field.is_array:
            return [self.element(field) for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
        return self.element(field)

    def element(self, field):
        rng, kind = self.rng, field.type
        if field.is_struct():
            return self.struct_value(field.struct)
        if kind == "bool":
            return rng.random() < 0.5
        if kind in INTEGERS:
            bits = INTEGERS[kind][1]
            low, high = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            return rng.choice((0, 1, low, high, rng.randint(low, high), rng.randint(0, 100)))
        if kind == "float64":
            return rng.choice((0.0, 1.0, 1000000.0, 12345678.9, 0.5, 1024.25, 1e-9, 1e300))
        if kind == "uuid":
            return rng.choice((bytes(16), rng.randbytes(16)))
        if kind == "string":
            return rng.choice(TEXT)
        return rng.randbytes(rng.choice((0, 1, 2, 3, 20)))

    def struct_value(self, of):
        return {f.name: self.value(f) if self.version in f.versions
                and (f.tag is None or self.rng.random() < 0.6) else default(f)
                for f in of.fields}

    def encode_struct(self, of, values):
        out, tagged = b"", []
        for field in of.fields:
            if self.version not in field.versions:
                continue
            value = values[field.name]
            if field.tag is None:
                out += self.encode(field, value)
            elif value != default(field):
                content = self.encode(field, value, tagged=True)
                tagged.append((field.tag, varint(field.tag) + varint(len(content)) + content))
        if self.flexible:
            out += varint(len(tagged)) + b"".join(text for _, text in sorted(tagged))
        return out

    def encode(self, field, value, tagged=False):
        flexible = self.flexible if field.flexible is None else self.version in field.flexible
        if field.is_array:
            head = length(None if value is None else len(value), True, flexible)
            return head + b"".join(self.encode_one(field, v, flexible) for v in value or ())
        if field.is_struct() and self.version in field.nullable:
            if tagged:
                return varint(0) if value is None else varint(1) + self.encode_one(field, value, True)
            return b"\xff" if value is None else b"\x01" + self.encode_one(field, value, flexible)
        return self.encode_one(field, value, flexible)

    def encode_one(self, field, value, flexible):
        kind = field.type
        if field.is_struct():
            return self.encode_struct(field.struct, value)
        if kind == "bool":
            return b"\x01" if value else b"\x00"
        if kind in INTEGERS:
            return struct.pack(">" + INTEGERS[kind][0], value)
        if kind == "float64":
            return struct.pack(">d", value)
        if kind == "uuid":
            return value
        data = value.encode() if kind == "string" and value is not None else value
        return length(None if data is None else len(data), kind != "string", flexible) + (data or b"")


def default(field):
    """The value of a field that nobody set."""
    if field.default == "null" or (field.type == "records" and not field.nullable.empty()):
        return None
    if field.is_array:
        return []
    if field.is_struct():
        return {f.name: default(f) for f in field.struct.fields}
    if field.type == "bool":
        return field.default == "true"
    if field.type in INTEGERS:
        return int(field.default or "0", 0)
    if field.type == "float64":
        return float(field.default or 0)
    if field.type == "uuid":
        return bytes(16)
    return (field.default or "") if field.type == "string" else b""


def main():
    schema, seed, each = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for message in notation.parse_folder(schema):
        for version in range(message.versions.low, message.versions.high + 1):
            # Seeded per message and version: a changed schema leaves the other lines as they were.
            rng = random.Random(f"{seed}/{message.name}/{version}")
            for _ in range(each):
                encoder = Encoder(message, version, rng)
                data = encoder.encode_struct(message.root, encoder.struct_value(message.root))
                print(message.name, version, data.hex() or "-")


if __name__ == "__main__":
    main()
