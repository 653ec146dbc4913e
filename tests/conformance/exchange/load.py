"""Clients that outlive the servers: producers that note what was acknowledged, a group member that notes what it
committed, and an idempotent producer by hand. They know one address and do not notice who answers there."""
import collections
import hashlib
import threading
import time

import confluent_kafka

from clients.confluent_client import CODECS
from harness import wire
from harness.messages import Caller
from harness.node import wait_until

_NOISE = hashlib.shake_256(b"noise").digest(4096)


def value_of(number):
    """Up to 1500 bytes, half of which compress; its number says all of it."""
    return b"%d " % number + _NOISE[number % 1500:number % 1500 + number % 700] + b"\0" * (number % 800)


def read_compacted(bootstrap, topic, end):
    """key: value of the one partition, as of the offset `end`; what compaction left, read to its last record."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "none",
                                         "enable.auto.commit": False})
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    found, next_offset = {}, 0

    def read_some():
        nonlocal next_offset
        for message in consumer.consume(500, timeout=0.1):
            assert message.error() is None and message.offset() >= next_offset, message.error()
            found[message.key()] = message.value()
            next_offset = message.offset() + 1
        return next_offset >= end
    wait_until(read_some, what=f"{topic} up to {end}")
    consumer.close()
    return {key: value for key, value in found.items() if value is not None}


class Load:
    """One idempotent producer for each codec, each writing 0, 1, 2 ... to every partition."""

    def __init__(self, bootstrap, topic, partitions, in_flight):
        self.topic, self.partitions = topic, partitions
        self.began_ms = int(time.time() * 1000)
        self.producers = {codec: confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": codec, "linger.ms": 2,
            "max.in.flight.requests.per.connection": in_flight, "message.timeout.ms": 180_000,
            "retry.backoff.ms": 50, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "log_level": 0,
            "error_cb": lambda error: self.trouble.append(error)}) for codec in CODECS}
        self.sent = collections.Counter()  # (codec, partition): how many
        self.places = {}                   # (codec, partition, number): offset that was acknowledged
        self.acked = 0
        self.failed = []
        self.trouble = collections.deque(maxlen=5)  # the latest errors, for whoever asks why it does not get on
        self._running, self._idle, self._ended = threading.Event(), threading.Event(), False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _delivered(self, error, message):
        if error is not None:
            self.failed.append(str(error))
            return
        self.acked += 1
        # After a crash the answer may be lost; a repeated batch is then known without its offset.
        if message.offset() >= 0:
            codec, number = message.key().decode().split(":")
            self.places[codec, message.partition(), int(number)] = message.offset()

    def _run(self):
        try:
            while not self._ended:
                if self._running.is_set():
                    self._idle.clear()
                    self._send_some()
                else:
                    self._idle.set()
                for producer in self.producers.values():
                    producer.poll(0)
                time.sleep(0.02)
        except confluent_kafka.KafkaException as error:
            self.failed.append(str(error))
            self._idle.set()

    def _send_some(self):
        for codec, producer in self.producers.items():
            for partition in range(self.partitions):
                for _ in range(4):
                    number = self.sent[codec, partition]
                    try:
                        producer.produce(self.topic, key=f"{codec}:{number}", value=value_of(number),
                                         headers={"codec": codec}, timestamp=self.began_ms + number,
                                         partition=partition, on_delivery=self._delivered)
                    except BufferError:
                        return
                    self.sent[codec, partition] = number + 1

    def run_until_acked(self, count):
        """Sends on; returns when so many more are acknowledged, still sending."""
        goal = self.acked + count
        self._running.set()
        wait_until(lambda: self.failed or self.acked >= goal, 60, "acknowledgements under load")
        assert not self.failed, self.failed[:3]

    def pause(self):
        self._running.clear()
        self._idle.wait()

    def drain(self):
        """Stops sending and waits for every acknowledgement."""
        self.pause()
        total = self.total()
        try:
            wait_until(lambda: self.failed or self.acked >= total, 120)
        except AssertionError:
            waiting = {codec: len(producer) for codec, producer in self.producers.items()}
            raise AssertionError(f"not acknowledged: {waiting}, trouble: {list(self.trouble)}") from None
        assert not self.failed, self.failed[:3]

    def total(self):
        return sum(self.sent.values())

    def problems(self, records):
        """What is wrong with all records of the topic: lost, repeated, changed, moved, out of order."""
        found, numbers = [], collections.defaultdict(list)
        for record in records:
            codec, number = record.key.decode().split(":")
            number = int(number)
            numbers[codec, record.partition].append(number)
            sent = value_of(number), (("codec", codec.encode()),), self.began_ms + number
            if (record.value, record.headers, record.timestamp) != sent:
                found.append(f"{codec} {record.partition} {number}: changed")
            if self.places.get((codec, record.partition, number), record.offset) != record.offset:
                found.append(f"{codec} {record.partition} {number}: another offset")
        for place, count in self.sent.items():
            if numbers[place] != list(range(count)):
                lost = set(range(count)) - set(numbers[place])
                found.append(f"{place}: {count} sent, {len(numbers[place])} there, lost {sorted(lost)[:5]}")
        return found

    def close(self):
        self._ended = True
        self._thread.join()
        for producer in self.producers.values():
            producer.purge()


class Reader:
    """A member of a group that reads a topic and commits; alive from the first server to the last."""

    def __init__(self, bootstrap, group, topic):
        self.topic = topic
        self.settings = {
            "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "session.timeout.ms": 60_000, "heartbeat.interval.ms": 1000,
            "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "log_level": 0}
        self.seen = set()       # (partition, offset)
        self.committed = {}     # partition: offset, as the coordinator acknowledged it
        self.assignments = 0
        self.trouble = collections.deque(maxlen=5)  # the latest errors, for whoever asks why it does not get on
        self.joined = 0
        self.join()

    def join(self):
        """Becomes a member, also again after `close`."""
        self.joined += 1
        self._ended = False
        self.consumer = confluent_kafka.Consumer(self.settings)
        self.consumer.subscribe([self.topic], on_assign=self._assigned)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _assigned(self, *_):
        self.assignments += 1

    def _run(self):
        while not self._ended:
            for message in self.consumer.consume(500, timeout=0.1):
                if message.error() is None:
                    self.seen.add((message.partition(), message.offset()))
                else:
                    self.trouble.append(message.error())
            self._commit()

    def _commit(self):
        behind = [place for place in self.consumer.position(self.consumer.assignment())
                  if place.offset >= 0 and place.offset != self.committed.get(place.partition)]
        if not behind:
            return
        try:
            done = self.consumer.commit(offsets=behind, asynchronous=False)
        except confluent_kafka.KafkaException as error:
            self.trouble.append(error)  # nobody answers: it is tried again
            return
        self.committed.update({place.partition: place.offset for place in done if place.error is None})
        self.trouble.extend(place.error for place in done if place.error is not None)

    def catch_up(self, ends):
        """Waits until everything below these ends has been read and committed."""
        try:
            wait_until(lambda: self.committed == ends, 60)
        except AssertionError:
            raise AssertionError(f"the group did not commit {ends}: {self.committed}, {len(self.seen)} seen, "
                                 f"{self.assignments} assignments, trouble: {list(self.trouble)}") from None

    def close(self):
        self._ended = True
        self._thread.join()
        self.consumer.close()


class Sequences:
    """An idempotent producer by hand, whose next sequence, last batch and epoch the partition must know."""

    DUPLICATE_OK, OUT_OF_ORDER, FENCED = 0, 45, 47

    def __init__(self, node, topic):
        self.node, self.topic = node, topic
        self.ids = []
        self.id, self.epoch = self.new_producer_id(), 1
        self.sequence, self.last = 0, None  # last: (batch, base offset)
        self.end = 0

    def new_producer_id(self):
        def ask():
            with Caller(self.node.port) as caller:
                answer = caller.ask("InitProducerId", 4, {"TransactionalId": None, "TransactionTimeoutMs": 1000})
            return answer["ErrorCode"] == 0 and answer
        answer = wait_until(ask, what="a producer id")
        assert answer["ProducerId"] not in self.ids, f"producer id {answer['ProducerId']} was given twice"
        self.ids.append(answer["ProducerId"])
        return answer["ProducerId"]

    def _batch(self, epoch, sequence):
        return wire.batch(b"one", b"two", b"three", producer_id=self.id, producer_epoch=epoch, sequence=sequence)

    def _produce(self, batch):
        with Caller(self.node.port) as caller:
            answer = caller.ask("Produce", 9, {"Acks": -1, "TimeoutMs": 30000, "TopicData": [
                {"Name": self.topic, "PartitionData": [{"Index": 0, "Records": batch}]}]})
        [partition] = answer["Responses"][0]["PartitionResponses"]
        return partition["ErrorCode"], partition["BaseOffset"]

    def append(self):
        batch = self._batch(self.epoch, self.sequence)
        answer = self._produce(batch)
        assert answer == (0, self.end), f"sequence {self.sequence}: {answer}, expected offset {self.end}"
        self.last = batch, self.end
        self.sequence += 3
        self.end += 3

    def problems(self):
        """What the partition has forgotten of the producer."""
        found = []
        for what, batch, expected in (
                ("the repeated batch", self.last[0], (self.DUPLICATE_OK, self.last[1])),
                ("a gap of sequences", self._batch(self.epoch, self.sequence + 3), (self.OUT_OF_ORDER, -1)),
                ("an old epoch", self._batch(self.epoch - 1, self.sequence), (self.FENCED, -1))):
            answer = self._produce(batch)
            if answer != expected:
                found.append(f"{what}: {answer}, expected {expected}")
        return found
