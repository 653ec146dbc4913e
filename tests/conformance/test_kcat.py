"""kcat, as people type it."""
import json
import shutil
import subprocess
import unittest

from harness.node import Node, wait_until


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

    def test_idempotent_acks_all(self):
        self.kcat("-P", "-t", "kcat-idem", "-p", "1", "-X", "enable.idempotence=true", "-X", "acks=all",
                  stdin="".join(f"{i}\n" for i in range(500)))
        out = self.kcat("-C", "-t", "kcat-idem", "-p", "1", "-o", "beginning", "-e", "-q")
        self.assertEqual(out.split(), [str(i) for i in range(500)])

    def test_a_missing_topic_is_made_by_its_first_producer(self):
        self.kcat("-P", "-t", "kcat-auto", stdin="first\n")
        wait_until(lambda: "first" in self.kcat("-C", "-t", "kcat-auto", "-o", "beginning", "-e", "-q"),
                   what="the first record")
