#!/usr/bin/env python3
"""Moldau beside the released Apache Kafka 4.3.1: the same load, alternating, on this machine.

usage: compare.py [--rounds N] [--seconds S] [--megabytes N] [--fill-share F] [--directory DIR]
                  [--moldau BINARY] [--bench BINARY] [--only moldau|"moldau, memory"|kafka]

Memory is filled and let go first, because the first touch of a page costs a virtual machine more than the
broker's work; what is compared is then the brokers. CPU is the broker's own, read from /proc. Needs the
release build (cmake --build --preset release) and Kafka's jars (tests/conformance/prepare.py jars).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/conformance"))
from harness import java, settings  # noqa: E402
from harness.node import Node  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
# What kafka-server-start.sh and kafka-run-class.sh give the server.
KAFKA_JVM = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
             "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
             "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true"]


# What takes turns. Moldau answers a produce when the record is on the device; as Kafka, which answers from
# memory, it does under moldau.ack=memory.
VARIANTS = {"moldau": ("moldau", {}), "moldau, memory": ("moldau", {"moldau.ack": "memory"}),
            "kafka": ("kafka", {})}


class ServerNode(Node):
    """A node as production runs it: Kafka with its own JVM settings."""

    def command(self, tool, *arguments):
        if self.server == "kafka" and tool == "kafka-server-start":
            words = java.command(tool, *arguments, server=True)
            return ["java", *KAFKA_JVM, *words[4:]]
        return super().command(tool, *arguments)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().split("\n"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0


def fill_memory(share):
    """Touches that share of the free memory once and lets it go."""
    for line in pathlib.Path("/proc/meminfo").read_text().split("\n"):
        if line.startswith("MemAvailable:"):
            size = int(int(line.split()[1]) * 1024 * share)
    block = bytearray(64 << 20)
    held = [bytearray(block) for _ in range(size // len(block))]
    print(f"touched {len(held) * len(block) / 1e9:.1f} GB of memory", file=sys.stderr)


class Bench:
    def __init__(self, options):
        self.options = options
        self.program = options.bench

    def load(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout)

    def with_cpu(self, node, *arguments):
        """(what the generator saw, CPU seconds of the broker)."""
        before = node.cpu_seconds()
        result = self.load(*arguments, "--port", node.port)
        return result, node.cpu_seconds() - before

    def new_node(self, variant):
        server, properties = VARIANTS[variant]
        folder = tempfile.mkdtemp(prefix=f"bench-{server}-", dir=self.options.directory)
        node = ServerNode({"log.retention.check.interval.ms": 3600000, **properties}, server=server,
                          directory=folder)
        node.owns_directory = True
        return node

    def first_ack_seconds(self, node):
        """From the start of the process to the first acknowledged record, on a directory that exists."""
        waiting = subprocess.Popen([self.program, "first-ack", "--port", str(node.port)],
                                   stdout=subprocess.PIPE, text=True)
        began = time.monotonic()
        node.spawn()
        line = waiting.stdout.readline()
        seconds = time.monotonic() - began
        waiting.wait()
        if "acknowledged" not in line:
            raise SystemExit("no first acknowledgement")
        return seconds

    def round(self, server):
        o = self.options
        found = {}
        node = self.new_node(server)
        try:
            node.start()
            time.sleep(5)
            found["idle memory, MiB"] = node.memory_mib()
            node.tool("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "bench",
                      "--partitions", "1", check=True)
            self.load("produce", "--port", node.port, "--megabytes", 1000)  # the JVM compiles
            self.load("small", "--port", node.port, "--seconds", 6)

            sent, cpu = self.with_cpu(node, "produce", "--megabytes", o.megabytes)
            found["produce 128 KB, GB/s"] = sent["bytes"] / 1e9 / sent["seconds"]
            found["produce 128 KB, CPU-s/GB"] = cpu / (sent["bytes"] / 1e9)

            sent, cpu = self.with_cpu(node, "small", "--seconds", o.seconds)
            found["one-record requests, thousand/s"] = sent["requests"] / sent["seconds"] / 1000
            found["one-record requests, CPU us each"] = cpu / sent["requests"] * 1e6

            found["round trip p50, us"] = self.load("latency", "--port", node.port)["p50_us"]

            # Every acknowledgement after the device has the record: Kafka syncs each batch for that.
            synced = ["--config", "flush.messages=1"] if server == "kafka" else []
            node.tool("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "many",
                      "--partitions", "100", *synced, check=True)
            load = ["small", "--topic", "many", "--partitions", "100", "--connections",
                    "100", "--in-flight", "5"]
            self.load(*load, "--port", node.port, "--seconds", 3)
            sent, cpu = self.with_cpu(node, *load, "--seconds", o.seconds)
            found["100 partitions, thousand acks/s"] = sent["requests"] / sent["seconds"] / 1000
            found["100 partitions, CPU us each"] = cpu / sent["requests"] * 1e6

            sent, cpu = self.with_cpu(node, "fetch", "--seconds", o.seconds)
            found["hot fetch, GB/s"] = sent["bytes"] / 1e9 / sent["seconds"]
            found["hot fetch, CPU-s/GB"] = cpu / (sent["bytes"] / 1e9)

            node.stop()
            found["start to first ack, ms"] = self.first_ack_seconds(node) * 1000
        finally:
            node.close()
        return found


def print_table(results, echo, disk):
    names = list(next(iter(results.values()))[0])
    servers = list(results)
    print(f"round trip of a bare TCP echo, p50: {echo:.1f} us; durable write of 4 KiB, p50: "
          f"{disk['p50_us']:.1f} us, p99: {disk['p99_us']:.1f} us\n")
    both = "kafka" in servers and "moldau" in servers
    columns = ["", *servers] + (["kafka / moldau"] if both else [])
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for name in names:
        medians = {server: statistics.median(r[name] for r in rounds) for server, rounds in results.items()}
        cells = [name, *(f"{medians[server]:.2f}" for server in servers)]
        if both:
            cells.append(f"{medians['kafka'] / medians['moldau']:.2f}")
        print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--fill-share", type=float, default=0.7)
    parser.add_argument("--directory")
    parser.add_argument("--moldau", default=str(ROOT / "build/release/apps/moldau/moldau"))
    parser.add_argument("--bench", default=str(ROOT / "build/release/bench/moldau_bench"))
    parser.add_argument("--only", choices=list(VARIANTS), action="append")
    options = parser.parse_args()
    settings.moldau = pathlib.Path(options.moldau).resolve()
    servers = options.only or list(VARIANTS)
    if "kafka" in servers and not settings.have_kafka():
        raise SystemExit("Kafka's jars are missing: tests/conformance/prepare.py jars")
    fill_memory(options.fill_share)
    bench = Bench(options)
    echo = bench.load("echo")["p50_us"]
    disk = bench.load("disk", "--directory", options.directory or tempfile.gettempdir())
    results = {server: [] for server in servers}
    for number in range(options.rounds):
        for server in servers if number % 2 == 0 else reversed(servers):
            found = bench.round(server)
            results[server].append(found)
            print(f"round {number + 1} {server}: {json.dumps(found)}", file=sys.stderr)
    print_table(results, echo, disk)


if __name__ == "__main__":
    main()
