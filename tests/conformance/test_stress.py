"""Clients that come, go and stall in the middle of everything, and stops under load.

The programs built with sanitizers run this file too: `run.py --moldau <binary> test_stress.py`.
"""
import random
import signal
import socket
import struct
import threading
import time
import unittest

from harness import settings, wire
from harness.node import Node
from harness.wire import Connection, array, batch, data, header, i8, i16, i32, i64, string

PRODUCE, FETCH, METADATA, JOIN_GROUP, CREATE_TOPICS, DELETE_TOPICS = 0, 1, 3, 11, 19, 20
COMPLAINTS = ("Sanitizer", "runtime error:", "assertion", "dropped without an answer", "terminate called")
PARTITIONS = 8
LOAD_SECONDS = 8


def produce_body(topic, partition, records, acks=-1, timeout=5000):
    return (wire.NULL_STRING + i16(acks) + i32(timeout)
            + array([string(topic) + array([i32(partition) + data(records)])]))


def fetch_body(topic, partitions, offset, wait=500, bytes_min=1, bytes_max=50_000_000):
    targets = [i32(p) + i64(offset) + i64(-1) + i32(1_000_000) for p in partitions]
    return (i32(-1) + i32(wait) + i32(bytes_min) + i32(bytes_max) + i8(0) + i32(0) + i32(-1)
            + array([string(topic) + array(targets)]) + array([]))


def join_body(group):
    return (string(group) + i32(10_000) + i32(10_000) + string("") + string("consumer")
            + array([string("range") + data(b"")]))


class Load:
    """Threads that repeat what they are given until the end; a connection that is closed is not an error."""

    def __init__(self, node):
        self.node, self.over, self.errors, self.threads = node, threading.Event(), [], []
        self.counts = {}

    def run(self, work, times=1):
        for seed in range(times):
            thread = threading.Thread(target=self._repeat, args=(work, random.Random(seed)))
            self.threads.append(thread)
            thread.start()

    def _repeat(self, work, chooser):
        while not self.over.is_set():
            try:
                work(chooser)
                self.counts[work.__name__] = self.counts.get(work.__name__, 0) + 1
            except (wire.Closed, OSError):
                time.sleep(0.01)
            except Exception as error:  # told at the end, by the test's own thread
                self.errors.append(f"{work.__name__}: {error!r}")
                return

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    # --- What clients do.

    def connect(self, timeout=15):
        return Connection(self.node.port, timeout)

    def produce(self, chooser):
        with self.connect() as connection:
            for _ in range(20):
                connection.call(PRODUCE, 7, produce_body("t", chooser.randrange(PARTITIONS), batch(b"v" * 100)))

    def consume(self, chooser):
        """Long polls over all partitions; each must be answered."""
        with self.connect() as connection:
            for _ in range(10):
                connection.call(FETCH, 7, fetch_body("t", range(PARTITIONS), 0, wait=200,
                                                     bytes_min=chooser.choice((1, 10**7))))

    def leave_in_the_middle(self, chooser):
        """Sends a few requests and hangs up before, within or after the answers."""
        with self.connect() as connection:
            for correlation in range(chooser.randrange(1, 6)):
                content = chooser.choice((
                    header(FETCH, 7, correlation) + fetch_body("t", range(PARTITIONS), 0, 5000, 10**9),
                    header(JOIN_GROUP, 2, correlation) + join_body(f"g{chooser.randrange(3)}"),
                    header(PRODUCE, 7, correlation) + produce_body("t", 0, batch(b"v")),
                    header(METADATA, 1, correlation) + i32(-1)))
                connection.send_frame(content)
            if chooser.random() < 0.5:
                time.sleep(chooser.random() / 50)
            if chooser.random() < 0.3:
                connection.send(i32(1000) + b"half")
            if chooser.random() < 0.5:  # a reset instead of an orderly end
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def make_and_delete_topics(self, chooser):
        name = f"gone{chooser.randrange(3)}"
        with self.connect() as connection:
            connection.call(CREATE_TOPICS, 2, array([string(name) + i32(3) + i16(1) + array([]) + array([])])
                            + i32(5000) + i8(0))
            for partition in range(3):
                connection.call(PRODUCE, 7, produce_body(name, partition, batch(b"v")))
            with self.connect() as waiting:
                waiting.send_frame(header(FETCH, 7) + fetch_body(name, range(3), 1, 10_000, 10**9))
                connection.call(DELETE_TOPICS, 1, array([string(name)]) + i32(5000))
                waiting.read_frame()

    def read_slowly(self, chooser):
        """Asks for much more than it reads."""
        with self.connect() as connection:
            request = header(FETCH, 7) + fetch_body("big", [0], 0)
            connection.send((i32(len(request)) + request) * 300)
            for _ in range(5):
                connection.socket.recv(10_000)
                time.sleep(0.02)
            if chooser.random() < 0.3:
                for _ in range(20):
                    connection.socket.recv(1_000_000)


class Stress(unittest.TestCase):
    def node(self, **properties):
        node = Node({"group.min.session.timeout.ms": 100, **properties})
        self.addCleanup(node.close)
        node.start()
        node.tool("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "t",
                  "--partitions", PARTITIONS, check=True)
        return node

    def assert_well(self, node, code):
        text = "\n".join(node.output)
        self.assertEqual(code, 143 if settings.server == "kafka" else 0, text[-6000:])
        for complaint in COMPLAINTS:
            self.assertNotIn(complaint, text, text[-6000:])

    def test_clients_that_leave_in_the_middle_disturb_nobody(self):
        node = self.node()
        node.tool("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "big", check=True)
        load = Load(node)
        with load.connect() as connection:
            for _ in range(4):
                connection.call(PRODUCE, 7, produce_body("big", 0, batch(b"x" * 900_000)))
        load.run(load.produce, 2)
        load.run(load.consume, 2)
        load.run(load.leave_in_the_middle, 4)
        load.run(load.make_and_delete_topics)
        load.run(load.read_slowly)
        time.sleep(LOAD_SECONDS)
        load.end()
        self.assertEqual(load.errors, [])
        for work in ("produce", "consume", "leave_in_the_middle", "make_and_delete_topics"):
            self.assertGreater(load.counts.get(work, 0), 0, f"{work} never came to its end")
        self.assert_well(node, node.stop())

    def test_a_produce_that_times_out_before_its_flush(self):
        node = self.node(**{"log.flush.interval.messages": 1})
        with Connection(node.port) as connection:
            for round in range(20):
                request = header(PRODUCE, 7) + produce_body("t", round % PARTITIONS, batch(b"v"), timeout=0)
                connection.send((i32(len(request)) + request) * 20)
                for _ in range(20):
                    answer = wire.Reader(connection.read_frame()[4:])
                    answer.i32(), answer.string(), answer.i32(), answer.i32()
                    self.assertIn(answer.i16(), (0, 7))
        self.assert_well(node, node.stop())

    def test_a_stop_under_load_is_clean(self):
        node = self.node()
        for _ in range(3):
            load = Load(node)
            load.run(load.produce, 2)
            load.run(load.consume, 2)
            load.run(load.leave_in_the_middle, 2)
            load.run(load.make_and_delete_topics)
            time.sleep(1.5)
            node.process.send_signal(signal.SIGTERM)
            time.sleep(0.01)
            if node.is_running():
                node.process.send_signal(signal.SIGTERM)  # an impatient operator
            code = node.wait_exit()
            load.end()
            self.assert_well(node, code)
            node.start()
            # The metadata log is checked from its beginning at every start.
            self.assertFalse([line for line in node.output
                              if "Recovering" in line and "__cluster_metadata-0" not in line])
        self.assert_well(node, node.stop())

    @unittest.skipIf(settings.server == "kafka", "a JVM ends in its own way")
    @unittest.skipIf(settings.server == "kafka", "its stop may tell of no broker for a moment")
    def test_a_stop_never_tells_of_no_broker(self):
        """A consumer of librdkafka that was told so never connected again, though the node was back at once."""
        with Node() as node:
            empty = []

            def ask(_):
                with Connection(node.port) as connection:
                    while True:
                        answer = connection.call(METADATA, 1, i32(-1))
                        if not answer.array(lambda: (answer.i32(), answer.string(), answer.i32(), answer.string())):
                            empty.append(answer.content)

            for _ in range(5):
                load = Load(node)
                load.run(ask, times=4)
                time.sleep(0.2)
                self.assertEqual(node.stop(), 0)
                load.over.set()
                for thread in load.threads:
                    thread.join()
                self.assertEqual(load.errors, [])
                node.start()
            self.assertEqual(empty, [])

    def test_a_stop_during_the_start_is_clean(self):
        node = self.node()
        self.assert_well(node, node.stop())
        for milliseconds in range(0, 200, 10):
            node.spawn()
            time.sleep(milliseconds / 1000)
            node.process.send_signal(signal.SIGTERM)
            code = node.wait_exit()
            self.assertIn(code, (0, -signal.SIGTERM), node.tail())  # -SIGTERM: before anything was begun
            self.assertFalse([line for line in node.output if any(c in line for c in COMPLAINTS)])
        node.start()
        self.assert_well(node, node.stop())
