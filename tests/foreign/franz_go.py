#!/usr/bin/env python3
"""franz-go's integration tests (package kgo) against Moldau, Apache Kafka 4.3.1, or both.

usage: franz_go.py [--server moldau|kafka|both] [--moldau BINARY] [--quick] [--prepare] [--records N] [TEST PATTERN]

The source comes through the Go module proxy, into Go's own module cache; the test program is built once into
target/franz-go/. franz_go_excluded.txt says which tests are left out, and why.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import suites
from suites import FAILED, LEFT_OUT, PASSED, Node

MODULE = "github.com/twmb/franz-go@v1.22.2"
RESULTS = {"PASS": PASSED, "FAIL": FAILED, "SKIP": LEFT_OUT}
# Not the tests that mostly wait.
QUICK = "Test(Group|Client_|Consume|Pause|Hook|Ping|Direct|AddRemove|Pooling|Issue[168])"
QUICK_RECORDS = 20_000
RUN_SECONDS = 1800


def prepare():
    """Fetches and builds: (the test program, the folder of its package)."""
    if not shutil.which("go"):
        suites.skip("franz-go's tests cannot be built without go")
    with suites.prepared_once("franz-go") as (folder, complete):
        program = folder / "kgo.test"
        fetched = suites.run(["go", "mod", "download", "-json", MODULE], f"go could not fetch {MODULE}", cwd=folder)
        package = pathlib.Path(json.loads(fetched)["Dir"]) / "pkg/kgo"
        if not complete:
            suites.run(["go", "test", "-c", "-o", program, "."], "kgo's tests could not be built", cwd=package)
    return program, package


def run_tests(options, program, package, server):
    """One run against a new node: {test: result}, subtests under the name of their test."""
    excluded = suites.read_excluded(suites.HERE / "franz_go_excluded.txt")
    logs = suites.TARGET / "logs"
    logs.mkdir(exist_ok=True)
    log = logs / f"franz-go-{server}-{os.getpid()}.log"
    with Node(server=server) as node:
        began = time.monotonic()
        with open(log, "w") as output:
            subprocess.run([str(program), "-test.v", f"-test.timeout={RUN_SECONDS}s", "-test.run", options.pattern,
                            "-test.skip", "|".join(excluded)],
                           cwd=package, stdout=output, stderr=subprocess.STDOUT, timeout=RUN_SECONDS + 60,
                           env={**os.environ, "KGO_SEEDS": node.bootstrap, "KGO_TEST_RF": "1", "KGO_LOG_LEVEL": "none",
                                "KGO_TEST_RECORDS": str(options.records)})
        print(f"{server}: {time.monotonic() - began:.0f} s, {log}")
    text = log.read_text(errors="replace")
    results = {name: RESULTS[result] for result, name in re.findall(r"^\s*--- (PASS|FAIL|SKIP): (\S+)", text, re.M)}
    for name in re.findall(r"^=== RUN   (\S+)", text, re.M):
        results.setdefault(name, FAILED)
    return results


def main():
    parser = argparse.ArgumentParser()
    suites.add_arguments(parser)
    parser.add_argument("--records", type=int, help="what the tests of groups write and read (500,000)")
    parser.add_argument("pattern", nargs="?", metavar="TEST PATTERN")
    options = parser.parse_args()
    options.records = options.records or (QUICK_RECORDS if options.quick else 500_000)
    options.pattern = options.pattern or (QUICK if options.quick else ".")
    program, package = prepare()
    if not options.prepare:
        suites.run_on_servers(options, lambda server: run_tests(options, program, package, server))


if __name__ == "__main__":
    main()
