"""What is said about lists of events, without a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seatrial_kit.events import SHOWN_CHARACTERS, SHOWN_EVENTS, Event, Undecodable, decode, encode, show, shown
from seatrial_kit.kafka import assert_consumer_lag_zero
from seatrial_kit.kafka.async_stream import AsyncKafkaStream
from seatrial_kit.kafka.stream import KafkaStream
from seatrial_kit.kafka.stream_log import StreamLog
from seatrial_kit.matching import assert_causation_complete, assert_exactly, matches

if TYPE_CHECKING:
    from collections.abc import Callable


def event(offset: int, key: str | None = "k", topic: str = "orders", **value: object) -> Event:
    return Event(topic, 0, offset, 1_750_000_000_000 + offset, key, value)


@pytest.mark.parametrize(
    ("value", "raw"), [({"a": 1}, b'{"a": 1}'), ("text", b"text"), (b"\x00", b"\x00"), (None, None), (1.5, b"1.5")]
)
def test_values_are_written_as_json_unless_they_are_bytes_or_text(value: object, raw: bytes | None) -> None:
    assert encode(value) == raw


def test_values_that_are_not_json_are_kept() -> None:
    assert decode(b"{") == Undecodable(b"{")
    assert decode(b"\xff") == Undecodable(b"\xff")
    assert decode(b"[" * 100_000) == Undecodable(b"[" * 100_000)
    assert decode(None) is None
    assert matches({"a": 1}, Event("t", 0, 0, 0, None, decode(b"{"))) is False


def test_members_are_matched_nested_in_the_value_then_in_the_headers() -> None:
    seen = Event("t", 0, 0, 0, "k", {"a": {"b": 1, "c": 2}}, {"correlation_id": "x"})
    assert matches({"a": {"b": 1}, "correlation_id": "x"}, seen)
    assert not matches({"a": {"b": 2}}, seen)
    assert not matches({"a": {"b": {"c": 1}}}, seen)
    assert matches(lambda found: found.key == "k", seen)
    assert matches(None, seen)


def test_a_member_that_is_not_there_is_not_null() -> None:
    assert matches({"error": None}, Event("t", 0, 0, 0, "k", {"error": None}))
    assert not matches({"error": None}, Event("t", 0, 0, 0, "k", {}))
    assert not matches({"a": {"error": None}}, Event("t", 0, 0, 0, "k", {"a": {}}))
    assert not matches({"error": None}, Event("t", 0, 0, 0, "k", b""))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: StreamLog([]), "a stream needs a topic"),
        (lambda: KafkaStream(["t"], group="g"), "group g without inputs: give both"),
        (lambda: KafkaStream(["t"], inputs=["i"]), "inputs i without a group: give both"),
        (lambda: AsyncKafkaStream(["t"], group="g"), "group g without inputs: give both"),
        (lambda: assert_consumer_lag_zero("g", []), "no topics are given that group g is to have read"),
    ],
)
def test_what_would_hold_of_nothing_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_a_long_stream_is_cut_to_its_last_events() -> None:
    text = show([event(number) for number in range(SHOWN_EVENTS + 5)])
    assert "(65 events)" in text
    assert "... 5 earlier ones" in text
    assert "orders[0]@64" in text
    assert "@4 " not in text
    assert show([]) == "the stream: no events"
    assert shown("x" * 1000) == f'"{"x" * (SHOWN_CHARACTERS - 1)}... (1002 characters)'


def test_order_matters_within_a_key_and_not_between_keys() -> None:
    events = [event(0, "a", n=1), event(1, "b", n=1), event(2, "a", n=2)]
    assert_exactly(events, {"b": [{"n": 1}], "a": [{"n": 1}, {"n": 2}]})
    with pytest.raises(AssertionError, match=r'key a, event 1: expected an event with \{"n": 2\}, seen orders'):
        assert_exactly(events, {"b": [{"n": 1}], "a": [{"n": 2}, {"n": 1}]})


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ({"a": [{"n": 1}]}, r"key a: orders\[0\]@1 was not expected"),
        ({"a": [{"n": 1}, {"n": 2}, {"n": 3}]}, 'key a: an event with {"n": 3} did not come'),
        ({"a": [{"n": 1}, {"n": 2}], "b": [{}]}, "key b: expected 1 events, seen 0"),
        ({}, "key a: expected 0 events, seen 2"),
    ],
)
def test_missing_and_further_events_are_named(expected: dict[str | None, list[dict[str, int]]], problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        assert_exactly([event(0, "a", n=1), event(1, "a", n=2)], expected)


def link(number: int, cause: str | None, correlation: str | None = "c", topic: str = "orders") -> Event:
    members = {"correlation_id": correlation} if correlation else {}
    return event(number, topic=topic, event_id=f"e{number}", causation_id=cause, **members)


def test_a_complete_chain() -> None:
    assert_causation_complete(
        [link(0, None, topic="a"), link(1, "e0", topic="b"), link(2, "e0", topic="b"), link(3, "e1", topic="c")],
        through=["a", "b", "c"],
    )


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([], "there are no events"),
        ([link(0, "lost")], r"orders\[0\]@0 was caused by lost, which is not in the stream"),
        (
            [link(0, None), link(1, None)],
            "expected one event without causation_id, seen orders.*, orders",
        ),
        ([link(0, None), link(1, "e0", "d")], "has the correlation_id d, its cause .* has not"),
        ([link(0, None), link(0, None)], "has the event_id of"),
        ([link(0, None, None)], "has no correlation_id"),
        ([link(0, "e1"), link(1, "e0")], "expected one event without causation_id, seen none"),
        ([event(0, correlation_id="c")], "has no event_id"),
    ],
)
def test_a_broken_chain_is_named(events: list[Event], problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        assert_causation_complete(events)


def test_a_chain_that_does_not_lead_through_all_topics() -> None:
    with pytest.raises(AssertionError, match="correlation c: expected a > b > c, seen a > c"):
        assert_causation_complete([link(0, None, topic="a"), link(1, "e0", topic="c")], through=["a", "b", "c"])
