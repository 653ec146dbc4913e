#!/usr/bin/env python3
"""One group member in a process of its own: prints each change of assignment and each record as JSON.

usage: member.py MODULE BOOTSTRAP GROUP TOPIC      ends cleanly on SIGTERM; may be killed at any time
"""
import importlib
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

stopping = False


def stop(*_):
    global stopping
    stopping = True


def say(**event):
    print(json.dumps(event), flush=True)


def main():
    module, bootstrap, group, topic = sys.argv[1:5]
    signal.signal(signal.SIGTERM, stop)
    consumer = importlib.import_module(f"clients.{module}").Consumer(bootstrap, group, [topic])
    assigned = None
    while not stopping:
        records = consumer.poll()
        if consumer.assignment() != assigned:
            assigned = consumer.assignment()
            say(assigned=assigned)
        for record in records:
            say(partition=record.partition, offset=record.offset)
        if records:
            try:
                consumer.commit()
            except Exception as error:  # a rebalance between poll and commit: the records come again
                say(commit_failed=str(error))
    consumer.close()
    say(closed=True)


if __name__ == "__main__":
    main()
