"""More clients, more load and less patience than a node of 256 MiB was made for: it stays within its memory,
refuses nobody who is well-behaved, and counts connections as Kafka does.

Memory is the process's own high-water mark, because a control group kills where a test can tell; one test puts
the node into such a group nevertheless, where the page cache of its files counts too.
"""
import contextlib
import pathlib
import resource
import socket
import sys
import threading
import time
import unittest

from harness import settings
from harness.memory_group import MemoryGroup, Unavailable
from harness.node import Node, wait_until
from harness.wire import NULL_STRING, Closed, Connection, Reader, array, batch, data, header, i8, i16, i32, i64, string

PRODUCE, FETCH, METADATA, API_VERSIONS, CREATE_TOPICS = 0, 1, 3, 18, 19
MEMORY_MIB = 256
CONNECTIONS = 5000
SLOW_READERS = 300
SESSIONS = 2000
PARKED = 1500
UNKNOWN_TOPIC_OR_PARTITION = 3
MIB = 1 << 20


def memory_mib(node):
    """The most that the process ever had in memory."""
    for line in pathlib.Path(f"/proc/{node.process.pid}/status").read_text().split("\n"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def create(connection, topic, partitions):
    body = array([string(topic) + i32(partitions) + i16(1) + i32(0) + i32(0)]) + i32(30_000) + i8(0)
    connection.call(CREATE_TOPICS, 4, body)


def produce(connection, topic, partition, records):
    """The partition's error code."""
    body = (NULL_STRING + i16(-1) + i32(30_000)
            + array([string(topic) + array([i32(partition) + data(records)])]))
    answer = connection.call(PRODUCE, 7, body)
    answer.i32(), answer.string(), answer.i32(), answer.i32()
    return answer.i16()


def produce_frame(topic, partitions, records):
    """The same records for partitions 0 to `partitions`."""
    each = array([i32(partition) + data(records) for partition in range(partitions)])
    return header(PRODUCE, 7) + NULL_STRING + i16(-1) + i32(30_000) + array([string(topic) + each])


def produce_errors(answer):
    """The error codes in an answer to produce_frame."""
    reader = Reader(answer[4:])
    topics = reader.array(lambda: (reader.string(), reader.array(
        lambda: (reader.i32(), reader.i16(), reader.i64(), reader.i64(), reader.i64())[1])))
    return {error for _, errors in topics for error in errors}


def fetch_frame(topic, partition, offset=0, bytes_max=50_000_000, session=(0, -1), wait_max_ms=0):
    target = i32(partition) + i64(offset) + i64(-1) + i32(bytes_max)
    bytes_min = 1 if wait_max_ms else 0
    return (header(FETCH, 7) + i32(-1) + i32(wait_max_ms) + i32(bytes_min) + i32(bytes_max) + i8(0)
            + i32(session[0]) + i32(session[1]) + array([string(topic) + array([target])]) + array([]))


def ask(connection):
    """A round trip that costs nothing: ApiVersions."""
    return connection.call(API_VERSIONS, 0, b"")


class OneNode(unittest.TestCase):
    properties = {}

    def make_node(self):
        return Node(self.properties)

    def setUp(self):
        self.node = self.make_node()
        self.addCleanup(self.node.close)
        self.node.start()
        self.open = []
        self.addCleanup(lambda: [connection.close() for connection in self.open])

    def connect(self, timeout=30):
        connection = Connection(self.node.port, timeout)
        self.open.append(connection)
        return connection

    def assert_within_memory(self):
        if settings.server == "moldau" and not settings.is_sanitized():
            self.assertLess(memory_mib(self.node), MEMORY_MIB)


def allow_many_files(test):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < CONNECTIONS + 500:
        test.skipTest(f"only {most} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Crowds(OneNode):
    def setUp(self):
        allow_many_files(self)
        super().setUp()

    def test_thousands_of_idle_connections_leave_room_for_busy_ones(self):
        for _ in range(CONNECTIONS):
            self.connect()
        busy = self.connect()
        create(busy, "t", 4)
        large = batch(*[b"x" * 10_000] * 50)
        refused = []

        def overload():
            with Connection(self.node.port, 60) as connection:
                for i in range(60):
                    refused.append(produce(connection, "t", i % 4, large))

        threads = [threading.Thread(target=overload) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(refused), {0})
        self.assertEqual(len(refused), 720)
        ask(self.open[0])
        ask(self.open[CONNECTIONS - 1])
        self.assert_within_memory()

    def test_readers_who_never_read_hold_a_bounded_part_of_memory(self):
        writer = self.connect()
        create(writer, "t", 1)
        large = batch(*[b"x" * 10_000] * 90)
        for _ in range(60):  # about 54 MB, more than one answer may carry
            self.assertEqual(produce(writer, "t", 0, large), 0)
        for _ in range(SLOW_READERS):
            connection = self.connect()
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(3):
                connection.send_frame(fetch_frame("t", 0))
        # Somebody who does read is served all the while, in pieces of whole batches.
        reader = self.connect()
        for _ in range(20):
            reader.send_frame(fetch_frame("t", 0))
            self.assertGreater(len(reader.read_frame()), len(large))
        self.assert_within_memory()

    def test_fetch_sessions_beyond_the_cache_are_full_fetches(self):
        writer = self.connect()
        create(writer, "t", 1)
        sessions = []
        for _ in range(SESSIONS):
            writer.send_frame(fetch_frame("t", 0, session=(0, 0)))
            answer = writer.read_frame()
            sessions.append(int.from_bytes(answer[10:14], "big"))
        cached = [session for session in sessions if session != 0]
        # max.incremental.fetch.session.cache.slots; none has idled long enough to give way.
        self.assertEqual(len(cached), 1000)
        self.assertEqual(len(set(cached)), len(cached))
        self.assert_within_memory()


    def test_requests_that_wait_do_not_keep_what_came_with_them(self):
        # Sockets of one loop are read into shared blocks: a fetch of 100 bytes that waited kept one of 256 KB.
        create(self.connect(), "t", 1)
        busy = [self.connect() for _ in range(2)]  # neighbours, so one on each of two loops
        refused = produce_frame("missing", 1, b"x" * 110_000)
        for _ in range(PARKED):
            waiting = self.connect()
            waiting.send_frame(fetch_frame("t", 0, wait_max_ms=600_000))
            for connection in busy:
                connection.send_frame(refused)
                connection.send_frame(refused)
            for connection in busy * 2:
                self.assertEqual(produce_errors(connection.read_frame()), {UNKNOWN_TOPIC_OR_PARTITION})
        self.assert_within_memory()


class LargeRequests(OneNode):
    """queued.max.request.bytes: requests of 7 MB come in turns, however many are sent at once."""

    properties = {"socket.request.max.bytes": 8 * MIB, "queued.max.request.bytes": 16 * MIB}

    def test_clients_that_leave_in_the_middle_of_a_request_leave_its_memory(self):
        create(self.connect(), "t", 8)
        large = produce_frame("t", 8, batch(*[b"x" * 10_000] * 90))
        for _ in range(3):
            started = [self.connect() for _ in range(60)]
            for connection in started:
                connection.send(len(large).to_bytes(4, "big") + large[:100_000])
            for connection in started:
                connection.close()
        with Connection(self.node.port, 60) as connection:
            connection.send_frame(large)
            self.assertEqual(produce_errors(connection.read_frame()), {0})
        self.assert_within_memory()

    def test_many_large_requests_at_once_stay_within_memory(self):
        create(self.connect(), "t", 8)
        large = produce_frame("t", 8, batch(*[b"x" * 10_000] * 90))
        errors = []
        rest_may_come = threading.Event()

        def send():
            with Connection(self.node.port, 60) as connection:
                connection.send(len(large).to_bytes(4, "big"))
                connection.send(large[:-MIB])
                rest_may_come.wait()
                connection.send(large[-MIB:])
                errors.append(produce_errors(connection.read_frame()))

        # For these seconds nobody comes to an end, and what is sent piles up wherever it may.
        threading.Timer(3, rest_may_come.set).start()
        run_all([send] * 60)
        self.assertEqual(errors, [{0}] * 60)
        self.assert_within_memory()


class LimitedNode(Node):
    """A node whose process lives in a control group."""

    def __init__(self, group, properties):
        super().__init__(properties)
        self.group = group

    def command(self, tool, *arguments):
        words = super().command(tool, *arguments)
        return self.group.command(words) if tool == "kafka-server-start" else words


class Load:
    """Produce requests on many connections: `in_flight` unanswered on each, or as many as go in."""

    def __init__(self, port, topic, partitions, records, connections, in_flight=None):
        self.frame = produce_frame(topic, partitions, records)
        self.answered = 0
        self.errors = set()
        self.stopping = False
        self.connections = [Connection(port, 60) for _ in range(connections)]
        self.threads = []
        for connection in self.connections:
            room = threading.Semaphore(in_flight) if in_flight else None
            for work in (self._send, self._receive):
                self.threads.append(threading.Thread(target=work, args=(connection, room), daemon=True))

    def _send(self, connection, room):
        with contextlib.suppress(OSError):
            while not self.stopping:
                if room:
                    room.acquire()
                connection.send_frame(self.frame)

    def _receive(self, connection, room):
        with contextlib.suppress(OSError, Closed):
            while not self.stopping:
                self.errors |= produce_errors(connection.read_frame())
                self.answered += 1
                if room:
                    room.release()
        if room:
            room.release()  # the sender looks once more, and stops

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def per_second(self):
        return self.answered / (time.monotonic() - self.began)

    def __exit__(self, *_):
        self.stopping = True
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(30)
        for connection in self.connections:
            connection.close()


def run_all(tasks):
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class SmallNode(OneNode):
    """All of it at once, in a control group that ends whoever takes more."""

    properties = {"socket.request.max.bytes": 8 * MIB, "queued.max.request.bytes": 16 * MIB}
    SECONDS = 4

    def make_node(self):
        return LimitedNode(self.group, self.properties)

    def setUp(self):
        if settings.server != "moldau" or settings.is_sanitized():
            self.skipTest("nothing else starts in so little memory")
        allow_many_files(self)
        try:
            self.group = MemoryGroup(MEMORY_MIB * MIB)
        except Unavailable as why:
            self.skipTest(str(why))
        self.addCleanup(self.group.close)
        super().setUp()

    def healthy_client(self, load):
        """What a client sees that asks for little, one thing at a time, beside the load: its slowest percentile
        in milliseconds, and how many requests per second the load had answered."""
        took = []
        small = batch(b"x" * 100)
        with Connection(self.node.port, 60) as connection, load:
            while time.monotonic() < load.began + self.SECONDS:
                began = time.monotonic()
                self.assertEqual(produce(connection, "healthy", 0, small), 0)
                took.append(1000 * (time.monotonic() - began))
                time.sleep(0.01)
            goodput = load.per_second()
        self.assertLessEqual(load.errors, {0})
        return sorted(took)[len(took) * 99 // 100], goodput

    def test_more_of_everything_than_it_was_made_for(self):
        admin = self.connect()
        create(admin, "t", 8)
        create(admin, "healthy", 1)
        records = batch(*[b"x" * 1000] * 60)

        def produce_load(connections, in_flight):
            return Load(self.node.port, "t", 1, records, connections, in_flight)

        calm_p99, calm = self.healthy_client(produce_load(8, 1))
        for _ in range(CONNECTIONS):
            self.connect()
        for _ in range(SLOW_READERS):
            reader = self.connect()
            reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(3):
                reader.send_frame(fetch_frame("t", 0))
        large = Load(self.node.port, "t", 8, batch(*[b"x" * 10_000] * 90), connections=8)
        with large:
            p99, goodput = self.healthy_client(produce_load(24, None))
            self.assertGreater(large.answered, 0)
        self.assertLessEqual(large.errors, {0})
        large_bytes = large.answered * len(large.frame) / (time.monotonic() - large.began)
        good_bytes = goodput * len(records) + large_bytes
        print(f"{self.group.form}, {MEMORY_MIB} MiB: goodput {calm * len(records) / 1e6:.0f} MB/s, under all that "
              f"{good_bytes / 1e6:.0f}; a healthy client's p99 {calm_p99:.1f} ms and {p99:.1f}; anonymous memory "
              f"{memory_mib(self.node):.0f} MiB at most", file=sys.stderr)
        self.assertTrue(self.node.is_running())
        self.assertEqual(self.group.kills(), 0)
        self.assert_within_memory()
        self.assertGreater(good_bytes, calm * len(records) / 4)
        ask(self.open[CONNECTIONS // 2])


class FullNode(OneNode):
    properties = {"max.connections": 3}

    def test_a_connection_beyond_the_limit_waits_until_one_leaves(self):
        first, second, third = [self.connect() for _ in range(3)]
        for connection in (first, second, third):
            ask(connection)
        late = self.connect()
        late.send_frame(header(API_VERSIONS, 0))
        for connection in (first, second, third):
            ask(connection)
        second.close()
        late.read_frame()
        ask(first)


class OneAddress(OneNode):
    properties = {"max.connections.per.ip.overrides": "127.0.0.1:2"}

    def test_an_address_beyond_its_number_is_turned_away(self):
        # The harness has just left; the node may not know it yet.
        first = wait_until(self.admitted, what="the first connection")
        wait_until(self.admitted, what="the second connection")
        self.assertIsNone(self.admitted())
        first.close()
        wait_until(self.admitted, what="room for the address")

    def admitted(self):
        connection = self.connect()
        try:
            ask(connection)
            return connection
        except (Closed, OSError):
            return None


class ListenerLimit(OneNode):
    properties = {"listener.name.plaintext.max.connections": 1}

    def test_a_listener_may_have_a_limit_of_its_own(self):
        first = self.connect()
        ask(first)
        second = self.connect()
        second.send_frame(header(API_VERSIONS, 0))
        ask(first)
        first.close()
        second.read_frame()


class LimitChanged(OneNode):
    properties = {"max.connections": 4}

    def test_a_raised_limit_lets_the_waiting_in(self):
        for _ in range(3):
            connection = self.connect()
            ask(connection)
        change = self.node.tool("kafka-configs", "--bootstrap-server", self.node.bootstrap, "--alter",
                                "--entity-type", "brokers", "--entity-default", "--add-config",
                                "max.connections=6")
        self.assertEqual(change.returncode, 0, change.stdout + change.stderr)
        for _ in range(3):
            connection = self.connect()
            ask(connection)
        late = self.connect()
        late.send_frame(header(API_VERSIONS, 0))
        ask(connection)
        connection.close()
        late.read_frame()


if __name__ == "__main__":
    unittest.main()
