"""One group of different clients: our console consumer, Java's and librdkafka's, side by side.

Records are numbered; whatever happens to the members, every number must reach one of them.
"""
import random
import signal
import subprocess
import threading
import time
import unittest

from client_suite import Member
from harness import java, settings
from harness.node import Node, wait_until

PARTITIONS = 6
RANGE = "org.apache.kafka.clients.consumer.RangeAssignor"
COOPERATIVE = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
MODULE = "confluent_client"


class ConsoleMember:
    """A console consumer, ours or Java's, that prints the values it reads."""

    def __init__(self, node, group, topic, kind, *properties):
        arguments = ["--bootstrap-server", node.bootstrap, "--topic", topic, "--group", group,
                     "--from-beginning"]
        for text in ("session.timeout.ms=6000", "heartbeat.interval.ms=1000",
                     "auto.commit.interval.ms=500", f"client.id={kind}-{random.randrange(10**6)}",
                     *properties):
            arguments += ["--command-property", text]
        command = (java.command("kafka-console-consumer", *arguments) if kind == "java"
                   else [str(settings.moldau), "kafka-console-consumer", *arguments])
        self.kind, self.values, self.errors = kind, set(), []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._complain, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.values.add(int(line))

    def _complain(self):
        self.errors.extend(line for line in self.process.stderr if "KIP-848" not in line)

    def leave(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def kill(self):
        self.process.kill()
        self.process.wait()


class MixedGroups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")
        cls.node = Node({"group.initial.rebalance.delay.ms": 100}).start()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def setUp(self):
        self.topic, self.group = f"m-{random.randrange(10**9)}", f"g-{random.randrange(10**9)}"
        self.node.tool("kafka-topics", "--bootstrap-server", self.node.bootstrap, "--create",
                       "--topic", self.topic, "--partitions", PARTITIONS, check=True)
        self.members, self.gone, self.sent = [], [], 0

    def tearDown(self):
        for member in self.members:
            member.kill()

    def start(self, kind, *properties):
        member = ConsoleMember(self.node, self.group, self.topic, kind, *properties)
        self.members.append(member)
        return member

    def send(self, count=300):
        lines = "".join(f"{self.sent + i}:{self.sent + i}\n" for i in range(count))
        self.node.tool("kafka-console-producer", "--bootstrap-server", self.node.bootstrap, "--topic",
                       self.topic, "--reader-property", "parse.key=true", "--reader-property",
                       "key.separator=:", stdin=lines, check=True)
        self.sent += count

    def describe(self, what):
        done = self.node.tool("kafka-consumer-groups", "--bootstrap-server", self.node.bootstrap,
                              "--describe", "--group", self.group, what)
        lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
        return [dict(zip(lines[0], line)) for line in lines[1:]] if len(lines) > 1 else []

    def shares(self):
        """How many partitions each member has."""
        return sorted(int(member["#PARTITIONS"]) for member in self.describe("--members"))

    def strategy(self):
        done = self.node.tool("kafka-consumer-groups", "--bootstrap-server", self.node.bootstrap,
                              "--describe", "--group", self.group, "--state")
        return next((name for name in ("range", "cooperative-sticky") if f" {name} " in done.stdout
                     and " Stable " in done.stdout), None)

    def settle(self, shares, seconds=40):
        wait_until(lambda: self.shares() == shares, seconds, f"members settle on {shares}")

    def everything_arrives(self):
        def arrived():
            return set().union(*(member.values for member in self.members + self.gone))
        wait_until(lambda: arrived() >= set(range(self.sent)), 40, "every record reaches a member")

    def end(self, member, how):
        """The member goes; what it had read still counts."""
        how(member)
        self.members.remove(member)
        self.gone.append(member)

    def test_our_consumer_and_javas_share_and_take_over(self):
        mine, other = self.start("moldau"), self.start("java")
        self.settle([3, 3])
        self.send()
        self.everything_arrives()
        third = self.start("moldau")
        self.settle([2, 2, 2])
        self.end(mine, ConsoleMember.kill)
        self.settle([3, 3])
        self.send()
        self.everything_arrives()
        self.end(other, ConsoleMember.kill)
        self.settle([6])
        self.send()
        self.everything_arrives()
        self.assertEqual(third.errors, [])

    def test_a_group_rolls_from_range_to_cooperative_sticky(self):
        kinds = ["moldau", "java", "moldau"]
        for kind in kinds:
            self.start(kind, f"partition.assignment.strategy={RANGE}")
        self.settle([2, 2, 2])
        self.assertEqual(self.strategy(), "range")
        for strategies, chosen in ((f"{COOPERATIVE},{RANGE}", None),
                                   (COOPERATIVE, "cooperative-sticky")):
            for member in list(self.members):
                self.end(member, ConsoleMember.leave)
                self.start(member.kind, f"partition.assignment.strategy={strategies}")
                self.send(120)
                self.settle([2, 2, 2])
            if chosen:
                wait_until(lambda: self.strategy() == chosen, 20, f"the group uses {chosen}")
            self.everything_arrives()

    def test_a_cooperative_group_of_ours_and_javas_goes_on_while_members_die(self):
        strategy = f"partition.assignment.strategy={COOPERATIVE}"
        for kind in ("java", "moldau", "moldau"):
            self.start(kind, strategy)
        self.settle([2, 2, 2])
        for round_ in range(4):
            self.send(120)
            victim = self.members[random.randrange(len(self.members))]
            self.end(victim, ConsoleMember.kill if round_ % 2 else ConsoleMember.leave)
            self.send(120)
            self.start("moldau", strategy)
            self.settle([2, 2, 2])
        self.everything_arrives()

    def test_a_static_member_comes_back_to_its_partitions_without_a_rebalance(self):
        static = [self.start(kind, f"group.instance.id=i{i}", "session.timeout.ms=20000")
                  for i, kind in enumerate(("moldau", "java"))]
        self.settle([3, 3])
        before = {member["GROUP-INSTANCE-ID"]: member["#PARTITIONS"]
                  for member in self.describe("--members")}
        self.assertEqual(set(before), {"i0", "i1"})
        self.end(static[0], ConsoleMember.leave)
        time.sleep(2)
        self.assertEqual(self.shares(), [3, 3], "its place waits for it")
        self.start("moldau", "group.instance.id=i0", "session.timeout.ms=20000")
        self.send()
        self.everything_arrives()
        self.assertEqual(self.shares(), [3, 3])

    def test_librdkafka_joins_a_group_of_ours_and_javas(self):
        try:
            import confluent_kafka  # noqa: F401
        except ImportError:
            self.skipTest("confluent-kafka is missing (prepare.py confluent)")
        self.start("moldau"), self.start("java")
        librdkafka = Member(MODULE, self.node.bootstrap, self.group, self.topic)
        try:
            self.settle([2, 2, 2])
            self.send()
            wait_until(lambda: len(librdkafka.assigned) == 2 and len(librdkafka.places) >= 50, 40,
                       "librdkafka reads its share")
            wait_until(lambda: sum(len(member.values) for member in self.members)
                       + len(set(librdkafka.places)) >= self.sent, 40, "the others read the rest")
            librdkafka.kill()
            self.settle([3, 3])
            later = set(range(self.sent, self.sent + 300))
            self.send()
            wait_until(lambda: set().union(*(m.values for m in self.members)) >= later, 40,
                       "what comes later reaches those who stay")
        finally:
            librdkafka.kill()


if __name__ == "__main__":
    unittest.main()
