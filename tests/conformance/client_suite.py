"""What every client library must be able to do; test_<library>.py binds it to one."""
import json
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

from clients import Record
from harness.node import Node, wait_until

HERE = pathlib.Path(__file__).resolve().parent
BASE_TIME = 1_700_000_000_000


class Member:
    """A group member in its own process."""

    def __init__(self, module, bootstrap, group, topic):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "clients/member.py"), module, bootstrap, group, topic],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assigned, self.places, self.closed = [], [], False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if "assigned" in event:
                self.assigned = event["assigned"]
            elif "offset" in event:
                self.places.append((event["partition"], event["offset"]))
            self.closed = self.closed or "closed" in event

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def kill(self):
        self.process.kill()
        self.process.wait()


def spread(members, partitions):
    """Whether the members own all partitions, each exactly one owner and nobody idle."""
    owned = sorted(p for member in members for p in member.assigned)
    return owned == list(range(partitions)) and all(member.assigned for member in members)


class ClientSuite(unittest.TestCase):
    """Bound by `module = "..."` (a module of clients/) and `lib` (the module itself)."""

    module = None
    lib = None

    @classmethod
    def setUpClass(cls):
        if cls.lib is None:
            raise unittest.SkipTest("the suite itself")
        cls.node = Node().start()
        cls.client = cls.lib.Client(cls.node.bootstrap)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.node.close()

    def topic(self, partitions=1, config=None):
        name = f"{self._testMethodName}-{random.randrange(10**9)}"
        self.client.create_topic(name, partitions, config)
        return name

    def test_every_codec_keeps_every_byte(self):
        chooser = random.Random(7)
        for codec in self.lib.CODECS:
            with self.subTest(codec=codec):
                topic = self.topic(2)
                records = [
                    Record(b"plain", timestamp=BASE_TIME),
                    Record(b"", key=b"", timestamp=BASE_TIME + 1),
                    Record(None, key=b"tombstone", timestamp=BASE_TIME + 2, partition=1),
                    Record(b"h", headers=(("a", b"1"), ("a", b"2"), ("empty", b"")), partition=1,
                           timestamp=BASE_TIME + 3),
                    Record("žluťoučký kůň".encode(), key="klíč".encode(), timestamp=BASE_TIME + 4),
                    Record(chooser.randbytes(900 * 1024), key=b"big", timestamp=BASE_TIME + 5),
                    Record(b"z" * 900 * 1024, timestamp=BASE_TIME + 6, partition=1),
                    *(Record(chooser.randbytes(chooser.randrange(200)), key=b"%d" % i,
                             timestamp=BASE_TIME + 10 + i, partition=i % 2) for i in range(500)),
                ]
                places = self.client.produce(topic, records, codec)
                found = self.client.read(topic, len(records))
                by_place = {(r.partition, r.offset): r.content() for r in found}
                self.assertEqual(len(found), len(records))
                for record, place in zip(records, places):
                    self.assertEqual(by_place[place], record.content())

    def test_offsets_are_dense_and_in_order(self):
        topic = self.topic(1)
        for start in range(0, 300, 100):
            places = self.client.produce(topic, [Record(b"%d" % i) for i in range(start, start + 100)])
            self.assertEqual(places, [(0, i) for i in range(start, start + 100)])
        values = [int(record.value) for record in self.client.read(topic, 300)]
        self.assertEqual(values, list(range(300)))

    def test_idempotent_producer_writes_each_record_once(self):
        topic = self.topic(1)
        self.client.produce(topic, [Record(b"%d" % i) for i in range(2000)], idempotent=True)
        values = [int(record.value) for record in self.client.read(topic, 2000)]
        self.assertEqual(values, list(range(2000)))

    def test_seek_by_time(self):
        topic = self.topic(1)
        self.client.produce(topic, [Record(b"%d" % i, timestamp=BASE_TIME + 1000 * i) for i in range(50)])
        self.assertEqual(self.client.offset_for_time(topic, 0, BASE_TIME + 20_000), 20)
        self.assertEqual(self.client.offset_for_time(topic, 0, BASE_TIME + 20_001), 21)
        self.assertEqual(self.client.offset_for_time(topic, 0, 0), 0)
        found = self.client.read(topic, 30, offsets={0: 20})
        self.assertEqual(int(found[0].value), 20)

    def test_topics_are_created_altered_described_and_deleted(self):
        topic = self.topic(2, {"retention.ms": "3600000"})
        self.assertIn(topic, self.client.topics())
        self.assertEqual(self.client.partitions(topic), {0, 1})
        self.assertEqual(self.client.topic_config(topic)["retention.ms"], "3600000")
        self.client.alter_topic_config(topic, "max.message.bytes", "2000000")
        self.assertEqual(self.client.topic_config(topic)["max.message.bytes"], "2000000")
        self.client.add_partitions(topic, 5)
        wait_until(lambda: self.client.partitions(topic) == set(range(5)), what="five partitions")
        self.client.produce(topic, [Record(b"x", partition=p) for p in range(5)])
        self.client.delete_topic(topic)
        wait_until(lambda: topic not in self.client.topics(), what="the topic is gone")

    def test_creating_a_topic_twice_fails(self):
        topic = self.topic()
        with self.assertRaises(Exception) as caught:
            self.client.create_topic(topic)
        self.assertRegex(f"{type(caught.exception).__name__} {caught.exception}",
                         "(?i)already.?exists")

    def test_group_of_three_joins_leaves_and_survives_a_kill(self):
        topic, group = self.topic(6), f"g-{random.randrange(10**9)}"
        self.client.produce(topic, [Record(b"%d" % i, partition=i % 6) for i in range(600)])
        members = []
        try:
            for count in (1, 2, 3):
                members.append(Member(self.module, self.node.bootstrap, group, topic))
                wait_until(lambda: spread(members, 6), 40, f"{count} members share six partitions")
            self.client.produce(topic, [Record(b"%d" % i, partition=i % 6) for i in range(600)])
            everything = {(p, offset) for p in range(6) for offset in range(200)}
            wait_until(lambda: everything <= {place for m in members for place in m.places}, 40,
                       "every record reaches a member")
            first = members.pop(0)
            first.leave()
            self.assertTrue(first.closed)
            wait_until(lambda: spread(members, 6), 40, "two members after a leave")
            members.pop(0).kill()
            wait_until(lambda: spread(members, 6), 40, "one member after a kill")
            self.client.produce(topic, [Record(b"last", partition=p) for p in range(6)])
            wait_until(lambda: {(p, 200) for p in range(6)} <= set(members[0].places), 40,
                       "the last member reads on")
        finally:
            for member in members:
                member.kill()

    def test_committed_offsets_survive_a_restart(self):
        topic, group = self.topic(1), f"g-{random.randrange(10**9)}"
        self.client.produce(topic, [Record(b"%d" % i) for i in range(100)])

        def read_some(count):
            consumer = self.lib.Consumer(self.node.bootstrap, group, [topic])
            found, deadline = [], time.monotonic() + 40
            while len(found) < count and time.monotonic() < deadline:
                found += [record.offset for record in consumer.poll()]
            consumer.commit()
            consumer.close()
            return found

        first = read_some(100)
        self.assertEqual(first, list(range(100)))
        self.node.restart()
        # kafka-python 2.0.2 does not try a lost admin connection again.
        type(self).client = self.lib.Client(self.node.bootstrap)
        self.client.produce(topic, [Record(b"%d" % i) for i in range(100, 150)])
        self.assertEqual(read_some(50), list(range(100, 150)))
        self.assertEqual(len(self.client.read(topic, 150)), 150)
