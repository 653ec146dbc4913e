#!/usr/bin/env python3
"""The rig from end to end on Moldau, as small as it goes: every scenario gives its numbers, and whatever is
killed in between, nothing stays behind.

usage: rig_test.py --moldau BINARY --bench BINARY [unittest's own arguments]
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import scenarios  # noqa: E402

SMALL = ["--only", "moldau", "--pairs", "1", "--seconds", "0.2", "--megabytes", "8", "--partitions", "100",
         "--connections", "50", "--idle-seconds", "0.2", "--fill-gigabytes", "0", "-o", "json"]
options = None


def processes_that_name(text):
    """Command lines, without our own, in which `text` occurs."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # It ended while we looked.
        if text in line and path.parent.name != str(os.getpid()):
            found.append(line)
    return found


class Rig(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rig-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data = self.folder / "data"
        self.data.mkdir()

    def start(self, *arguments, bench=None):
        return subprocess.Popen([sys.executable, HERE / "rig.py", *SMALL, "--moldau", options.moldau,
                                 "--bench", bench or options.bench, "--directory", self.data, *arguments],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, rig):
        """(exit code, report or None, what it said): nothing that it started is left."""
        output, said = rig.communicate()
        self.assertEqual(processes_that_name(str(self.data)), [], said)
        self.assertEqual(list(self.data.iterdir()), [], said)
        return rig.returncode, json.loads(output or "null"), said

    def test_every_scenario_gives_all_its_numbers_and_a_limit(self):
        code, report, said = self.finish(self.start("--plots", self.folder / "plots"))
        self.assertEqual((code, report and report["failures"]), (0, []), said)
        for name, scenario in scenarios.load_all().items():
            rows = [row for row in report["rows"] if row["scenario"] == name]
            self.assertEqual([row["metric"] for row in rows], [m.title for m in scenario.metrics.values()])
            self.assertNotIn(None, [row["moldau"] for row in rows], name)
            self.assertTrue([row for row in rows if row["limit"] is not None], name)
            self.assertTrue((self.folder / f"plots/{name}.svg").exists())

    def test_a_killed_generator_ends_its_scenario_and_leaves_nothing(self):
        # S1: while everything is read back. S5: beside producers. S6: at once. S10: beside idle connections.
        # S11: before the broker is up.
        killed = ["fetch*", "end-to-end*", '*"--rate 5000"*"--seconds 0.2"', "first-ack*"]
        bench = self.folder / "killed_bench"
        bench.write_text(f'#!/bin/sh\ncase "$*" in\n{"|".join(killed)}) kill -9 $$ ;;\nesac\n'
                         f'exec {options.bench} "$@"\n')
        bench.chmod(0o755)
        names = ["S1", "S5", "S6", "S10", "S11"]
        chosen = [word for name in names for word in ("--scenario", name)]
        code, report, said = self.finish(self.start(*chosen, bench=bench))
        self.assertEqual((code, report and report["rows"]), (1, []), said)
        self.assertEqual([failure.split(":")[0] for failure in report["failures"]], names)
        for failure in report["failures"]:
            self.assertIn("signal 9", failure)

    def test_a_terminated_rig_takes_its_broker_along(self):
        rig = self.start("--scenario", "S3", "--seconds", "60")
        self.assertIn("S3 1/1 moldau", rig.stderr.readline())
        while not processes_that_name(f"{self.data}/bench-moldau"):
            self.assertIsNone(rig.poll())
        rig.send_signal(signal.SIGTERM)
        code, report, _ = self.finish(rig)
        self.assertEqual((code, report), (1, None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--moldau", required=True)
    parser.add_argument("--bench", required=True)
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
