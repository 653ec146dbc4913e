"""A data directory goes from one server to another and back, stopped cleanly or killed under load: Moldau and Apache
Kafka, the newest and an older release. Records, offsets, topic ids, configs, group offsets, members and producer
state carry over; every file left behind is one that the other server knows, or may be deleted."""
import collections
import os
import random
import re
import time
import unittest

from clients import Record, confluent_client
from exchange import files, state
from exchange.load import Load, Reader, Sequences, read_compacted
from harness import settings
from harness.node import SHARED_FEATURES, Node, wait_until

PARTITIONS = 3
# The newest release that the Kafka in question can read.
RELEASES = {"kafka": "4.3", "kafka-4.1": "4.1"}
# Deletion, compaction and snapshots of the metadata within seconds.
PROPERTIES = {"metadata.log.max.record.bytes.between.snapshots": 4000, "log.cleaner.backoff.ms": 100,
              "log.segment.delete.delay.ms": 1500, "log.initial.task.delay.ms": 500,
              "offsets.topic.num.partitions": 3}
NODE_CONFIGS = {"": {"message.max.bytes": "1500000"}, "1": {"max.connections.per.ip": "1000"}}
CLEAN_CODES = (0, 143, -15)
# Warnings of each start of Kafka, on its own directories too.
USUAL = ["Performing controller activation",
         "Attempting to close NetworkClient that has already been closed"]
# And after a kill: a write that it cut short has left part of a batch; checkpoints are written now and then, not
# together; a killed Moldau leaves no index of the segment being written, and Kafka makes it anew.
AFTER_KILL = [r"Corruption found in segment \d+ of kept-\d, truncating to offset \d+: \d+ bytes dropped",
              "Non-monotonic update of high watermark",
              "Could not find offset index file .* recovering segment and rebuilding index files"]


class Exchange:
    """One directory on its way, with the clients that stay."""

    def __init__(self, test, formatted_by, first, kafka, static_quorum=False, in_flight=1):
        """Formatted so that this Kafka can read it, which is also the one whose tool looks at it. A Kafka that takes
        over after a kill knows of each producer only its last batch, also on its own directory; what was sent before
        that one must not be in flight."""
        self.test, self.kafka = test, kafka
        self.node = Node(server=formatted_by, properties=PROPERTIES, version_3=static_quorum)
        test.addCleanup(self.node.close)
        self.node.extra["log.dirs"] = f"{self.node.directory}/a,{self.node.directory}/b"
        features = SHARED_FEATURES if formatted_by != "moldau" else []
        done = self.node.format("--release-version", RELEASES[kafka], *features)
        test.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.node.server = first
        self.node.start()
        self.client = confluent_client.Client(self.node.bootstrap)
        self.hops = 0
        self.squeezed = {}
        self.make_topics()
        self.load = Load(self.node.bootstrap, "kept", PARTITIONS, in_flight)
        test.addCleanup(self.load.close)
        self.reader = Reader(self.node.bootstrap, "readers", "kept")
        test.addCleanup(self.reader.close)
        self.sequences = Sequences(self.node, "sequenced")
        self.sequences.append()

    def ask(self, api, version, values):
        return state.ask(self.node, api, version, values)

    def make_topics(self):
        client = self.client
        client.create_topic("kept", PARTITIONS, {"segment.bytes": "1048576", "retention.ms": "-1"})
        client.alter_topic_config("kept", "retention.ms", "864000000")
        client.alter_topic_config("kept", "min.insync.replicas", "1")
        client.create_topic("sequenced", 1)
        client.create_topic("squeezed", 1, {"cleanup.policy": "compact", "segment.ms": "50",
                                            "min.cleanable.dirty.ratio": "0.01"})
        self.squeeze()
        client.create_topic("grown", 1)
        client.add_partitions("grown", 4)
        self.wait_for_partitions("grown", 4)
        client.produce("grown", [Record(b"%d" % i, partition=i) for i in range(4)])
        client.create_topic("trimmed", 1)
        client.produce("trimmed", [Record(b"%d" % i) for i in range(10)])
        answer = self.ask("DeleteRecords", 2, {"TimeoutMs": 10000, "Topics": [
            {"Name": "trimmed", "Partitions": [{"PartitionIndex": 0, "Offset": 7}]}]})
        self.test.assertEqual(answer["Topics"][0]["Partitions"][0]["LowWatermark"], 7)
        client.create_topic("reborn", 2)
        client.produce("reborn", [Record(b"old")] * 5)
        client.delete_topic("reborn")
        client.create_topic("reborn", 1)
        self.wait_for_partitions("reborn", 1)
        client.produce("reborn", [Record(b"new")])
        for name, values in NODE_CONFIGS.items():
            answer = self.ask("IncrementalAlterConfigs", 1, {"Resources": [
                {"ResourceType": state.BROKER, "ResourceName": name, "Configs": [
                    {"Name": key, "ConfigOperation": 0, "Value": value} for key, value in values.items()]}]})
            self.test.assertEqual([one["ErrorCode"] for one in answer["Responses"]], [0], answer)
        wait_until(lambda: self.ask("FindCoordinator", 4, {"KeyType": 0, "CoordinatorKeys": ["notes"]})
                   ["Coordinators"][0]["ErrorCode"] == 0, what="a coordinator")
        # Groups without members: one that stays, one that was deleted.
        for group in ("notes", "gone"):
            self.commit(group, 3)
        answer = self.ask("DeleteGroups", 2, {"GroupsNames": ["gone"]})
        self.test.assertEqual(answer["Results"][0]["ErrorCode"], 0)

    def wait_for_partitions(self, topic, count):
        """Kafka's broker learns a moment after the answer what the controller has decided."""
        wait_until(lambda: state.topics(self.node).get(topic, ("", 0))[1] == count, what=f"{count} of {topic}")

    def commit(self, group, offset):
        def done():
            answer = self.ask("OffsetCommit", 8, {"GroupId": group, "GenerationIdOrMemberEpoch": -1, "Topics": [
                {"Name": "grown", "Partitions": [{"PartitionIndex": 3, "CommittedOffset": offset,
                                                  "CommittedMetadata": f"note {offset}"}]}]})
            return answer["Topics"][0]["Partitions"][0]["ErrorCode"] == 0
        wait_until(done, what=f"a commit of {group}")

    def squeeze(self):
        """Rounds of the same keys, some deleted again, so that there is something to compact."""
        for part in range(3):
            time.sleep(0.06)  # segment.ms
            records = [Record(b"%d.%d.%d" % (self.hops, part, i) if (i + part) % 5 else None, key=b"%d" % i)
                       for i in range(30)]
            self.client.produce("squeezed", records, "zstd")
            self.squeezed.update((record.key, record.value) for record in records)

    def directories(self, pattern):
        return [path for log_dir in self.node.log_dirs for path in log_dir.glob(pattern)]

    def doom(self):
        """A topic deleted a moment before the stop: its directory is on the way out."""
        name = f"doomed-{self.hops}"
        self.client.create_topic(name, 1)
        self.client.produce(name, [Record(b"x")])
        self.client.delete_topic(name)
        wait_until(lambda: not self.directories(f"{name}-0"), what="the rename to -delete")

    def whole(self):
        """What the server says of everything but the topics that must not be touched."""
        partitions = {name: count for name, (_, count) in state.topics(self.node).items()
                      if not name.startswith(("untouched", "__"))}
        return state.whole(self.node, partitions, ("readers", "notes"), self.load.began_ms + 100)

    def hop(self, to, how, acked=1000, break_a_start=lambda: False):
        """The server stops that way, so many acknowledgements later, and the other one takes the directory.
        `break_a_start` may kill somebody who starts on it before, and tells whether it did."""
        test, node, origin = self.test, self.node, self.node.server
        self.load.run_until_acked(acked)
        self.doom()
        self.sequences.append()
        # A topic that nobody has used: its directory is as it was made.
        untouched = f"untouched-{self.hops}"
        self.client.create_topic(untouched, 1)
        wait_until(lambda: self.directories(f"{untouched}-0"), what="the directory of a new topic")
        if how == "clean":
            self.load.drain()
            ends = state.offsets(node, {"kept": PARTITIONS}, state.LATEST)
            self.reader.catch_up({partition: end for (_, partition), end in ends.items()})
            # Kafka's last broker may name no broker at all while it stops, and librdkafka that hears of it
            # connects to nobody again.
            if origin != "moldau":
                self.reader.close()
            before = self.whole()
            test.assertIn(node.stop(), CLEAN_CODES, node.tail())
        else:
            before = self.whole()
            node.kill()
            self.load.pause()
        self.check_files(origin, how, before["topics"])
        node.server = to
        is_clean = not break_a_start() and how == "clean"
        node.start()
        self.load.drain()
        after = self.whole()
        self.check_log(is_clean)
        if how == "clean":
            self.check_same(before, after)
            if origin != "moldau":
                self.reader.join()
        else:
            self.check_not_less(before, after)
        self.check_contents()
        wait_until(lambda: not self.directories("*-delete"), what="the end of deleted topics")
        # It is alive, not only readable.
        self.hops += 1
        self.squeeze()
        self.commit("notes", 10 + self.hops)
        self.sequences.append()
        self.sequences.new_producer_id()
        self.client.create_topic(f"made-{self.hops}", 2)

    def check_files(self, origin, how, topics):
        test, log_dirs = self.test, self.node.log_dirs
        allowed = [files.KAFKAS]
        if how == "killed":
            allowed.append(files.HALF_DONE)
        journals = self.directories(files.JOURNALS)
        if origin == "moldau":
            test.assertEqual(bool(journals), how == "killed", "a clean stop leaves no journal")
        if journals:
            allowed.append(files.MOLDAUS)
        for log_dir in log_dirs:
            test.assertEqual(files.unknown(log_dir, topics, *allowed), [])
        if how == "clean":
            out = files.dump(log_dirs, self.kafka)
            codecs = {name.lower() for name in re.findall(r"compresscodec: (\w+)", out)}
            test.assertEqual(codecs, set(confluent_client.CODECS))
            # They may be deleted: whoever starts next misses nothing.
            for path in journals:
                path.unlink()

    def check_same(self, before, after):
        for what, found in before.items():
            if what == "epochs":
                self.test.assertLessEqual(found.items(), after[what].items(), what)
            else:
                self.test.assertEqual(after[what], found, what)

    def check_not_less(self, before, after):
        """What was read under load before a kill: whatever is not under load is the same."""
        test = self.test
        for what in ("topics", "configs", "groups", "members"):
            test.assertEqual(after[what], before[what], what)
        for what in ("latest", "at timestamp", "producers"):
            test.assertEqual({place: found for place, found in after[what].items() if place[0] != "kept"},
                             {place: found for place, found in before[what].items() if place[0] != "kept"}, what)
        test.assertEqual(after["committed"]["notes"], before["committed"]["notes"])
        for place, found in before["committed"]["readers"].items():
            test.assertGreaterEqual(after["committed"]["readers"][place], found)
        for place, found in before["latest"].items():
            test.assertGreaterEqual(after["latest"][place], found)
        # Where a log starts is written down now and then, by either server.
        for place, found in before["earliest"].items():
            test.assertLessEqual(after["earliest"][place], found)

    def check_contents(self):
        test = self.test
        test.assertEqual(self.load.problems(self.client.read("kept", self.load.total())), [])
        end = state.offsets(self.node, {"squeezed": 1}, state.LATEST)["squeezed", 0]
        test.assertEqual(read_compacted(self.node.bootstrap, "squeezed", end),
                         {key: value for key, value in self.squeezed.items() if value is not None})
        test.assertEqual(sorted(r.value for r in self.client.read("grown", 4)), [b"0", b"1", b"2", b"3"])
        test.assertEqual([r.value for r in self.client.read("trimmed", 3, {0: 7})], [b"7", b"8", b"9"])
        test.assertEqual([r.value for r in self.client.read("reborn", 1)], [b"new"])
        test.assertEqual(self.sequences.problems(), [])

    def check_log(self, is_clean):
        """The server found nothing strange in the directory."""
        usual = USUAL + ([] if is_clean else AFTER_KILL)
        output = list(self.node.output)
        said = [f"{line} {cause}" for line, cause in zip(output, [*output[1:], ""])
                if re.search(r"\b(WARN|ERROR|FATAL)\b", line)]
        strange = [line for line in said if not any(re.search(pattern, line) for pattern in usual)]
        self.test.assertEqual(strange, [], "\n".join(strange))

    def finish(self):
        test = self.test
        self.load.run_until_acked(300)
        self.load.drain()
        self.check_contents()
        ends = state.offsets(self.node, {"kept": PARTITIONS}, state.LATEST)
        self.reader.catch_up({partition: end for (_, partition), end in ends.items()})
        test.assertGreaterEqual(len(self.reader.seen), self.load.total())
        test.assertEqual(self.reader.assignments, self.reader.joined, "no server made the member join again")
        topics = self.whole()["topics"]
        test.assertIn(self.node.stop(), CLEAN_CODES)
        self.check_files(self.node.server, "clean", topics)
        out = files.dump_groups(self.node.log_dirs, self.kafka)
        for group in ("readers", "notes"):
            test.assertIn(group, out)
        files.dump_metadata(self.node.log_dir, self.kafka)


class Cells:
    """The cells of one Kafka release: there, stopped one way, and back, stopped the other way."""
    kafka = None

    def run_cell(self, first, second, stop, **options):
        if settings.server == "kafka":
            self.skipTest("this test is about Moldau")
        if not settings.have_kafka(self.kafka):
            self.skipTest(f"java or the jars of {self.kafka} are missing (prepare.py)")
        exchange = Exchange(self, first=first, kafka=self.kafka, **options)
        exchange.hop(second, stop)
        exchange.hop(first, "killed" if stop == "clean" else "clean")
        exchange.finish()

    def test_moldau_stopped_cleanly(self):
        self.run_cell("moldau", self.kafka, "clean", formatted_by="moldau", in_flight=5)

    def test_moldau_killed(self):
        self.run_cell("moldau", self.kafka, "killed", formatted_by=self.kafka, static_quorum=True)

    def test_kafka_stopped_cleanly(self):
        self.run_cell(self.kafka, "moldau", "clean", formatted_by=self.kafka)

    def test_kafka_killed(self):
        self.run_cell(self.kafka, "moldau", "killed", formatted_by="moldau", static_quorum=True, in_flight=5)


class Newest(Cells, unittest.TestCase):
    kafka = "kafka"


class Older(Cells, unittest.TestCase):
    kafka = "kafka-4.1"


class LongRun(unittest.TestCase):
    """Not in `./test`: all three servers in turn on one directory, in any order, most of them killed, some of them
    while they start."""

    SECONDS = float(os.environ.get("MOLDAU_EXCHANGE_SECONDS", "600"))

    def test_kills(self):
        servers = ["moldau", *RELEASES]
        seed = int(os.environ.get("MOLDAU_EXCHANGE_SEED", time.time()))
        print(f"MOLDAU_EXCHANGE_SEED={seed}", flush=True)
        chooser = random.Random(seed)
        exchange = Exchange(self, "moldau", "moldau", "kafka-4.1")
        stops, broken_starts = collections.Counter(), collections.Counter()

        def break_a_start():
            """Another kill while somebody reads what the last one left."""
            if chooser.random() < 0.7:
                return False
            taker, exchange.node.server = exchange.node.server, chooser.choice(servers)
            broken_starts[exchange.node.server] += 1
            exchange.node.spawn()
            time.sleep(chooser.uniform(0, 0.05 if exchange.node.server == "moldau" else 4))
            exchange.node.kill()
            exchange.node.server = taker
            return True

        end = time.monotonic() + self.SECONDS
        try:
            while time.monotonic() < end:
                origin, to = exchange.node.server, chooser.choice(servers)
                how = "clean" if chooser.random() < 0.2 else "killed"
                stops[origin, how, to] += 1
                exchange.hop(to, how, chooser.randrange(200, 2000), break_a_start)
            exchange.finish()
        finally:
            print(f"{exchange.load.total()} records")
            for (origin, how, to), count in sorted(stops.items()):
                print(f"{count:4} {origin} {how} -> {to}")
            print(f"killed while starting: {dict(broken_starts)}", flush=True)


if __name__ == "__main__":
    unittest.main()
