"""One face for each Python client library, so that one suite drives them all.

Each module has: NAME, CODECS, Client(bootstrap) with topic administration, produce, read and seek, and
Consumer(bootstrap, group, topics) with poll, commit, assignment and close.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Record:
    """What is sent and what must come back."""
    value: bytes | None
    key: bytes | None = None
    headers: tuple = ()
    timestamp: int | None = None
    partition: int = 0
    offset: int | None = None

    def content(self):
        return self.key, self.value, self.headers, self.timestamp, self.partition
