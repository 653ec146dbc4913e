"""S12: kill -9 under load, then the start: upgrades that went wrong, the kernel's axe."""
from scenarios import Metric, Scenario


class CrashRecovery(Scenario):
    name = "S12"
    title = "kill -9 after a load that nothing has synced, then start to the first ack"
    is_warm = False
    metrics = {
        "first_ack_ms": Metric("first ack, ms", goal=300),
    }

    def measure(self, broker):
        broker.create("bench", partitions=8)
        broker.load(partitions=8, connections=8, megabytes=self.options.megabytes)
        broker.kill()
        found = {"first_ack_ms": broker.seconds_to_first_ack() * 1000}
        # The record that told of the start is one more.
        broker.acknowledged["bench"] += 1
        broker.verify(partitions=8)
        return found

    def limit(self, generator):
        """A server that has nothing to recover."""
        return {"first_ack_ms": generator.least_start(self.options)[0] * 1000}
