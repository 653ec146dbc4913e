"""Record batches of every format, right or wrong in any part, and what a fetched batch says.

The compressed forms are made without any library, from blocks stored plainly inside proper frames, so that
the scripts need nothing but Python.
"""
import struct
import zlib

from harness.codec import varint as unsigned_varint
from harness.wire import crc32c, varint

# A day that stays within every limit of age: scripts give the same timestamps in every run.
TIMESTAMP = 1_700_000_000_000
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
MASK32 = 0xFFFFFFFF


def record(value=b"v", key=None, headers=(), offset_delta=0, timestamp_delta=0, attributes=0, length=None,
           headers_count=None):
    """One record of format v2; length and headers_count may lie."""
    body = struct.pack(">b", attributes) + varint(timestamp_delta) + varint(offset_delta)
    body += _sized(key) + _sized(value) + varint(len(headers) if headers_count is None else headers_count)
    for name, content in headers:
        body += _sized(name) + _sized(content)
    return varint(len(body) if length is None else length) + body


def batch(*records, base_offset=0, leader_epoch=-1, magic=2, codec="none", attributes=0, last_delta=None,
          timestamp=TIMESTAMP, max_timestamp=None, producer_id=-1, producer_epoch=-1, sequence=-1, count=None,
          payload=None, crc=None, length=None):
    """A batch of format v2. A record is its value, or the arguments of record() as a dict."""
    if payload is None:
        payload = b"".join(record(**{"offset_delta": at, **(r if isinstance(r, dict) else {"value": r})})
                           for at, r in enumerate(records))
        payload = compress(codec, payload)
    tail = struct.pack(">hiqqqhii", attributes | CODECS[codec], len(records) - 1 if last_delta is None else last_delta,
                       timestamp, timestamp if max_timestamp is None else max_timestamp, producer_id,
                       producer_epoch, sequence, len(records) if count is None else count) + payload
    checksum = crc32c(tail) if crc is None else crc
    size = 9 + len(tail) if length is None else length
    return struct.pack(">qiibI", base_offset, size, leader_epoch, magic, checksum) + tail


def message(value=b"v", key=None, magic=1, offset=0, timestamp=TIMESTAMP, codec="none", crc=None, attributes=0):
    """One message of the old formats 0 and 1."""
    body = struct.pack(">bb", magic, attributes | CODECS[codec])
    if magic > 0:
        body += struct.pack(">q", timestamp)
    for part in (key, value):
        body += struct.pack(">i", -1) if part is None else struct.pack(">i", len(part)) + part
    checksum = zlib.crc32(body) if crc is None else crc
    return struct.pack(">qiI", offset, 4 + len(body), checksum) + body


def _sized(content):
    return varint(-1) if content is None else varint(len(content)) + content


def compress(codec, content):
    return {"none": bytes, "gzip": _gzip, "snappy": _snappy, "lz4": _lz4, "zstd": _zstd}[codec](content)


def _gzip(content):
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(content) + packer.flush()


def _snappy(content):
    """xerial's framing around one block of literals."""
    block = unsigned_varint(len(content))
    for at in range(0, len(content), 60):
        part = content[at:at + 60]
        block += bytes([(len(part) - 1) << 2]) + part
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + struct.pack(">i", len(block)) + block


def _lz4(content):
    descriptor = b"\x60\x40"  # version 1, independent blocks of at most 64 KiB, no checksums
    out = struct.pack("<I", 0x184D2204) + descriptor + bytes([_xxh32(descriptor) >> 8 & 0xFF])
    for at in range(0, len(content), 65536):
        part = content[at:at + 65536]
        out += struct.pack("<I", 0x80000000 | len(part)) + part
    return out + struct.pack("<I", 0)


def _zstd(content):
    out = struct.pack("<I", 0xFD2FB528) + b"\xa0" + struct.pack("<I", len(content))
    for at in range(0, max(len(content), 1), 100_000):
        part = content[at:at + 100_000]
        last = at + 100_000 >= len(content)
        out += struct.pack("<I", len(part) << 3 | last)[:3] + part
    return out


def _xxh32(data):
    """xxHash32 of fewer than 16 bytes."""
    p2, p3, p5 = 2246822519, 3266489917, 374761393
    p1, p4 = 2654435761, 668265263

    def rotate(value, bits):
        return (value << bits | value >> (32 - bits)) & MASK32

    value, at = (p5 + len(data)) & MASK32, 0
    while at + 4 <= len(data):
        value = rotate((value + struct.unpack_from("<I", data, at)[0] * p3) & MASK32, 17) * p4 & MASK32
        at += 4
    for byte in data[at:]:
        value = rotate((value + byte * p5) & MASK32, 11) * p1 & MASK32
    value = (value ^ value >> 15) * p2 & MASK32
    value = (value ^ value >> 13) * p3 & MASK32
    return value ^ value >> 16


def describe(content):
    """What fetched bytes hold: one dict for each batch, a last one for a batch that is cut off."""
    found, at = [], 0
    while at < len(content):
        if len(content) - at < 61 or len(content) - at < 12 + struct.unpack_from(">i", content, at + 8)[0]:
            found.append({"PartOfABatch": len(content) - at})
            break
        base, size, epoch, magic, crc = struct.unpack_from(">qiibI", content, at)
        end = at + 12 + size
        (attributes, last_delta, first_time, max_time, producer, producer_epoch, sequence,
         count) = struct.unpack_from(">hiqqqhii", content, at + 21)
        one = {"Offsets": f"{base}-{base + last_delta}", "LeaderEpoch": epoch, "Magic": magic, "Count": count,
               "Attributes": attributes, "BaseTimestamp": first_time, "MaxTimestamp": max_time}
        if producer != -1:
            one["Producer"] = f"{producer}/{producer_epoch} sequence {sequence}"
        if crc32c(content[at + 21:end]) != crc:
            one["Crc"] = "wrong"
        payload = content[at + 61:end]
        one["Bytes"] = len(payload)
        if attributes & 7 == 0:
            one["Payload"] = payload if len(payload) <= 64 else payload[:64] + b"..."
        found.append(one)
        at = end
    return found
