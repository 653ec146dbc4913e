#!/usr/bin/env python3
"""Counts the instructions of the hot pieces of the data path and holds them against the recorded ones.

    gate.py <moldau_instructions program> <baseline.json> [--update]

Prints a table; fails when a piece costs over 2 % more than recorded, or when a piece and its record are
not both there. --update records what was counted. Exits 77 (skipped) with the reason where the numbers
would mean nothing: without valgrind, or with another compiler or library than the recorded one.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
TOLERANCE = 0.02
# What memcpy and its like cost depends on the vector unit; under these names they all have one.
PLAIN_CPU = "glibc.cpu.hwcaps=" + ",".join(
    "-" + feature for feature in ("AVX2", "AVX", "AVX_Fast_Unaligned_Load", "AVX512F", "AVX512VL", "BMI2",
                                  "ERMS", "FSRM", "SSE4_1", "SSE4_2", "SSSE3"))


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(SKIPPED)


def count(program):
    """(built with, operation -> instructions each)."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind"
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no",
             f"--callgrind-out-file={out}", program],
            env={**os.environ, "GLIBC_TUNABLES": PLAIN_CPU}, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{program} failed under valgrind:\n{done.stdout}{done.stderr}")
        totals = inclusive(out.read_text().split("\n"))
    built_with, *rows = done.stdout.splitlines()
    times = {name: int(number) for name, number in (row.rsplit(" ", 1) for row in rows)}
    absent = times.keys() - totals.keys()
    if absent:
        sys.exit(f"callgrind has not seen {', '.join(sorted(absent))}: was measured() inlined?")
    return built_with, {name: round(totals[name] / times[name]) for name in times}


def inclusive(lines):
    """Operation -> all instructions within its measured(): its own lines and those of its calls."""
    totals, operation = {}, None
    for line in lines:
        if line.startswith("fn="):
            name = re.search(r"::measured<.*::(\w+)>\(", line)
            operation = name and name.group(1)
        elif operation and re.match(r"\d", line):
            totals[operation] = totals.get(operation, 0) + int(line.split()[1])
    return totals


def main():
    program, record = sys.argv[1], pathlib.Path(sys.argv[2])
    if shutil.which("valgrind") is None:
        skip("no valgrind: dev/install.sh test installs it")
    built_with, now = count(program)
    before = json.loads(record.read_text()) if record.exists() else {"built_with": built_with, "counts": {}}
    old = before["counts"]
    print(f"{'instructions per operation':28}{'recorded':>12}{'now':>12}{'ratio':>8}")
    wrong = []
    for name in sorted(old.keys() | now.keys()):
        known = name in old and name in now
        ratio = now[name] / old[name] if known else None
        dearer = known and ratio > 1 + TOLERANCE
        if not known or dearer:
            wrong.append(name)
        print(f"{name:28}{old.get(name, '-'):>12}{now.get(name, '-'):>12}"
              f"{f'{ratio:.3f}' if known else '-':>8}{'  dearer' if dearer else ''}")
    if "--update" in sys.argv[3:]:
        record.write_text(json.dumps({"built_with": built_with, "counts": now}, indent=4) + "\n")
        print(f"recorded in {record}")
        return
    if before["built_with"] != built_with:
        skip(f"recorded with {before['built_with']}, this is {built_with}")
    if wrong:
        print(f"\nMake it cheaper, or say in the commit why it may cost that and record it:\n"
              f"    {' '.join(sys.argv[:3])} --update")
        sys.exit(1)


if __name__ == "__main__":
    main()
