"""S1, S1b: large batches into six partitions, acks=all: what a terabyte costs."""
from scenarios import Metric, Scenario, machine_per_gigabyte, per_gigabyte


class BulkProduce(Scenario):
    name = "S1"
    title = "bulk produce, 128 KB batches of 1 KB records, 6 partitions, acks=all"
    batch_bytes = 131072
    in_flight = 5
    metrics = {
        "gb_per_s": Metric("GB/s", more_is_better=True, ratio_goal=3),
        "cpu_per_gb": Metric("CPU-s/GB", ratio_goal=1 / 8),
        "machine_cpu_per_gb": Metric("CPU-s/GB, with the kernel's threads"),
    }

    def load(self):
        return {"partitions": 6, "connections": 6, "in_flight": self.in_flight, "batch_bytes": self.batch_bytes}

    def measure(self, broker):
        broker.create("bench", partitions=6)
        broker.load(**self.load(), megabytes=self.options.megabytes / 4)
        result = broker.load(**self.load(), megabytes=self.options.megabytes)
        broker.verify(partitions=6)
        return self.values(result)

    def measure_by_tools(self, broker):
        broker.create("tools", partitions=6)
        result = broker.produce_by_tool("tools", int(self.options.megabytes * 1000 / 4), 1000, acks="all",
                                        batch_size=self.batch_bytes)
        broker.verify("tools", partitions=6)
        return self.values(result)

    @staticmethod
    def values(result):
        return {
            "gb_per_s": result["bytes"] / 1e9 / result["seconds"],
            "cpu_per_gb": per_gigabyte(result),
            "machine_cpu_per_gb": machine_per_gigabyte(result),
        }

    def limit(self, generator):
        """Receive, checksum, write past the page cache, acknowledge."""
        result = generator.run("produce", against="log", file=self.options.probe_file, **self.load(),
                               megabytes=self.options.megabytes)
        return {
            "gb_per_s": result["bytes"] / 1e9 / result["seconds"],
            "cpu_per_gb": result["cpu_seconds"] / (result["bytes"] / 1e9),
        }


class MediumBatches(BulkProduce):
    name = "S1b"
    title = "the same with 16 KB batches, Kafka's own default"
    batch_bytes = 16384
    metrics = {**BulkProduce.metrics, "gb_per_s": Metric("GB/s", more_is_better=True)}
