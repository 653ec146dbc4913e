#!/usr/bin/env python3
"""Golden output of Kafka's tools, sample by sample, beside what Moldau's tools print.

usage: golden.py SAMPLES [--moldau BINARY] [-v] [-k TEXT]

SAMPLES is a folder of NNN-name.case files: a command line, its stdout, stderr and exit code, recorded one after
the other on clusters of one node on ports 9092 and 9093. They run word for word, in order, in a network and a
/tmp of their own (needs root, or unshare's --map-root-user), and each is counted:

  same      exit code, stdout and stderr; masked words and the order of listed things do not count
  differs   -v shows how
  absent    the sample is of a tool that Moldau does not have yet

A sample that rests on what an absent tool did before it differs too: this is a list to read, not a test.
"""
import argparse
import collections
import difflib
import os
import pathlib
import re
import subprocess
import sys
import time

from harness import settings
from test_tools import neutral, read_cases, without_logs

INSIDE = "MOLDAU_GOLDEN_INSIDE"
BIN = settings.ROOT / "bin"
WORK = pathlib.Path("/tmp/golden")
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"
AUTHORIZER = ["authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
              "super.users=User:ANONYMOUS"]
# Samples before which another cluster was started, and what it held then as far as the samples tell.
STARTS = {
    "033": ([], None),  # formatted by the samples before
    "241": ([], """kafka-topics.sh --bootstrap-server localhost:9092 --create --topic orders
kafka-topics.sh --bootstrap-server localhost:9092 --create --topic parts --partitions 3
kafka-topics.sh --bootstrap-server localhost:9092 --create --topic events --partitions 2
for topic in perf txn streams-in streams-out; do
    kafka-topics.sh --bootstrap-server localhost:9092 --create --topic $topic
done
kafka-console-producer.sh --bootstrap-server localhost:9092 --topic orders --sync < input/plain.txt
kafka-console-producer.sh --bootstrap-server localhost:9092 --topic events --compression-codec gzip \\
    --reader-property parse.key=true --reader-property key.separator=: --reader-property parse.headers=true \\
    < input/headers.txt
kafka-console-producer.sh --bootstrap-server localhost:9092 --topic streams-in < input/plain.txt"""),
    "392": (AUTHORIZER, ""),
    "410": ([], "kafka-topics.sh --bootstrap-server localhost:9092 --create --topic orders"),
}
# What Moldau says of something that it does not have, whole tool or part of one.
ABSENT = re.compile("(is|are) not (part of|available in this version of) Moldau|not part of Moldau yet")
SECONDS_MAX = 40
INPUT = {
    "plain.txt": "one\ntwo\nthree\n",
    "kv.txt": "k1:v1\nk2:v2\nk3:v3\n",
    "headers.txt": "h1:a,h2:b\tk1:v1\nh3:c\tk2:v2\nh1:d\tk3:v3\n",
    "delete-records.json": '{"partitions":[{"topic":"orders","partition":0,"offset":2}],"version":1}',
    "delete-records-oob.json": '{"partitions":[{"topic":"orders","partition":0,"offset":999999}],"version":1}',
    "reassign.json": '{"version":1,"partitions":[{"topic":"parts","partition":0,"replicas":[1]}]}',
    "reassign-bad.json": '{"version":1,"partitions":[{"topic":"parts","partition":0,"replicas":[1,2]}]}',
    "topics-to-move.json": '{"version":1,"topics":[{"topic":"orders"},{"topic":"parts"}]}',
}


def go_inside():
    """Runs this program again where the ports are free and /tmp is empty."""
    command = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c",
               'ip link set lo up && mount -t tmpfs tmpfs /tmp && exec "$@"', "sh", sys.executable, *sys.argv]
    os.execvpe("unshare", command, {**os.environ, INSIDE: "1"})


def lay_out():
    config = WORK / "config"
    config.mkdir(parents=True)
    (WORK / "input").mkdir()
    for name, text in INPUT.items():
        (WORK / "input" / name).write_text(text)
    server = (settings.ROOT / "config/server.properties").read_text()
    for name, text in {
        "server": server,
        "alt": server.replace("kraft-combined-logs", "kraft-alt-logs"),
        "static": server.replace("kraft-combined-logs", "kraft-static-logs").replace(
            "controller.quorum.bootstrap.servers=", "controller.quorum.voters=1@"),
        "broken": server.replace("node.id=1", ""),
        "fast-timeout": "request.timeout.ms=2000\ndefault.api.timeout.ms=4000\n",
    }.items():
        (config / f"{name}.properties").write_text(text)


class Cluster:
    """The one node on 9092; started anew now and then."""

    def __init__(self, binary):
        self.binary, self.process = binary, None

    def start(self, more, steps):
        """`steps` fill it; None: it is formatted already."""
        self.stop()
        properties = WORK / "config/cluster.properties"
        properties.write_text("\n".join([(WORK / "config/server.properties").read_text(), *more]))
        if steps is not None:
            subprocess.run("rm -rf /tmp/kraft-combined-logs", shell=True, check=True)
            subprocess.run([self.binary, "kafka-storage", "format", "-t", CLUSTER_ID, "--standalone", "-c", properties],
                           check=True, stdout=subprocess.DEVNULL)
        log = WORK / "node.log"
        with open(log, "w") as output:
            self.process = subprocess.Popen([self.binary, "kafka-server-start", properties], stdout=output,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        while "Kafka Server started" not in log.read_text(errors="replace"):
            if self.process.poll() is not None:
                raise SystemExit(f"the node did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.02)
        run(steps or "", self.binary)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def pattern(line):
    """What the line of a sample matches: masked words match anything, and so does what pads a column."""
    parts = re.split(r"(<num>|<uuid>|<ts>|<base64>|<bytes>)", squeezed(line))
    return re.compile("".join({"<ts>": ".+?"}.get(part, "[^ ]+?") if i % 2 else re.escape(part)
                              for i, part in enumerate(parts)))


def squeezed(line):
    return re.sub(r"\s+", " ", line.strip())


def with_end(text):
    return [*text.splitlines(), *(["<no newline at end>"] if text and not text.endswith("\n") else [])]


def plain(lines):
    """Without stack traces and empty lines; the table of options is one line."""
    text = re.sub(r"<option table.*>", "Option  Description", "\n".join(lines))
    text = re.sub(r"<java stack trace>\n?", "", text)
    return [line for line in neutral(text + "\n" if text else "") if line.strip()]


def as_expected(expected, got):
    """`got`, but a line that an expected one matches is that line."""
    left = [(line, pattern(line)) for line in expected]
    lines = []
    for line in got:
        at = next((i for i, (_, matcher) in enumerate(left) if matcher.fullmatch(squeezed(line))), None)
        lines.append(line if at is None else left.pop(at)[0])
    return lines


def compare(case, done):
    """Lines that tell the difference; none when there is none."""
    in_order = not re.search(r"--list|--describe|reset-offsets|log-dirs|ls -1", case.command)
    found = [] if case.code == done.returncode else [f"exit {done.returncode} instead of {case.code}"]
    for name, expected, got in (("stdout", case.stdout, with_end(done.stdout)),
                                ("stderr", without_logs(case.stderr), without_logs(done.stderr.splitlines()))):
        expected, got = plain(expected), plain(got)
        got = as_expected(expected, got)
        if not in_order:
            expected, got = sorted(expected), sorted(got)
        if expected != got:
            found += [f"{name}:", *(line for line in difflib.ndiff(expected, got) if line[0] in "+-")]
    return found


def run(command, binary):
    if "# then SIGTERM" in command:
        command = f"timeout --preserve-status -s TERM 5 {command.split('#')[0].strip()}"
    try:
        return subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=WORK, capture_output=True, text=True,
                              errors="replace", timeout=SECONDS_MAX, stdin=subprocess.DEVNULL,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{BIN}:{os.environ['PATH']}",
                                   "MOLDAU_BINARY": str(binary)})
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -1, "", f"no end within {SECONDS_MAX} s\n")


def tool_of(command):
    found = re.search(r"([\w-]+)\.sh", command)
    return found[1] if found else "files"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=pathlib.Path)
    parser.add_argument("--moldau", type=pathlib.Path, default=settings.moldau)
    parser.add_argument("-v", "--verbose", action="store_true", help="show each difference")
    parser.add_argument("-k", dest="chosen", default="", help="tell only of samples whose name holds this")
    options = parser.parse_args()
    if not os.environ.get(INSIDE):
        go_inside()
    binary = options.moldau.resolve()
    lay_out()
    cluster = Cluster(binary)
    counts = collections.defaultdict(collections.Counter)
    try:
        for path in sorted(options.samples.resolve().glob("*.case")):
            number = path.name.split("-")[0]
            if number in STARTS:
                cluster.start(*STARTS[number])
            if "--- exit none" in path.read_text():
                continue  # Kafka's tool did not end.
            [case] = read_cases(path)
            done = run(case.command, binary)
            difference = compare(case, done)
            verdict = "same" if not difference else "absent" if ABSENT.search(done.stderr + done.stdout) else "differs"
            counts[tool_of(case.command)][verdict] += 1
            if verdict != "same" and options.chosen in path.name:
                print(f"{verdict:8} {path.stem}", flush=True)
                if options.verbose and verdict == "differs":
                    print(f"         $ {case.command}", *(f"         {line}" for line in difference), sep="\n")
    finally:
        cluster.stop()
    total = sum(counts.values(), collections.Counter())
    for tool, of in [*sorted(counts.items()), ("all", total)]:
        print(f"{tool:32}", *(f"{of[verdict]:4} {verdict}" for verdict in ("same", "differs", "absent")))


if __name__ == "__main__":
    main()
