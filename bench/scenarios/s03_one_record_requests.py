"""S3: one record in each request, from many connections: services that do not batch."""
from scenarios import Metric, Scenario


class OneRecordRequests(Scenario):
    name = "S3"
    title = "one 1 KB record per request, 200 connections, 5 in flight each, acks=all"
    metrics = {
        "cpu_us": Metric("CPU us per request", ratio_goal=1 / 8),
        "per_s": Metric("thousand requests/s", more_is_better=True),
        "p99_us": Metric("p99 us at half of Kafka's rate", ratio_goal=1 / 3),
    }
    # About half of what Kafka reaches on two cores: both brokers get the same load.
    rate = 10_000

    def load(self):
        return {"connections": 200, "in_flight": 5, "records": 1, "record_bytes": 1000}

    def measure(self, broker):
        broker.create("bench", partitions=1)
        broker.load(**self.load(), seconds=1)
        fast = broker.load(**self.load(), seconds=self.options.seconds)
        steady = broker.load(**self.load(), rate=self.rate, seconds=self.options.seconds, warm_up=0)
        broker.verify()
        return {
            "cpu_us": fast["cpu"] / fast["requests"] * 1e6,
            "per_s": fast["requests"] / fast["seconds"] / 1000,
            "p99_us": steady["p99_us"],
        }

    def limit(self, generator):
        """A server that answers each frame and does nothing else."""
        fast = generator.run("produce", against="ack", **self.load(), seconds=self.options.seconds)
        steady = generator.run("produce", against="ack", **self.load(), rate=self.rate,
                               seconds=self.options.seconds)
        return {
            "cpu_us": fast["cpu_seconds"] / fast["requests"] * 1e6,
            "per_s": fast["requests"] / fast["seconds"] / 1000,
            "p99_us": steady["p99_us"],
        }
