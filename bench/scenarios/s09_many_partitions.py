"""S9: many partitions of which few are used: a node shared by many teams."""
import time

import machine
from scenarios import Metric, Scenario

# Of a PartitionRecord with one replica.
RECORD_BYTES = 100


class ManyPartitions(Scenario):
    name = "S9"
    title = "many partitions (10,000 unless --partitions), one in a hundred in use"
    is_warm = False
    metrics = {
        "create_s": Metric("created, s", goal=3),
        "resident_mib": Metric("resident, MiB", goal=64, ratio_goal=1 / 15),
        "metadata_ms": Metric("metadata of all topics, ms"),
        "produce_p99_us": Metric("p99 us with one in a hundred in use"),
        "clean_stop_s": Metric("clean stop, s"),
        "clean_start_s": Metric("start after it to the first ack, s", goal=1),
        "crash_start_s": Metric("start after kill -9 to the first ack, s", goal=1, ratio_goal=1 / 90),
    }

    def load(self):
        return {"partitions": 1, "connections": self.options.partitions // 100, "in_flight": 1,
                "batch_bytes": 16384, "rate": 500}

    def measure(self, broker):
        topics = self.options.partitions // 10
        found = {"create_s": broker.load("create", topics=topics, partitions=10)["seconds"]}
        broker.create("bench")
        broker.load(topic="many", topics=topics // 10, **self.load(), seconds=1)
        steady = broker.load(topic="many", topics=topics // 10, **self.load(), seconds=self.options.seconds)
        found["produce_p99_us"] = steady["p99_us"]
        found["resident_mib"] = machine.resident_mib(broker.pid)
        found["metadata_ms"] = broker.load("metadata")["p50_us"] / 1000
        began = time.monotonic()
        broker.stop()
        found["clean_stop_s"] = time.monotonic() - began
        found["clean_start_s"] = broker.seconds_to_first_ack()
        broker.kill()
        found["crash_start_s"] = broker.seconds_to_first_ack()
        return found

    def limit(self, generator):
        """Creating: the metadata records in one durable write. Starting: a server that has nothing to start."""
        metadata_bytes = -(-self.options.partitions * RECORD_BYTES // 4096) * 4096
        write = generator.run("disk", write_bytes=metadata_bytes, file=self.options.probe_file, seconds=0.2)
        seconds, resident = generator.least_start(self.options)
        return {
            "create_s": write["p50_us"] / 1e6,
            "resident_mib": resident,
            "produce_p99_us": generator.run("produce", against="ack", **self.load(),
                                            seconds=self.options.seconds)["p99_us"],
            "clean_start_s": seconds,
            "crash_start_s": seconds,
        }
