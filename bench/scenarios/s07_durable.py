"""S7: every record on the device before its acknowledgement: ledgers."""
from scenarios import Metric, Scenario


class Durable(Scenario):
    name = "S7"
    title = "flush.messages=1, 100 partitions, 50 connections, one 1 KB record per request"
    is_durable = True
    metrics = {
        "acks_per_s": Metric("thousand acks/s", more_is_better=True, ratio_goal=20),
        "p99_ms": Metric("p99 ms", ratio_goal=1 / 20),
    }

    def measure(self, broker):
        broker.create("bench", partitions=100, flush_messages=1)
        load = {"partitions": 100, "connections": 50, "in_flight": 1, "records": 1, "record_bytes": 1000}
        broker.load(**load, seconds=1)
        result = broker.load(**load, seconds=self.options.seconds)
        broker.verify(partitions=100)
        return {"acks_per_s": result["requests"] / result["seconds"] / 1000, "p99_ms": result["p99_us"] / 1000}

    def limit(self, generator):
        """One journal, one write at a time that holds a record of each of the 50 connections."""
        result = generator.run("disk", write_bytes=53248, file=self.options.probe_file,
                               seconds=self.options.seconds)
        return {"acks_per_s": 50 * result["requests"] / result["seconds"] / 1000,
                "p99_ms": result["p99_us"] / 1000}
