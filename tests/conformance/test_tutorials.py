"""Kafka tutorials found on the web, followed word for word: only addresses and paths differ, and a program
that would run for ever is stopped once it has printed what the reader expects."""
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
import unittest

from harness import settings
from harness.node import Node

HERE = pathlib.Path(__file__).resolve().parent


class Program:
    """A running program whose output lines can be waited for."""

    def __init__(self, command, environment=None, cwd=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env=environment, cwd=cwd)
        self.lines, self._queue = [], queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, text, seconds=40, times=1):
        """Waits until `times` lines hold the text."""
        deadline = time.monotonic() + seconds
        while sum(text in line for line in self.lines) < times:
            try:
                self.lines.append(self._queue.get(timeout=max(0.01, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"{text!r} not seen {times} times:\n" + "\n".join(self.lines)) from None

    def stop(self, by=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(by)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Tutorials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node({"num.partitions": 1}).start()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def run_script(self, name, *arguments, timeout=60):
        command, environment = self.node.script(name, *arguments)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)

    def start_script(self, name, *arguments):
        program = Program(*self.node.script(name, *arguments))
        self.addCleanup(program.stop)
        return program

    def python(self, venv, file):
        """One of tutorials/*.py with this node's address in it, in that client's venv."""
        interpreter = HERE / "target" / f"venv-{venv}" / "bin/python"
        if not interpreter.exists():
            self.skipTest(f"the Python client {venv} could not be installed (prepare.py {venv})")
        text = (HERE / "tutorials" / file).read_text().replace("localhost:9092", self.node.bootstrap)
        program = Program([str(interpreter), "-u", "-c", text], environment={**os.environ})
        self.addCleanup(program.stop)
        return program

    def test_user_events_with_confluent_kafka(self):
        done = self.run_script("kafka-topics.sh", "--create", "--topic", "user-events", "--bootstrap-server",
                               self.node.bootstrap, "--partitions", "3", "--replication-factor", "1")
        self.assertEqual((done.returncode, done.stdout), (0, "Created topic user-events.\n"), done.stderr)
        consumer = self.python("confluent", "confluent_consumer.py")
        producer = self.python("confluent", "confluent_producer.py")
        producer.expect("Message delivered to user-events [")
        self.assertEqual(producer.process.wait(20), 0)
        consumer.expect("Received event: {'user_id': '123', 'action': 'login', "
                        "'timestamp': '2025-06-22T18:24:00'}")

    def orders_with(self, venv):
        # The topic does not exist: the consumer's subscription or the producer's first record makes it.
        consumer = self.python(venv, "orders_consumer.py")
        for _ in range(30):
            self.python(venv, "orders_producer.py").process.wait(60)
            try:
                consumer.expect("New order created", seconds=2)
                return
            except AssertionError:
                self.assertIsNone(consumer.process.poll(), "\n".join(consumer.lines))
        self.fail("no order arrived")

    def test_orders_with_kafka_python_2_0_2(self):
        self.orders_with("kafka-python-2.0.2")

    def test_orders_with_newest_kafka_python(self):
        self.orders_with("kafka-python")

    def messages_with(self, venv):
        if "test-topic" not in self.run_script("kafka-topics.sh", "--list", "--bootstrap-server",
                                               self.node.bootstrap).stdout.split():
            done = self.run_script("kafka-topics", "--create", "--topic", "test-topic", "--bootstrap-server",
                                   self.node.bootstrap, "--replication-factor", "1", "--partitions", "1")
            self.assertEqual((done.returncode, done.stdout), (0, "Created topic test-topic.\n"))
        consumer = self.python(venv, "messages_consumer.py")
        for _ in range(30):
            producer = self.python(venv, "messages_producer.py")
            producer.expect("Sent: Message 9")
            self.assertEqual(producer.process.wait(60), 0)
            try:
                consumer.expect("Received: Message 9", seconds=2)
                break
            except AssertionError:
                self.assertIsNone(consumer.process.poll(), "\n".join(consumer.lines))
        seen = [line for line in consumer.lines if line.startswith("Received")]
        self.assertEqual(seen[-10:], [f"Received: Message {i}" for i in range(10)])

    def test_ten_messages_with_kafka_python_2_0_2(self):
        self.messages_with("kafka-python-2.0.2")

    def test_ten_messages_with_newest_kafka_python(self):
        self.messages_with("kafka-python")


class KraftQuickStart(unittest.TestCase):
    """Format with a readable cluster id, start, create, produce, consume: the quick start of 3.x."""

    def test_the_whole_way_and_a_restart(self):
        node = Node(version_3=True)
        self.addCleanup(node.close)
        node.write_properties()
        command, environment = node.script("kafka-storage.sh", "format", "-t", "test-cluster", "-c",
                                           node.properties_file)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Formatting", done.stdout)
        node.start()

        def run(name, *arguments, stdin=None):
            command, environment = node.script(name, *arguments, "--bootstrap-server", node.bootstrap)
            return subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True,
                                  timeout=60)

        self.assertEqual(run("kafka-topics.sh", "--create", "--topic", "orders").stdout,
                         "Created topic orders.\n")
        orders = ['{"order_id": 1, "amount": 500}', '{"order_id": 2, "amount": 650}']
        run("kafka-console-producer.sh", "--topic", "orders", stdin="\n".join(orders) + "\n")
        for _ in range(2):
            command, environment = node.script("kafka-console-consumer.sh", "--topic", "orders",
                                               "--from-beginning", "--bootstrap-server", node.bootstrap)
            consumer = Program(command, environment)
            self.addCleanup(consumer.stop)
            for order in orders:
                consumer.expect(order)
            consumer.stop()
            consumer.expect("Processed a total of 2 messages")
            node.restart()


class ShippedFiles(unittest.TestCase):
    """The server files of config/ start as they are; only ports and the data directory are moved."""

    def start_with(self, name, version_3):
        node = Node(version_3=version_3)
        self.addCleanup(node.close)
        text = (settings.ROOT / "config" / name).read_text()
        for was, now in (("9092", str(node.port)), ("9093", str(node.controller_port)),
                         ("/tmp/kraft-combined-logs", str(node.log_dir))):
            self.assertIn(was, text)
            text = text.replace(was, now)
        node.write_properties = lambda: node.properties_file.write_text(text)
        node.start()
        done = node.tool("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "t",
                         check=True)
        self.assertEqual(done.stdout, "Created topic t.\n")
        self.assertFalse([line for line in node.output if " WARN Unknown configuration" in line])
        node.stop()

    def test_server_properties_of_the_4_x_form(self):
        self.start_with("server.properties", version_3=False)

    def test_server_properties_of_the_3_x_form(self):
        self.start_with("kraft/server.properties", version_3=True)


class OldAnswers(unittest.TestCase):
    """What tutorials of the ZooKeeper years ask for is answered with what to type instead."""

    def test_zookeeper_commands_say_what_to_do(self):
        if settings.server == "kafka":
            self.skipTest("Kafka 4 has no such scripts")
        for name in ("zookeeper-server-start.sh", "zookeeper-server-start"):
            done = subprocess.run([str(settings.ROOT / "bin" / name), "config/zookeeper.properties"],
                                  env={**os.environ, "MOLDAU_BINARY": str(settings.moldau)},
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 1)
            self.assertIn("kafka-storage.sh format", done.stderr)

    def test_the_zookeeper_option_is_answered_with_the_bootstrap_server(self):
        if settings.server == "kafka":
            self.skipTest("Kafka 4 only says that the option is unknown")
        done = subprocess.run([str(settings.ROOT / "bin" / "kafka-topics.sh"), "--list", "--zookeeper",
                               "localhost:2181"],
                              env={**os.environ, "MOLDAU_BINARY": str(settings.moldau)},
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--bootstrap-server", done.stderr)
