"""S8: compressed batches, which the broker checks: most real traffic."""
from scenarios import Metric, Scenario

CODECS = ("lz4", "zstd", "gzip")


class Compressed(Scenario):
    name = "S8"
    title = "64 KB batches of 1 KB text records, by codec; GB as uncompressed"
    metrics = {f"{codec}_cpu_per_gb": Metric(f"{codec}: CPU-s/GB", ratio_goal=1) for codec in CODECS}

    def measure(self, broker):
        found = {}
        for codec in CODECS:
            broker.create(codec, partitions=4)
            load = {"topic": codec, "partitions": 4, "connections": 4, "in_flight": 5, "batch_bytes": 65536,
                    "codec": codec}
            broker.load(**load, seconds=1)
            result = broker.load(**load, seconds=self.options.seconds)
            broker.verify(codec, partitions=4)
            found[f"{codec}_cpu_per_gb"] = result["cpu"] / (result["records"] * 1012 / 1e9)
        return found

    def limit(self, generator):
        """Checksum and decompression of the same batches, without a network or a log."""
        found = {}
        for codec in CODECS:
            result = generator.run("unpack", codec=codec, batch_bytes=65536, seconds=self.options.seconds)
            found[f"{codec}_cpu_per_gb"] = result["cpu_seconds"] / (result["bytes"] / 1e9)
        return found
