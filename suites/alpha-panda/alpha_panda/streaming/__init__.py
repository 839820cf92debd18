"""Kafka (or Redpanda) as the services use it: producer, consumer, stream processor, dead letters."""
