"""Takes orders exactly once: PostgreSQL decides, Redis answers repetitions quickly, InfluxDB gets the metrics."""
