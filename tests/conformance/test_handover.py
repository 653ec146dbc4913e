"""What one server refuses of the other's directory, preallocated segments, and Kafka's dump tool on our files.
The whole exchange is in test_exchange.py."""
import pathlib
import random
import re
import unittest

from clients import Record, confluent_client
from harness import java, settings
from harness.node import SHARED_FEATURES, Node

BASE_TIME = 1_700_000_000_000
CODECS = confluent_client.CODECS


class Handover(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")

    def node_written_to(self):
        """A running node with records of every codec, configs and a group."""
        node = Node()
        self.addCleanup(node.close)
        node.start()
        client = confluent_client.Client(node.bootstrap)
        client.create_topic("kept", 3, {"segment.bytes": "1048576", "retention.ms": "-1"})
        chooser = random.Random(1)
        sent = []
        for codec in CODECS:
            # Half noise, half zeros: a client sends a batch plainly when compressing does not help.
            records = [Record(chooser.randbytes(chooser.randrange(1500)) + b"\0" * 1500, key=b"%d" % i,
                              headers=(("codec", codec.encode()),), timestamp=BASE_TIME + i,
                              partition=i % 3) for i in range(600)]
            sent += records
            client.produce("kept", records, codec, idempotent=codec == "lz4")
        self.commit(node, "readers", 700)
        return node, sent

    def commit(self, node, group, count):
        consumer = confluent_client.Consumer(node.bootstrap, group, ["kept"])
        found = []
        for _ in range(200):
            found += consumer.poll()
            if len(found) >= count:
                break
        consumer.commit()
        consumer.close()

    def test_a_directory_with_features_of_later_work_is_refused(self):
        if settings.server == "kafka":
            self.skipTest("this test is about Moldau")
        node = Node(server="kafka")
        self.addCleanup(node.close)
        node.start()
        node.stop()
        node.server = "moldau"
        node.spawn()
        self.assertEqual(node.wait_exit(30), 1)
        self.assertRegex("\n".join(node.output), r"(group|transaction|share|streams)\.version")

    def test_preallocated_segments_of_a_killed_server_are_served_by_the_other(self):
        if settings.server == "kafka":
            self.skipTest("this test is about Moldau")
        for first, second in (("moldau", "kafka"), ("kafka", "moldau")):
            node = Node(server=first, properties={"log.preallocate": "true", "log.segment.bytes": 1 << 20})
            self.addCleanup(node.close)
            if first == "kafka":
                done = node.format(*SHARED_FEATURES)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            node.start()
            client = confluent_client.Client(node.bootstrap)
            client.create_topic("kept", 1)
            sent = [Record(b"%d" % i + bytes(1000), key=b"%d" % i) for i in range(1500)]
            client.produce("kept", sent)
            active = max(node.log_dir.glob("kept-0/*.log"))
            self.assertNotEqual(active.name, "0" * 20 + ".log", "a segment was rolled")
            self.assertEqual(active.stat().st_size, 1 << 20)
            self.assertLess((node.log_dir / "kept-0" / ("0" * 20 + ".log")).stat().st_size, 1 << 20)
            node.kill()
            node.server = second
            node.start()
            client = confluent_client.Client(node.bootstrap)
            client.produce("kept", [Record(b"after", key=b"after")])
            found = client.read("kept", len(sent) + 1)
            self.assertEqual([record.key for record in found], [record.key for record in sent] + [b"after"])
            node.stop()

    def test_kafkas_dump_tool_reads_every_file(self):
        node, sent = self.node_written_to()
        node.kill()
        node.start()
        client = confluent_client.Client(node.bootstrap)
        client.produce("kept", [Record(b"x" * 200_000, partition=0) for _ in range(12)])
        node.stop()

        def dump(files, *options):
            done = java.run("kafka-dump-log", "--files", ",".join(map(str, sorted(files))), *options)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotRegex(done.stdout, r"Mismatches|Found timestamp mismatch|isvalid: false")
            return done.stdout

        folder = pathlib.Path(node.log_dir)
        logs = list(folder.glob("kept-*/*.log"))
        self.assertGreater(len(logs), 3, "segments were rolled")
        out = dump(logs, "--deep-iteration", "--print-data-log")
        self.assertEqual(len(re.findall(r"^\| offset: ", out, re.M)), len(sent) + 12)
        codecs = {name.lower() for name in re.findall(r"compresscodec: (\w+)", out)}
        self.assertEqual(codecs, set(CODECS))
        dump(folder.glob("kept-*/*.index"), "--index-sanity-check")
        dump(folder.glob("kept-*/*.timeindex"), "--index-sanity-check")
        snapshots = list(folder.glob("kept-*/*.snapshot"))
        self.assertTrue(snapshots)
        dump(snapshots)
        out = dump(folder.glob("__consumer_offsets-*/*.log"), "--offsets-decoder")
        self.assertIn("readers", out)
        out = dump(folder.glob("__cluster_metadata-0/*.log"), "--cluster-metadata-decoder")
        for kind in ("REGISTER_BROKER_RECORD", "TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD"):
            self.assertIn(kind, out)
        checkpoints = list(folder.glob("__cluster_metadata-0/*.checkpoint"))
        self.assertTrue(checkpoints)
        dump(checkpoints, "--cluster-metadata-decoder")
