"""What no proper client sends: answered with Kafka's code or a closed connection, and nobody else notices."""
import random
import unittest

from harness import wire
from harness.node import Node, wait_until
from harness.wire import (Connection, array, batch, data, header, i8, i16, i32, i64, string)

PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT = 0, 1, 2, 3, 8
FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, API_VERSIONS, CREATE_TOPICS = 10, 11, 12, 18, 19


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node({"message.max.bytes": 100_000, "socket.request.max.bytes": 10_000_000}).start()
        for topic, *config in (("t",), ("compacted", "--config", "cleanup.policy=compact")):
            cls.node.tool("kafka-topics", "--bootstrap-server", cls.node.bootstrap, "--create", "--topic",
                          topic, "--partitions", "2", *config, check=True)
        cls.bystander = Connection(cls.node.port)
        wait_until(cls.coordinator_serves, what="the group coordinator")
        cls.written = 0

    @classmethod
    def coordinator_serves(cls):
        """Looks for the coordinator, which makes the offsets topic, until it answers about a group."""
        reader = cls.bystander.call(FIND_COORDINATOR, 1, string("g") + i8(0))
        reader.i32()
        if reader.i16() != 0:
            return False
        reader = cls.bystander.call(HEARTBEAT, 1, string("g") + i32(1) + string("nobody"))
        reader.i32()
        return reader.i16() == 25

    @classmethod
    def tearDownClass(cls):
        cls.bystander.close()
        cls.node.close()

    def tearDown(self):
        # Whatever happened: the node runs, and a connection that was open all the time is served.
        self.assertTrue(self.node.is_running(), self.node.tail())
        self.assertEqual(self.produce(self.bystander, batch(b"fine")), 0)
        type(self).written += 1
        self.assertEqual(self.end_offset(self.bystander), self.written)

    def connect(self):
        connection = Connection(self.node.port)
        self.addCleanup(connection.close)
        return connection

    def produce(self, connection, records, topic="t", partition=0, acks=-1, version=7):
        """The error code of one partition."""
        body = (wire.NULL_STRING + i16(acks) + i32(5000)
                + array([string(topic) + array([i32(partition) + data(records)])]))
        reader = connection.call(PRODUCE, version, body)
        self.assertEqual(reader.i32(), 1)
        reader.string()
        self.assertEqual(reader.i32(), 1)
        self.assertEqual(reader.i32(), partition)
        return reader.i16()

    def end_offset(self, connection, topic="t", partition=0):
        body = i32(-1) + array([string(topic) + array([i32(partition) + i64(-1)])])
        reader = connection.call(LIST_OFFSETS, 1, body)
        reader.i32(), reader.string(), reader.i32(), reader.i32()
        error, _, offset = reader.i16(), reader.i64(), reader.i64()
        self.assertEqual(error, 0)
        return offset

    def assert_closes(self, content, framed=True):
        with Connection(self.node.port) as connection:
            connection.send_frame(content) if framed else connection.send(content)
            self.assertTrue(connection.is_closed(), f"not closed after {content[:40]!r}")

    # --- Frames

    def test_impossible_frame_sizes_close(self):
        for size in (-1, -2**31, 2**31 - 1, 10_000_001):
            with self.subTest(size=size):
                self.assert_closes(i32(size) + b"x" * 100, framed=False)

    def test_empty_and_short_headers_close(self):
        for content in (b"", b"\0", i16(METADATA), i16(METADATA) + i16(1) + i32(1)[:3],
                        i16(METADATA) + i16(1) + i32(1) + i16(500) + b"short"):
            with self.subTest(content=content):
                self.assert_closes(content)

    def test_garbage_closes(self):
        chooser = random.Random(5)
        for _ in range(50):
            # The first bytes are an impossible API key, so that no random request is obeyed by chance.
            self.assert_closes(i16(chooser.randrange(200, 30000)) + chooser.randbytes(chooser.randrange(200)))

    def test_other_protocols_close(self):
        for greeting in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                         b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
                         b"SSH-2.0-OpenSSH_9.2\r\n"):
            with self.subTest(greeting=greeting[:8]):
                self.assert_closes(greeting, framed=False)

    def test_a_frame_that_never_ends_does_not_disturb_others(self):
        stuck = self.connect()
        stuck.send(i32(5000) + b"half")
        with self.connect() as other:
            self.assertEqual(self.produce(other, batch(b"v"), partition=1), 0)

    def test_one_byte_at_a_time_is_still_a_request(self):
        connection = self.connect()
        content = header(API_VERSIONS, 0)
        for byte in i32(len(content)) + content:
            connection.send(bytes([byte]))
        answer = wire.Reader(connection.read_frame()[4:])
        self.assertEqual(answer.i16(), 0)

    def test_pipelined_requests_are_answered_in_order(self):
        connection = self.connect()
        content = b""
        for correlation in range(200):
            request = header(METADATA, 1, correlation) + array([])
            content += i32(len(request)) + request
        connection.send(content)
        for correlation in range(200):
            self.assertEqual(connection.read_frame()[:4], i32(correlation))

    # --- Keys and versions

    def test_unknown_api_keys_close(self):
        for key in (-1, 999, 32767, -32768):
            with self.subTest(key=key):
                self.assert_closes(header(key, 0))

    def test_apis_that_only_controllers_or_nobody_serves_close(self):
        for key in (4, 5, 6, 7, 52, 53, 54, 55, 62, 63):
            with self.subTest(key=key):
                self.assert_closes(header(key, 0) + b"\0" * 40)

    def test_unknown_versions_close(self):
        for key, version in ((METADATA, 99), (PRODUCE, 2), (FETCH, 3), (FETCH, 99), (METADATA, -1)):
            with self.subTest(key=key, version=version):
                self.assert_closes(header(key, version) + b"\0" * 40)

    def test_unknown_version_of_api_versions_is_answered(self):
        connection = self.connect()
        connection.send_frame(header(API_VERSIONS, 99) + b"\0" * 20)
        answer = wire.Reader(connection.read_frame()[4:])
        self.assertEqual(answer.i16(), 35)
        ranges = answer.array(lambda: (answer.i16(), answer.i16(), answer.i16()))
        self.assertIn((API_VERSIONS, 0, 4), ranges)

    # --- Bodies

    def test_lying_lengths_close(self):
        for content in (header(METADATA, 1) + i32(2**31 - 1), header(METADATA, 1) + i32(1000) + b"\0" * 8,
                        header(METADATA, 1) + array([i16(30000) + b"x"]),
                        header(PRODUCE, 7) + wire.NULL_STRING + i16(1) + i32(1) + i32(2**30),
                        header(PRODUCE, 7) + wire.NULL_STRING + i16(1) + i32(1)
                        + array([string("t") + array([i32(0) + i32(2**30) + b"x"])])):
            with self.subTest(content=content[-20:]):
                self.assert_closes(content)

    def test_truncated_requests_close(self):
        whole = (header(PRODUCE, 7) + wire.NULL_STRING + i16(-1) + i32(1000)
                 + array([string("t") + array([i32(0) + data(batch(b"v"))])]))
        for cut in range(15, len(whole) - 1, 9):
            with self.subTest(cut=cut):
                self.assert_closes(whole[:cut])

    # --- Produce

    def test_produce_to_what_is_not_there(self):
        with self.connect() as connection:
            self.assertEqual(self.produce(connection, batch(b"v"), topic="nowhere"), 3)
            self.assertEqual(self.produce(connection, batch(b"v"), partition=99), 3)
            self.assertEqual(self.produce(connection, batch(b"v"), topic="bad/name"), 3)

    def test_impossible_acks(self):
        with self.connect() as connection:
            self.assertEqual(self.produce(connection, batch(b"v"), acks=2), 21)
            self.assertEqual(self.produce(connection, batch(b"v"), acks=-2), 21)

    def test_an_error_without_acks_closes(self):
        body = (wire.NULL_STRING + i16(0) + i32(5000)
                + array([string("nowhere") + array([i32(0) + data(batch(b"v"))])]))
        self.assert_closes(header(PRODUCE, 7) + body)

    def test_corrupt_batches(self):
        good = batch(b"value", b"other")
        wrong_crc = good[:30] + bytes([good[30] ^ 1]) + good[31:]
        cases = {
            "crc": (wrong_crc, 2),
            "codec": (batch(b"v", attributes=7), None),
            "two batches": (good + good, 87),
            "count": (batch(b"v", count=3, last_delta=2), 87),
            "delta": (batch(b"v", last_delta=5), 87),
            "no records": (batch(count=0, last_delta=-1), 87),
            "control batch": (batch(b"v", attributes=0x20), 87),
            "record length": (batch(payload=wire.varint(1000) + b"\0\0\0", count=1, last_delta=0), 87),
            "garbage records": (batch(payload=b"\xff" * 20, count=1, last_delta=0), None),
            "bad gzip": (batch(payload=b"not gzip at all", count=1, last_delta=0, attributes=1), None),
            "bad snappy": (batch(payload=b"not snappy at all", count=1, last_delta=0, attributes=2), None),
            "bad lz4": (batch(payload=b"not lz4 at all", count=1, last_delta=0, attributes=3), None),
            "bad zstd": (batch(payload=b"not zstd at all", count=1, last_delta=0, attributes=4), None),
            "negative sequence": (batch(b"v", producer_id=1, producer_epoch=0, sequence=-1), 87),
        }
        for name, (records, code) in cases.items():
            with self.subTest(name), self.connect() as connection:
                found = self.produce(connection, records, partition=1)
                if code is None:
                    self.assertNotEqual(found, 0)
                else:
                    self.assertEqual(found, code)

    def test_records_of_another_size_than_the_batch_says(self):
        good = batch(b"value")
        for records in (good[:-1], good[:40], good[:11], good[:61]):
            with self.subTest(size=len(records)):
                with Connection(self.node.port) as connection:
                    try:
                        self.assertIn(self.produce(connection, records, partition=1), (2, 87))
                    except wire.Closed:
                        pass

    def test_old_message_formats_are_refused(self):
        message = i32(0) + i8(1) + i8(0) + i64(0) + i32(-1) + data(b"v")
        with self.connect() as connection:
            self.assertIn(self.produce(connection, i64(0) + data(message), partition=1), (2, 43, 87))

    def test_too_large_a_batch(self):
        with self.connect() as connection:
            self.assertEqual(self.produce(connection, batch(b"x" * 100_001), partition=1), 10)
            self.assertEqual(self.end_offset(connection, "t", 1), self.end_offset(connection, "t", 1))

    def test_a_decompression_bomb_is_refused_or_bounded(self):
        import zlib
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        payload = packer.compress(wire.record(b"\0" * 60_000_000, None)) + packer.flush()
        self.assertLess(len(payload), 100_000)
        with Connection(self.node.port, timeout=60) as connection:
            found = self.produce(connection, batch(payload=payload, count=1, last_delta=0, attributes=1),
                                 partition=1)
            self.assertIn(found, (0, 2, 10, 87))

    def test_a_compacted_topic_wants_keys(self):
        with self.connect() as connection:
            self.assertEqual(self.produce(connection, batch(b"v", key=None), topic="compacted"), 87)
            self.assertEqual(self.produce(connection, batch(b"v"), topic="compacted"), 0)

    def test_timestamps_far_ahead(self):
        import time
        ahead = int(time.time() * 1000) + 7_200_000
        with self.connect() as connection:
            self.assertEqual(self.produce(connection, batch(b"v", timestamp=ahead), partition=1), 32)

    def test_sequences_of_an_idempotent_producer(self):
        with self.connect() as connection:
            def send(sequence, count=1, epoch=0):
                return self.produce(connection, batch(*[b"v"] * count, producer_id=4711,
                                                      producer_epoch=epoch, sequence=sequence), partition=1)

            self.assertEqual(send(0, 3), 0)
            self.assertEqual(send(0, 3), 0, "a repeat is known")
            self.assertEqual(send(9), 45, "a gap")
            self.assertEqual(send(3), 0)
            self.assertEqual(send(0, 3, epoch=1), 0, "a new epoch begins again")
            self.assertEqual(send(3, epoch=0), 47, "an old epoch")

    # --- Fetch, offsets, groups, topics

    def fetch(self, connection, topic, partition, offset, session=0, epoch=-1):
        body = (i32(-1) + i32(100) + i32(1) + i32(1_000_000) + i8(0) + i32(session) + i32(epoch)
                + array([string(topic) + array([i32(partition) + i64(offset) + i64(-1) + i32(100_000)])])
                + array([]))
        reader = connection.call(FETCH, 7, body)
        reader.i32()
        top = reader.i16()
        reader.i32()
        if reader.i32() == 0:
            return top, None
        reader.string(), reader.i32(), reader.i32()
        return top, reader.i16()

    def test_fetch_of_what_is_not_there(self):
        with self.connect() as connection:
            self.assertEqual(self.fetch(connection, "nowhere", 0, 0), (0, 3))
            self.assertEqual(self.fetch(connection, "t", 99, 0), (0, 3))
            self.assertEqual(self.fetch(connection, "t", 0, 10**9), (0, 1))
            self.assertEqual(self.fetch(connection, "t", 0, -5)[1], 1)

    def test_fetch_sessions_that_are_not_there(self):
        with self.connect() as connection:
            self.assertEqual(self.fetch(connection, "t", 0, 0, session=12345, epoch=3)[0], 70)

    def test_fetch_by_unknown_topic_id(self):
        topic_id = bytes(range(1, 17))
        body = (i32(-1) + i32(10) + i32(1) + i32(1_000_000) + i8(0) + i32(0) + i32(-1)
                + b"\x02" + topic_id + b"\x02" + i32(0) + i32(-1) + i64(0) + i32(-1) + i64(-1)
                + i32(1000) + b"\0" + b"\0" + b"\x01" + b"\x01" + b"\0")
        with self.connect() as connection:
            connection.send_frame(header(FETCH, 13) + b"\0" + body)
            answer = connection.read_frame()
            self.assertIn(topic_id, answer)
            at = answer.index(topic_id) + 16 + 1 + 4
            self.assertEqual(answer[at:at + 2], i16(100))

    def test_list_offsets_of_what_is_not_there(self):
        with self.connect() as connection:
            body = i32(-1) + array([string("nowhere") + array([i32(0) + i64(-1)])])
            reader = connection.call(LIST_OFFSETS, 1, body)
            reader.i32(), reader.string(), reader.i32(), reader.i32()
            self.assertEqual(reader.i16(), 3)

    def create_topic(self, name, partitions=1, factor=1, config=()):
        entries = [string(key) + string(value) for key, value in config]
        body = (array([string(name) + i32(partitions) + i16(factor) + array([]) + array(entries)])
                + i32(5000) + i8(0))
        with Connection(self.node.port) as connection:
            reader = connection.call(CREATE_TOPICS, 2, body)
            reader.i32(), reader.i32(), reader.string()
            return reader.i16()

    def test_illegal_topics(self):
        for name in ("", ".", "..", "a" * 250, "a b", "a/b", "a\u00e9", "a\0b"):
            with self.subTest(name=name):
                self.assertEqual(self.create_topic(name), 17)
        self.assertEqual(self.create_topic("t"), 36)
        self.assertEqual(self.create_topic("p0", partitions=0), 37)
        self.assertEqual(self.create_topic("p-5", partitions=-5), 37)
        self.assertEqual(self.create_topic("f0", factor=0), 38)
        self.assertEqual(self.create_topic("f9", factor=9), 38)
        self.assertEqual(self.create_topic("c1", config=[("nosuch", "1")]), 40)
        self.assertEqual(self.create_topic("c2", config=[("retention.ms", "abc")]), 40)
        self.assertEqual(self.create_topic("c3", config=[("segment.bytes", "1")]), 40)
        self.assertEqual(self.create_topic("dot.ted"), 0)
        self.assertEqual(self.create_topic("dot_ted"), 17)

    def test_impossible_groups(self):
        def join(group, session_timeout, protocols=(("range", b""),)):
            body = (string(group) + i32(session_timeout) + i32(10_000) + string("") + string("consumer")
                    + array([string(name) + data(meta) for name, meta in protocols]))
            with Connection(self.node.port) as connection:
                reader = connection.call(JOIN_GROUP, 2, body)
                reader.i32()
                return reader.i16()

        self.assertEqual(join("", 10_000), 24)
        self.assertEqual(join("g", 1), 26)
        self.assertEqual(join("g", 2**31 - 1), 26)
        self.assertEqual(join("g", 10_000, ()), 23)
        with self.connect() as connection:
            reader = connection.call(HEARTBEAT, 1, string("g") + i32(5) + string("nobody"))
            reader.i32()
            self.assertEqual(reader.i16(), 25)
            body = string("g") + i8(9)
            reader = connection.call(FIND_COORDINATOR, 1, body)
            reader.i32()
            self.assertEqual(reader.i16(), 42)

    def test_commits_nobody_may_make(self):
        body = (string("g") + i32(5) + string("nobody") + i64(-1)
                + array([string("t") + array([i32(0) + i64(1) + string("m")])]))
        with self.connect() as connection:
            reader = connection.call(OFFSET_COMMIT, 2, body)
            self.assertEqual(reader.i32(), 1)
            reader.string(), reader.i32(), reader.i32()
            self.assertEqual(reader.i16(), 22)

    def test_many_connections_come_and_go(self):
        for _ in range(300):
            connection = Connection(self.node.port)
            connection.send(b"\0\0")
            connection.close()
        open_ones = [Connection(self.node.port) for _ in range(300)]
        self.assertEqual(self.produce(open_ones[-1], batch(b"v"), partition=1), 0)
        for connection in open_ones:
            connection.close()
