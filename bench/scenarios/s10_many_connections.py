"""S10: many connections of which most are idle: fleets of devices."""
import machine
from scenarios import Metric, Scenario


class ManyConnections(Scenario):
    name = "S10"
    title = "idle connections, and 100 in use beside them"
    metrics = {
        "connections_per_s": Metric("connections served, thousand/s", more_is_better=True),
        "idle_kib": Metric("KiB of the broker per idle connection", goal=4),
        "p99_us": Metric("p99 us of 5,000 requests/s beside them"),
    }

    load = {"connections": 100, "in_flight": 5, "records": 1, "rate": 5000}

    def measure(self, broker):
        broker.create("bench", partitions=4)
        broker.load(**self.load, partitions=4, seconds=1)
        before = machine.resident_mib(broker.pid)
        with broker.generator.running("connect", port=broker.port, connections=self.options.connections) as holder:
            opened = broker.generator.line(holder)
            idle = machine.resident_mib(broker.pid) - before
            busy = broker.load(**self.load, partitions=4, seconds=self.options.seconds)
        return {
            "connections_per_s": opened["connections"] / opened["seconds"] / 1000,
            "idle_kib": idle * 1024 / opened["connections"],
            "p99_us": busy["p99_us"],
        }

    def limit(self, generator):
        """A server that accepts and answers."""
        with generator.running("connect", against="ack", connections=self.options.connections) as holder:
            opened = generator.line(holder)
        return {
            "connections_per_s": opened["connections"] / opened["seconds"] / 1000,
            "p99_us": generator.run("produce", against="ack", **self.load, seconds=self.options.seconds)["p99_us"],
        }
