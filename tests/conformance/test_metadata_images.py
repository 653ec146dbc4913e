"""The same administration on Moldau and on Apache Kafka leaves the same records in the metadata log, and both
servers' kafka-dump-log read either log alike."""
import difflib
import json
import re
import unittest

from differential import rig
from differential.session import Session
from harness import java, settings
from harness.codec import Catalog

SCRIPT = "admin_session"
# What differs between any two runs.
RANDOM = {"incarnationId", "brokerEpoch", "topicId", "directories", "logDirs", "host", "port", "timestamp",
          "incarnationID"}
# Ticks by which a controller shows that it lives.
TICKS = {"NO_OP_RECORD"}
# Kafka's broker says that it has no cordoned directories; ours cannot have any and says nothing.
KAFKAS_OWN = ('{"type": "BROKER_REGISTRATION_CHANGE_RECORD", "version": 3, "data": {"brokerId": 1, '
              '"brokerEpoch": "brokerEpoch", "cordonedLogDirs": []}}')


def run_session(server):
    """The node after the session, stopped."""
    [script] = rig.scripts((SCRIPT,))
    node = rig.new_node(server, script.properties)
    try:
        node.start()
        Session(node, script, Catalog(), rig.masks()).run()
        node.stop()
        return node
    except BaseException:
        node.close()
        raise


def payloads(dump):
    """The records of a dump, each as JSON text without what is random, sorted: Kafka writes what one request
    makes in the order of hash maps."""
    unserved = rig.masks().unserved

    def neutral(value, key=None):
        if key in RANDOM and not isinstance(value, (list, dict)):
            return key
        if isinstance(value, dict):
            return {name: neutral(one, name) for name, one in value.items()}
        if key == "features":  # in the order of a hash map, and only those that both have
            value = sorted((one for one in value if one["name"] not in unserved), key=lambda one: one["name"])
            return [dict(one) for one in value]
        if isinstance(value, list):
            return [neutral(one, key) for one in value]
        return value

    found = []
    for text in re.findall(r"payload: (\{.*\})", dump):
        record = json.loads(text)
        if record["type"] not in TICKS:
            found.append(json.dumps(neutral(record)))
    return sorted(found)


class MetadataImages(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if not settings.have_kafka():
            raise unittest.SkipTest("Kafka's jars or java are missing (prepare.py jars)")
        if settings.server == "kafka":
            raise unittest.SkipTest("this compares Moldau with Kafka")
        cls.nodes = {}
        for server in ("kafka", "moldau"):
            cls.nodes[server] = run_session(server)
        cls.dumps = {(tool, server): cls.dump(tool, node) for server, node in cls.nodes.items()
                     for tool in ("kafka", "moldau")}

    @classmethod
    def tearDownClass(cls):
        for node in getattr(cls, "nodes", {}).values():
            node.close()

    @classmethod
    def dump(cls, tool, node):
        arguments = ("--cluster-metadata-decoder", "--files",
                     str(node.log_dir / "__cluster_metadata-0" / "00000000000000000000.log"))
        if tool == "kafka":
            done = java.run("kafka-dump-log", *arguments)
        else:
            done = cls.nodes["moldau"].tool("kafka-dump-log", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def test_both_tools_read_both_logs_alike(self):
        for server in self.nodes:
            with self.subTest(server):
                self.assertEqual(self.dumps["moldau", server].splitlines(), self.dumps["kafka", server].splitlines())

    def test_records_are_those_of_kafka(self):
        kafkas, mine = (payloads(self.dumps["kafka", server]) for server in ("kafka", "moldau"))
        self.assertGreater(len(mine), 40)
        kafkas.remove(KAFKAS_OWN)
        difference = list(difflib.unified_diff(kafkas, mine, "kafka", "moldau", lineterm="", n=0))
        self.assertEqual(difference, [], "\n".join(difference))


if __name__ == "__main__":
    unittest.main()
