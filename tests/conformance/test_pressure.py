"""More clients, more load and less patience than a node of 256 MiB was made for: it stays within its memory,
refuses nobody who is well-behaved, and counts connections as Kafka does.

Memory is the process's own high-water mark: a control group would kill where this test can tell.
"""
import pathlib
import resource
import socket
import threading
import unittest

from harness import settings
from harness.node import Node, wait_until
from harness.wire import NULL_STRING, Closed, Connection, array, batch, data, header, i8, i16, i32, i64, string

PRODUCE, FETCH, METADATA, API_VERSIONS, CREATE_TOPICS = 0, 1, 3, 18, 19
MEMORY_MIB = 256
CONNECTIONS = 5000
SLOW_READERS = 300
SESSIONS = 2000


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


def fetch_frame(topic, partition, offset=0, bytes_max=50_000_000, session=(0, -1)):
    target = i32(partition) + i64(offset) + i64(-1) + i32(bytes_max)
    return (header(FETCH, 7) + i32(-1) + i32(0) + i32(0) + i32(bytes_max) + i8(0) + i32(session[0])
            + i32(session[1]) + array([string(topic) + array([target])]) + array([]))


def ask(connection):
    """A round trip that costs nothing: ApiVersions."""
    return connection.call(API_VERSIONS, 0, b"")


class OneNode(unittest.TestCase):
    properties = {}

    def setUp(self):
        self.node = Node(self.properties)
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


class Crowds(OneNode):
    def setUp(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most < CONNECTIONS + 500:
            self.skipTest(f"only {most} files may be open")
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
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
