#!/usr/bin/env python3
"""Runs one file of conformance tests against a node.

usage: run.py [--server moldau|kafka] [--venv NAME] [--moldau BINARY] FILE [unittest arguments ...]

  --server   what the tests talk to: Moldau (default), or the released Apache Kafka, the judge of the tests
  --venv     run inside target/venv-NAME, whose client library the tests import
  --moldau   the program to test (default: build/dev, then build/release)

Exits 77 with `SKIP: reason` when nothing could run.
"""
import argparse
import importlib.util
import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(SKIPPED)


def enter_venv(name):
    python = HERE / "target" / f"venv-{name}" / "bin" / "python"
    if not (python.parent.parent / ".complete").exists():
        skip(f"the Python client {name} could not be installed (tests/conformance/prepare.py {name})")
    if pathlib.Path(sys.prefix) != python.parent.parent:
        os.execv(str(python), [str(python), *sys.argv])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", choices=["moldau", "kafka"], default="moldau")
    parser.add_argument("--venv")
    parser.add_argument("--moldau")
    parser.add_argument("file")
    options, rest = parser.parse_known_args()
    if options.venv:
        enter_venv(options.venv)

    sys.path.insert(0, str(HERE))
    from harness import settings
    settings.server = options.server
    if options.moldau:
        settings.moldau = pathlib.Path(options.moldau).resolve()
    reason = settings.why_not_runnable()
    if reason:
        skip(reason)

    path = pathlib.Path(options.file).resolve()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    program = unittest.main(module=module, argv=[path.stem, "-v", *rest], exit=False, warnings="ignore")
    result = program.result
    for _, reason in result.skipped:
        print(f"SKIP: {reason}")
    if result.testsRun and len(result.skipped) >= result.testsRun and result.wasSuccessful():
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
