"""The controller listener, asked by raw requests, by Kafka's tools, and by a broker of Apache Kafka.

The raw questions have the same answers from Apache Kafka (--server kafka). Some are not put to it: its leader
stops at a message from a second leader of its epoch, and 4.3.1 cannot encode a FetchSnapshot answer that
holds an error.
"""
import json
import re
import unittest

from harness import java, settings
from harness.messages import KRAFT_TOPIC_ID, Caller, encode, frame, key_and_versions
from harness.node import Node, wait_until

TOPIC = "__cluster_metadata"
CLUSTER = "moldauConformanceTest0"
SOME_UUID = bytes(range(16))
NONE, UNKNOWN_SERVER_ERROR, UNKNOWN_PARTITION = 0, -1, 3
UNSUPPORTED_VERSION, INVALID_REQUEST, FENCED_EPOCH, UNKNOWN_EPOCH = 35, 42, 74, 75
BAD_PRINCIPAL, SNAPSHOT_NOT_FOUND, POSITION_OUT_OF_RANGE = 97, 98, 99
INCONSISTENT_CLUSTER, INVALID_VOTER_KEY, VOTER_NOT_FOUND = 104, 125, 127


def is_kafka():
    return settings.server == "kafka"


class WithNode(unittest.TestCase):
    maxDiff = None
    properties = {"metadata.log.max.record.bytes.between.snapshots": 2000}

    @classmethod
    def setUpClass(cls):
        cls.node = Node(cls.properties)
        cls.addClassCleanup(cls.node.close)
        cls.node.start()
        quorum = cls.ask("DescribeQuorum", 2, {"Topics": [
            {"TopicName": TOPIC, "Partitions": [{"PartitionIndex": 0}]}]})["Topics"][0]["Partitions"][0]
        cls.epoch = quorum["LeaderEpoch"]
        cls.directory = quorum["CurrentVoters"][0]["ReplicaDirectoryId"]

    @classmethod
    def ask(cls, api, version, values, **rest):
        with Caller(cls.node.controller_port) as caller:
            return caller.ask(api, version, values, **rest)

    def assert_leader(self, leader, answer, with_endpoint):
        """The node itself, and where it is reached."""
        self.assertEqual((leader["LeaderId"], leader["LeaderEpoch"]), (1, self.epoch))
        if with_endpoint:
            [endpoint] = answer["NodeEndpoints"]
            self.assertEqual((endpoint["NodeId"], endpoint["Host"], endpoint["Port"]),
                             (1, "localhost", self.node.controller_port))
        else:
            self.assertEqual(answer.get("NodeEndpoints", []), [])


class Raft(WithNode):
    properties = {}  # no snapshot: the log begins at 0

    def fetch(self, version=18, topics=None, part=None, replica=-1, **top):
        values = {"MaxBytes": 1, "Topics": topics, **top}
        if topics is None:
            values["Topics"] = [{"TopicId": KRAFT_TOPIC_ID, "Partitions": [
                {"CurrentLeaderEpoch": self.epoch, "LastFetchedEpoch": 0, **(part or {})}]}]
        values["ReplicaState" if version >= 15 else "ReplicaId"] = (
            {"ReplicaId": replica, "ReplicaEpoch": -1} if version >= 15 else replica)
        answer = self.ask("Fetch", version, values)
        return answer, (answer["Responses"] or [{"Partitions": [None]}])[0]["Partitions"][0]

    def test_fetch_reads_the_log_in_every_version_that_has_topic_ids(self):
        _, versions = key_and_versions("Fetch")
        for version in versions:
            with self.subTest(version=version):
                if version < 13:
                    answer = self.ask("Fetch", version, {"MaxBytes": 1, "Topics": [
                        {"Topic": TOPIC, "Partitions": [{"Partition": 0}]}]})
                    self.assertEqual(answer["Responses"], [])
                    self.assertEqual(answer.get("ErrorCode", INVALID_REQUEST), INVALID_REQUEST)
                    continue
                answer, part = self.fetch(version, replica=5)
                self.assertEqual((answer["ErrorCode"], part["ErrorCode"], part["LogStartOffset"]), (0, 0, 0))
                self.assertGreater(part["HighWatermark"], 5)
                self.assertEqual(int.from_bytes(part["Records"][:8]), 0)
                self.assertEqual(12 + int.from_bytes(part["Records"][8:12]), len(part["Records"]), "one batch")
                self.assert_leader(part["CurrentLeader"], answer, version >= 17)

    def test_fetch_says_what_is_wrong(self):
        for what, code, wrong in (
                ("another cluster", INCONSISTENT_CLUSTER, {"ClusterId": "elsewhere"}),
                ("no topic", INVALID_REQUEST, {"topics": []}),
                ("another topic", INVALID_REQUEST,
                 {"topics": [{"TopicId": SOME_UUID, "Partitions": [{"Partition": 0}]}]}),
                ("another partition", INVALID_REQUEST, {"part": {"Partition": 1}})):
            with self.subTest(what):
                answer, _ = self.fetch(**wrong)
                self.assertEqual((answer["ErrorCode"], answer["Responses"]), (code, []))
        for what, code, wrong in (
                ("negative wait", INVALID_REQUEST, {"MaxWaitMs": -1}),
                ("negative offset", INVALID_REQUEST, {"part": {"FetchOffset": -1}}),
                ("no last epoch", INVALID_REQUEST, {"part": {"LastFetchedEpoch": -1}}),
                ("last epoch beyond the present", INVALID_REQUEST, {"part": {"LastFetchedEpoch": self.epoch + 1}}),
                ("old epoch", FENCED_EPOCH, {"part": {"CurrentLeaderEpoch": self.epoch - 1}}),
                ("new epoch", UNKNOWN_EPOCH, {"part": {"CurrentLeaderEpoch": self.epoch + 1}}),
                ("the leader's own id", UNKNOWN_SERVER_ERROR, {"replica": 1}),
                ("negative size", UNKNOWN_SERVER_ERROR, {"MaxBytes": -1})):
            with self.subTest(what):
                answer, part = self.fetch(**wrong)
                self.assertEqual((answer["ErrorCode"], part["ErrorCode"], part["HighWatermark"], part["Records"]),
                                 (0, code, -1, b""))
                self.assert_leader(part["CurrentLeader"], answer, True)

    def test_fetch_beyond_the_log_learns_where_to_go_back_to(self):
        _, part = self.fetch(part={"FetchOffset": 100000, "LastFetchedEpoch": self.epoch})
        self.assertEqual(part["DivergingEpoch"]["Epoch"], self.epoch)
        self.assertGreaterEqual(part["DivergingEpoch"]["EndOffset"], part["HighWatermark"])
        _, part = self.fetch(part={"FetchOffset": 3, "LastFetchedEpoch": 0})
        self.assertEqual(part["DivergingEpoch"], {"Epoch": 0, "EndOffset": 0})

    def test_fetch_at_the_end_waits_for_news(self):
        with Caller(self.node.controller_port) as caller:
            _, part = self.fetch(MaxBytes=1 << 20)
            end = part["HighWatermark"]
            for version in (17, 18):
                values = {"MaxBytes": 1, "MaxWaitMs": 10000, "Topics": [{"TopicId": KRAFT_TOPIC_ID, "Partitions": [
                    {"CurrentLeaderEpoch": self.epoch, "FetchOffset": end, "LastFetchedEpoch": self.epoch}]}]}
                part = caller.ask("Fetch", version, values)["Responses"][0]["Partitions"][0]
                # The controller writes at least twice a second; an answer before is one of the high watermark.
                self.assertEqual(part["ErrorCode"], NONE)
                self.assertGreaterEqual(part["HighWatermark"], end)

    def test_observers_are_described(self):
        self.fetch(replica=77, part={"ReplicaDirectoryId": SOME_UUID})
        answer = self.ask("DescribeQuorum", 2, {"Topics": [
            {"TopicName": TOPIC, "Partitions": [{"PartitionIndex": 0}]}]})
        observers = answer["Topics"][0]["Partitions"][0]["Observers"]
        [observer] = [one for one in observers if one["ReplicaId"] == 77]
        self.assertEqual((observer["ReplicaDirectoryId"], observer["LogEndOffset"]), (SOME_UUID, 0))

    def elections(self, api, version, part=None, topics=None, **top):
        values = {"Topics": topics, **top}
        if topics is None:
            base = ({"ReplicaEpoch": self.epoch, "ReplicaId": 7, "LastOffsetEpoch": 0, "LastOffset": 5}
                    if api == "Vote" else {"LeaderId": 1, "LeaderEpoch": self.epoch})
            values["Topics"] = [{"TopicName": TOPIC, "Partitions": [{**base, **(part or {})}]}]
        answer = self.ask(api, version, values)
        return answer, answer["Topics"][0]["Partitions"][0] if answer["Topics"] else None

    def test_voters_are_answered_in_every_version(self):
        for api in ("Vote", "BeginQuorumEpoch", "EndQuorumEpoch"):
            for version in key_and_versions(api)[1]:
                with self.subTest(api, version=version):
                    answer, part = self.elections(api, version)
                    self.assertEqual((answer["ErrorCode"], part["ErrorCode"]), (NONE, NONE))
                    self.assertFalse(part.get("VoteGranted", False), "there is a leader")
                    self.assert_leader(part, answer, version >= 1)
                    answer, _ = self.elections(api, version, ClusterId="elsewhere")
                    self.assertEqual((answer["ErrorCode"], answer["Topics"]), (INCONSISTENT_CLUSTER, []))
                    for topics in ([], [{"TopicName": TOPIC, "Partitions": [{"PartitionIndex": 1}]}],
                                   [{"TopicName": "x", "Partitions": [{"PartitionIndex": 0}]}]):
                        answer, _ = self.elections(api, version, topics=topics)
                        self.assertEqual((answer["ErrorCode"], answer["Topics"]), (INVALID_REQUEST, []))

    def test_voters_hear_what_is_wrong(self):
        other_directory = {"VoterDirectoryId": SOME_UUID}
        for api, code, part, top in (
                ("Vote", INVALID_VOTER_KEY, {}, {"VoterId": 5}),
                ("Vote", INVALID_VOTER_KEY, other_directory, {"VoterId": 1}),
                ("Vote", NONE, {"VoterDirectoryId": self.directory}, {"VoterId": 1}),
                ("Vote", INVALID_REQUEST, {"ReplicaId": -1}, {}),
                ("Vote", INVALID_REQUEST, {"LastOffset": -1}, {}),
                ("Vote", INVALID_REQUEST, {"LastOffsetEpoch": -1}, {}),
                ("Vote", INVALID_REQUEST, {"LastOffsetEpoch": self.epoch}, {}),
                ("Vote", NONE, {"LastOffsetEpoch": self.epoch, "PreVote": True}, {}),
                ("Vote", INVALID_REQUEST, {"LastOffsetEpoch": self.epoch + 1, "PreVote": True}, {}),
                ("Vote", FENCED_EPOCH, {"ReplicaEpoch": self.epoch - 1, "ReplicaId": -1, "PreVote": True}, {}),
                ("BeginQuorumEpoch", FENCED_EPOCH, {"LeaderEpoch": self.epoch - 1}, {}),
                ("BeginQuorumEpoch", INVALID_REQUEST, {"LeaderId": -1}, {}),
                ("BeginQuorumEpoch", INVALID_VOTER_KEY, {}, {"VoterId": 5}),
                ("BeginQuorumEpoch", INVALID_VOTER_KEY, other_directory, {"VoterId": 1}),
                ("EndQuorumEpoch", FENCED_EPOCH, {"LeaderEpoch": self.epoch - 1}, {}),
                ("EndQuorumEpoch", INVALID_REQUEST, {"LeaderId": -1}, {})):
            with self.subTest(api, part=part, **top):
                answer, said = self.elections(api, 2 if api == "Vote" else 1, part, **top)
                self.assertEqual(said["ErrorCode"], code)
                self.assert_leader(said, answer, True)

    @unittest.skipIf(is_kafka(), "Kafka's node stops at a message it believes impossible")
    def test_a_second_leader_of_the_epoch_is_not_believed(self):
        for api in ("BeginQuorumEpoch", "EndQuorumEpoch"):
            answer, part = self.elections(api, 1, {"LeaderId": 9})
            self.assert_leader(part, answer, True)

    def test_voters_are_removed_and_updated_only_when_they_are_there(self):
        def remove(**wrong):
            answer = self.ask("RemoveRaftVoter", 0, {"ClusterId": None, "VoterId": 2, "VoterDirectoryId": SOME_UUID,
                                                     **wrong})
            return answer["ErrorCode"], answer["ErrorMessage"].split(" ReplicaKey")[0]

        self.assertEqual(remove(ClusterId="x"),
                         (INCONSISTENT_CLUSTER, f'The given id "x" doesn\'t match the cluster id "{CLUSTER}"'))
        for wrong in ({"VoterId": -1}, {"VoterDirectoryId": bytes(16)}):
            self.assertEqual(remove(**wrong),
                             (INVALID_REQUEST, "Remove voter request didn't include a valid voter"))
        for wrong in ({}, {"VoterId": 1}, {"VoterId": 1, "VoterDirectoryId": self.directory}):
            self.assertEqual(remove(**wrong), (VOTER_NOT_FOUND, "Cannot remove voter"))

        listener = {"Name": "CONTROLLER", "Host": "localhost", "Port": self.node.controller_port}
        for code, wrong in (
                (INCONSISTENT_CLUSTER, {"ClusterId": "x"}),
                (FENCED_EPOCH, {"CurrentLeaderEpoch": self.epoch - 1}),
                (UNKNOWN_EPOCH, {"CurrentLeaderEpoch": self.epoch + 1}),
                (INVALID_REQUEST, {"VoterId": -1}),
                (INVALID_REQUEST, {"Listeners": []}),
                (INVALID_REQUEST, {"KRaftVersionFeature": {"MinSupportedVersion": 1, "MaxSupportedVersion": 0}}),
                (INVALID_REQUEST, {"KRaftVersionFeature": {"MinSupportedVersion": 0, "MaxSupportedVersion": 0}}),
                (VOTER_NOT_FOUND, {"VoterId": 4}),
                (VOTER_NOT_FOUND, {"VoterDirectoryId": SOME_UUID})):
            with self.subTest("update", **wrong):
                answer = self.ask("UpdateRaftVoter", 0, {
                    "ClusterId": None, "CurrentLeaderEpoch": self.epoch, "VoterId": 1,
                    "VoterDirectoryId": self.directory, "Listeners": [listener],
                    "KRaftVersionFeature": {"MinSupportedVersion": 0, "MaxSupportedVersion": 1}, **wrong})
                self.assertEqual(answer["ErrorCode"], code)
                self.assertEqual(answer["CurrentLeader"], {"LeaderId": 1, "LeaderEpoch": self.epoch,
                                                           "Host": "localhost", "Port": listener["Port"]})


class Snapshots(WithNode):
    def snapshot_id(self):
        """Of the newest snapshot, as a follower with an empty log is told."""
        part = self.ask("Fetch", 18, {"Topics": [{"TopicId": KRAFT_TOPIC_ID, "Partitions": [
            {"CurrentLeaderEpoch": self.epoch, "LastFetchedEpoch": 0}]}]})["Responses"][0]["Partitions"][0]
        return part["SnapshotId"] if part["SnapshotId"]["EndOffset"] > 0 else None

    def read(self, identity, version=1, part=None, topics=None, **top):
        values = {"ReplicaId": 5, "Topics": topics, **top}
        if topics is None:
            values["Topics"] = [{"Name": TOPIC, "Partitions": [
                {"CurrentLeaderEpoch": self.epoch, "SnapshotId": identity, **(part or {})}]}]
        answer = self.ask("FetchSnapshot", version, values)
        return answer, answer["Topics"][0]["Partitions"][0] if answer["Topics"] else None

    def test_a_snapshot_is_read_in_pieces(self):
        identity = wait_until(self.snapshot_id, 60, "a snapshot")
        whole = self.read(identity)[1]
        self.assertEqual(len(whole["UnalignedRecords"]), whole["Size"])
        pieces = b""
        while len(pieces) < whole["Size"]:
            for version in (0, 1):
                answer, part = self.read(identity, version, {"Position": len(pieces)}, MaxBytes=301)
                self.assertEqual((part["ErrorCode"], part["SnapshotId"], part["Size"], part["Position"]),
                                 (NONE, identity, whole["Size"], len(pieces)))
                self.assert_leader(part["CurrentLeader"], answer, version >= 1)
            self.assertLessEqual(len(part["UnalignedRecords"]), 301)
            pieces += part["UnalignedRecords"]
        self.assertEqual(pieces, whole["UnalignedRecords"])
        name = "{EndOffset:020d}-{Epoch:010d}.checkpoint".format(**identity)
        self.assertEqual(pieces, (self.node.log_dir / "__cluster_metadata-0" / name).read_bytes())
        self.assertEqual(self.read(identity, MaxBytes=0)[1]["UnalignedRecords"], b"")
        self.assertEqual(self.read(identity, ClusterId="x")[0]["ErrorCode"], INCONSISTENT_CLUSTER)

    @unittest.skipIf(is_kafka(), "Kafka 4.3.1 cannot encode an error in a FetchSnapshot answer")
    def test_fetch_snapshot_says_what_is_wrong(self):
        identity = wait_until(self.snapshot_id, 60, "a snapshot")
        for code, asked, part in (
                (SNAPSHOT_NOT_FOUND, {"EndOffset": 0, "Epoch": 0}, {}),
                (SNAPSHOT_NOT_FOUND, {"EndOffset": 1, "Epoch": 1}, {}),
                (POSITION_OUT_OF_RANGE, identity, {"Position": -1}),
                (POSITION_OUT_OF_RANGE, identity, {"Position": 10**9}),
                (FENCED_EPOCH, identity, {"CurrentLeaderEpoch": self.epoch - 1}),
                (UNKNOWN_EPOCH, identity, {"CurrentLeaderEpoch": self.epoch + 1})):
            with self.subTest(asked=asked, **part):
                answer, said = self.read(asked, part=part)
                self.assertEqual((said["ErrorCode"], said["UnalignedRecords"]), (code, b""))
                self.assert_leader(said["CurrentLeader"], answer, True)
        answer, said = self.read(None, topics=[{"Name": "x", "Partitions": [{"Partition": 3}]}])
        self.assertEqual((answer["Topics"][0]["Name"], said["Index"], said["ErrorCode"]),
                         ("x", 3, UNKNOWN_PARTITION))
        self.assertEqual(self.read(None, topics=[])[0]["ErrorCode"], INVALID_REQUEST)


class Envelopes(WithNode):
    properties = {}

    def envelope(self, request, principal=None, address=bytes([127, 0, 0, 1])):
        if principal is None:
            principal = b"\0\0" + encode("DefaultPrincipalData", 0, {"Type": "User", "Name": "alice"})
        return self.ask("Envelope", 0, {"RequestData": request, "RequestPrincipal": principal,
                                        "ClientHostAddress": address})

    def test_a_request_is_answered_inside(self):
        for version in key_and_versions("CreateTopics")[1]:
            topic = {"Name": f"inside-{version}", "NumPartitions": 1, "ReplicationFactor": 1}
            request = frame("CreateTopics", version, {"Topics": [topic], "timeoutMs": 5000}, correlation=42)
            answer = self.envelope(request)
            self.assertEqual(answer["ErrorCode"], NONE)
            self.assertEqual(answer["ResponseData"][:4], b"\0\0\0\x2a")
            self.assertIn(topic["Name"].encode(), answer["ResponseData"])

    def test_what_is_wrong_with_the_envelope_is_said_outside(self):
        good = frame("CreateTopics", 7, {})
        for what, code, arguments in (
                ("principal", BAD_PRINCIPAL, (good, b"\0\x09")),
                ("address", INVALID_REQUEST, (good, None, b"\x7f")),
                ("header", UNSUPPORTED_VERSION, (b"\0",)),
                ("version", UNSUPPORTED_VERSION, (frame("CreateTopics", 7, {})[:3] + b"\x63" + good[4:],)),
                ("not forwarded", INVALID_REQUEST, (frame("Fetch", 13, {}),)),
                ("body", UNSUPPORTED_VERSION, (frame("CreateTopics", 7, {}, body=b"\x09"),))):
            with self.subTest(what):
                answer = self.envelope(*arguments)
                self.assertEqual((answer["ErrorCode"], answer["ResponseData"]), (code, None))


class Tools(WithNode):
    properties = {}

    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")
        super().setUpClass()

    def run_tool(self, tool, *arguments):
        done = java.run(tool, "--bootstrap-controller", self.node.controller_bootstrap, *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_quorum_is_described(self):
        status = self.run_tool("kafka-metadata-quorum", "describe", "--status")
        self.assertRegex(status, r"LeaderId: +1\n")
        self.assertRegex(status, r'CurrentVoters: .*"id": 1.*"endpoints": \["CONTROLLER://localhost:\d+"\]')
        replication = self.run_tool("kafka-metadata-quorum", "describe", "--replication")
        self.assertRegex(replication, r"(?m)^1\s+\S{22}\s+\d+\s+0\s+\d+\s+\d+\s+Leader")

    def test_configs_are_described_and_changed(self):
        broker = ("--entity-type", "brokers", "--entity-name", "1")
        self.assertIn("node.id=1 sensitive=false", self.run_tool("kafka-configs", "--describe", "--all", *broker))
        self.run_tool("kafka-configs", "--alter", "--add-config", "log.cleaner.threads=2", *broker)
        self.assertIn("log.cleaner.threads=2", self.run_tool("kafka-configs", "--describe", *broker))

    def test_features_are_described(self):
        features = self.run_tool("kafka-features", "describe")
        self.assertRegex(features, r"Feature: metadata.version\s+SupportedMinVersion: 3.3-IV3")


class Directories(unittest.TestCase):
    """A broker with two directories chooses for itself, and the metadata log says what it chose."""

    def test_the_controller_learns_where_each_replica_lies(self):
        node = Node()
        self.addCleanup(node.close)
        paths = [node.directory / name for name in ("first", "second")]
        node.extra["log.dirs"] = ",".join(map(str, paths))
        node.start()
        with Caller(node.port) as caller:
            [topic] = caller.ask("CreateTopics", 7, {"timeoutMs": 5000, "Topics": [
                {"Name": "spread", "NumPartitions": 6, "ReplicationFactor": 1}]})["Topics"]
        self.assertEqual(topic["ErrorCode"], NONE)

        def assigned():
            """Directory by partition, as the controller wrote it."""
            dump = node.tool("kafka-dump-log", "--cluster-metadata-decoder", "--files",
                             node.log_dir / "__cluster_metadata-0" / "00000000000000000000.log").stdout
            changes = (json.loads(found) for found in re.findall(r"payload: (\{.*\})", dump))
            found = {change["data"]["partitionId"]: change["data"]["directories"] for change in changes
                     if change["type"] == "PARTITION_CHANGE_RECORD" and change["data"].get("directories")}
            return found if len(found) == 6 else None

        found = wait_until(assigned, 30, "directories of all partitions")
        ids = {path: re.search(r"directory.id=(\S+)", (path / "meta.properties").read_text())[1] for path in paths}

        def made():
            """The same by what is on the disk; made behind the answer, and behind the assignment."""
            really = {partition: [ids[path]] for path in paths for partition in range(6)
                      if (path / f"spread-{partition}").exists()}
            return really if len(really) == 6 else None

        self.assertEqual(found, wait_until(made, 30, "directories on the disk"))
        self.assertEqual({one for [one] in found.values()}, set(ids.values()), "both are used")


class ForeignBroker(Node):
    """A broker of Apache Kafka whose controller is another node."""

    def __init__(self, controller, **rest):
        super().__init__(server="kafka", **rest)
        self.controller = controller

    def properties(self):
        plain = f"PLAINTEXT://localhost:{self.port}"
        return {**super().properties(), "process.roles": "broker", "node.id": "2", "listeners": plain,
                "advertised.listeners": plain,
                "controller.quorum.bootstrap.servers": self.controller.controller_bootstrap}

    def format(self, *arguments, cluster_id=CLUSTER):
        self.write_properties()
        return self.tool("kafka-storage", "format", "-t", cluster_id, "-c", self.properties_file, *arguments)


@unittest.skipIf(is_kafka(), "Kafka's broker at Kafka's controller proves nothing")
class KafkasBroker(unittest.TestCase):
    """Apache Kafka takes the controller for its own: its broker fetches the metadata and serves topics."""

    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")
        # Snapshots are taken early, so that the broker begins with one.
        cls.node = Node({"metadata.log.max.record.bytes.between.snapshots": 2000})
        cls.addClassCleanup(cls.node.close)
        cls.node.start()
        checkpoints = cls.node.log_dir / "__cluster_metadata-0"
        wait_until(lambda: [file for file in checkpoints.glob("*.checkpoint")
                            if not file.name.startswith("00000000000000000000-")], 60, "a snapshot")
        cls.broker = ForeignBroker(cls.node)
        cls.addClassCleanup(cls.broker.close)
        cls.broker.start()

    def run_tool(self, node, tool, *arguments, stdin=None):
        done = java.run(tool, "--bootstrap-server", node.bootstrap, *arguments, stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + self.broker.tail())
        return done.stdout

    def test_it_fetched_a_snapshot_and_is_unfenced(self):
        log = "\n".join(self.broker.output)
        self.assertIn("The broker has been unfenced", log)
        self.assertRegex(log, r"(?i)snapshot")
        fetched = list((self.broker.log_dir / "__cluster_metadata-0").glob("*.checkpoint"))
        self.assertTrue(fetched, "the controller's snapshot is here")

    def test_its_topics_are_created_used_and_deleted(self):
        self.run_tool(self.broker, "kafka-topics", "--create", "--topic", "theirs", "--replica-assignment", "2,2")
        described = self.run_tool(self.node, "kafka-topics", "--describe", "--topic", "theirs")
        self.assertEqual(len(re.findall(r"Leader: 2\tReplicas: 2\tIsr: 2", described)), 2)
        lines = "".join(f"value {number}\n" for number in range(100))
        self.run_tool(self.node, "kafka-console-producer", "--topic", "theirs", stdin=lines)
        read = self.run_tool(self.broker, "kafka-console-consumer", "--topic", "theirs", "--from-beginning",
                             "--max-messages", "100", "--timeout-ms", "30000")
        self.assertEqual(sorted(read.splitlines()), sorted(lines.splitlines()))
        self.run_tool(self.broker, "kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", "theirs",
                      "--add-config", "retention.ms=77777")
        self.assertIn("retention.ms=77777", self.run_tool(self.node, "kafka-topics", "--describe", "--topic", "theirs"))
        self.run_tool(self.broker, "kafka-topics", "--delete", "--topic", "theirs")
        self.assertNotIn("theirs", self.run_tool(self.node, "kafka-topics", "--list"))

    def test_the_broker_leaves_in_an_orderly_way_and_comes_back(self):
        self.assertEqual(self.broker.stop(), 143)
        self.assertIn("The controller has asked us to exit controlled shutdown", "\n".join(self.broker.output))
        self.broker.start()
        self.assertIn("The broker has been unfenced", "\n".join(self.broker.output))


if __name__ == "__main__":
    unittest.main()
