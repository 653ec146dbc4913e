#!/usr/bin/env python3
"""Fetches what the tests drive: Kafka's jars (through Maven) and Python clients (through pip).

usage: prepare.py jars | jars-4.1 | confluent | kafka-python-2.0.2 | kafka-python

Everything goes to target/ beside this file and is kept. Exits 77 with the reason when it cannot be had.
"""
import fcntl
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE / "target"
SKIPPED = 77
CODECS = ["python-snappy", "lz4", "zstandard"]
# Where the jars of a release go, and the profile of pom.xml that names it.
JARS = {"jars": [], "jars-4.1": ["-P4.1"]}
VENVS = {
    "confluent": ["confluent-kafka"],
    "kafka-python-2.0.2": ["kafka-python==2.0.2", *CODECS],
    "kafka-python": ["kafka-python", *CODECS],
}


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(SKIPPED)


def run(command, reason):
    done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print(done.stdout[-4000:])
        skip(reason)


def prepare_jars(name):
    jars = TARGET / name
    if (jars / ".complete").exists():
        return
    if not shutil.which("java"):
        skip("no java: install openjdk-17-jdk-headless")
    if not shutil.which("mvn"):
        skip("no mvn: install maven")
    run(["mvn", "-q", "-B", *JARS[name], "dependency:copy-dependencies", f"-DoutputDirectory={jars}"],
        "Maven could not fetch Kafka's jars")
    (jars / ".complete").touch()


def prepare_venv(name):
    venv = TARGET / f"venv-{name}"
    if (venv / ".complete").exists():
        return
    run([sys.executable, "-m", "venv", str(venv)], "python3-venv is not installed")
    run([str(venv / "bin/pip"), "install", "-q", "--disable-pip-version-check", *VENVS[name]],
        f"pip could not fetch {' '.join(VENVS[name])}")
    (venv / ".complete").touch()


def main():
    TARGET.mkdir(exist_ok=True)
    what = sys.argv[1]
    # Maven's own cache is not for two at once.
    with open(TARGET / f".lock-{'jars' if what in JARS else what}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if what in JARS:
            prepare_jars(what)
        else:
            prepare_venv(what)


if __name__ == "__main__":
    main()
