"""What is said about a list of events, apart from how they are read: pure functions that raise AssertionError."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from seatrial_kit.events import show, shown

if TYPE_CHECKING:
    from seatrial_kit.events import Event

Pattern: TypeAlias = Mapping[str, Any] | Callable[["Event"], object]
"""Members that an event must have (nested, others are allowed), or a function of the event."""


def matches(pattern: Pattern | None, event: Event) -> bool:
    """Whether an event fits. Members are looked for in the value, then in the headers, None is null."""
    if pattern is None:
        return True
    if callable(pattern):
        return bool(pattern(event))
    return all(event.has(name) and _fits(wanted, event.member(name)) for name, wanted in pattern.items())


def _fits(wanted: object, seen: object) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(seen, Mapping) and all(
            name in seen and _fits(value, seen[name]) for name, value in wanted.items()
        )
    return wanted == seen


def on_topic(topic: str | None, pattern: Pattern | None) -> Pattern | None:
    """The same pattern, for the events of one topic."""
    return pattern if topic is None else lambda event: event.topic == topic and matches(pattern, event)


def describe(pattern: Pattern | None) -> str:
    """A pattern for people."""
    if pattern is None:
        return "an event"
    if isinstance(pattern, Mapping):
        return f"an event with {shown(dict(pattern))}"
    return f"an event for which {getattr(pattern, '__qualname__', pattern)} holds"


def assert_exactly(events: Sequence[Event], expected: Mapping[str | None, Sequence[Pattern]]) -> None:
    """For each key exactly these events, in this order, and no event under any other key."""
    __tracebackhide__ = True
    seen: dict[str | None, list[Event]] = defaultdict(list)
    for event in events:
        seen[event.key].append(event)
    problems = []
    for key in [*expected, *(key for key in seen if key not in expected)]:
        wanted, found = list(expected.get(key, ())), seen.get(key, [])
        for number, (pattern, event) in enumerate(zip(wanted, found, strict=False), 1):
            if not matches(pattern, event):
                problems.append(f"key {key}, event {number}: expected {describe(pattern)}, seen {event.place}")
        if len(wanted) != len(found):
            problems.append(f"key {key}: expected {len(wanted)} events, seen {len(found)}")
        problems += [f"key {key}: {describe(pattern)} did not come" for pattern in wanted[len(found) :]]
        problems += [f"key {key}: {event.place} was not expected" for event in found[len(wanted) :]]
    if problems:
        raise AssertionError("\n".join([*problems, show(events)]))


def assert_none(events: Sequence[Event], what: str, context: Sequence[Event]) -> None:
    """No event at all; the context is shown."""
    __tracebackhide__ = True
    if events:
        places = ", ".join(event.place for event in events[:5])
        raise AssertionError(f"expected {what}, but there are {len(events)}: {places}\n{show(context)}")


def assert_causation_complete(
    events: Sequence[Event],
    *,
    through: Sequence[str] = (),
    event_id: str = "event_id",
    causation_id: str = "causation_id",
    correlation_id: str = "correlation_id",
) -> None:
    """Every event names its cause, which is in the stream and has the same correlation; only a flow's first has none.

    `through`: topics that a chain of causes must lead through, first to last, for every correlation.
    """
    __tracebackhide__ = True
    by_id: dict[Any, Event] = {}
    problems = [] if events else ["there are no events, so there is no chain"]
    for event in events:
        name = event.member(event_id)
        if name is None:
            problems.append(f"{event.place} has no {event_id}")
        elif name in by_id:
            problems.append(f"{event.place} has the {event_id} of {by_id[name].place}: {name}")
        else:
            by_id[name] = event
    roots: dict[Any, list[Event]] = defaultdict(list)
    for event in events:
        cause, correlation = event.member(causation_id), event.member(correlation_id)
        if correlation is None:
            problems.append(f"{event.place} has no {correlation_id}")
        if cause is None:
            roots[correlation].append(event)
        elif cause not in by_id:
            problems.append(f"{event.place} was caused by {cause}, which is not in the stream")
        elif by_id[cause].member(correlation_id) != correlation:
            problems.append(
                f"{event.place} has the {correlation_id} {correlation}, its cause {by_id[cause].place} has not"
            )
    for correlation in {event.member(correlation_id): None for event in events}:
        if len(roots[correlation]) != 1:
            places = ", ".join(event.place for event in roots[correlation]) or "none"
            problems.append(f"correlation {correlation}: expected one event without {causation_id}, seen {places}")
        chains = [_chain(event, by_id, causation_id) for event in events if event.member(correlation_id) == correlation]
        if through and list(through) not in chains:
            longest = max(chains, key=len)
            problems.append(f"correlation {correlation}: expected {' > '.join(through)}, seen {' > '.join(longest)}")
    if problems:
        raise AssertionError("\n".join([*problems, show(events)]))


def _chain(event: Event, by_id: Mapping[Any, Event], causation_id: str) -> list[str]:
    """Topics from the first cause that is known to this event."""
    chain: list[Event] = [event]
    while (cause := by_id.get(chain[0].member(causation_id))) is not None and cause not in chain:
        chain.insert(0, cause)
    return [link.topic for link in chain]
