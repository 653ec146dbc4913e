"""S2: records of 100 bytes, each of which the broker must look at: events, sensors."""
from scenarios import Metric, Scenario


class SmallRecords(Scenario):
    name = "S2"
    title = "100 byte records, 16 KB batches, 16 partitions, acks=all"
    metrics = {
        "records_per_core": Metric("million records per CPU second", more_is_better=True, ratio_goal=5),
        "records_per_s": Metric("million records/s", more_is_better=True),
    }

    def load(self):
        return {"partitions": 16, "connections": 16, "in_flight": 5, "batch_bytes": 16384, "record_bytes": 100}

    def measure(self, broker):
        broker.create("bench", partitions=16)
        broker.load(**self.load(), seconds=1)
        result = broker.load(**self.load(), seconds=self.options.seconds)
        broker.verify(partitions=16)
        return self.values(result, result["cpu"])

    def measure_by_tools(self, broker):
        broker.create("tools", partitions=16)
        result = broker.produce_by_tool("tools", int(self.options.megabytes * 1000), 100, acks="all")
        broker.verify("tools", partitions=16)
        return self.values(result, result["cpu"])

    def limit(self, generator):
        """Receive, checksum, look at each record, write past the page cache, acknowledge."""
        result = generator.run("produce", against="walk", file=self.options.probe_file, **self.load(),
                               seconds=self.options.seconds)
        return self.values(result, result["cpu_seconds"])

    @staticmethod
    def values(result, cpu_seconds):
        return {
            "records_per_core": result["records"] / 1e6 / cpu_seconds,
            "records_per_s": result["records"] / 1e6 / result["seconds"],
        }
