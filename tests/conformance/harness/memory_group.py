"""A control group with a memory limit, for the processes that a test starts in it: cgroup v2 where the memory
controller is there, else v1. Page cache of their files counts, as in a container."""
import os
import pathlib
import tempfile
import time


class Unavailable(Exception):
    """This machine lets us make none; the message says why."""


class MemoryGroup:
    def __init__(self, bytes_max):
        self.bytes_max = bytes_max
        unified = pathlib.Path("/sys/fs/cgroup")
        v1 = unified / "memory"
        self.is_v2 = not (v1 / "memory.limit_in_bytes").exists()
        self.form = "cgroup v2" if self.is_v2 else "cgroup v1"
        try:
            if self.is_v2 and "memory" not in (unified / "cgroup.controllers").read_text().split():
                raise Unavailable("neither cgroup v1 nor v2 has the memory controller here")
            self.path = pathlib.Path(tempfile.mkdtemp(prefix="moldau-test-", dir=unified if self.is_v2 else v1))
        except OSError as error:
            raise Unavailable(f"no control group can be made: {error}") from None
        try:
            if self.is_v2:
                (unified / "cgroup.subtree_control").write_text("+memory")
            self._write("memory.max" if self.is_v2 else "memory.limit_in_bytes", bytes_max)
        except OSError as error:
            self.close()
            raise Unavailable(f"the control group takes no limit: {error}") from None

    def _write(self, name, value):
        (self.path / name).write_text(str(value))

    def _fields(self, name):
        return dict(line.split() for line in (self.path / name).read_text().splitlines())

    def command(self, words):
        """The same command, run inside the group from its first instruction."""
        return ["/bin/sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.path), *words]

    def kills(self):
        """How many processes the kernel has ended for want of memory."""
        return int(self._fields("memory.events" if self.is_v2 else "memory.oom_control")["oom_kill"])

    def anonymous_bytes(self):
        return int(self._fields("memory.stat")["anon" if self.is_v2 else "rss"])

    def peak_bytes(self):
        return int((self.path / ("memory.peak" if self.is_v2 else "memory.max_usage_in_bytes")).read_text())

    def close(self):
        """After its processes have ended."""
        for _ in range(100):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.05)  # the last process is still being taken apart
