"""What a stream remembers, apart from how it reads: shared by the blocking one and by its asyncio twin."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from seatrial_kit.events import event_of, show
from seatrial_kit.matching import Pattern, assert_none, matches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial_kit.events import Event


def check_inputs(group: str | None, inputs: Sequence[str]) -> None:
    """Raises ValueError if only one is given: nobody would be waited for."""
    if (group is None) != (not inputs):
        seen = f"group {group} without inputs" if group is not None else f"inputs {', '.join(inputs)} without a group"
        raise ValueError(f"{seen}: give both, to wait until the group has read its inputs, or none")


class StreamLog:
    """Every event that was read, in order of arrival, and which of them a test has taken note of.

    `where` says which events a test is concerned with, so that tests that run side by side do not see each other's.
    """

    def __init__(self, topics: Sequence[str], where: Pattern | None = None) -> None:
        if not topics:
            raise ValueError("a stream needs a topic: on none there is never an event")
        self.topics = tuple(topics)
        self.where = where
        self._events: list[Event] = []
        self._taken: set[tuple[str, int, int]] = set()

    @property
    def events(self) -> list[Event]:
        """What has been read so far."""
        return list(self._events)

    def keep(self, batch: Mapping[Any, Sequence[Any]]) -> list[Event]:
        """Add those records of a client's batch that are of concern: by time, but never against a partition's order."""
        partitions = [[event_of(record) for record in records] for records in batch.values()]
        merged = heapq.merge(*partitions, key=lambda event: event.timestamp_ms)
        new = [event for event in merged if matches(self.where, event)]
        self._events += new
        return new

    def matching(self, pattern: Pattern | None) -> list[Event]:
        """Of what has been read so far."""
        return [event for event in self._events if matches(pattern, event)]

    def take(self, pattern: Pattern | None) -> Event | None:
        """The first event that fits and was not taken before."""
        for event in self._events:
            if self._identity(event) not in self._taken and matches(pattern, event):
                self._taken.add(self._identity(event))
                return event
        return None

    def take_all(self, events: Sequence[Event]) -> None:
        """From now on they are none of the further ones."""
        self._taken.update(self._identity(event) for event in events)

    def assert_no_further(self, pattern: Pattern | None) -> None:
        """No event that fits and was not taken."""
        __tracebackhide__ = True
        further = [event for event in self.matching(pattern) if self._identity(event) not in self._taken]
        assert_none(further, "no further event", self._events)

    def assert_none_on(self, topics: Sequence[str], pattern: Pattern | None, what: str) -> None:
        """No event on these topics. Raises ValueError for a topic that is not read, which would always be empty."""
        __tracebackhide__ = True
        unread = set(topics) - set(self.topics)
        if unread or not topics:
            raise ValueError(f"the stream reads {', '.join(self.topics)}, not {', '.join(unread) or 'no topic'}")
        found = [event for event in self.matching(pattern) if event.topic in topics]
        assert_none(found, what, self._events)

    def waited(self, seconds: float, awaited: str, topic: str | None = None) -> AssertionError:
        """What is raised when the time is over."""
        return AssertionError(
            f"waited {seconds:g} s for {awaited} on {topic or ', '.join(self.topics)}\n{show(self._events)}"
        )

    @staticmethod
    def _identity(event: Event) -> tuple[str, int, int]:
        return event.topic, event.partition, event.offset
