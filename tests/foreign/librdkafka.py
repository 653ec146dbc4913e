#!/usr/bin/env python3
"""librdkafka's own C test suite against Moldau, Apache Kafka 4.3.1, or both.

usage: librdkafka.py [--server moldau|kafka|both] [--moldau BINARY] [--quick] [--prepare] [--jobs N] [--slow] [TEST ...]

The source, tests included, comes inside the npm package of Confluent's JavaScript client. It is fetched to
target/librdkafka/, built there once, and kept. TEST is the number of a test (0081). Tests that need no broker
are left out: they would prove nothing about a server. librdkafka_excluded.txt says which others are, and why.
"""
import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import time

import suites
from suites import FAILED, PASSED, Node

PACKAGE = "@confluentinc/kafka-javascript@1.10.1"
# Compression, groups, offsets, headers, big messages: much of the protocol in half a minute.
QUICK = ["0001", "0008", "0011", "0012", "0013", "0015", "0017", "0022", "0029", "0031", "0036", "0041", "0063",
         "0067", "0070", "0073", "0082", "0085", "0099", "0112", "0140"]
# The suite's name for a cluster -> what the servers are told.
# Several tests start two consumers and rely on the pause in which a new group waits for its members.
COMMON = {"num.partitions": 4, "group.initial.rebalance.delay.ms": 3000}
SCENARIOS = {"default": COMMON, "noautocreate": {**COMMON, "auto.create.topics.enable": "false"}}
# They bend the runner's own sockets and bring it down when others run beside them (README.md).
ALONE = ["0049", "0068", "0075", "0076", "0086", "0088", "0094"]
# Tests that stop at their first failed part, one of which needs transactions or ACLs: these parts run one by one.
PARTS = {"0061": ["without transactions"],
         "0081": ["do_test_" + part for part in [
             "CreateTopics", "DeleteTopics", "CreatePartitions", "AlterConfigs", "DescribeConfigs",
             "DeleteRecords", "ListConsumerGroups", "DescribeConsumerGroups", "DescribeTopics",
             "DescribeCluster", "DeleteGroups", "DeleteConsumerGroupOffsets", "ListOffsets",
             "AlterConsumerGroupOffsets", "ListConsumerGroupOffsets"]],
         "0137": ["with_seek", "resume_different_batch", "resume_same_batch", "store_offset"]}
# What the suite calls below $KAFKA_PATH/bin.
TOOLS = ["kafka-topics", "kafka-configs", "kafka-consumer-groups"]
LEFT_OUT_STATES = ["DNS", "SKIPPED"]
RUN_SECONDS = 5400


def prepare():
    """Fetches and builds: the folder of the test runner."""
    with suites.prepared_once("librdkafka") as (folder, complete):
        source = folder / "package/deps/librdkafka"
        if complete:
            return source / "tests"
        for tool in ["npm", "make", "gcc", "g++"]:
            if not shutil.which(tool):
                suites.skip(f"librdkafka's tests cannot be fetched and built without {tool}")
        suites.run(["npm", "pack", "--silent", PACKAGE], f"npm could not fetch {PACKAGE}", cwd=folder)
        [archive] = folder.glob("*.tgz")
        suites.run(["tar", "xzf", archive], "the package could not be unpacked", cwd=folder)
        suites.run(["./configure", "--CFLAGS=-w", "--CXXFLAGS=-w", "--disable-optimization", "--disable-gssapi",
                    "--disable-curl", "--disable-syslog"],
                   "librdkafka could not be configured", cwd=source)
        wrap = "ccache " if shutil.which("ccache") else ""
        compilers = [f"CC={wrap}gcc", f"CXX={wrap}g++"]
        for part, goal in [("src", "librdkafka.a"), ("src-cpp", "librdkafka++.a"), ("tests", "build")]:
            suites.run(["make", "-j2", *compilers, "-C", part, goal], f"librdkafka's {part} could not be built",
                       cwd=source)
        return source / "tests"


def runs(options):
    """The invocations of one scenario: (what goes behind a test's name in the table, jobs, environment)."""
    excluded = suites.read_excluded(suites.HERE / "librdkafka_excluded.txt")
    wanted = options.tests or (QUICK if options.quick else [])
    together = [name for name in wanted if name not in PARTS and name not in ALONE]
    if together or not wanted:
        left_out = [*(name for name in excluded if name not in wanted), *PARTS, *ALONE]
        chosen = {"TESTS": ",".join(together)} if together else {}
        yield "", options.jobs, {"TESTS_SKIP": ",".join(left_out), **chosen}
    alone = [name for name in ALONE if name in wanted or not wanted]
    if alone:
        yield "", 1, {"TESTS": ",".join(alone)}
    for name, parts in PARTS.items():
        for part in parts if name in wanted or not wanted else []:
            yield f" {part}", 1, {"TESTS": name, "SUBTESTS": part}


def lay_out(node, tests):
    """The folder the runner works in, with what it expects to find there."""
    place = node.directory / "librdkafka"
    (place / "kafka/bin").mkdir(parents=True)
    for needed in ["fixtures", "interceptor_test", "plugin_test"]:
        (place / needed).symlink_to(tests / needed)
    (place / "test.conf").write_text(f"metadata.broker.list={node.bootstrap}\ntest.topic.random=true\n")
    for tool in TOOLS:
        script = place / "kafka/bin" / f"{tool}.sh"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, node.command(tool)))} "$@"\n')
        script.chmod(0o755)
    return place


def read_report(path):
    tests = json.loads(path.read_text())["tests"]
    return {name: PASSED if test["state"] == "PASSED" else FAILED for name, test in tests.items()
            if name != "<MAIN>" and test["state"] not in LEFT_OUT_STATES}


def read_log(path, start):
    """What a runner that died, or was ended, had to say: a test that hangs is killed, and the runner with it."""
    with open(path, errors="replace") as file:
        file.seek(start)
        said = file.read()
    states = dict.fromkeys(re.findall(r"=== Running test (\w+) ===", said), FAILED)
    return states | dict.fromkeys(re.findall(r"=== Test (\w+) PASSED ===", said), PASSED)


def run_scenario(options, tests, server, scenario):
    """The runner against a new node: {test: result}."""
    results = {}
    logs = suites.TARGET / "logs"
    logs.mkdir(exist_ok=True)
    log = logs / f"librdkafka-{server}-{scenario}-{os.getpid()}.log"
    began = time.monotonic()
    with Node(SCENARIOS[scenario], server=server) as node, open(log, "w") as output:
        place = lay_out(node, tests)
        report = place / "report.json"
        command = [tests / "test-runner", "-L", "-s", scenario, *([] if options.slow else ["-Q"])]
        for suffix, jobs, chosen in runs(options):
            report.unlink(missing_ok=True)
            start = log.stat().st_size
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run([*map(str, command), f"-p{jobs}"], cwd=place, stdout=output,
                               stderr=subprocess.STDOUT, timeout=RUN_SECONDS,
                               env={**os.environ, **chosen, "TEST_KAFKA_VERSION": "4.3.1",
                                    "TEST_REPORT": report.name, "KAFKA_PATH": str(place / "kafka"),
                                    "BROKERS": node.bootstrap})
            states = read_report(report) if report.exists() else read_log(log, start)
            results |= {name + suffix: state for name, state in states.items()}
    print(f"{server}, {scenario}: {time.monotonic() - began:.0f} s, {log}")
    return results


def main():
    parser = argparse.ArgumentParser()
    suites.add_arguments(parser)
    parser.add_argument("--jobs", type=int, default=2, help="tests at a time")
    parser.add_argument("--slow", action="store_true", help="the whole of each test, not its quick form")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    options = parser.parse_args()
    tests = prepare()
    if options.prepare:
        return
    scenarios = ["default"] if options.quick else SCENARIOS

    def run_one(server):
        results = {}
        for scenario in scenarios:
            results.update(run_scenario(options, tests, server, scenario))
        return results

    suites.run_on_servers(options, run_one)


if __name__ == "__main__":
    main()
