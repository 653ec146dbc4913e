"""The same questions to Moldau and to Apache Kafka, asked by Kafka's own tools: the answers are the same text."""
import re
import unittest

from harness import java, settings
from harness.node import Node

QUESTIONS_OF_CONFIGS = {
    "every key of the broker": ("--entity-type", "brokers", "--entity-name", "1", "--describe", "--all"),
    "dynamic keys of the broker": ("--entity-type", "brokers", "--entity-name", "1", "--describe"),
    "cluster defaults": ("--entity-type", "brokers", "--entity-default", "--describe"),
    "every key of a topic": ("--entity-type", "topics", "--entity-name", "t", "--describe", "--all"),
    "a topic's own keys": ("--entity-type", "topics", "--entity-name", "t", "--describe"),
    "every key of a group": ("--entity-type", "groups", "--entity-name", "g", "--describe", "--all"),
}
BAD_CHANGES = {
    "unknown topic key": ("--entity-type", "topics", "--entity-name", "t", "--add-config", "nosuch=1"),
    "bad topic value": ("--entity-type", "topics", "--entity-name", "t", "--add-config", "retention.ms=abc"),
    "topic value out of range": ("--entity-type", "topics", "--entity-name", "t", "--add-config",
                                 "segment.bytes=1"),
    "conflicting lags": ("--entity-type", "topics", "--entity-name", "t", "--add-config",
                         "min.compaction.lag.ms=9,max.compaction.lag.ms=8"),
    "unknown topic": ("--entity-type", "topics", "--entity-name", "nowhere", "--add-config",
                      "retention.ms=1"),
    "read-only broker key": ("--entity-type", "brokers", "--entity-name", "1", "--add-config",
                             "num.partitions=3"),
    "too large a step": ("--entity-type", "brokers", "--entity-name", "1", "--add-config",
                         "num.io.threads=100"),
    "group value out of bounds": ("--entity-type", "groups", "--entity-name", "g", "--add-config",
                                  "consumer.session.timeout.ms=1"),
    "unknown group key": ("--entity-type", "groups", "--entity-name", "g", "--add-config", "nosuch=1"),
}


class Parity(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")
        if settings.server == "kafka":
            raise unittest.SkipTest("this compares Moldau with Kafka")
        cls.nodes = {}
        for server in ("moldau", "kafka"):
            node = cls.nodes[server] = Node({"log.retention.hours": 5, "num.io.threads": 6,
                                             "message.max.bytes": 2000000}, server=server)
            node.start()
            for arguments in (
                    ("--create", "--topic", "t", "--partitions", "3", "--config", "cleanup.policy=compact,delete",
                     "--config", "retention.ms=77777", "--config", "segment.bytes=2000000"),
                    ("--create", "--topic", "u")):
                done = java.run("kafka-topics", "--bootstrap-server", node.bootstrap, *arguments)
                assert done.returncode == 0, done.stdout + done.stderr
            for arguments in (
                    ("--entity-type", "brokers", "--entity-default", "--add-config", "log.segment.bytes=3000000"),
                    ("--entity-type", "brokers", "--entity-name", "1", "--add-config",
                     "log.retention.ms=123456,log.cleaner.threads=2")):
                done = java.run("kafka-configs", "--bootstrap-server", node.bootstrap, "--alter", *arguments)
                assert done.returncode == 0, done.stdout + done.stderr

    @classmethod
    def tearDownClass(cls):
        for node in getattr(cls, "nodes", {}).values():
            node.close()

    def ask(self, server, tool, *arguments, after=False):
        """(exit code, stdout, last words of stderr) with what must differ replaced."""
        node = self.nodes[server]
        address = ("--bootstrap-server", node.bootstrap)
        done = java.run(tool, *(arguments + address if after else address + arguments))

        def neutral(text):
            for was, now in ((str(node.directory), "DIR"), (str(node.port), "PORT"),
                             (str(node.controller_port), "CPORT")):
                text = text.replace(was, now)
            text = re.sub(r"TopicId: \S+", "TopicId: ID", text)
            # Kafka lists a topic's configs in the order of a hash map.
            text = re.sub(r"Configs: (\S+)", lambda found: "Configs: " + " ".join(
                sorted(re.split(r",(?=[a-z.]+=)", found[1]))), text)
            return re.sub(r"(?m)^\s+at .*\n|^\[\d{4}.*?\] ", "", text)

        return done.returncode, neutral(done.stdout), neutral(done.stderr)

    def assert_same(self, tool, *arguments, after=False):
        mine, kafkas = (self.ask(server, tool, *arguments, after=after) for server in ("moldau", "kafka"))
        self.assertEqual(mine[1].splitlines(), kafkas[1].splitlines())
        self.assertEqual(mine[2].splitlines(), kafkas[2].splitlines())
        self.assertEqual(mine[0], kafkas[0])

    def test_configs_are_described_alike(self):
        for what, arguments in QUESTIONS_OF_CONFIGS.items():
            with self.subTest(what):
                self.assert_same("kafka-configs", *arguments)

    def test_bad_changes_are_refused_alike(self):
        for what, arguments in BAD_CHANGES.items():
            with self.subTest(what):
                self.assert_same("kafka-configs", "--alter", *arguments)

    def test_topics_are_described_and_refused_alike(self):
        for arguments in (("--describe",), ("--describe", "--topic", "t"), ("--list",),
                          ("--describe", "--topic", "nowhere"), ("--create", "--topic", "t"),
                          ("--create", "--topic", "bad", "--config", "retention.ms=abc"),
                          ("--create", "--topic", "bad", "--replication-factor", "2"),
                          ("--create", "--topic", "bad", "--partitions", "0"),
                          ("--alter", "--topic", "t", "--partitions", "2"),
                          ("--alter", "--topic", "t", "--partitions", "3"),
                          ("--delete", "--topic", "nowhere")):
            with self.subTest(" ".join(arguments)):
                self.assert_same("kafka-topics", *arguments)

    def test_served_apis_have_kafkas_versions(self):
        def versions(server):
            _, out, _ = self.ask(server, "kafka-broker-api-versions")
            return dict(re.findall(r"(\w+\(\d+\)): (\d+(?: to \d+)?)", out))

        mine, kafkas = versions("moldau"), versions("kafka")
        self.assertGreater(len(mine), 30)
        self.assertEqual(mine, {name: kafkas.get(name) for name in mine})

    def test_quorum_and_cluster_are_described_alike(self):
        _, mine, _ = self.ask("moldau", "kafka-metadata-quorum", "describe", "--status")
        _, kafkas, _ = self.ask("kafka", "kafka-metadata-quorum", "describe", "--status")

        def shape(text):
            return [re.sub(r"\d+|\"directoryId\": \"[^\"]*\"", "N", line) for line in text.splitlines()]

        self.assertEqual(shape(mine), shape(kafkas))
        self.assert_same("kafka-cluster", "cluster-id", after=True)
