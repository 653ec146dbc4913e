"""One data directory, two servers in turn: Moldau starts on what Apache Kafka wrote and Kafka on what Moldau
wrote; records, offsets, topic ids, configs and group offsets stay. Kafka's DumpLogSegments reads our files."""
import pathlib
import random
import re
import unittest

from clients import Record, confluent_client
from harness import java, settings
from harness.node import Node

BASE_TIME = 1_700_000_000_000
CODECS = confluent_client.CODECS


class Handover(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")

    def node_written_by(self, server):
        """A node with topics, records of every codec, configs and a group, stopped cleanly."""
        node = Node(server=server)
        self.addCleanup(node.close)
        # What both sides serve: features of later work stay at level 0.
        if server == "kafka":
            node.write_properties()
            done = node.tool("kafka-storage", "format", "-t", "handover-cluster", "-c",
                             node.properties_file, "--standalone", *self.features())
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        node.start()
        client = confluent_client.Client(node.bootstrap)
        client.create_topic("kept", 3, {"segment.bytes": "1048576", "retention.ms": "-1"})
        client.create_topic("squeezed", 1, {"cleanup.policy": "compact"})
        chooser = random.Random(1)
        sent = []
        for codec in CODECS:
            # Half noise, half zeros: a client sends a batch plainly when compressing does not help.
            records = [Record(chooser.randbytes(chooser.randrange(1500)) + b"\0" * 1500, key=b"%d" % i,
                              headers=(("codec", codec.encode()),), timestamp=BASE_TIME + i,
                              partition=i % 3) for i in range(600)]
            sent += records
            client.produce("kept", records, codec, idempotent=codec == "lz4")
        client.produce("squeezed", [Record(b"%d" % i, key=b"%d" % (i % 7)) for i in range(50)])
        self.commit(node, "readers", 700)
        return node, sent

    @staticmethod
    def features():
        """Level 0 for every feature whose records Moldau does not serve yet."""
        return [word for feature in ("transaction.version", "group.version", "share.version",
                                     "streams.version")
                for word in ("--feature", f"{feature}=0")]

    def commit(self, node, group, count):
        consumer = confluent_client.Consumer(node.bootstrap, group, ["kept"])
        found = []
        for _ in range(200):
            found += consumer.poll()
            if len(found) >= count:
                break
        consumer.commit()
        consumer.close()

    def state(self, node):
        """Everything that must survive a change of server."""
        def run(tool, *arguments):
            done = java.run(tool, "--bootstrap-server", node.bootstrap, *arguments)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return done.stdout

        client = confluent_client.Client(node.bootstrap)
        records = client.read("kept", 3000)
        described = run("kafka-topics", "--describe", "--exclude-internal")
        group = run("kafka-consumer-groups", "--describe", "--group", "readers")
        return {
            "records": sorted((r.partition, r.offset, *r.content()) for r in records),
            "squeezed": [(r.offset, r.key, r.value) for r in client.read("squeezed", 50)],
            "topic ids": sorted(re.findall(r"Topic: (\S+)\s+TopicId: (\S+)", described)),
            "configs": {name: {key: value for key, value in client.topic_config(name).items()
                               if key in ("segment.bytes", "retention.ms", "cleanup.policy")}
                        for name in ("kept", "squeezed")},
            "group": sorted(re.findall(r"readers\s+kept\s+(\d+)\s+(\d+)\s+(\d+)", group)),
            "end offsets": sorted(run("kafka-get-offsets", "--exclude-internal-topics").split()),
        }

    def hand_over(self, first, second):
        node, sent = self.node_written_by(first)
        before = self.state(node)
        self.assertEqual(len(before["records"]), len(sent))
        self.assertIn(node.stop(), (0, 143, -15))
        node.server = second
        node.start()
        self.assertEqual(self.state(node), before)
        # It is alive, not only readable: records go in, the group goes on, a topic is made and deleted.
        client = confluent_client.Client(node.bootstrap)
        client.produce("kept", [Record(b"after", partition=p) for p in range(3)], idempotent=True)
        client.create_topic("made-after", 2)
        client.delete_topic("squeezed")
        self.commit(node, "readers", 100)
        self.assertIn(node.stop(), (0, 143, -15))
        # And back again.
        node.server = first
        node.start()
        back = confluent_client.Client(node.bootstrap)
        self.assertEqual(len(back.read("kept", len(sent) + 3)), len(sent) + 3)
        self.assertIn("made-after", back.topics())
        self.assertNotIn("squeezed", back.topics())
        node.stop()

    def test_moldau_takes_over_from_kafka_and_hands_back(self):
        if settings.server == "kafka":
            self.skipTest("this test is about Moldau")
        self.hand_over("kafka", "moldau")

    def test_kafka_takes_over_from_moldau_and_hands_back(self):
        if settings.server == "kafka":
            self.skipTest("this test is about Moldau")
        self.hand_over("moldau", "kafka")

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
                node.write_properties()
                done = node.tool("kafka-storage", "format", "-t", "handover-cluster", "-c",
                                 node.properties_file, "--standalone", *self.features())
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
        node, sent = self.node_written_by(settings.server)
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
