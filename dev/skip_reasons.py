#!/usr/bin/env python3
"""Passes ctest's output through and, before its summary, says why tests were skipped.

usage: ctest ... | skip_reasons.py LastTest.log

A test that cannot run here exits with code 77 and prints a line `SKIP: reason`.
"""
import re
import sys


def reasons(path):
    """(test name, reason) of each skipped test in ctest's log."""
    name, found = None, []
    try:
        with open(path, errors="replace") as log:
            for line in log:
                started = re.match(r"\d+/\d+ Test: (\S+)", line)
                if started:
                    name = started[1]
                elif line.lower().startswith(("skip: ", "skipped: ")) and name:
                    found.append((name, line.partition(": ")[2].strip()))
    except OSError:
        pass
    return found


def main():
    held = None
    for line in sys.stdin:
        if re.match(r"\d+% tests passed", line):
            held = []
        if held is None:
            sys.stdout.write(line)
            sys.stdout.flush()
        else:
            held.append(line)
    skipped = reasons(sys.argv[1])
    if skipped:
        print(f"\n{len(skipped)} skipped:")
        for name, reason in skipped:
            print(f"  {name}: {reason}")
    print()
    sys.stdout.writelines(held or [])


if __name__ == "__main__":
    main()
