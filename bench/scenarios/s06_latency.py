"""S6: how long one record takes, to its acknowledgement and to a consumer that waits for it."""
from scenarios import Metric, Scenario


class Latency(Scenario):
    name = "S6"
    title = "one 1 KB record at a time; and 1,000 records/s by the clock to a waiting consumer"
    metrics = {
        "round_trip_p50_us": Metric("round trip p50 us", limit_goal=1.3),
        "round_trip_cpu_us": Metric("CPU us per round trip", ratio_goal=1 / 5),
        "end_to_end_p50_us": Metric("end to end p50 us", ratio_goal=1 / 2),
        "end_to_end_p99_us": Metric("end to end p99 us", ratio_goal=1 / 5),
    }

    one = {"records": 1, "record_bytes": 1000, "connections": 1, "in_flight": 1}

    def measure(self, broker):
        broker.create("bench")
        broker.load(**self.one, seconds=1)
        trip = broker.load(**self.one, seconds=self.options.seconds)
        through = broker.load("end-to-end", record_bytes=1000, rate=1000, seconds=self.options.seconds, warm_up=1)
        return {
            "round_trip_p50_us": trip["p50_us"],
            "round_trip_cpu_us": trip["cpu"] / trip["requests"] * 1e6,
            "end_to_end_p50_us": through["p50_us"],
            "end_to_end_p99_us": through["p99_us"],
        }

    def limit(self, generator):
        """A server that only answers. Its answer travels as far as a record to a waiting consumer."""
        trip = generator.run("produce", against="ack", **self.one, seconds=self.options.seconds)
        through = generator.run("produce", against="ack", **{**self.one, "in_flight": 5}, rate=1000,
                                seconds=self.options.seconds, warm_up=1)
        return {
            "round_trip_p50_us": trip["p50_us"],
            "round_trip_cpu_us": trip["cpu_seconds"] / trip["requests"] * 1e6,
            "end_to_end_p50_us": through["p50_us"],
            "end_to_end_p99_us": through["p99_us"],
        }
