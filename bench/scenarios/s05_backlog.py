"""S5: reading a backlog while producers go on: the hour after an outage."""
import threading

from scenarios import Metric, Scenario


class Backlog(Scenario):
    name = "S5"
    title = "drain a backlog while 20 MB/s are produced"
    metrics = {
        "gb_per_s": Metric("GB/s drained", more_is_better=True),
        "cpu_per_gb": Metric("CPU-s/GB, of both together", ratio_goal=1),
        "produce_p99_us": Metric("p99 us of the producers", digits=0),
    }

    def measure(self, broker):
        broker.create("backlog", partitions=4)
        broker.create("bench")
        broker.load(topic="backlog", partitions=4, connections=4, megabytes=self.options.megabytes)
        produced = {}
        producer = threading.Thread(target=lambda: produced.update(broker.generator.run(
            "produce", port=broker.port, batch_bytes=16384, rate=20e6 / 16384, seconds=self.options.seconds)))
        producer.start()
        drained = broker.load("fetch", topic="backlog", partitions=4, seconds=self.options.seconds)
        producer.join()
        broker.verify("backlog", partitions=4)
        return {
            "gb_per_s": drained["bytes"] / 1e9 / drained["seconds"],
            "cpu_per_gb": drained["cpu"] / ((drained["bytes"] + produced["bytes"]) / 1e9),
            "produce_p99_us": produced["p99_us"],
        }
