from __future__ import annotations

import json
from typing import Any

from seatrial.agent.environment.events import MAX_MESSAGE, Events
from seatrial.agent.environment.redaction import MARK, Redactor


class Stream:
    """What was written, a clock that is moved by hand, and the events under test."""

    def __init__(self, **variables: str) -> None:
        self.now = 100.0
        self.writes: list[bytes] = []
        self.events = Events(Redactor(variables), write=self.writes.append, monotonic=lambda: self.now)

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.writes]


def test_each_event_is_one_write_of_one_line() -> None:
    stream = Stream()
    stream.events.emit("failed", kind="service", name="postgres", reason="SeedFailed", message="a\nb „c“")
    assert len(stream.writes) == 1
    assert stream.writes[0].endswith(b"}\n")
    assert stream.writes[0].count(b"\n") == 1
    (event,) = stream.said()
    assert isinstance(event.pop("at"), float)
    assert event == {
        "t": "failed", "kind": "service", "name": "postgres", "reason": "SeedFailed", "message": "a\nb „c“",
    }  # fmt: skip


def test_messages_are_redacted_before_they_are_cut() -> None:
    stream = Stream(REDIS_PASSWORD="s3cret")
    stream.events.emit("failed", name="redis", message="x" * (MAX_MESSAGE - 3) + "s3cret")
    (event,) = stream.said()
    assert len(event["message"]) == MAX_MESSAGE
    assert "s3" not in event["message"]
    stream.events.emit("failed", name="redis", message="refused s3cret")
    assert stream.said()[1]["message"] == f"refused {MARK}"


def test_a_name_is_kept_even_if_a_password_equals_it() -> None:
    stream = Stream(DATABASE_PASSWORD="postgres")
    stream.events.emit("seeded", name="postgres")
    assert stream.said()[0]["name"] == "postgres"


def test_waiting_is_said_when_it_changes_and_at_most_once_a_second_per_name() -> None:
    stream = Stream()
    for now, name, message in [
        (100.0, "kafka", "a"),
        (100.2, "kafka", "a"),
        (100.4, "kafka", "b"),
        (100.5, "redis", "a"),
        (100.9, "kafka", "b"),
        (101.0, "kafka", "b"),
        (109.0, "kafka", "b"),
        (109.1, "kafka", "a"),
    ]:
        stream.now = now
        stream.events.waiting("service", name, message)
    assert [(event["name"], event["message"]) for event in stream.said()] == [
        ("kafka", "a"),
        ("redis", "a"),
        ("kafka", "b"),
        ("kafka", "a"),
    ]


def test_ready_counts_from_the_start() -> None:
    stream = Stream()
    stream.now = 101.25
    stream.events.ready("service", "redis")
    assert stream.said()[0]["seconds"] == 1.25


def test_a_lone_surrogate_is_no_error() -> None:
    stream = Stream()
    stream.events.emit("waiting", kind="service", name="redis", message="\udce4")
    assert stream.said()[0]["message"] == "\udce4"
