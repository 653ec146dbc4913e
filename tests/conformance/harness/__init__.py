"""What the conformance tests stand on: a node of either kind, Kafka's Java tools, and raw frames."""
