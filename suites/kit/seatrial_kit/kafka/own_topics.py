"""Topics of one test alone."""

from __future__ import annotations

import itertools
from typing import Any

from seatrial_kit.owners import owner_in, this_process

PREFIX = "test."
_numbers = itertools.count(1)


class OwnTopics:
    """Makes topics whose names say which process they belong to."""

    def __init__(self, replication_factor: int = 1) -> None:
        self._replication_factor = replication_factor
        self._admin: Any = None
        self._made: list[str] = []

    def make(self, admin: Any, name: str = "topic", partitions: int = 1, **configs: str) -> str:
        """A new topic, with leaders; `name` is the readable part of its name. Returns the whole name."""
        topic = f"{PREFIX}{this_process()}.{next(_numbers)}.{name}"
        options = {"num_partitions": partitions, "replication_factor": self._replication_factor, "configs": configs}
        self._admin = admin
        self._made.append(topic)
        admin.create_topics({topic: options}, wait_for_metadata=True)
        return topic

    def close(self) -> None:
        """Delete them; one that a test has deleted itself is no error."""
        if self._made:
            self._admin.delete_topics(self._made, raise_errors=False)


def sweep(admin: Any) -> list[str]:
    """Delete the topics of processes of this machine that have ended without doing so. Returns their names."""
    topics = [topic for topic in admin.list_topics() if topic.startswith(PREFIX)]
    stale = [topic for topic in topics if (owner := owner_in(topic)) is not None and owner.gone]
    if stale:
        admin.delete_topics(stale, raise_errors=False)
    return stale
