"""kafka-python: run once inside a venv with 2.0.2, which many tutorials pin, and once with the newest."""
from client_suite import ClientSuite
from clients import kafka_python_client


class KafkaPython(ClientSuite):
    module = "kafka_python_client"
    lib = kafka_python_client


del ClientSuite
