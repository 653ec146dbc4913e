"""Moldau answers the scripts of scripts/ as Apache Kafka did when their transcripts were recorded; what differs
is explained in scripts/differences.txt, and nothing is explained that does not differ."""
import unittest

from differential import rig, transcript
from differential.report import print_differences
from harness import settings
from harness.codec import Catalog

SAME_CODES_MIN = 97.0


class Differential(unittest.TestCase):
    def test_answers_are_those_of_kafka(self):
        if settings.server == "kafka":
            self.skipTest("this compares Moldau with transcripts of Kafka")
        catalog, explanations, results = Catalog(), rig.explanations(), []
        for script in rig.scripts():
            with self.subTest(script.name):
                kafkas = rig.golden(script)
                differences = transcript.compare(script.name, rig.run(script, "moldau", catalog), kafkas, explanations)
                results.append((kafkas, differences))
                print_differences(script, differences)
                self.assertEqual([one for one in differences if one.explanation is None], [])
        print(transcript.table(results))
        self.assertEqual(explanations.unused(), [])
        self.assertGreaterEqual(transcript.share_of_same_codes(results), SAME_CODES_MIN)


class Transcripts(unittest.TestCase):
    def test_transcripts_are_still_what_kafka_answers(self):
        if not settings.have_kafka():
            self.skipTest("Kafka's jars or java are missing (prepare.py jars)")
        for script in rig.scripts(("fetch_sessions", "frames", "versions")):
            with self.subTest(script.name):
                differences = transcript.compare(script.name, rig.run(script, "kafka"), rig.golden(script),
                                                 transcript.Explanations(""))
                self.assertEqual(differences, [])


if __name__ == "__main__":
    unittest.main()
