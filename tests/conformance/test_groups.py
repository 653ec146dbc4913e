"""The group protocol spoken to Moldau and to Apache Kafka, every request in every version: one trace."""
import difflib
import subprocess
import unittest

from harness import java, settings
from harness.node import Node

TRACER = settings.HERE / "groups" / "GroupTrace.java"


def trace(server):
    """What the server answers, one line for each request."""
    with Node(server=server) as node:
        java.run("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "orders",
                 "--partitions", "2").check_returncode()
        done = subprocess.run(["java", "-cp", f"{java.jar_folder()}/*", str(TRACER), "localhost", str(node.port)],
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{node.tail()}"
        return done.stdout.splitlines()


class GroupTraces(unittest.TestCase):
    maxDiff = None

    def test_answers_are_those_of_kafka(self):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")
        if settings.server == "kafka":
            raise unittest.SkipTest("this compares Moldau with Kafka")
        difference = list(difflib.unified_diff(trace("kafka"), trace("moldau"), "kafka", "moldau", lineterm="", n=0))
        self.assertEqual(difference, [], "\n".join(difference))


if __name__ == "__main__":
    unittest.main()
