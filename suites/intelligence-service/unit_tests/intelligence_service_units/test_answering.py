"""From records to responses and dead letters, without a broker."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence_service import answering
from intelligence_service.answering import SUBJECTS, Answering
from intelligence_service.faults import Bug
from intelligence_service.messages import DEAD_LETTERS, MAX_RECORD_BYTES, RAW_CHARACTERS, request_topic

LIMIT = 10_000


@dataclass(frozen=True)
class Record:
    topic: str
    value: bytes | None
    offset: int = 0
    partition: int = 0
    key: bytes | None = b"key"


def record(subject: str = "validate", offset: int = 0, **value: Any) -> Record:
    value = {"correlation_id": f"c{offset}", "event_id": f"e{offset}", "payload": {"code": "x = 1"}} | value
    return Record(request_topic(subject), json.dumps(value).encode(), offset)


@given(st.sampled_from(sorted(SUBJECTS)), st.binary() | st.none())
def test_whatever_is_on_a_topic_becomes_one_answer(topic: str, value: bytes | None) -> None:
    outcome, out = Answering(LIMIT).answer(Record(topic, value))
    assert outcome in ("completed", "rejected", "dead-letter")
    assert json.loads(out.encode())["event_id"]
    assert (out.topic == DEAD_LETTERS) == (outcome == "dead-letter")


@pytest.mark.parametrize("subject", ["validate", "analyze", "pattern", "mixin"])
def test_a_response_is_correlated_and_caused(subject: str) -> None:
    outcome, out = Answering(LIMIT).answer(record(subject))
    assert (outcome, out.topic, out.key) == ("completed", f"omninode.codegen.response.{subject}.v1", b"key")
    assert (out.value["correlation_id"], out.value["causation_id"], out.value["status"]) == ("c0", "e0", "completed")


def test_the_same_record_gives_the_same_answer() -> None:
    first, again, other = (Answering(LIMIT).answer(record(offset=offset))[1] for offset in (7, 7, 8))
    assert first == again
    assert first.value["event_id"] != other.value["event_id"]


def test_without_a_key_the_correlation_is_the_key() -> None:
    plain = Record(request_topic("mixin"), record("mixin").value, key=None)
    assert Answering(LIMIT).answer(plain)[1].key == b"c0"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (b'{"payload": {}}', "correlation_id: Field required"),
        (b'{"correlation_id": 5, "payload": {}}', "correlation_id: Input should be a valid string"),
        (b'{"correlation_id": "", "payload": {}}', "correlation_id: String should have at least 1 character"),
        (b"[" * 100_000, "the request has 100000 bytes; expected at most 10000"),
        (b"[" * LIMIT, "recursion limit exceeded"),
        (b"x" * (LIMIT + 1), "the request has 10001 bytes; expected at most 10000"),
    ],
)
def test_a_dead_letter_says_why_and_from_where(value: bytes | None, error: str) -> None:
    outcome, out = Answering(LIMIT).answer(Record(request_topic("validate"), value, offset=3, partition=2))
    assert outcome == "dead-letter"
    assert error in out.value["error"]
    assert out.value["source"] == {"topic": request_topic("validate"), "partition": 2, "offset": 3}
    assert out.value["raw"] == (value or b"").decode()[:RAW_CHARACTERS]


def test_a_dead_letter_keeps_the_correlation_that_it_has() -> None:
    _, out = Answering(LIMIT).answer(record(payload="code"))
    assert (out.value["correlation_id"], out.value["causation_id"]) == ("c0", "e0")


def test_an_answer_that_kafka_would_refuse_is_a_rejection() -> None:
    code = "def f(a=[]):0\n" * 10_000
    outcome, out = Answering(LIMIT * 100).answer(record(payload={"code": code}))
    assert (outcome, out.value["status"], out.value["violations"]) == ("rejected", "rejected", [])
    assert re.fullmatch(rf"the answer has [1-9]\d{{6}} bytes; expected at most {MAX_RECORD_BYTES}", out.value["error"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"k" * 1_000_000, {}),
        (b"k", {"correlation_id": "é" * 400_000}),
        (b"k", {"event_type": "é" * 400_000}),
    ],
    ids=["key", "correlation", "event-type"],
)
def test_a_dead_letter_is_never_too_large(key: bytes, value: dict[str, Any]) -> None:
    large = Record(request_topic("validate"), record(**value).value, key=key)
    outcome, out = Answering(3_000_000).answer(large)
    assert outcome == "dead-letter"
    assert out.size < MAX_RECORD_BYTES


def test_a_defect_of_a_handler_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> dict[str, Any]:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(answering, "HANDLERS", {"validate": broken})
    outcome, out = Answering(LIMIT).answer(record())
    assert (outcome, out.value["error"]) == ("dead-letter", "the validate handler failed: ZeroDivisionError: oh")


def test_each_bug_changes_something() -> None:
    records = [record(offset=number, payload={"code": "class A: ...", "node_type": "effect"}) for number in range(3)]
    records.append(Record(request_topic("validate"), b"{"))
    right = Answering(LIMIT).answer_all(records)
    about_content = {Bug.WRONG_CORRELATION, Bug.NO_CAUSATION, Bug.SILENT, Bug.FORGIVING}
    for bug in Bug:
        assert (Answering(LIMIT, bug).answer_all(records) != right) == (bug in about_content)
