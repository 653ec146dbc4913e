"""Ports that stay ours for the life of the test process, so that a node can be restarted on the same one.

They are taken below the range the kernel hands out by itself, each guarded by a lock file.
"""
import fcntl
import os
import pathlib
import random
import socket
import tempfile

_LOCKS = pathlib.Path(tempfile.gettempdir()) / "moldau-test-ports"
_held = []


def free_port():
    _LOCKS.mkdir(exist_ok=True)
    chooser = random.Random(os.urandom(8))
    while True:
        port = chooser.randrange(20000, 32000)
        lock = open(_LOCKS / str(port), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return port
