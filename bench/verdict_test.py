#!/usr/bin/env python3
"""What the table says of known numbers."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import plot  # noqa: E402
import scenarios  # noqa: E402
import verdict  # noqa: E402
from scenarios import Metric  # noqa: E402


class Rows(unittest.TestCase):
    def test_ratios_are_taken_pair_by_pair(self):
        row = verdict.Row("S", Metric("CPU", ratio_goal=0.5), [1, 2, 3], [10, 4, 6], None)
        self.assertEqual(row.ratios, [0.1, 0.5, 0.5])
        self.assertEqual(row.verdict(), "met")

    def test_more_is_better_turns_the_goal_round(self):
        self.assertEqual(verdict.Row("S", Metric("GB/s", True, ratio_goal=3), [2.9], [1], None).verdict(), "missed")
        self.assertEqual(verdict.Row("S", Metric("GB/s", True, ratio_goal=3), [3.1], [1], None).verdict(), "met")

    def test_every_goal_must_be_met(self):
        metric = Metric("MiB", ratio_goal=1 / 15, goal=64)
        self.assertEqual(verdict.Row("S", metric, [60], [1000], None).verdict(), "met")
        self.assertEqual(verdict.Row("S", metric, [70], [2000], None).verdict(), "missed")

    def test_without_kafka_only_absolute_goals_are_judged(self):
        row = verdict.Row("S", Metric("us", ratio_goal=0.1, limit_goal=1.3), [120], [], 100)
        self.assertEqual([text for _, _, text in row.goals()], ["<= 1.3 x limit"])
        self.assertEqual(row.verdict(), "met")

    def test_the_table_has_a_cell_for_each_column(self):
        tools = verdict.Row("S", Metric("CPU"), [3], [4], None)
        rows = [verdict.Row("S", Metric("CPU"), [1], [2], None, tools), verdict.Row("S", Metric("us"), [1], [], 4)]
        lines = verdict.table(rows).split("\n")
        self.assertEqual({line.count("|") for line in lines}, {11})
        self.assertIn("| 3.00, 4.00: 0.750 |", lines[2])

    def test_numbers_keep_three_digits(self):
        self.assertEqual([verdict.number(value) for value in (None, 0, 0.0042, 0.5, 12, 345.6, 67890)],
                         ["", "0", "0.00420", "0.500", "12.0", "346", "67890"])


class Scenarios(unittest.TestCase):
    def test_names_follow_the_files(self):
        self.assertEqual(list(scenarios.load_all()),
                         ["S1", "S1b", "S2", "S3", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12"])

    def test_titles_fit_beside_the_bars(self):
        for scenario in scenarios.load_all().values():
            for metric in scenario.metrics.values():
                self.assertLessEqual(len(metric.title), 40)


class Plots(unittest.TestCase):
    def test_the_longest_bar_fills_its_row(self):
        svg = plot.bars("a < b", [("CPU", False, {"moldau": 1.0, "kafka": 4.0})])
        full = plot.WIDTH - plot.LEFT - plot.RIGHT
        self.assertIn(f'width="{full:.1f}"', svg)
        self.assertIn(f'width="{full / 4:.1f}"', svg)
        self.assertIn("a &lt; b", svg)


if __name__ == "__main__":
    unittest.main()
