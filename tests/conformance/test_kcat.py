"""kcat, as people type it."""
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from harness.node import Node, wait_until


class Member:
    """A group member: kcat -G, whose partitions and records are read as it prints them."""

    def __init__(self, bootstrap, group, topic):
        self.process = subprocess.Popen(
            ["kcat", "-b", bootstrap, "-G", group, "-u", "-f", "%p %o\n", "-X", "auto.offset.reset=earliest",
             "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=1000", topic],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assigned, self.places = set(), set()
        threading.Thread(target=self._read_records, daemon=True).start()
        threading.Thread(target=self._read_assignments, daemon=True).start()

    def _read_records(self):
        for line in self.process.stdout:
            self.places.add(tuple(map(int, line.split())))

    def _read_assignments(self):
        for line in self.process.stderr:
            if "rebalanced" in line:
                self.assigned = {int(p) for p in re.findall(r"\[(\d+)\]", line.partition(" assigned: ")[2])}

    def end(self, signal_number):
        self.process.send_signal(signal_number)
        self.process.wait(30)


class Kcat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("kcat"):
            raise unittest.SkipTest("kcat is not installed")
        cls.node = Node({"num.partitions": 3}).start()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def kcat(self, *arguments, stdin=None, timeout=60):
        done = subprocess.run(["kcat", "-b", self.node.bootstrap, *arguments], input=stdin,
                              capture_output=True, text=True, timeout=timeout)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_metadata_lists_the_broker_and_its_topics(self):
        self.kcat("-P", "-t", "kcat-meta", stdin="x\n")
        listing = json.loads(self.kcat("-L", "-J"))
        self.assertEqual([broker["id"] for broker in listing["brokers"]], [1])
        self.assertIn("kcat-meta", [topic["topic"] for topic in listing["topics"]])
        topic = next(t for t in listing["topics"] if t["topic"] == "kcat-meta")
        self.assertEqual(len(topic["partitions"]), 3)
        for partition in topic["partitions"]:
            self.assertEqual(partition["leader"], 1)
            self.assertEqual(partition["isrs"], [{"id": 1}])

    def test_lines_go_in_and_come_out_with_every_codec(self):
        lines = [f"line {i} {'x' * (i % 70)}" for i in range(1000)]
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec=codec):
                topic = f"kcat-{codec}"
                self.kcat("-P", "-t", topic, "-z", codec, "-p", "0", stdin="\n".join(lines) + "\n")
                out = self.kcat("-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q")
                self.assertEqual(out.splitlines(), lines)

    def test_keys_headers_and_null_values(self):
        self.kcat("-P", "-t", "kcat-keys", "-p", "0", "-K:", "-Z", "-H", "color=blue", "-H", "n=1",
                  stdin="k1:v1\nk2:\n")
        out = self.kcat("-C", "-t", "kcat-keys", "-p", "0", "-o", "beginning", "-e", "-q", "-J")
        first, second = map(json.loads, out.splitlines())
        self.assertEqual((first["key"], first["payload"]), ("k1", "v1"))
        self.assertEqual(first["headers"], ["color", "blue", "n", "1"])
        self.assertEqual((second["key"], second["payload"]), ("k2", None))

    def test_offsets_from_the_end_and_by_time(self):
        self.kcat("-P", "-t", "kcat-tail", "-p", "0", stdin="".join(f"{i}\n" for i in range(10)))
        tail = self.kcat("-C", "-t", "kcat-tail", "-p", "0", "-o", "-3", "-e", "-q")
        self.assertEqual(tail.split(), ["7", "8", "9"])
        self.assertEqual(self.kcat("-Q", "-t", "kcat-tail:0:-1").split()[-1], "10")
        self.assertEqual(self.kcat("-Q", "-t", "kcat-tail:0:0").split()[-1], "0")

    def test_a_balanced_consumer_reads_everything_and_goes_on_after_a_restart(self):
        def consume(count):
            return self.kcat("-G", "kcat-group", "-X", "auto.offset.reset=earliest", "-c", str(count),
                             "-q", "kcat-grouped").split()

        self.kcat("-P", "-t", "kcat-grouped", stdin="".join(f"{i}\n" for i in range(60)))
        self.assertEqual(sorted(map(int, consume(60))), list(range(60)))
        self.node.restart()
        self.kcat("-P", "-t", "kcat-grouped", stdin="".join(f"{i}\n" for i in range(60, 90)))
        self.assertEqual(sorted(map(int, consume(30))), list(range(60, 90)))

    def test_offsets_from_a_time_on(self):
        self.kcat("-P", "-t", "kcat-time", "-p", "0", stdin="old\n")
        between = int(time.time() * 1000) + 1
        wait_until(lambda: time.time() * 1000 > between, what="the clock moves on")
        self.kcat("-P", "-t", "kcat-time", "-p", "0", stdin="new\nnewest\n")
        out = self.kcat("-C", "-t", "kcat-time", "-p", "0", "-o", f"s@{between}", "-e", "-q")
        self.assertEqual(out.split(), ["new", "newest"])

    def test_whole_files_of_900_kb_keep_every_byte(self):
        content = random.Random(5).randbytes(900 * 1024)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "value"
            path.write_bytes(content)
            for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
                with self.subTest(codec=codec):
                    self.kcat("-P", "-t", f"kcat-big-{codec}", "-p", "0", "-z", codec, str(path))
                    out = subprocess.run(
                        ["kcat", "-b", self.node.bootstrap, "-C", "-t", f"kcat-big-{codec}", "-p", "0", "-o",
                         "beginning", "-e", "-q", "-f", "%s"], capture_output=True, timeout=60, check=True)
                    self.assertEqual(out.stdout, content)

    def test_group_of_three_joins_leaves_and_survives_a_kill(self):
        self.kcat("-P", "-t", "kcat-three", stdin="".join(f"{i}\n" for i in range(300)))
        members = []

        def shared():
            owned = sorted(p for member in members for p in member.assigned)
            return owned == [0, 1, 2] and all(member.assigned for member in members)

        try:
            for count in (1, 2, 3):
                members.append(Member(self.node.bootstrap, "kcat-three", "kcat-three"))
                wait_until(shared, 40, f"{count} members share three partitions")
            members.pop(0).end(signal.SIGTERM)
            wait_until(shared, 40, "two members after a leave")
            members.pop(0).end(signal.SIGKILL)
            wait_until(shared, 40, "one member after a kill")
            for partition in "012":
                self.kcat("-P", "-t", "kcat-three", "-p", partition, stdin="last\n")
            ends = {(p, int(self.kcat("-Q", "-t", f"kcat-three:{p}:-1").split()[-1]) - 1) for p in range(3)}
            wait_until(lambda: ends <= members[0].places, 40, "the last member reads on")
        finally:
            for member in members:
                member.end(signal.SIGKILL)

    def test_idempotent_acks_all(self):
        self.kcat("-P", "-t", "kcat-idem", "-p", "1", "-X", "enable.idempotence=true", "-X", "acks=all",
                  stdin="".join(f"{i}\n" for i in range(500)))
        out = self.kcat("-C", "-t", "kcat-idem", "-p", "1", "-o", "beginning", "-e", "-q")
        self.assertEqual(out.split(), [str(i) for i in range(500)])

    def test_a_missing_topic_is_made_by_its_first_producer(self):
        self.kcat("-P", "-t", "kcat-auto", stdin="first\n")
        wait_until(lambda: "first" in self.kcat("-C", "-t", "kcat-auto", "-o", "beginning", "-e", "-q"),
                   what="the first record")
