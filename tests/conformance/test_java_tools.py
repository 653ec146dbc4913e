"""The released Kafka's own command-line tools, which are the Java clients."""
import json
import pathlib
import random
import re
import signal
import tempfile
import threading
import unittest

from harness import java, settings
from harness.node import Node, wait_until

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
BASE_TIME = 1_700_000_000_000  # 2023-11-14T22:13:20Z


class VerifiableConsumer:
    """Kafka's VerifiableConsumer as a group member; its events are read as it prints them."""

    def __init__(self, bootstrap, group, topic):
        self.process = java.start(
            "kafka-verifiable-consumer", "--bootstrap-server", bootstrap, "--topic", topic, "--group-id", group,
            "--session-timeout", 6000, "--reset-policy", "earliest", "--verbose")
        self.assigned, self.places = set(), set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["name"] in ("partitions_assigned", "partitions_revoked"):
                named = {partition["partition"] for partition in event["partitions"]}
                self.assigned = named if event["name"] == "partitions_assigned" else self.assigned - named
            elif event["name"] == "record_data":
                self.places.add((event["partition"], event["offset"]))

    def end(self, signal_number):
        self.process.send_signal(signal_number)
        self.process.wait(30)


class JavaTools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")
        cls.node = Node().start()
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()
        cls.folder.cleanup()

    def run_tool(self, tool, *arguments, stdin=None, expect=0, timeout=120):
        done = java.run(tool, "--bootstrap-server", self.node.bootstrap, *arguments, stdin=stdin,
                        timeout=timeout)
        self.assertEqual(done.returncode, expect, f"{tool} {arguments}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def run_command(self, tool, command):
        """Tools of subcommands: some take the address before the subcommand, some after it."""
        for arguments in ((command, "--bootstrap-server", self.node.bootstrap),
                          ("--bootstrap-server", self.node.bootstrap, command)):
            done = java.run(tool, *arguments)
            if done.returncode == 0:
                return done.stdout
        raise AssertionError(f"{tool} {command}\n{done.stdout}\n{done.stderr}")

    def create(self, partitions=1, *arguments):
        name = f"j-{random.randrange(10**9)}"
        self.run_tool("kafka-topics", "--create", "--topic", name, "--partitions", partitions, *arguments)
        return name

    def file(self, text):
        path = pathlib.Path(self.folder.name) / f"f{random.randrange(10**9)}"
        path.write_text(text)
        return path

    def consume(self, topic, count, *arguments):
        return self.run_tool("kafka-console-consumer", "--topic", topic, "--from-beginning",
                             "--max-messages", count, "--timeout-ms", 30000, *arguments)

    def test_console_tools_with_every_codec_keys_and_headers(self):
        topic = self.create()
        expected = []
        for codec in CODECS:
            lines = [f"h1:{codec},h2:b\tk{i}\t{codec} value {i}" for i in range(50)]
            expected += lines
            self.run_tool("kafka-console-producer", "--topic", topic, "--compression-codec", codec,
                          "--reader-property", "parse.key=true", "--reader-property",
                          "parse.headers=true", stdin="\n".join(lines) + "\n")
        out = self.consume(topic, len(expected), "--formatter-property", "print.key=true",
                           "--formatter-property", "print.headers=true")
        self.assertEqual(out.splitlines(), expected)

    def test_topics_are_described_altered_and_deleted(self):
        topic = self.create(3, "--config", "cleanup.policy=compact", "--config", "segment.bytes=2000000")
        out = self.run_tool("kafka-topics", "--describe", "--topic", topic)
        self.assertRegex(out, r"PartitionCount: 3\s+ReplicationFactor: 1")
        self.assertIn("cleanup.policy=compact", out)
        self.assertEqual(len(re.findall(r"Leader: 1\s+Replicas: 1\s+Isr: 1", out)), 3)
        self.run_tool("kafka-topics", "--alter", "--topic", topic, "--partitions", 5)
        self.assertIn("PartitionCount: 5", self.run_tool("kafka-topics", "--describe", "--topic", topic))
        self.run_tool("kafka-configs", "--entity-type", "topics", "--entity-name", topic, "--alter",
                      "--add-config", "retention.ms=1000", "--delete-config", "segment.bytes")
        out = self.run_tool("kafka-configs", "--entity-type", "topics", "--entity-name", topic,
                            "--describe")
        self.assertIn("retention.ms=1000", out)
        self.assertNotIn("segment.bytes=2000000", out)
        self.run_tool("kafka-topics", "--delete", "--topic", topic)
        self.assertNotIn(topic, self.run_tool("kafka-topics", "--list").split())

    def test_illegal_topics_are_refused_in_kafkas_words(self):
        def error(*arguments):
            return self.run_tool("kafka-topics", "--create", *arguments, expect=1)

        self.assertIn("Unknown topic config name: nosuch.config",
                      error("--topic", "bad1", "--config", "nosuch.config=1"))
        self.assertIn("The target replication factor of 3 cannot be reached",
                      error("--topic", "bad3", "--replication-factor", "3"))
        self.assertRegex(error("--topic", "bad/name"), "(?i)illegal|invalid")
        topic = self.create()
        self.assertIn(f"Topic '{topic}' already exists", error("--topic", topic))

    def test_brokers_configs_are_described_and_changed(self):
        def configs(*arguments, expect=0):
            return self.run_tool("kafka-configs", "--entity-type", "brokers", *arguments, expect=expect)

        configs("--entity-name", "1", "--alter", "--add-config", "log.cleaner.threads=2")
        out = configs("--entity-name", "1", "--describe")
        self.assertIn("log.cleaner.threads=2 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:"
                      "log.cleaner.threads=2, DEFAULT_CONFIG:log.cleaner.threads=1}", out)
        self.assertIn("node.id=1", configs("--entity-name", "1", "--describe", "--all"))
        configs("--entity-default", "--alter", "--add-config", "log.retention.ms=7200000")
        wait_until(lambda: "retention.ms=7200000" in self.run_tool(
            "kafka-configs", "--entity-type", "topics", "--entity-name", self.some_topic(), "--describe",
            "--all"), what="topics take the new default")
        configs("--entity-name", "1", "--alter", "--add-config", "num.partitions=3", expect=1)

    def some_topic(self):
        if not hasattr(type(self), "shared_topic"):
            type(self).shared_topic = self.create()
        return self.shared_topic

    def test_offsets_are_listed_and_records_deleted(self):
        topic = self.create(2)
        self.run_tool("kafka-console-producer", "--topic", topic, "--reader-property", "parse.key=true",
                      stdin="".join(f"{i}\tv\n" for i in range(40)))
        out = self.run_tool("kafka-get-offsets", "--topic", topic)
        self.assertEqual(sum(int(line.split(":")[2]) for line in out.split()), 40)
        request = {"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 2}]}
        out = self.run_tool("kafka-delete-records", "--offset-json-file", self.file(json.dumps(request)))
        self.assertIn("low_watermark: 2", out)
        out = self.run_tool("kafka-get-offsets", "--topic", topic, "--time", "earliest")
        self.assertIn(f"{topic}:0:2", out.split())

    def test_groups_are_listed_described_reset_and_deleted(self):
        topic, group = self.create(), f"g-{random.randrange(10**9)}"
        self.run_tool("kafka-console-producer", "--topic", topic, stdin="a\nb\nc\n")
        self.consume(topic, 3, "--group", group)
        self.assertIn(group, self.run_tool("kafka-consumer-groups", "--list").split())
        out = self.run_tool("kafka-consumer-groups", "--describe", "--group", group)
        self.assertRegex(out, rf"{topic}\s+0\s+3\s+3\s+0")
        self.run_tool("kafka-consumer-groups", "--group", group, "--topic", topic, "--reset-offsets",
                      "--to-earliest", "--execute")
        out = self.run_tool("kafka-consumer-groups", "--describe", "--group", group)
        self.assertRegex(out, rf"{topic}\s+0\s+0\s+3\s+3")
        self.run_tool("kafka-consumer-groups", "--delete", "--group", group)
        self.assertNotIn(group, self.run_tool("kafka-consumer-groups", "--list").split())

    def test_verifiable_producer_and_consumer_agree(self):
        topic = self.create(3)
        out = self.run_tool("kafka-verifiable-producer", "--topic", topic, "--max-messages", 2000,
                            "--acks", "-1")
        events = [json.loads(line) for line in out.splitlines()]
        sent = {event["value"] for event in events if event["name"] == "producer_send_success"}
        self.assertEqual(len(sent), 2000)
        self.assertFalse([event for event in events if event["name"] == "producer_send_error"])
        consumer = java.start("kafka-verifiable-consumer", "--bootstrap-server", self.node.bootstrap,
                              "--topic", topic, "--group-id", f"g-{topic}", "--max-messages", 2000,
                              "--verbose", "--reset-policy", "earliest")
        try:
            out, errors = consumer.communicate(timeout=90)
        finally:
            consumer.kill()
        events = [json.loads(line) for line in out.splitlines()]
        values = [event["value"] for event in events if event["name"] == "record_data"]
        self.assertEqual(set(values), sent, errors)
        self.assertEqual(len(values), 2000)

    def test_client_compatibility_test_finds_every_feature_but_acls(self):
        features = {"offsets-for-times": True, "cluster-id": True, "create-topics": True, "describe-configs": True,
                    "idempotent-producer": True, "describe-acls": settings.server == "kafka"}
        flags = [word for name, has in features.items() for word in (f"--{name}-supported", str(has).lower())]
        out = self.run_tool("client-compatibility-test", "--topic", self.create(), "--num-cluster-nodes", 1,
                            "--expect-record-too-large-exception", "false", *flags)
        self.assertIn("SUCCESS.", out)

    def test_performance_tools_run_through(self):
        topic = self.create(3)
        self.assert_perf_sent(java.run(
            "kafka-producer-perf-test", "--topic", topic, "--num-records", 50000, "--record-size", 500,
            "--throughput", -1, "--bootstrap-server", self.node.bootstrap, timeout=120))
        out = self.run_tool("kafka-consumer-perf-test", "--topic", topic, "--num-records", 50000,
                            "--timeout", 60000)
        self.assertEqual(out.splitlines()[1].split(", ")[4], "50000")

    def assert_perf_sent(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("50000 records sent", done.stdout)

    def test_large_values_go_through(self):
        topic = self.create()
        value = "".join(random.Random(3).choices("abcdefghij", k=900 * 1024))
        self.run_tool("kafka-console-producer", "--topic", topic, "--producer-property",
                      "max.request.size=2000000", stdin=value + "\n")
        self.assertEqual(self.consume(topic, 1).rstrip("\n"), value)

    def test_cluster_tools_answer(self):
        self.assertIn("moldauConformanceTest0", self.run_command("kafka-cluster", "cluster-id"))
        out = self.run_tool("kafka-broker-api-versions")
        self.assertRegex(out, r"(?s)id: 1 .*Produce\(0\): 0 to 13")
        out = self.run_tool("kafka-metadata-quorum", "describe", "--status")
        self.assertRegex(out, r"LeaderId:\s+1")
        out = self.run_tool("kafka-log-dirs", "--describe", "--topic-list", self.some_topic())
        self.assertIn(f'"partition":"{self.some_topic()}-0"', out)
        self.assertIn("metadata.version", self.run_command("kafka-features", "describe"))

    def test_offsets_are_found_by_time(self):
        # Records of 2023 are gone at the first look of retention, half a minute after the start.
        topic = self.create(1, "--config", "retention.ms=-1")
        for hour in range(3):
            self.run_tool("kafka-verifiable-producer", "--topic", topic, "--max-messages", 10,
                          "--message-create-time", BASE_TIME + hour * 3_600_000)
        for time, offset in ((0, 0), (BASE_TIME + 1_800_000, 10), (BASE_TIME + 7_200_000, 20)):
            out = self.run_tool("kafka-get-offsets", "--topic", topic, "--time", time)
            self.assertEqual(out.strip(), f"{topic}:0:{offset}")
        self.run_tool("kafka-consumer-groups", "--group", f"g-{topic}", "--topic", topic, "--reset-offsets",
                      "--to-datetime", "2023-11-14T23:00:00.000", "--execute")
        out = self.run_tool("kafka-console-consumer", "--topic", topic, "--group", f"g-{topic}",
                            "--max-messages", 20, "--timeout-ms", 30000)
        self.assertEqual(out.split(), [str(value) for value in [*range(10), *range(10)]])

    def test_group_of_three_joins_leaves_survives_a_kill_and_goes_on_after_a_restart(self):
        topic = self.create(6)
        members = []

        def shared():
            owned = sorted(p for member in members for p in member.assigned)
            return owned == list(range(6)) and all(member.assigned for member in members)

        def produce(count):
            self.run_tool("kafka-verifiable-producer", "--topic", topic, "--max-messages", count)

        try:
            produce(200)
            for count in (1, 2, 3):
                members.append(VerifiableConsumer(self.node.bootstrap, f"g-{topic}", topic))
                wait_until(shared, 60, f"{count} members share six partitions")
            gone = [members.pop(0)]
            gone[0].end(signal.SIGTERM)
            wait_until(shared, 60, "two members after a leave")
            gone.append(members.pop(0))
            gone[1].end(signal.SIGKILL)
            wait_until(shared, 60, "one member after a kill")
            self.node.restart()
            produce(100)
            everyone = [*gone, *members]
            wait_until(lambda: len(set().union(*(set(member.places) for member in everyone))) == 300, 60,
                       "every record reached a member")
        finally:
            for member in members:
                member.end(signal.SIGKILL)

    def test_two_console_consumers_share_a_group(self):
        topic = self.create(2)
        started = [java.start("kafka-console-consumer", "--bootstrap-server", self.node.bootstrap,
                              "--topic", topic, "--group", f"g-{topic}") for _ in range(2)]
        try:
            def members():
                out = self.run_tool("kafka-consumer-groups", "--describe", "--group", f"g-{topic}",
                                    "--members")
                return len(re.findall(r"console-consumer\S*\s+1", out)) == 2

            wait_until(members, 60, "two members with one partition each")
            self.run_tool("kafka-verifiable-producer", "--topic", topic, "--max-messages", 200)
            self.assertEqual(self.lag_of(f"g-{topic}", 40), 0)
        finally:
            for process in started:
                process.send_signal(signal.SIGINT)
            outs = [process.communicate(timeout=30)[0] for process in started]
        self.assertEqual(sorted(int(v) for out in outs for v in re.findall(r"^\d+$", out, re.M)),
                         list(range(200)))

    def lag_of(self, group, seconds):
        def lag():
            out = self.run_tool("kafka-consumer-groups", "--describe", "--group", group)
            lags = re.findall(rf"{group}\s+\S+\s+\d+\s+\d+\s+\d+\s+(\d+)", out)
            return len(lags) == 2 and {int(value) for value in lags} == {0}

        return 0 if wait_until(lag, seconds, "the group has read everything") else None
