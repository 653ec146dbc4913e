from confluent_kafka import Consumer, KafkaError
import json

# Kafka consumer configuration
config = {
    'bootstrap.servers': 'localhost:9092',
    'group.id': 'user-event-group',
    'auto.offset.reset': 'earliest'
}

# Create consumer instance
consumer = Consumer(config)

# Subscribe to topic
consumer.subscribe(['user-events'])

# Read messages
while True:
    msg = consumer.poll(1.0)
    if msg is None:
        continue
    if msg.error():
        if msg.error().code() == KafkaError._PARTITION_EOF:
            continue
        else:
            print(msg.error())
            break
    # Process message
    event = json.loads(msg.value().decode('utf-8'))
    print(f'Received event: {event}')
