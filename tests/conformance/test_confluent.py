"""confluent-kafka, which is librdkafka."""
from client_suite import ClientSuite
from clients import confluent_client


class ConfluentKafka(ClientSuite):
    module = "confluent_client"
    lib = confluent_client


del ClientSuite
