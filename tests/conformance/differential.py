#!/usr/bin/env python3
"""Runs the scripts of tests/conformance/scripts on Apache Kafka and on Moldau and compares what both answer.

usage: differential.py [--moldau BINARY] [--record | --golden] [--print] [-j N] [script ...]

  --record   keeps Kafka's answers as the transcripts in scripts/golden
  --golden   asks Moldau alone and compares with those transcripts
  --print    shows every answer of Moldau, not only the different ones
  -j         how many scripts at a time (2)

Exits 1 when an answer differs and scripts/differences.txt does not explain it.
"""
import argparse
import concurrent.futures
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from differential import rig, transcript  # noqa: E402
from harness.codec import Catalog  # noqa: E402
from differential.language import ScriptError  # noqa: E402
from differential.report import print_differences  # noqa: E402
from harness import settings  # noqa: E402


def ask_both(script, options, catalog):
    """(Moldau's entries or None, Kafka's)."""
    kafkas = rig.golden(script) if options.golden else rig.run(script, "kafka", catalog)
    if options.record:
        path = rig.golden_path(script)
        path.parent.mkdir(exist_ok=True)
        path.write_text(transcript.write(kafkas))
    return rig.run(script, "moldau", catalog), kafkas


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--moldau")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--golden", action="store_true")
    parser.add_argument("--print", action="store_true", dest="show")
    parser.add_argument("-j", type=int, default=2)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.moldau:
        settings.moldau = pathlib.Path(options.moldau).resolve()

    catalog, explanations, failed = Catalog(), rig.explanations(), False
    scripts = rig.scripts(options.names)
    results = []
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        running = [(script, pool.submit(ask_both, script, options, catalog)) for script in scripts]
        for script, future in running:
            try:
                mine, kafkas = future.result()
            except (ScriptError, RuntimeError) as error:
                print(f"{script.name}: {error}")
                failed = True
                continue
            if options.show:
                print(transcript.write(mine))
            differences = transcript.compare(script.name, mine, kafkas, explanations)
            results.append((kafkas, differences))
            failed |= any(difference.explanation is None for difference in differences)
            print_differences(script, differences)
    print(transcript.table(results))
    if not options.names:
        for line in explanations.unused():
            print(f"explains nothing: {line}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
