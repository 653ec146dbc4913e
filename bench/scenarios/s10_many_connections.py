"""S10: many connections of which most are idle: fleets of devices."""
import json

import machine
from scenarios import Metric, Scenario


class ManyConnections(Scenario):
    name = "S10"
    title = "idle connections, and 100 in use beside them"
    metrics = {
        "connections_per_s": Metric("connections accepted and served, thousand/s", more_is_better=True),
        "idle_kib": Metric("KiB of the broker per idle connection", goal=4),
        "p99_us": Metric("p99 us of 5,000 requests/s beside them", digits=0),
    }

    def measure(self, broker):
        broker.create("bench", partitions=4)
        load = {"partitions": 4, "connections": 100, "in_flight": 5, "records": 1, "rate": 5000}
        broker.load(**load, seconds=1)
        before = machine.resident_mib(broker.pid)
        holder = broker.generator.start("connect", port=broker.port, connections=self.options.connections)
        opened = json.loads(holder.stdout.readline())
        idle = machine.resident_mib(broker.pid) - before
        busy = broker.load(**load, seconds=self.options.seconds)
        holder.communicate()
        return {
            "connections_per_s": opened["connections"] / opened["seconds"] / 1000,
            "idle_kib": idle * 1024 / opened["connections"],
            "p99_us": busy["p99_us"],
        }
