"""The group protocol spoken to Moldau and to Apache Kafka, every request in every version: one trace, and
the same records behind it."""
import difflib
import json
import re
import subprocess
import unittest

from harness import java, settings
from harness.node import Node

TRACER = settings.HERE / "groups" / "GroupTrace.java"
MEMBER_ID = re.compile(r"[\w.]*-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def neutral_record(line):
    """One record as kafka-dump-log prints it, without times and ids; members come in any order."""
    line = MEMBER_ID.sub("MEMBER", line)
    line = re.sub(r'CreateTime: \d+|(imestamp":)\d+|(topicId":)"[^"]*"', r"\1\2T", line)
    head, _, payload = line.partition(" payload: ")
    if payload.startswith("{"):
        value = json.loads(payload.replace(':T', ':"T"'))
        value["data"].get("members", []).sort(key=json.dumps)
        payload = json.dumps(value)
    return f"{head} payload: {payload}"


def dump_records(node):
    """Every record of __consumer_offsets, by partition."""
    files = sorted(str(file) for file in node.log_dir.glob("__consumer_offsets-*/*.log") if file.stat().st_size)
    out = java.run("kafka-dump-log", "--deep-iteration", "--offsets-decoder", "--files", ",".join(files)).stdout
    records = []
    for line in out.splitlines():
        if line.startswith("Dumping"):
            records.append(re.search(r"__consumer_offsets-\d+", line).group())
        elif line.startswith("|") and "keySize" in line:
            records.append(neutral_record(line))
    return records


def trace(server):
    """What the server answers, one line for each request, and what it writes."""
    with Node(server=server) as node:
        java.run("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "orders",
                 "--partitions", "2").check_returncode()
        done = subprocess.run(["java", "-cp", f"{java.jar_folder()}/*", str(TRACER), "localhost", str(node.port)],
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{node.tail()}"
        node.stop()
        return done.stdout.splitlines(), dump_records(node)


class GroupTraces(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")
        if settings.server == "kafka":
            raise unittest.SkipTest("this compares Moldau with Kafka")
        cls.kafkas, cls.mine = trace("kafka"), trace("moldau")

    def assert_same(self, which):
        difference = list(difflib.unified_diff(self.kafkas[which], self.mine[which], "kafka", "moldau",
                                               lineterm="", n=0))
        self.assertEqual(difference, [], "\n".join(difference))
        self.assertGreater(len(self.mine[which]), 100)

    def test_answers_are_those_of_kafka(self):
        self.assert_same(0)

    def test_records_are_those_of_kafka(self):
        self.assert_same(1)


if __name__ == "__main__":
    unittest.main()
