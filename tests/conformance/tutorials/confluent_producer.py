from confluent_kafka import Producer
import json

# Kafka producer configuration
config = {
    'bootstrap.servers': 'localhost:9092'
}

# Create producer instance
producer = Producer(config)

# Callback to confirm message delivery
def delivery_report(err, msg):
    if err is not None:
        print(f'Message delivery failed: {err}')
    else:
        print(f'Message delivered to {msg.topic()} [{msg.partition()}]')

# Send a message
user_event = {
    'user_id': '123',
    'action': 'login',
    'timestamp': '2025-06-22T18:24:00'
}
producer.produce('user-events', key=user_event['user_id'], value=json.dumps(user_event), callback=delivery_report)

# Wait for messages to be delivered
producer.flush()
