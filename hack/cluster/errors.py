"""The one exception whose message is shown to a person as it is."""


class ClusterError(Exception):
    """Says what was seen, what was expected and the next command; never followed by a stack trace."""
