#!/usr/bin/env python3
"""Breaks the source on purpose, one place at a time, and sees whether the tests notice.

usage: mutate.py [--check] [-k TEXT] [FILE ...]

Each FILE (default: all of tests/mutants) holds mutants:

    == what is wrong with it
    file: src/consensus/leader_state.cc
    test: consensus_test --gtest_filter=RaftSimulation.*     # build target and its arguments
    from: held <= epoch_start_ || (high
    to:   (high

`from` must be in the file exactly once; a text of several lines has several `from:` (or `to:`) lines.
The source is copied to build/mutants, where the target is built from each mutant in turn; the test must
then fail, or time out. A mutant that survives is a test that is missing.

  --check   only sees that every `from` still fits the source; the test `tidy.mutants` runs that
  -k TEXT   only mutants whose title has TEXT
"""
import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "mutants"
PRESET = "dev"
TEST_SECONDS_MAX = 180
FIELDS = ("file", "test", "from", "to")


@dataclass
class Mutant:
    title: str
    where: str
    fields: dict = field(default_factory=lambda: {name: [] for name in FIELDS})

    def text(self, name):
        return "\n".join(self.fields[name])

    def apply(self, source):
        """The broken source; None when `from` does not fit exactly once."""
        before = self.text("from")
        return source.replace(before, self.text("to")) if source.count(before) == 1 else None


def mutants_of(path):
    found = []
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if line.startswith("== "):
            found.append(Mutant(line[3:], f"{path.name}:{number}"))
            continue
        name, colon, value = line.partition(":")
        if colon and name in FIELDS and found:
            found[-1].fields[name].append(value.removeprefix(" ") if name in ("from", "to") else value.strip())
        elif line and not line.startswith("#"):
            sys.exit(f"{path.name}:{number}: not understood: {line}")
    return found


def stale(mutants):
    return [mutant for mutant in mutants if mutant.apply((ROOT / mutant.text("file")).read_text()) is None]


def copy_source():
    """Brings the copy up to date; untouched files keep their times, so that little is built again."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, listed):
        source, target = ROOT / name, COPY / name
        if source.is_symlink() or not source.is_file():
            continue
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def build(target):
    return subprocess.run(["cmake", "--build", "--preset", PRESET, "--target", target], cwd=COPY,
                          capture_output=True, text=True)


def survives(words):
    program = next((COPY / "build" / PRESET / "src").rglob(words[0]))
    try:
        done = subprocess.run([program, *words[1:]], cwd=COPY, capture_output=True, timeout=TEST_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def try_one(mutant):
    path = COPY / mutant.text("file")
    words = shlex.split(mutant.text("test"))
    whole = path.read_text()
    try:
        path.write_text(mutant.apply(whole))
        built = build(words[0])
        if built.returncode != 0:
            print(built.stdout[-2000:])
            return "does not build"
        return "SURVIVES" if survives(words) else "caught"
    finally:
        path.write_text(whole)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("-k", default="")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    files = options.files or sorted((ROOT / "tests" / "mutants").glob("*.txt"))
    mutants = [mutant for path in files for mutant in mutants_of(path) if options.k in mutant.title]
    for mutant in stale(mutants):
        print(f"{mutant.where}: `from` is not in {mutant.text('file')} exactly once: {mutant.title}")
    if stale(mutants):
        sys.exit(1)
    if options.check:
        print(f"{len(mutants)} mutants fit the source")
        return

    copy_source()
    subprocess.run(["cmake", "--preset", PRESET], cwd=COPY, check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "MOLDAU_PCH": "OFF"})
    failed = 0
    for mutant in mutants:
        outcome = try_one(mutant)
        failed += outcome != "caught"
        print(f"{outcome}: {mutant.where}: {mutant.title}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
