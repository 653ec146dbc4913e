"""S11: the start, and doing nothing: continuous integration, small machines."""
import time

import machine
from scenarios import Metric, Scenario


class StartAndIdle(Scenario):
    name = "S11"
    title = "one topic: start to the first acknowledged record, then idle"
    is_warm = False
    metrics = {
        "first_ack_ms": Metric("first ack, ms", goal=15),
        "resident_mib": Metric("idle resident, MiB", goal=12),
        "idle_cpu_percent": Metric("idle CPU, %", goal=0.1),
    }

    def measure(self, broker):
        broker.create("bench")
        broker.stop()
        found = {"first_ack_ms": broker.seconds_to_first_ack() * 1000}
        time.sleep(2)
        meter = machine.Meter(broker.pid)
        time.sleep(self.options.idle_seconds)
        found["idle_cpu_percent"] = 100 * meter.read()["cpu"] / self.options.idle_seconds
        found["resident_mib"] = machine.resident_mib(broker.pid)
        return found

    def limit(self, generator):
        """A server that does nothing but sync one record before its answer."""
        seconds, resident = generator.least_start(self.options)
        return {"first_ack_ms": seconds * 1000, "resident_mib": resident}
