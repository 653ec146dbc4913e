"""S5: reading a backlog while producers go on: the hour after an outage."""
from scenarios import Metric, Scenario


class Backlog(Scenario):
    name = "S5"
    title = "drain a backlog that is on the disk alone, while 20 MB/s are produced"
    metrics = {
        "gb_per_s": Metric("GB/s drained", more_is_better=True),
        "cpu_per_gb": Metric("CPU-s/GB, of both together", ratio_goal=1),
        "produce_p99_us": Metric("p99 us of the producers"),
    }

    def producers(self):
        return {"batch_bytes": 16384, "rate": 20e6 / 16384, "seconds": self.options.seconds}

    def measure(self, broker):
        broker.create("backlog", partitions=4)
        broker.create("bench")
        broker.load(topic="backlog", partitions=4, connections=4, megabytes=self.options.megabytes)
        used, drained = {}, []
        with broker.metered(used), broker.generator.running("produce", port=broker.port, **self.producers()) as load:
            while load.poll() is None:
                broker.forget_pages("backlog")
                drained.append(broker.generator.run("fetch", port=broker.port, topic="backlog", partitions=4,
                                                    passes=1))
            produced = broker.generator.result(load)
        broker.verify("backlog", partitions=4)
        read = sum(run["bytes"] for run in drained)
        return {
            "gb_per_s": read / 1e9 / sum(run["seconds"] for run in drained),
            "cpu_per_gb": used["cpu"] / ((read + produced["bytes"]) / 1e9),
            "produce_p99_us": produced["p99_us"],
        }

    def measure_by_tools(self, broker):
        """The backlog alone."""
        broker.forget_pages("backlog")
        result = broker.consume_by_tool("backlog")
        return {
            "gb_per_s": result["bytes"] / 1e9 / result["seconds"],
            "cpu_per_gb": result["cpu"] / (result["bytes"] / 1e9),
        }

    def limit(self, generator):
        """Read past the page cache, send; and for the producers a server that only answers."""
        result = generator.run("read-and-send", file=self.options.probe_file, megabytes=self.options.megabytes)
        return {
            "gb_per_s": result["bytes"] / 1e9 / result["seconds"],
            "cpu_per_gb": result["cpu_seconds"] / (result["bytes"] / 1e9),
            "produce_p99_us": generator.run("produce", against="ack", **self.producers())["p99_us"],
        }
