"""kafka-python, 2.0.2 and newer."""
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic

from . import Record

NAME = f"kafka-python {kafka.__version__}"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
IS_OLD = kafka.__version__.startswith("2.0.")


def _record(message):
    return Record(value=message.value, key=message.key, headers=tuple(message.headers),
                  timestamp=message.timestamp, partition=message.partition, offset=message.offset)


class Client:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def close(self):
        self.admin.close()

    def create_topic(self, name, partitions=1, config=None):
        self.admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config or {})])

    def delete_topic(self, name):
        self.admin.delete_topics([name])

    def add_partitions(self, name, total):
        self.admin.create_partitions({name: NewPartitions(total)})

    def topics(self):
        return set(self.admin.list_topics())

    def partitions(self, name):
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        try:
            return consumer.partitions_for_topic(name)
        finally:
            consumer.close()

    def topic_config(self, name):
        answers = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        if isinstance(answers, dict):
            [by_name] = [entries for kind in answers.values() for entries in kind.values()] \
                if all(isinstance(v, dict) and name in v for v in answers.values()) else [answers]
            return {key: value["value"] if isinstance(value, dict) else value
                    for key, value in by_name.items()}
        [answer] = answers
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}

    def alter_topic_config(self, name, key, value):
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs={key: value})])

    def produce(self, topic, records, codec="none", idempotent=False):
        """(partition, offset) of each record, in order of the arguments."""
        settings = {} if IS_OLD else {"enable_idempotence": idempotent}
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap, linger_ms=20, acks="all", max_request_size=2_000_000,
            retries=10,
            compression_type=None if codec == "none" else codec, **settings)
        futures = [producer.send(topic, value=record.value, key=record.key,
                                 headers=list(record.headers), partition=record.partition,
                                 timestamp_ms=record.timestamp) for record in records]
        producer.flush(60)
        places = [(sent.partition, sent.offset) for sent in (f.get(30) for f in futures)]
        producer.close()
        return places

    def read(self, topic, count, offsets=None, seconds=60):
        """`count` records from the beginning, or from the given offset of each partition."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False,
                                 max_partition_fetch_bytes=2_000_000)
        offsets = offsets or {partition: 0 for partition in consumer.partitions_for_topic(topic)}
        consumer.assign([TopicPartition(topic, partition) for partition in offsets])
        for partition, offset in offsets.items():
            consumer.seek(TopicPartition(topic, partition), offset)
        found, deadline = [], time.monotonic() + seconds
        while len(found) < count and time.monotonic() < deadline:
            for messages in consumer.poll(timeout_ms=500).values():
                found.extend(map(_record, messages))
        consumer.close()
        return found

    def offset_for_time(self, topic, partition, timestamp):
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        place = TopicPartition(topic, partition)
        found = consumer.offsets_for_times({place: timestamp})[place]
        consumer.close()
        return found.offset


class Consumer:
    def __init__(self, bootstrap, group, topics, **settings):
        self.consumer = KafkaConsumer(
            *topics, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
            enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500, **settings)

    def poll(self, seconds=0.2):
        polled = self.consumer.poll(timeout_ms=int(seconds * 1000))
        return [_record(message) for messages in polled.values() for message in messages]

    def commit(self):
        self.consumer.commit()

    def assignment(self):
        return sorted(place.partition for place in self.consumer.assignment())

    def close(self):
        self.consumer.close(autocommit=False)
