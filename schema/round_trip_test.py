#!/usr/bin/env python3
"""Random messages of every type and version pass through the generated C++ unchanged.

    round_trip_test.py <schema folder> <protocol_rewrite program> [seed]
"""

import pathlib
import subprocess
import sys

MESSAGES_PER_VERSION = 20


def main():
    schema, program = sys.argv[1:3]
    seed = sys.argv[3] if len(sys.argv) > 3 else "1"
    generator = pathlib.Path(__file__).parent / "random_messages.py"
    made = subprocess.run([sys.executable, generator, schema, seed, str(MESSAGES_PER_VERSION)],
                          check=True, capture_output=True).stdout
    back = subprocess.run([program], input=made, check=True, capture_output=True).stdout
    sent, received = made.decode().splitlines(), back.decode().splitlines()
    assert len(sent) == len(received), (len(sent), len(received))
    wrong = [(s, r) for s, r in zip(sent, received) if s.split(" ")[:3] != r.split(" ")[:3]]
    for s, r in wrong[:10]:
        print(f"sent     {s}\nreceived {r}\n")
    print(f"{len(sent)} messages, {len(wrong)} changed, seed {seed}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
