#!/usr/bin/env python3
"""Moldau beside the released Apache Kafka 4.3.1, and beside what the machine allows: one run, taking turns.

usage: rig.py [--short] [--scenario NAME ...] [--only moldau|kafka] [-o json] [--plots DIRECTORY] ...

Runs in pairs, A B B A: whatever the machine does in between hits both. Ratios are of a pair; absolute numbers
say little. Memory is filled before each pair. A pair in which the host stole more than 2 % of the processors
is told, because it proves nothing. Needs the release build (cmake --build --preset release) and, unless
--only moldau, Kafka's jars (tests/conformance/prepare.py jars).
"""
import argparse
import json
import pathlib
import signal
import sys
import tempfile

import broker
import machine
import plot
import scenarios
import verdict

STOLEN_MAX = 0.02


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", action="append", help="S1, S3, ...; may be repeated; all when left out")
    parser.add_argument("--short", action="store_true", help="all scenarios, small, within ten minutes")
    parser.add_argument("--only", choices=["moldau", "kafka"])
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--plots", type=pathlib.Path, help="directory for SVG files")
    parser.add_argument("--durable", action="store_true",
                        help="Moldau as it is, every acknowledgement durable; Kafka's are not, but in S7")
    parser.add_argument("--pairs", type=int, help="runs of each broker (5; 1 when short)")
    parser.add_argument("--seconds", type=float, help="of each load (20; 2 when short)")
    parser.add_argument("--warm-up-seconds", type=float, help="for the JVM (60; 6 when short)")
    parser.add_argument("--megabytes", type=float, help="of each bulk load (4000; 500 when short)")
    parser.add_argument("--partitions", type=int, help="of S9 (10000; 1000 when short)")
    parser.add_argument("--connections", type=int, help="of S10 (5000; 1000 when short)")
    parser.add_argument("--idle-seconds", type=float, help="of S11 (60; 5 when short)")
    parser.add_argument("--fill-gigabytes", type=float, help="of memory before each pair (6; 1 when short)")
    parser.add_argument("--directory", help="for data directories; the system's for temporary files otherwise")
    parser.add_argument("--moldau", default=str(broker.ROOT / "build/release/apps/moldau/moldau"))
    parser.add_argument("--bench", default=str(broker.ROOT / "build/release/bench/moldau_bench"))
    options = parser.parse_args()
    long, short = ((5, 20, 60, 4000, 10_000, 5000, 60, 6), (1, 2, 6, 500, 1000, 1000, 5, 1))
    names = ("pairs", "seconds", "warm_up_seconds", "megabytes", "partitions", "connections", "idle_seconds",
             "fill_gigabytes")
    for name, value in zip(names, short if options.short else long):
        if getattr(options, name) is None:
            setattr(options, name, value)
    folder = options.directory or tempfile.gettempdir()
    options.probe_file = str(pathlib.Path(folder) / "moldau-bench-probe.tmp")
    return options


def run_once(scenario, server, generator, options):
    """One broker: (values, values by Kafka's perf tools, stolen share)."""
    properties = dict(scenario.properties)
    if server == "moldau" and not (scenario.is_durable or options.durable):
        # The promise of Kafka's defaults: Moldau's own is that a power cut takes nothing back.
        properties["moldau.ack"] = "memory"
    node = broker.Broker(server, generator, options, properties)
    try:
        node.start()
        if scenario.is_warm:
            node.warm_up()
        values = scenario.measure(node)
        by_tools = scenario.measure_by_tools(node) if broker.have_kafka() else {}
        return values, by_tools, node.stolen
    finally:
        node.close()


def run_scenario(scenario, servers, generator, options):
    """{server: [values of each run]}, the same by Kafka's perf tools, and what the limit probe saw."""
    found = {server: [] for server in servers}
    found_by_tools = {server: [] for server in servers}
    for pair in range(options.pairs):
        machine.fill_memory(options.fill_gigabytes)
        stolen_most = 0.0
        for server in servers if pair % 2 == 0 else reversed(servers):
            say(f"{scenario.name} {pair + 1}/{options.pairs} {server}")
            values, by_tools, stolen = run_once(scenario, server, generator, options)
            found[server].append(values)
            found_by_tools[server].append(by_tools)
            stolen_most = max(stolen_most, stolen)
            say(f"  {json.dumps(values)}" + (f", by Kafka's tools {json.dumps(by_tools)}" if by_tools else ""))
        if stolen_most > STOLEN_MAX:
            say(f"  the host took {stolen_most:.1%} of the processors during this pair: its ratios prove nothing")
    return found, found_by_tools, scenario.limit(generator)


def rows_of(scenario, found, found_by_tools, limit):
    def series(runs_of, server, key):
        return [run[key] for run in runs_of.get(server, []) if key in run]

    for key, metric in scenario.metrics.items():
        tools = [series(found_by_tools, server, key) for server in ("moldau", "kafka")]
        by_tools = verdict.Row(scenario.name, metric, *tools, None) if any(tools) else None
        yield verdict.Row(scenario.name, metric, series(found, "moldau", key), series(found, "kafka", key),
                          limit.get(key), by_tools)


def draw(directory, scenario, rows):
    directory.mkdir(parents=True, exist_ok=True)
    groups = []
    for row in rows:
        values = {"moldau": row.moldau, "kafka": row.kafka, "limit": row.limit}
        if row.by_tools:
            values |= {"moldau, perf tool": row.by_tools.moldau, "kafka, perf tool": row.by_tools.kafka}
        groups.append((row.metric.title, row.metric.more_is_better,
                       {who: value for who, value in values.items() if value is not None}))
    (directory / f"{scenario.name}.svg").write_text(plot.bars(f"{scenario.name}: {scenario.title}", groups))


def main():
    # As Ctrl-C: what has been started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    options = parse_options()
    known = scenarios.load_all()
    chosen = options.scenario or list(known)
    for name in chosen:
        if name not in known:
            raise SystemExit(f"no scenario {name}; there are {', '.join(known)}")
    broker.use_moldau(options.moldau)
    servers = [options.only] if options.only else ["moldau", "kafka"]
    if "kafka" in servers and not broker.have_kafka():
        raise SystemExit("Kafka's jars are missing: tests/conformance/prepare.py jars, or --only moldau")
    generator = broker.Generator(options.bench)
    everything = []
    failures = []
    for name in chosen:
        scenario = known[name](options)
        try:
            rows = list(rows_of(scenario, *run_scenario(scenario, servers, generator, options)))
        except (broker.GeneratorFailed, broker.NodeFailed, AssertionError) as failure:
            failures.append(f"{name}: {failure}")
            say(f"  failed: {failure}")
            continue
        everything += rows
        if options.plots:
            draw(options.plots, scenario, rows)
    if options.output == "json":
        print(json.dumps({"rows": [row.as_json() for row in everything], "failures": failures}, indent=1))
    else:
        print(verdict.table(everything))
        for failure in failures:
            print(f"\nfailed: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
