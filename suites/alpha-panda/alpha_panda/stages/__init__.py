"""One module for each service of the pipeline: what it does about one event."""
