"""What a power cut does to the files, done by hand after a kill -9: everything that was not synced goes. The
journal brings back what was acknowledged, also when Apache Kafka ran on the directory in between."""
import os
import pathlib
import unittest

from clients import Record, confluent_client
from harness import settings
from harness.node import Node, wait_until


def data_files(log_dir):
    for directory in pathlib.Path(log_dir).iterdir():
        if directory.is_dir() and not directory.name.startswith("__cluster_metadata"):
            yield from directory.glob("*.log")


def lose_what_came_after(sizes):
    """Cuts every data file to what a clean stop had left; returns how many bytes went."""
    lost = 0
    for path, size in sizes.items():
        lost += path.stat().st_size - size
        os.truncate(path, size)
        for suffix in (".index", ".timeindex"):
            path.with_suffix(suffix).unlink(missing_ok=True)
    return lost


@unittest.skipIf(settings.server == "kafka", "this test is about Moldau")
class PowerCut(unittest.TestCase):
    def node_that_lost_power(self):
        node = Node()
        self.addCleanup(node.close)
        node.start()
        client = confluent_client.Client(node.bootstrap)
        client.create_topic("kept", 3)
        client.create_topic("quick", 1, {"moldau.ack": "memory"})
        places = client.produce("kept", [Record(b"%d" % i, partition=i) for i in range(3)])
        client.produce("quick", [Record(b"first")])
        self.consume(node, 3)
        # From here on everything is small and its directories are there: the journal takes it all.
        self.assertIn(node.stop(), (0, 143, -15))
        sizes = {path: path.stat().st_size for path in data_files(node.log_dir)}
        node.start()
        client = confluent_client.Client(node.bootstrap)
        for part in range(4):
            records = [Record(b"%d" % i, key=b"%d" % i, partition=i % 3)
                       for i in range(3 + part * 100, 103 + part * 100)]
            places += client.produce("kept", records, idempotent=part % 2 == 1)
        for i in range(5):
            client.produce("quick", [Record(b"%d" % i)])
        self.consume(node, 400)
        node.kill()
        self.assertTrue(list(pathlib.Path(node.log_dir).glob("moldau-journal-*.log")))
        self.assertGreater(lose_what_came_after(sizes), 0)
        return node, places

    @staticmethod
    def consume(node, count):
        """A member of the group reads that much more, and commits."""
        consumer = confluent_client.Consumer(node.bootstrap, "readers", ["kept"])
        found = []
        wait_until(lambda: found.extend(consumer.poll()) or len(found) >= count, what="records")
        consumer.commit()
        consumer.close()

    def check(self, node, places):
        client = confluent_client.Client(node.bootstrap)
        records = client.read("kept", len(places))
        self.assertEqual(len({(r.partition, r.offset) for r in records}), len(places))
        by_place = {(r.partition, r.offset): r.value for r in records}
        self.assertEqual([by_place[place] for place in places],
                         [b"%d" % i for i in range(len(places))])
        return client

    def test_everything_acknowledged_is_back(self):
        node, places = self.node_that_lost_power()
        node.start()
        client = self.check(node, places)
        self.assertEqual(client.committed("readers", "kept", 3), len(places))
        self.assertIn(node.stop(), (0, 143, -15))
        self.assertFalse(list(pathlib.Path(node.log_dir).glob("moldau-journal-*")))

    def test_nothing_is_put_behind_what_kafka_appended_meanwhile(self):
        if not settings.have_kafka():
            self.skipTest("Kafka's jars or java are missing (prepare.py jars)")
        node, places = self.node_that_lost_power()
        node.server = "kafka"
        node.start()
        kafka = confluent_client.Client(node.bootstrap)
        # What only the journal held is lost to Kafka; it goes on where its segments end.
        added = kafka.produce("kept", [Record(b"kafka-%d" % i, partition=i) for i in range(2)])
        node.kill()
        node.server = "moldau"
        node.start()
        client = confluent_client.Client(node.bootstrap)
        whole = [place for place in places if place[0] == 2]
        found = client.read("kept", len(whole) + 4)
        by_place = {(r.partition, r.offset): r.value for r in found}
        self.assertEqual(len(by_place), len(found))
        for place, value in zip(added, [b"kafka-0", b"kafka-1"]):
            self.assertEqual(by_place[place], value)
            self.assertEqual(max(p[1] for p in by_place if p[0] == place[0]), place[1])
        # Where Kafka appended nothing, what was acknowledged comes back.
        for place in whole:
            self.assertIn(place, by_place)
        client.produce("kept", [Record(b"after", partition=p) for p in range(3)])
        self.assertIn(node.stop(), (0, 143, -15))

    def test_a_clean_stop_of_kafka_makes_the_journal_void(self):
        if not settings.have_kafka():
            self.skipTest("Kafka's jars or java are missing (prepare.py jars)")
        node, places = self.node_that_lost_power()
        node.server = "kafka"
        node.start()
        self.assertIn(node.stop(), (0, 143, -15))
        self.assertTrue(list(pathlib.Path(node.log_dir).glob("moldau-journal-*.log")))
        node.server = "moldau"
        node.start()
        client = confluent_client.Client(node.bootstrap)
        left = client.read("kept", 3)
        self.assertLess(len(left), len(places))
        node.stop()
        self.assertFalse(list(pathlib.Path(node.log_dir).glob("moldau-journal-*")))


if __name__ == "__main__":
    unittest.main()
