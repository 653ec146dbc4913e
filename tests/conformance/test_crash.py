"""kill -9 of the node every few seconds under idempotent load: every acknowledged record is there once, in
order per partition."""
import collections
import os
import random
import threading
import time
import unittest

import confluent_kafka

from clients import confluent_client
from harness.node import Node

SECONDS = float(os.environ.get("MOLDAU_CRASH_SECONDS", "60"))
PARTITIONS = 3
SETTINGS = {
    "enable.idempotence": True, "acks": "all", "linger.ms": 2, "message.timeout.ms": 120000,
    "retry.backoff.ms": 50, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200,
    "log_level": 0, "compression.type": "lz4",
}


class Load:
    """One idempotent producer that writes 0, 1, 2 ... to each partition and notes what was acknowledged."""

    def __init__(self, bootstrap, topic):
        self.producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, **SETTINGS})
        self.topic = topic
        self.acked = collections.defaultdict(list)
        self.failed = []
        self.stopping = False
        self.next = [0] * PARTITIONS
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _delivered(self, error, message):
        if error is not None:
            self.failed.append(error)
        else:
            self.acked[message.partition()].append((int(message.key()), message.offset()))

    def _run(self):
        while not self.stopping:
            for partition in range(PARTITIONS):
                number = self.next[partition]
                try:
                    self.producer.produce(self.topic, key=b"%d" % number, value=b"v" * (number % 300),
                                          partition=partition, on_delivery=self._delivered)
                    self.next[partition] += 1
                except BufferError:
                    self.producer.poll(0.05)
            self.producer.poll(0.001)

    def finish(self):
        self.stopping = True
        self.thread.join()
        return self.producer.flush(120)


class Crash(unittest.TestCase):
    def test_acknowledged_records_survive_kill_9(self):
        node = Node()
        self.addCleanup(node.close)
        node.start()
        client = confluent_client.Client(node.bootstrap)
        client.create_topic("crash", PARTITIONS, {"segment.bytes": "1048576"})
        load = Load(node.bootstrap, "crash")
        chooser, kills = random.Random(11), 0
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                time.sleep(chooser.uniform(1.0, 4.0))
                node.kill()
                kills += 1
                node.start()
        finally:
            left = load.finish()
        self.assertEqual(left, 0, "records still waiting for an acknowledgement")
        self.assertEqual(load.failed, [])
        total = sum(load.next)
        found = client.read("crash", total, seconds=120)
        by_partition = collections.defaultdict(list)
        for record in found:
            by_partition[record.partition].append((int(record.key), record.offset))
        for partition in range(PARTITIONS):
            numbers = [number for number, _ in by_partition[partition]]
            self.assertEqual(numbers, list(range(load.next[partition])), f"partition {partition}")
            # After a crash the answer may be lost, and a repeated batch is then known without its offset.
            known = [place for place in load.acked[partition] if place[1] >= 0]
            self.assertLessEqual(set(known), set(by_partition[partition]))
        print(f"{total} records, {kills} kills, "
              f"{sum(len(places) for places in load.acked.values())} acknowledged")
        self.assertGreater(kills, 2)


if __name__ == "__main__":
    unittest.main()
