#!/usr/bin/env python3
"""Makes the seed inputs of the fuzz targets from the schema: one message of every type and version.

    make_seeds.py <schema folder> <output folder>
"""

import pathlib
import random
import struct
import sys

TARGETS = ("requests", "responses", "records", "request_frames", "metadata_frames", "stream",
           "batches")


def family_of(message):
    return {"request": "requests", "response": "responses"}.get(message.kind, "records")


def one_batch():
    """A batch of format v2 with one record, key k and value v; its checksum is left zero."""
    record = bytes([0, 0, 0, 2]) + b"k" + bytes([2]) + b"v" + bytes([0])
    record = bytes([len(record) * 2]) + record
    body = struct.pack(">hiqqqhii", 0, 0, 0, 0, -1, -1, -1, 1) + record
    return struct.pack(">qiibI", 0, 9 + len(body), 0, 2, 0) + body


def main():
    schema, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    sys.path.insert(0, str(schema))
    import cpp
    import notation
    import random_messages

    for target in TARGETS:
        (out / target).mkdir(parents=True, exist_ok=True)
        (out / f"new-{target}").mkdir(exist_ok=True)

    # In the order of the generated table, by which the targets select a type.
    by_header = {}
    for message in notation.parse_folder(schema):
        if not message.versions.empty():
            by_header.setdefault(cpp.header_of(message), []).append(message)
    count = dict.fromkeys(("requests", "responses", "records"), 0)
    for message in (m for messages in by_header.values() for m in messages):
        family = family_of(message)
        for version in range(message.versions.low, message.versions.high + 1):
            rng = random.Random(f"{message.name}/{version}")
            body = random_messages.random_message(message, version, rng)
            name = f"{message.name}-{version}"
            (out / family / name).write_bytes(struct.pack(">HB", count[family], version) + body)
            if message.kind == "request":
                header = struct.pack(">hhih", message.key, version, 7, 2) + b"me"
                frame = header + (b"\0" if version in message.flexible else b"") + body
                (out / "request_frames" / name).write_bytes(frame)
                (out / "stream" / name).write_bytes(b"\x05" + struct.pack(">i", len(frame)) + frame)
            if message.file.startswith("metadata/"):
                frame = b"\x01" + bytes([message.key, version]) + body
                (out / "metadata_frames" / name).write_bytes(frame)
        count[family] += 1
    (out / "batches" / "one_record").write_bytes(one_batch())


if __name__ == "__main__":
    main()
