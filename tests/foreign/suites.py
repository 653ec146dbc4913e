"""What the foreign suites share: a place to build, one node per run, and a table that compares two servers."""
import concurrent.futures
import contextlib
import fcntl
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE / "target"
SKIPPED = 77
PASSED, FAILED, LEFT_OUT = "passed", "FAILED", "skipped"

sys.path.insert(0, str(HERE.parent / "conformance"))
from harness import settings  # noqa: E402
from harness.node import Node  # noqa: E402


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(SKIPPED)


def run(command, reason, **rest):
    """Runs a step of the preparation to its end: its output. A step that fails ends the program."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **rest)
    if done.returncode != 0:
        print(done.stdout[-4000:])
        skip(reason)
    return done.stdout


@contextlib.contextmanager
def prepared_once(name):
    """The folder target/NAME, held by one process at a time: (folder, whether it is complete already)."""
    folder = TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".complete"
    with open(TARGET / f".lock-{name}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder, stamp.exists()
        stamp.touch()


def add_arguments(parser):
    parser.add_argument("--server", choices=["moldau", "kafka", "both"], default="moldau",
                        help="both runs the released Apache Kafka too and fails on any difference")
    parser.add_argument("--moldau", type=pathlib.Path, default=settings.moldau, help="the program to test")
    parser.add_argument("--prepare", action="store_true", help="fetch and build the suite, run nothing")
    parser.add_argument("--quick", action="store_true", help="the small part that ./test runs")
    parser.add_argument("--at-once", action="store_true",
                        help="with --server both: the servers side by side, not one after the other")


def run_on_servers(options, run_one):
    """run_one(server) -> {test: result} for each server asked for; prints the table; ends the program."""
    settings.moldau = options.moldau.resolve()
    servers = ["moldau", "kafka"] if options.server == "both" else [options.server]
    for settings.server in servers:
        reason = settings.why_not_runnable()
        if reason:
            skip(reason)
    with concurrent.futures.ThreadPoolExecutor(len(servers) if options.at_once else 1) as pool:
        results = dict(zip(servers, pool.map(run_one, servers)))
    sys.exit(report(results))


def report(results):
    """Prints who did what; 1 when a server fails a test that the other passes, or the only one fails any."""
    names = sorted({name for of in results.values() for name in of})
    bad = []
    for name in names:
        row = [of.get(name, "missing") for of in results.values()]
        if row[0] != row[-1] or (len(row) == 1 and row[0] not in (PASSED, LEFT_OUT)):
            bad.append(name)
        if set(row) != {PASSED}:
            print(f"{name:60}", *(f"{server} {result:10}" for server, result in zip(results, row)))
    for server, of in results.items():
        count = {result: list(of.values()).count(result) for result in sorted(set(of.values()))}
        print(f"{server}:", ", ".join(f"{number} {result}" for result, number in count.items()) or "nothing ran")
    if len(results) == 2:
        print(f"{len(bad)} of {len(names)} differ" if bad else f"the same in all {len(names)}")
    if not any(PASSED in of.values() for of in results.values()):
        return 1
    return 1 if bad else 0


def read_excluded(path):
    """A table of tests that cannot run yet: {name pattern: reason}, one per line, # begins a comment."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines if line and not line.startswith("#"))
