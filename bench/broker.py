"""A broker under load: Moldau, or Apache Kafka with the settings its own start scripts give it."""
import contextlib
import json
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/conformance"))
from harness import java, settings  # noqa: E402
from harness.node import Node, NodeFailed  # noqa: E402, F401
from harness.ports import free_port  # noqa: E402

import machine  # noqa: E402

# What kafka-run-class.sh gives the server and the tools.
JVM = ["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
       "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true"]


# A load lasts as long as it is told; whoever takes this much longer does not answer any more.
PATIENCE_SECONDS = 600


class GeneratorFailed(Exception):
    """A program that makes load gave up, or was killed; the message is its last line."""


def check_exit(words, code, output):
    if code != 0:
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        raise GeneratorFailed(f"{' '.join(map(str, words[:2]))}: {how}: {output.strip().split(chr(10))[-1]}")


class Generator:
    """moldau_bench."""

    def __init__(self, program):
        self.program = program

    def words(self, command, options):
        words = [self.program, command]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        return words

    def run(self, command, **options):
        with self.running(command, **options) as process:
            return self.result(process)

    @contextlib.contextmanager
    def running(self, command, **options):
        """The generator beside what the caller does; it is gone afterwards, come what may."""
        with subprocess.Popen(self.words(command, options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    @staticmethod
    def result(process):
        """What it printed in the end."""
        try:
            output, said = process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise GeneratorFailed(f"{' '.join(process.args[:2])}: no end after {PATIENCE_SECONDS} s") from None
        check_exit(process.args, process.returncode, said)
        return json.loads(output)

    @staticmethod
    def line(process):
        """What it printed first."""
        line = process.stdout.readline()
        if not line:
            said = process.stderr.read()
            check_exit(process.args, process.wait(), said)
        return json.loads(line)

    def least_start(self, options):
        """What any server needs from its start to the first synced answer: seconds, and MiB then."""
        port = free_port()
        with self.running("first-ack", port=port) as waiting:
            began = time.monotonic()
            with self.running("answer", port=port, file=options.probe_file) as server:
                self.line(waiting)
                return time.monotonic() - began, machine.resident_mib(server.pid)


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
            return ["java", "-Xmx1G", "-Xms1G", *JVM, *words[4:]]
        return super().command(tool, *arguments)

    @property
    def pid(self):
        return self.process.pid

    def create(self, topic, partitions=1, **config):
        """By Moldau's tool on both: it starts in no time."""
        words = [word for key, value in config.items() for word in ("--config", f"{key.replace('_', '.')}={value}")]
        done = subprocess.run([settings.moldau, "kafka-topics", "--bootstrap-server", self.bootstrap, "--create",
                               "--topic", topic, "--partitions", str(partitions), *words],
                              capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        check_exit(["kafka-topics", "--create"], done.returncode, done.stdout + done.stderr)

    @contextlib.contextmanager
    def metered(self, result):
        """Adds to `result` what the broker and the machine did meanwhile."""
        meter = machine.Meter(self.pid)
        yield
        result.update(meter.read())
        self.stolen = max(self.stolen, result["stolen"])

    def load(self, command="produce", **load):
        """Runs the generator: what it saw, with the broker's CPU seconds beside it."""
        used = {}
        with self.metered(used):
            result = self.generator.run(command, port=self.port, **load)
        if result.get("requests") == 0:
            raise GeneratorFailed(f"{command}: nothing was answered in {result['seconds']} s")
        result.update(used)
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
        with self.generator.running("first-ack", port=self.port, topic=topic) as waiting:
            began = time.monotonic()
            self.spawn()
            while not select.select([waiting.stdout], [], [], 0.5)[0]:
                if not self.is_running():
                    raise NodeFailed(f"ended with {self.process.returncode} before it acknowledged:\n{self.tail()}")
            seconds = time.monotonic() - began
            self.generator.line(waiting)
            return seconds

    def forget_pages(self, topic):
        """Writes the topic's files to the device and takes them out of the page cache."""
        for path in self.log_dir.glob(f"{topic}-*/*"):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)

    def perf_tool(self, tool, *arguments):
        """Runs one of Kafka's own perf tools as its script does: (last line of its output, what it used)."""
        used = {}
        words = ["java", "-Xmx512M", *JVM, *java.command(tool, "--bootstrap-server", self.bootstrap, *arguments)[4:]]
        with self.metered(used):
            done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        check_exit([tool, ""], done.returncode, done.stderr)
        return done.stdout.strip().split("\n")[-1], used

    def produce_by_tool(self, topic, records, record_bytes, **properties):
        """kafka-producer-perf-test, as fast as it goes."""
        line, used = self.perf_tool(
            "kafka-producer-perf-test", "--topic", topic, "--num-records", records, "--record-size", record_bytes,
            "--throughput", -1, "--command-property",
            *(f"{key.replace('_', '.')}={value}" for key, value in properties.items()))
        sent = re.match(r"(\d+) records sent, ([\d.]+) records/sec", line)
        if not sent or int(sent[1]) != records:
            raise GeneratorFailed(f"kafka-producer-perf-test sent less than {records} records: {line}")
        self.acknowledged[topic] = self.acknowledged.get(topic, 0) + records
        return {"records": records, "bytes": records * record_bytes, "seconds": records / float(sent[2]), **used}

    def consume_by_tool(self, topic):
        """kafka-consumer-perf-test, from the beginning to the end of the topic."""
        records = self.acknowledged[topic]
        line, used = self.perf_tool("kafka-consumer-perf-test", "--topic", topic, "--num-records", records,
                                    "--hide-header")
        # start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, MB/s and records/s of the fetching
        fields = [field.strip() for field in line.split(",")]
        if int(fields[4]) < records:
            raise GeneratorFailed(f"kafka-consumer-perf-test read {fields[4]} of {records} records: {line}")
        # The tool counts whole milliseconds.
        seconds = max(int(fields[7]), 1) / 1000
        return {"records": records, "bytes": float(fields[2]) * (1 << 20), "seconds": seconds, **used}


def have_kafka():
    return settings.have_kafka()


def use_moldau(binary):
    settings.moldau = pathlib.Path(binary).resolve()
