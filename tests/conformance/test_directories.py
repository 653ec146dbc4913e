"""Starting on the wrong directory, the wrong port or the wrong configuration: one clear message, exit 1,
and nothing harmed."""
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from harness import settings
from harness.node import Node, NodeFailed


class Directories(unittest.TestCase):
    def node(self, **arguments):
        node = Node(**arguments)
        self.addCleanup(node.close)
        return node

    def assert_refuses(self, node, *patterns, seconds=40):
        """The node ends by itself with code 1 and says something that matches."""
        node.spawn()
        try:
            code = node.wait_exit(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"still running:\n{node.tail()}")
        text = "\n".join(node.output)
        self.assertEqual(code, 1, text[-3000:])
        for pattern in patterns:
            self.assertRegex(text, pattern)
        return text

    def mount(self, kind, options="defaults"):
        """A file system of its own, until the test is over: its folder."""
        if os.geteuid() != 0:
            self.skipTest("mounting a file system needs root")
        folder = tempfile.mkdtemp(prefix="moldau-mount-")
        self.addCleanup(os.rmdir, folder)
        if subprocess.run(["mount", "-t", kind, "-o", options, kind, folder], capture_output=True).returncode != 0:
            self.skipTest("this machine does not allow mounting a file system")
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        return folder

    def test_an_unformatted_directory_is_refused(self):
        node = self.node()
        node.write_properties()
        text = self.assert_refuses(node, r"(?i)no (readable )?`?meta\.properties")
        if settings.server == "moldau":
            self.assertIn("kafka-storage", text)
            self.assertIn(str(node.log_dir), text)

    def test_formatting_twice_is_refused_unless_asked(self):
        node = self.node()
        self.assertEqual(node.format().returncode, 0)
        again = node.format()
        self.assertEqual(again.returncode, 1)
        self.assertIn("already formatted", again.stdout + again.stderr)
        self.assertEqual(node.format("--ignore-formatted").returncode, 0)

    def test_another_nodes_directory_is_refused(self):
        node = self.node()
        self.assertEqual(node.format().returncode, 0)
        node.extra = {"node.id": "7", "controller.quorum.bootstrap.servers": "localhost:1"}
        node.write_properties()
        self.assert_refuses(node, r"(?i)node.?id")

    def test_directories_of_two_clusters_are_refused(self):
        node, other = self.node(), self.node()
        node.extra = {"log.dirs": f"{node.directory}/a,{node.directory}/b"}
        self.assertEqual(node.format().returncode, 0)
        other.format(cluster_id="another-cluster")
        shutil.rmtree(f"{node.directory}/b")
        shutil.copytree(other.log_dir, f"{node.directory}/b")
        self.assert_refuses(node, r"(?i)cluster.?id")

    def test_a_directory_in_use_is_refused_and_the_first_node_serves_on(self):
        first = self.node().start()
        first.tool("kafka-topics", "--bootstrap-server", first.bootstrap, "--create", "--topic", "t", check=True)
        second = self.node()
        second.extra = {"log.dirs": str(first.log_dir)}
        second.write_properties()
        text = self.assert_refuses(second, r"(?i)lock")
        if settings.server == "moldau":
            self.assertIn(str(first.log_dir), text)
        self.assertTrue(first.is_running())
        listed = first.tool("kafka-topics", "--bootstrap-server", first.bootstrap, "--list", check=True)
        self.assertIn("t", listed.stdout.split())

    @unittest.skipIf(settings.server == "kafka", "log4j2 has its own way")
    def test_a_log_file_that_cannot_be_written_is_refused(self):
        node = self.node()
        self.assertEqual(node.format().returncode, 0)
        (node.directory / "file").write_text("no directory")
        done = subprocess.run(node.command("kafka-server-start", node.properties_file), capture_output=True,
                              text=True, timeout=40, env={**os.environ, "LOG_DIR": f"{node.directory}/file"})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("server.log", done.stderr)

    def test_a_port_in_use_is_refused(self):
        node = self.node()
        self.assertEqual(node.format().returncode, 0)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", node.port))
            taken.listen()
            self.assert_refuses(node, r"(?i)address already in use|failed to bind", str(node.port))

    def test_an_unwritable_directory_is_refused(self):
        if os.geteuid() == 0:
            # Root may write everywhere except where there is no file system to write to.
            node = self.node(properties={"log.dirs": "/proc/moldau-logs"})
        else:
            node = self.node()
            node.log_dir.mkdir()
            node.log_dir.chmod(0o500)
        node.write_properties()
        done = node.format()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout + done.stderr, str(node.log_dir))

    def test_a_missing_required_key_is_named(self):
        node = self.node()
        self.assertEqual(node.format().returncode, 0)
        text = node.properties_file.read_text().replace("node.id=1\n", "")
        node.properties_file.write_text(text)
        self.assert_refuses(node, r'Missing required configuration "node\.id"')

    def test_bad_values_are_named_with_what_is_allowed(self):
        for key, value, pattern in (
                ("num.partitions", "0", "Invalid value 0 for configuration num.partitions: Value must be at "
                 "least 1"),
                ("log.retention.ms", "soon", "Invalid value soon for configuration log.retention.ms: Not a "
                 "number of type LONG"),
                ("compression.type", "brotli", "String must be one of: uncompressed, zstd, lz4, snappy, gzip, "
                 "producer"),
                ("inter.broker.listener.name", "NOWHERE", "NOWHERE"),
                ("advertised.listeners", "PLAINTEXT://0.0.0.0:9092", "nonroutable")):
            with self.subTest(key=key):
                node = self.node()
                self.assertEqual(node.format().returncode, 0)
                node.extra = {key: value}
                node.write_properties()
                self.assert_refuses(node, pattern)

    def test_a_missing_properties_file_is_named(self):
        node = self.node()
        self.assert_refuses(node, r"server\.properties")

    def test_unknown_keys_only_warn(self):
        node = self.node(properties={"log.retention.hour": "1"}).start()
        if settings.server == "moldau":
            self.assertRegex("\n".join(node.output), r"log\.retention\.hour .*log\.retention\.hours")
        self.assertTrue(node.is_running())

    def test_a_full_disk_refuses_produce_and_loses_nothing(self):
        """A tiny file system fills up: writes are refused, reads go on, and a restart finds what was acked."""
        folder = self.mount("tmpfs", "size=40m")
        node = self.node(properties={"log.dirs": f"{folder}/data", "metadata.log.dir": f"{folder}-meta"})
        self.addCleanup(shutil.rmtree, f"{folder}-meta", True)
        if settings.server == "kafka":
            self.skipTest("Kafka stops on a full disk")
        node.start()
        node.tool("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "full",
                  "--config", "segment.bytes=1048576", check=True)
        line = "x" * 100_000 + "\n"
        done = node.tool("kafka-console-producer", "--bootstrap-server", node.bootstrap, "--topic", "full",
                         "--producer-property", "delivery.timeout.ms=5000", "--producer-property",
                         "request.timeout.ms=2000", "--producer-property", "linger.ms=0", stdin=line * 600,
                         timeout=180)
        self.assertRegex(done.stderr, r"(?i)error|exception")
        self.assertTrue(node.is_running(), node.tail())
        # Without a group: its offsets topic would need room on the same disk.
        out = node.tool("kafka-console-consumer", "--bootstrap-server", node.bootstrap, "--topic", "full",
                        "--partition", "0", "--offset", "earliest", "--timeout-ms", "4000", timeout=120)
        self.assertGreater(out.stdout.count("\n"), 10)

    def test_a_file_system_without_direct_writes_has_a_journal_all_the_same(self):
        """ramfs refuses O_DIRECT, as tmpfs does before Linux 6.6: the journal is written through the page cache."""
        folder = self.mount("ramfs")
        with self.assertRaises(OSError):
            os.open(f"{folder}/probe", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
        os.unlink(f"{folder}/probe")
        node = self.node(properties={"log.dirs": f"{folder}/data"}).start()
        node.tool("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "kept", check=True)
        said = [f"record {i}" for i in range(20)]
        for part in (said[:10], said[10:]):  # the first append of a new log is synced and not journaled
            node.tool("kafka-console-producer", "--bootstrap-server", node.bootstrap, "--topic", "kept",
                      stdin="\n".join(part) + "\n", check=True)
        if settings.server == "moldau":
            self.assertTrue(list(node.log_dir.glob("moldau-journal-*.log")))
        node.kill()
        node.start()
        out = node.tool("kafka-console-consumer", "--bootstrap-server", node.bootstrap, "--topic", "kept",
                        "--partition", "0", "--offset", "earliest", "--max-messages", "20", timeout=120, check=True)
        self.assertEqual(out.stdout.split("\n")[:20], said)

    def test_sigterm_during_start_ends_cleanly(self):
        node = self.node()
        self.assertEqual(node.format().returncode, 0)
        node.spawn()
        time.sleep(0.02 if settings.server == "moldau" else 1.0)
        node.process.terminate()
        self.assertIn(node.wait_exit(40), (0, 143, -15))
        try:
            node.start()
        except NodeFailed as error:
            self.fail(str(error))
