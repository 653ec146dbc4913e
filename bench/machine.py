"""What the machine did meanwhile: busy time, stolen time, memory."""
import os
import pathlib
import time

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_times():
    """(busy, stolen, all) seconds of all processors since the machine started."""
    fields = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, idle, iowait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq) / TICKS, steal / TICKS, sum(fields) / TICKS


def process_cpu(pid):
    """Seconds in user and system mode of the process with all its threads, by its CPU clock: the ticks in
    /proc/<pid>/stat are 10 ms, and a small load takes none."""
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)


def resident_mib(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / (1 << 20)


def kernel_slab_mib():
    """What the kernel keeps for sockets, directory entries and the like."""
    for line in pathlib.Path("/proc/meminfo").read_text().split("\n"):
        if line.startswith("Slab:"):
            return int(line.split()[1]) / 1024
    return 0


def fill_memory(gigabytes):
    """Touches memory once and lets it go: the first touch of a page of a virtual machine costs more than the
    broker's work, and would hit whoever runs first."""
    block = bytearray(64 << 20)
    held = [bytearray(block) for _ in range(int(gigabytes * 1e9) // len(block))]
    held.clear()


class Meter:
    """CPU of one process, and of the whole machine without the load generator, between two moments."""

    def __init__(self, pid):
        self.pid = pid
        self.began = self.now()

    def now(self):
        children = os.times()
        return process_cpu(self.pid), cpu_times(), children.children_user + children.children_system

    def read(self):
        process, (busy, stolen, total), generator = self.now()
        process_0, (busy_0, stolen_0, total_0), generator_0 = self.began
        return {
            "cpu": process - process_0,
            "machine_cpu": busy - busy_0 - (generator - generator_0),
            "stolen": (stolen - stolen_0) / max(total - total_0, 1e-9),
        }
