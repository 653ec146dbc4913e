"""The scenarios, one file each. A scenario measures one broker; rig.py runs it on both, in turn.

A scenario class has:
  name, title
  metrics    {key: Metric}
  measure(broker) -> {key: value}            the broker is up, warm and empty
  measure_by_tools(broker) -> {key: value}   some of the metrics again, under the load of Kafka's own perf tools
  limit(generator) -> {key: value}           what the machine allows, for some of the metrics
  properties                        of the node
  is_durable                        an acknowledged record is on the device
  is_warm                           False: starts its own way, see start()
"""
import dataclasses
import importlib
import pathlib


@dataclasses.dataclass(frozen=True)
class Metric:
    title: str
    more_is_better: bool = False
    # Moldau / Kafka shall be at least this (more is better) or at most this.
    ratio_goal: float | None = None
    # Moldau's own value, likewise.
    goal: float | None = None
    # Moldau / limit, likewise.
    limit_goal: float | None = None


class Scenario:
    name = ""
    title = ""
    metrics = {}
    properties = {}
    is_warm = True
    is_durable = False

    def __init__(self, options):
        self.options = options

    def measure_by_tools(self, broker):
        return {}

    def limit(self, generator):
        return {}


def per_gigabyte(result):
    return result["cpu"] / (result["bytes"] / 1e9)


def machine_per_gigabyte(result):
    return result["machine_cpu"] / (result["bytes"] / 1e9)


def load_all():
    """{name: class}, in the order of the files."""
    found = {}
    for path in sorted(pathlib.Path(__file__).parent.glob("s*.py")):
        module = importlib.import_module(f"scenarios.{path.stem}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Scenario) and value.name:
                found[value.name] = value
    return found
