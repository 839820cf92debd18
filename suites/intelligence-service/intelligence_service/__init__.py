"""Answers questions about generated code over Kafka: is it valid, how complex, which patterns, which mixins."""
