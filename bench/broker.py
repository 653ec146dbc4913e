"""A broker under load: Moldau, or Apache Kafka with the settings its own start scripts give it."""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/conformance"))
from harness import java, settings  # noqa: E402
from harness.node import Node, NodeFailed  # noqa: E402, F401

import machine  # noqa: E402

# What kafka-server-start.sh and kafka-run-class.sh give the server.
KAFKA_JVM = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
             "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
             "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true"]


class GeneratorFailed(Exception):
    """The load generator gave up; the message is its last line."""


class Generator:
    """moldau_bench."""

    def __init__(self, program):
        self.program = program

    @staticmethod
    def words(command, options):
        words = [command]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        return words

    def run(self, command, **options):
        done = subprocess.run([self.program, *self.words(command, options)], capture_output=True, text=True)
        if done.returncode != 0:
            raise GeneratorFailed(done.stderr.strip().split("\n")[-1])
        return json.loads(done.stdout)

    def start(self, command, **options):
        return subprocess.Popen([self.program, *self.words(command, options)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Broker(Node):
    """A node as production runs it, with what a scenario needs around it."""

    def __init__(self, server, generator, options, properties=None):
        directory = tempfile.mkdtemp(prefix=f"bench-{server}-", dir=options.directory)
        quiet = {"log.retention.check.interval.ms": 3600000}
        super().__init__({**quiet, **(properties or {})}, server=server, directory=directory)
        self.owns_directory = True
        self.generator = generator
        self.options = options
        self.acknowledged = {}  # topic -> records
        self.stolen = 0.0

    def command(self, tool, *arguments):
        if self.server == "kafka" and tool == "kafka-server-start":
            words = java.command(tool, *arguments, server=True)
            return ["java", *KAFKA_JVM, *words[4:]]
        return super().command(tool, *arguments)

    @property
    def pid(self):
        return self.process.pid

    def create(self, topic, partitions=1, **config):
        words = [word for key, value in config.items() for word in ("--config", f"{key.replace('_', '.')}={value}")]
        self.tool("kafka-topics", "--bootstrap-server", self.bootstrap, "--create", "--topic", topic,
                  "--partitions", partitions, *words, check=True)

    def load(self, command="produce", **load):
        """Runs the generator: what it saw, with the broker's CPU seconds beside it."""
        meter = machine.Meter(self.pid)
        result = self.generator.run(command, port=self.port, **load)
        result.update(meter.read())
        self.stolen = max(self.stolen, result["stolen"])
        if command == "produce" and "topics" not in load:
            topic = load.get("topic", "bench")
            self.acknowledged[topic] = self.acknowledged.get(topic, 0) + result["records"]
        return result

    def warm_up(self, topic="warm"):
        """Until the JVM has compiled what the load will use."""
        self.create(topic)
        seconds = self.options.warm_up_seconds if self.server == "kafka" else 1
        self.load(topic=topic, batch_bytes=16384, seconds=seconds / 2)
        self.load(topic=topic, records=1, in_flight=64, seconds=seconds / 2)

    def verify(self, topic="bench", partitions=1):
        """Reads everything back: each checksum, each offset, and how many records there are."""
        found = self.generator.run("fetch", port=self.port, topic=topic, partitions=partitions, verify=1)
        if found["records"] != self.acknowledged[topic]:
            raise GeneratorFailed(f"{self.server}: {self.acknowledged[topic]} records were acknowledged, "
                                  f"{found['records']} are there")

    def seconds_to_first_ack(self, topic="bench"):
        """From the start of the process to the first acknowledged record, on a directory that exists."""
        waiting = self.generator.start("first-ack", port=self.port, topic=topic)
        began = time.monotonic()
        self.spawn()
        line = waiting.stdout.readline()
        seconds = time.monotonic() - began
        waiting.communicate()
        if "acknowledged" not in line:
            raise GeneratorFailed("no first acknowledgement:\n" + self.tail())
        return seconds


def have_kafka():
    return settings.have_kafka()


def use_moldau(binary):
    settings.moldau = pathlib.Path(binary).resolve()
