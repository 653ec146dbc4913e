#!/usr/bin/env python3
"""Prints random messages in their wire form, made from the schema alone.

    random_messages.py <schema folder> <seed> <messages per version>

One line each: "<message> <version> <hex>", "-" for no bytes. Same arguments, same output.
"""

import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import notation
from encoder import INTEGERS, default, encode

TEXT = ["", "a", "orders", "__consumer_offsets", "žluťoučký kůň", "日本語", "🐎", 'quote " back \\ tab \t',
        "line\nend", "x" * 200]


def random_message(message, version, rng):
    """Its bytes."""
    return encode(message, version, _Values(version, rng).of_struct(message.root))


class _Values:
    def __init__(self, version, rng):
        self.version, self.rng = version, rng

    # Values are ints, str, bytes, bool, float, lists, dicts of field name to value, or None.
    def of(self, field):
        if self.version in field.nullable and self.rng.random() < 0.25:
            return None
        if field.is_array:
            return [self.element(field) for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
        return self.element(field)

    def element(self, field):
        rng, kind = self.rng, field.type
        if field.is_struct():
            return self.of_struct(field.struct)
        if kind == "bool":
            return rng.random() < 0.5
        if kind in INTEGERS:
            bits = int(kind.removeprefix("u").removeprefix("int"))
            low, high = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            return rng.choice((0, 1, low, high, rng.randint(low, high), rng.randint(0, 100)))
        if kind == "float64":
            return rng.choice((0.0, 1.0, 1000000.0, 12345678.9, 0.5, 1024.25, 1e-9, 1e300))
        if kind == "uuid":
            return rng.choice((bytes(16), rng.randbytes(16)))
        if kind == "string":
            return rng.choice(TEXT)
        return rng.randbytes(rng.choice((0, 1, 2, 3, 20)))

    def of_struct(self, of):
        return {f.name: self.of(f) if self.version in f.versions
                and (f.tag is None or self.rng.random() < 0.6) else default(f)
                for f in of.fields}


def main():
    schema, seed, each = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for message in notation.parse_folder(schema):
        for version in range(message.versions.low, message.versions.high + 1):
            # Seeded per message and version: a changed schema leaves the other lines as they were.
            rng = random.Random(f"{seed}/{message.name}/{version}")
            for _ in range(each):
                print(message.name, version, random_message(message, version, rng).hex() or "-")


if __name__ == "__main__":
    main()
