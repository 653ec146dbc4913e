"""Compacted topics, as Kafka's LogCompactionTester tries them: random keys and tombstones while the cleaner runs,
then what is left must be the last value of every key. Kafka's tools and Kafka itself read what was cleaned."""
import pathlib
import random
import re
import time
import unittest

from clients import Record, confluent_client
from harness import java, settings
from harness.node import Node

CODECS = confluent_client.CODECS
PROPERTIES = {
    "log.cleaner.backoff.ms": 100,
    "log.cleaner.min.cleanable.ratio": "0.01",
    "log.initial.task.delay.ms": 100,
    # Commits come slowly: segments end by time.
    "log.roll.ms": 200,
    "offsets.topic.num.partitions": 1,
}
TOPIC = {"cleanup.policy": "compact", "segment.ms": "200", "delete.retention.ms": "100"}
PARTITIONS = 2


class Compaction(unittest.TestCase):
    def setUp(self):
        self.node = Node(properties=PROPERTIES)
        self.addCleanup(self.node.close)
        self.node.start()
        self.client = confluent_client.Client(self.node.bootstrap)

    def cleaned_up_to(self):
        """{partition name: first dirty offset} by the cleaner's checkpoint."""
        try:
            lines = (self.node.log_dir / "cleaner-offset-checkpoint").read_text().splitlines()[2:]
        except FileNotFoundError:
            return {}
        return {f"{topic}-{partition}": int(offset)
                for topic, partition, offset in (line.split() for line in lines)}

    def wait_cleaned(self, ends, again=lambda: None):
        """Waits until the cleaner has been through everything below `ends`; `again` makes segments end."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            done = self.cleaned_up_to()
            if all(done.get(name, 0) >= end for name, end in ends.items()):
                return
            again()
            time.sleep(0.3)
        self.fail(f"not cleaned: wanted {ends}, checkpoint {self.cleaned_up_to()}\n"
                  + "\n".join(self.node.output[-20:]))

    def load(self, rounds, seed):
        """Produces and returns (last value of every key, next offset of every partition)."""
        chooser = random.Random(seed)
        model, ends = {}, {}
        for number in range(rounds):
            records = []
            for i in range(800):
                key = b"key-%d" % chooser.randrange(150)
                value = None if chooser.random() < 0.2 else b"%d-%d-" % (number, i) + bytes(200)
                records.append(Record(value, key=key, partition=key[-1] % PARTITIONS))
            places = self.client.produce("compacted", records, chooser.choice(CODECS),
                                         idempotent=chooser.random() < 0.5)
            for record, (partition, offset) in zip(records, places):
                model[(partition, record.key)] = (offset, record.value)
                ends[f"compacted-{partition}"] = offset + 1
            time.sleep(0.25)
        return model, ends

    def poke(self):
        """One record per partition, so that the segments before it may be cleaned."""
        for partition in range(PARTITIONS):
            self.client.produce("compacted", [Record(b"x", key=b"poke", partition=partition)])

    def assert_holds(self, model):
        found, count = self.read_all()
        wanted = {key: value for key, value in model.items() if value[1] is not None}
        alive = {key: value for key, value in found.items() if value[1] is not None}
        self.assertEqual(alive, wanted)
        for key, value in found.items():
            self.assertEqual(value, model[key])
        return count

    def read_all(self):
        ends = {p: self.client.produce("compacted", [Record(b"end", key=b"poke", partition=p)])[0][1]
                for p in range(PARTITIONS)}
        consumer = confluent_client.confluent_kafka.Consumer(
            {"bootstrap.servers": self.node.bootstrap, "group.id": "reader", "enable.auto.commit": False})
        consumer.assign([confluent_client.TopicPartition("compacted", p, 0) for p in ends])
        last, count, deadline = {}, 0, time.monotonic() + 60
        while ends and time.monotonic() < deadline:
            for message in consumer.consume(500, timeout=0.5):
                self.assertIsNone(message.error())
                if message.offset() >= ends.get(message.partition(), 1 << 62):
                    ends.pop(message.partition())
                count += 1
                last[(message.partition(), message.key())] = (message.offset(), message.value())
        consumer.close()
        self.assertEqual(ends, {})
        return {key: value for key, value in last.items() if key[1] != b"poke"}, count

    def test_the_last_value_of_every_key_is_left(self):
        self.client.create_topic("compacted", PARTITIONS, TOPIC)
        model, ends = self.load(6, 1)
        self.wait_cleaned(ends, self.poke)
        count = self.assert_holds(model)
        self.assertLess(count, 1500, "of 4800 records")
        more, ends = self.load(4, 2)
        model.update(more)
        # Killed while it cleans, more than once.
        for _ in range(3):
            self.node.kill()
            self.node.start()
            self.poke()
            time.sleep(0.3)
        self.assert_holds(model)
        self.wait_cleaned(ends, self.poke)
        self.assert_holds(model)
        self.node.stop()
        self.dump("compacted-*", "--deep-iteration")
        if settings.server == "kafka" or not settings.have_kafka():
            return
        self.node.server = "kafka"
        self.node.start()
        self.client = confluent_client.Client(self.node.bootstrap)
        self.assert_holds(model)
        self.node.stop()
        self.node.server = "moldau"
        self.node.start()
        self.client = confluent_client.Client(self.node.bootstrap)
        self.assert_holds(model)

    def test_group_offsets_are_compacted_and_stay(self):
        self.client.create_topic("read", 3)
        self.client.produce("read", [Record(b"%d" % i, partition=i % 3) for i in range(900)])
        consumer = confluent_client.Consumer(self.node.bootstrap, "readers", ["read"])
        read, deadline = 0, time.monotonic() + 60
        while read < 900 and time.monotonic() < deadline:
            read += len(consumer.poll(0.05))
        self.assertEqual(read, 900)

        places = [confluent_client.TopicPartition("read", p, 300) for p in range(3)]

        def again():
            consumer.consumer.commit(offsets=places, asynchronous=False)

        for _ in range(10):
            again()
            time.sleep(0.1)
        self.wait_cleaned({"__consumer_offsets-0": 10}, again)
        done = self.cleaned_up_to()["__consumer_offsets-0"]
        consumer.close()
        self.node.stop()
        if settings.have_kafka():
            out = self.dump("__consumer_offsets-0", "--offsets-decoder")
            below = [int(offset) for offset in re.findall(r"^\| offset: (\d+) .*offset_commit", out, re.M)
                     if int(offset) < done]
            self.assertLessEqual(len(below), 3, "one commit for each partition is left")
        self.node.start()
        after = confluent_client.confluent_kafka.Consumer(
            {"bootstrap.servers": self.node.bootstrap, "group.id": "readers"})
        committed = after.committed([confluent_client.TopicPartition("read", p) for p in range(3)], timeout=30)
        after.close()
        self.assertEqual([each.offset for each in committed], [300, 300, 300])

    def dump(self, partitions, *options):
        if not settings.have_kafka():
            return ""
        folder = pathlib.Path(self.node.log_dir)
        text = ""
        for kind, extra in (("log", options), ("index", ("--index-sanity-check",)),
                            ("timeindex", ("--index-sanity-check",))):
            files = sorted(map(str, folder.glob(f"{partitions}/*.{kind}")))
            self.assertTrue(files)
            done = java.run("kafka-dump-log", "--files", ",".join(files), *extra)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotRegex(done.stdout, r"Mismatches|Found timestamp mismatch|isvalid: false")
            text += done.stdout
        return text
