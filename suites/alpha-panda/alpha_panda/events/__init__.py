"""What travels between the services: the envelope, its payloads, and the topics that they go to."""
