"""confluent-kafka (librdkafka)."""
import time

import confluent_kafka
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewPartitions, NewTopic)

from . import Record

NAME = f"confluent-kafka {confluent_kafka.version()}"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def _record(message):
    return Record(value=message.value(), key=message.key(), headers=tuple(message.headers() or ()),
                  timestamp=message.timestamp()[1], partition=message.partition(),
                  offset=message.offset())


class Client:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})  # it outlives its server

    def close(self):
        pass

    def create_topic(self, name, partitions=1, config=None):
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config or {})
        self.admin.create_topics([topic])[name].result(30)

    def delete_topic(self, name):
        self.admin.delete_topics([name])[name].result(30)

    def add_partitions(self, name, total):
        self.admin.create_partitions([NewPartitions(name, total)])[name].result(30)

    def topics(self):
        return set(self.admin.list_topics(timeout=30).topics)

    def partitions(self, name):
        return set(self.admin.list_topics(name, timeout=30).topics[name].partitions)

    def topic_config(self, name):
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        entries = self.admin.describe_configs([resource])[resource].result(30)
        return {key: entry.value for key, entry in entries.items()}

    def alter_topic_config(self, name, key, value):
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(30)

    def produce(self, topic, records, codec="none", idempotent=False):
        """(partition, offset) of each record, in order of the arguments."""
        producer = confluent_kafka.Producer({
            "bootstrap.servers": self.bootstrap, "compression.type": codec, "linger.ms": 20,
            "enable.idempotence": idempotent, "message.max.bytes": 2_000_000})
        places = [None] * len(records)

        def delivered(index):
            def callback(error, message):
                places[index] = error or (message.partition(), message.offset())
            return callback

        for index, record in enumerate(records):
            extra = {} if record.timestamp is None else {"timestamp": record.timestamp}
            producer.produce(topic, value=record.value, key=record.key, headers=list(record.headers),
                             partition=record.partition, on_delivery=delivered(index), **extra)
            producer.poll(0)
        producer.flush(60)
        failed = [place for place in places if not isinstance(place, tuple)]
        if failed:
            raise AssertionError(f"not delivered: {failed[:3]}")
        return places

    def read(self, topic, count, offsets=None, seconds=60):
        """`count` records from the beginning, or from the given offset of each partition."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "reader", "enable.auto.commit": False})
        offsets = offsets or {partition: 0 for partition in self.partitions(topic)}
        consumer.assign([TopicPartition(topic, p, offset) for p, offset in offsets.items()])
        found, deadline = [], time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            for message in consumer.consume(500, timeout=0.5):
                if message.error():
                    raise AssertionError(message.error())
                found.append(_record(message))
        consumer.close()
        return found

    def offset_for_time(self, topic, partition, timestamp):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.bootstrap, "group.id": "reader"})
        [found] = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], timeout=30)
        consumer.close()
        return found.offset

    def committed(self, group, topic, partitions):
        """The offsets that the group committed, together."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
        places = consumer.committed(wanted, timeout=30)
        consumer.close()
        return sum(place.offset for place in places)


class Consumer:
    def __init__(self, bootstrap, group, topics, **settings):
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
            **settings})
        self.consumer.subscribe(topics)

    def poll(self, seconds=0.2):
        messages = self.consumer.consume(200, timeout=seconds)
        return [_record(message) for message in messages if not message.error()]

    def commit(self):
        try:
            self.consumer.commit(asynchronous=False)
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() != confluent_kafka.KafkaError._NO_OFFSET:
                raise

    def assignment(self):
        return sorted(p.partition for p in self.consumer.assignment())

    def close(self):
        self.consumer.close()
