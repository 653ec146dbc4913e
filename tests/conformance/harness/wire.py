"""Frames by hand: enough of the protocol, in old fixed versions, to say things no client would say."""
import socket
import struct
import time

from . import codec

CRC32C_POLYNOMIAL = 0x82F63B78
_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = (_byte >> 1) ^ (CRC32C_POLYNOMIAL if _byte & 1 else 0)
    _TABLE.append(_byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def i8(v):
    return struct.pack(">b", v)


def i16(v):
    return struct.pack(">h", v)


def i32(v):
    return struct.pack(">i", v)


def i64(v):
    return struct.pack(">q", v)


def string(text):
    data = text.encode() if isinstance(text, str) else text
    return i16(len(data)) + data


NULL_STRING = i16(-1)


def data(content):
    return i32(len(content)) + content


def array(items):
    return i32(len(items)) + b"".join(items)


def varint(value):
    """Zigzag, as inside records."""
    return codec.varint((value << 1) ^ (value >> 63))


def record(value, key=None, offset_delta=0, timestamp_delta=0):
    body = b"\0" + varint(timestamp_delta) + varint(offset_delta)
    body += varint(-1) if key is None else varint(len(key)) + key
    body += varint(-1) if value is None else varint(len(value)) + value
    body += varint(0)
    return varint(len(body)) + body


def batch(*values, attributes=0, producer_id=-1, producer_epoch=-1, sequence=-1, count=None,
          last_delta=None, magic=2, timestamp=None, key=b"k", payload=None, base_offset=0):
    """A record batch; every part may be made wrong, and the CRC is right for what is in it."""
    records = b"".join(record(v, key, i) for i, v in enumerate(values)) if payload is None else payload
    now = int(time.time() * 1000) if timestamp is None else timestamp
    count = len(values) if count is None else count
    last_delta = len(values) - 1 if last_delta is None else last_delta
    tail = (i16(attributes) + i32(last_delta) + i64(now) + i64(now) + i64(producer_id)
            + i16(producer_epoch) + i32(sequence) + i32(count) + records)
    return (i64(base_offset) + i32(4 + 1 + 4 + len(tail)) + i32(-1) + i8(magic)
            + struct.pack(">I", crc32c(tail)) + tail)


def header(key, version, correlation=1, client="raw"):
    return i16(key) + i16(version) + i32(correlation) + (NULL_STRING if client is None else string(client))


class Closed(Exception):
    """The other side closed the connection."""


class Connection:
    def __init__(self, port, timeout=15):
        self.socket = socket.create_connection(("localhost", port), timeout=timeout)

    def send(self, content):
        self.socket.sendall(content)

    def send_frame(self, content):
        self.send(i32(len(content)) + content)

    def _read(self, size):
        out = b""
        while len(out) < size:
            try:
                part = self.socket.recv(size - len(out))
            except ConnectionResetError:
                raise Closed from None
            if not part:
                raise Closed
            out += part
        return out

    def read_frame(self):
        [size] = struct.unpack(">i", self._read(4))
        return self._read(size)

    def call(self, key, version, body, correlation=1):
        """The body of the answer, after a header of version 0."""
        self.send_frame(header(key, version, correlation) + body)
        answer = self.read_frame()
        assert answer[:4] == i32(correlation), answer[:4]
        return Reader(answer[4:])

    def is_closed(self):
        """Whether the other side closes without a word."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Reader:
    def __init__(self, content):
        self.content, self.at = content, 0

    def _take(self, form):
        size = struct.calcsize(form)
        [value] = struct.unpack_from(form, self.content, self.at)
        self.at += size
        return value

    def i8(self):
        return self._take(">b")

    def i16(self):
        return self._take(">h")

    def i32(self):
        return self._take(">i")

    def i64(self):
        return self._take(">q")

    def string(self):
        size = self.i16()
        if size < 0:
            return None
        self.at += size
        return self.content[self.at - size:self.at].decode()

    def bytes(self):
        size = self.i32()
        if size < 0:
            return None
        self.at += size
        return self.content[self.at - size:self.at]

    def array(self, element):
        return [element() for _ in range(self.i32())]
