"""A real one-node Kubernetes for development and tests: our own node without Docker, or kind where Docker is."""
