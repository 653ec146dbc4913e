"""The node's own tools, case by case: command, output, exit code.

Cases are files in tools/, in order, on one fresh node per file. They hold what Apache Kafka 4.3.1's tools print, so
that `run.py --server kafka` runs them with Kafka's tools against Kafka. MOLDAU_RECORD=1 writes what came out
back into the files: only ever with --server kafka.
"""
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from harness import settings
from harness.node import Node, environment

HERE = pathlib.Path(__file__).resolve().parent / "tools"
TOOLS = ("kafka-topics", "kafka-console-producer", "kafka-console-consumer", "kafka-consumer-groups", "kafka-configs",
         "kafka-get-offsets", "kafka-cluster", "kafka-metadata-quorum", "kafka-producer-perf-test", "kafka-groups",
         "kafka-dump-log", "kafka-broker-api-versions")
RECORD = os.environ.get("MOLDAU_RECORD") == "1"


class Case:
    def __init__(self, command):
        self.command = command
        self.stdout, self.stderr, self.code = [], [], 0

    def text(self):
        lines = [f"$ {self.command}", "--- stdout", *self.stdout, "--- stderr", *self.stderr, f"--- exit {self.code}"]
        return "\n".join(lines) + "\n"


def read_cases(path):
    cases, part = [], None
    for line in path.read_text().splitlines():
        if line.startswith("$ "):
            cases.append(Case(line[2:]))
        elif line == "--- stdout":
            part = cases[-1].stdout
        elif line == "--- stderr":
            part = cases[-1].stderr
        elif line.startswith("--- exit "):
            cases[-1].code = int(line.removeprefix("--- exit "))
        else:
            part.append(line)
    return cases


def neutral(text):
    """Lines of output, with what differs from run to run masked and Java's stack traces left out."""
    if not text:
        return []
    raw = text.split("\n")
    raw = raw[:-1] if text.endswith("\n") else [*raw, "<no newline at end>"]
    lines = []
    table = False
    for line in raw:
        if re.match(r"\s+at |SLF4J|\s*\.\.\. \d+ more|Caused by: |joptsimple\.", line):
            continue
        if re.match(r"Option( \(\* = required\))? +Description", line):
            lines.append("<option table>")
            table = True
        if table:
            continue
        line = re.sub(r"^\[\d{4}-\d\d-\d\d [\d:,]+\]", "[<ts>]", line)
        line = re.sub(r"CreateTime:\d+", "CreateTime:<ts>", line)
        line = re.sub(r"CreateTime: \d+|LogAppendTime: \d+", "CreateTime: <ts>", line)
        line = re.sub(r"crc: \d+", "crc: <num>", line)
        line = re.sub(r'(?<=Timestamp":)\d{10,}', "<ts>", line)
        line = re.sub(r'(?<=[iI]d":")[\w-]{22}(?=")|(?<=directories":\[")[\w-]{22}', "<uuid>", line)
        line = re.sub(r'(?<="port":)\d+', "<port>", line)
        line = re.sub(r"TopicId: [\w-]{22}", "TopicId: <uuid>", line)
        line = re.sub(r"console-consumer-\d+", "console-consumer-<num>", line)
        line = re.sub(r"localhost:\d{4,5} (?=--|\(id)", "localhost:<port> ", line)
        line = re.sub(r"localhost:\d+  \(", "localhost:<port>  (", line)
        # Lists inside a line that Kafka takes from hash tables.
        line = re.sub(r"(?<=Configs: )\S+|(?<=consumer groups \().*?(?=\))|(?<=options: ).*|(?<=scenarios: \[).*(?=\])",
                      lambda found: ",".join(sorted(re.split(", ?", found[0]))), line)
        lines.append(line)
    return [line for line in lines if not (table and line == "")]


def comparable(case, lines):
    # Kafka lists topics, groups and partitions in the order of hash tables.
    unordered = re.search(r"--list|--describe|reset-offsets", case.command)
    return sorted(lines) if unordered else lines


def without_logs(lines):
    """stderr without what only log configuration decides: WARN lines of the clients, exception classes."""
    kept = [line for line in lines if " WARN [" not in line
            and not re.match(r"\[<ts>\] WARN (The |.*\(org\.apache\.kafka\.clients\.)", line)]
    return [line for line in kept if line.strip()]


class Tools(unittest.TestCase):
    maxDiff = None

    def run_file(self, name):
        path = HERE / f"{name}.cases"
        cases = read_cases(path)
        with Node({"log.segment.bytes": 1073741824}) as node, tempfile.TemporaryDirectory() as scratch:
            bin_directory = pathlib.Path(scratch) / "bin"
            bin_directory.mkdir()
            for tool in TOOLS:
                script = bin_directory / f"{tool}.sh"
                script.write_text("#!/bin/sh\nexec " + shlex.join(node.command(tool)) + ' "$@"\n')
                script.chmod(0o755)
            for case in cases:
                with self.subTest(case.command):
                    self.run_case(case, node, scratch, bin_directory)
        if RECORD:
            path.write_text("".join(case.text() for case in cases))

    def run_case(self, case, node, scratch, bin_directory):
        command = case.command
        for word, value in (("broker", node.bootstrap), ("input", HERE / "input"), ("scratch", scratch),
                            ("logs", node.log_dir)):
            command = command.replace("{" + word + "}", str(value))
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL,
                              env={**environment(), "PATH": f"{bin_directory}:{os.environ['PATH']}"})
        stdout, stderr = (neutral(text.replace(str(node.log_dir), "{logs}")) for text in (done.stdout, done.stderr))
        if RECORD:
            case.stdout, case.stderr, case.code = stdout, stderr, done.returncode
            return
        expected = comparable(case, neutral("".join(line + "\n" for line in case.stdout)))
        got = comparable(case, stdout)
        self.assertEqual((case.code, expected), (done.returncode, got), done.stderr)
        if settings.server != "kafka":
            # Kafka's logger is not configured here: what it logs is compared for our tools only.
            expected = without_logs(neutral("".join(line + "\n" for line in case.stderr)))
            self.assertEqual(comparable(case, expected), comparable(case, without_logs(stderr)))

    def test_topics(self):
        self.run_file("topics")

    def test_console(self):
        self.run_file("console")

    def test_cluster(self):
        self.run_file("cluster")

    def test_configs(self):
        self.run_file("configs")

    def test_groups(self):
        self.run_file("groups")

    def test_dump_log(self):
        self.run_file("dump_log")

    def test_api_versions(self):
        self.run_file("api_versions")


if RECORD and settings.server != "kafka":
    raise SystemExit("MOLDAU_RECORD=1 records Kafka: --server kafka")
