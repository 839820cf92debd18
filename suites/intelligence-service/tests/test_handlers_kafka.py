"""What each handler answers, and what becomes of what it cannot answer."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from contract import DEAD_LETTERS, SUBJECTS, request_topic
from samples import BAD_EFFECT, BRANCHES, BROKEN, EVENTFUL, GOOD_EFFECT, PATTERNS

if TYPE_CHECKING:
    from asking import Asking

pytestmark = [pytest.mark.kafka, pytest.mark.integration, pytest.mark.asyncio]


class TestValidation:
    async def test_good_code_has_the_highest_score(self, asking: Asking) -> None:
        found = await asking.ask("validate", {"code_content": GOOD_EFFECT, "node_type": "effect"})
        assert (found.is_valid, found.quality_score, found.violations) == (True, 1.0, [])

    async def test_every_broken_rule_is_named_with_its_line(self, asking: Asking) -> None:
        found = await asking.ask("validate", {"code_content": BAD_EFFECT, "node_type": "effect"})
        assert not found.is_valid
        assert {(violation.rule, violation.line) for violation in found.violations} == {
            ("node-name", 2),
            ("annotations", 3),
            ("docstring", 3),
            ("mutable-default", 3),
            ("dynamic-code", 5),
            ("bare-except", 6),
        }
        assert found.quality_score == 0.03

    @pytest.mark.parametrize("node_type", ["effect", "compute", "reducer", "orchestrator"])
    async def test_a_node_is_named_after_its_type(self, asking: Asking, node_type: str) -> None:
        name = f"NodeTest{node_type.capitalize()}"
        right = f"class {name}(Node{node_type.capitalize()}): pass"
        wrong = f"class {name}(NodeOther): pass"
        assert (await asking.ask("validate", {"code": right, "node_type": node_type})).violations == []
        found = await asking.ask("validate", {"code": wrong, "node_type": node_type})
        assert [violation.rule for violation in found.violations] == ["node-base"]

    async def test_code_that_does_not_parse(self, asking: Asking) -> None:
        found = await asking.ask("validate", {"code_content": BROKEN})
        assert (found.status, found.is_valid, found.quality_score) == ("completed", False, 0)
        assert [(violation.rule, violation.line) for violation in found.violations] == [("syntax", 1)]


class TestAnalysis:
    async def test_complexity_of_each_function(self, asking: Asking) -> None:
        found = await asking.ask("analyze", {"code_content": BRANCHES})
        assert {function.name: function.complexity for function in found.functions} == {"simple": 1, "decide": 7}
        assert (found.max_complexity, found.quality_score) == (7, 0.9)
        assert found.imports == ["asyncio", "collections", "json"]
        assert found.lines_of_code == 11

    async def test_code_that_does_not_parse_is_rejected(self, asking: Asking) -> None:
        found = await asking.ask("analyze", {"code_content": BROKEN})
        assert found.status == "rejected"
        assert "cannot be parsed: line 1" in found.error


class TestPatterns:
    async def test_patterns_with_their_lines(self, asking: Asking) -> None:
        found = await asking.ask("pattern", {"code_content": PATTERNS})
        assert [(pattern.pattern, pattern.confidence, pattern.lines) for pattern in found.patterns] == [
            ("context-manager", 1.0, [13]),
            ("factory", 0.9, [5]),
            ("observer", 0.9, [8]),
            ("retry", 0.8, [17]),
        ]

    async def test_only_the_surest(self, asking: Asking) -> None:
        found = await asking.ask("pattern", {"code_content": PATTERNS, "limit": 2})
        assert [pattern.pattern for pattern in found.patterns] == ["context-manager", "factory"]
        found = await asking.ask("pattern", {"code_content": PATTERNS, "min_confidence": 0.95})
        assert [pattern.pattern for pattern in found.patterns] == ["context-manager"]


class TestMixins:
    async def test_by_requirements(self, asking: Asking) -> None:
        found = await asking.ask("mixin", {"requirements": ["retry with backoff", "health checks"]})
        assert [(entry.mixin, entry.confidence) for entry in found.recommendations] == [
            ("MixinRetry", 0.75),
            ("MixinHealthCheck", 0.5),
        ]

    async def test_by_what_the_code_does(self, asking: Asking) -> None:
        found = await asking.ask("mixin", {"code_content": EVENTFUL, "node_type": "effect"})
        assert {entry.mixin for entry in found.recommendations} == {"MixinEventBus", "MixinMetrics", "MixinRetry"}

    async def test_a_pure_node_gets_none_with_effects(self, asking: Asking) -> None:
        found = await asking.ask("mixin", {"requirements": ["retry", "cache"], "node_type": "compute"})
        assert [entry.mixin for entry in found.recommendations] == ["MixinCaching"]
        assert [entry.mixin for entry in found.unfit] == ["MixinRetry"]


class TestRejected:
    """Who asks wrongly gets an answer that says what was wrong."""

    @pytest.mark.parametrize("subject", SUBJECTS.values())
    async def test_a_payload_without_code(self, asking: Asking, subject: str) -> None:
        found = await asking.ask(subject, {})
        assert found.status == "rejected"
        assert found.error == "payload.code_content is missing; expected Python source"

    @pytest.mark.parametrize(
        ("subject", "payload", "error"),
        [
            ("validate", {"code": 42}, "payload.code is 42; expected Python source"),
            ("validate", {"code": "x", "node_type": "efect"}, "payload.node_type is 'efect'; expected one of effect"),
            ("pattern", {"code": "x", "limit": 0}, "payload.limit is 0; expected a whole number from 1"),
            ("pattern", {"code": "x", "min_confidence": 2}, "payload.min_confidence is 2; expected a number"),
            ("mixin", {"requirements": "retry"}, "payload.requirements is 'retry'; expected a list of texts"),
        ],
    )
    async def test_a_wrong_member_is_named(
        self, asking: Asking, subject: str, payload: dict[str, object], error: str
    ) -> None:
        found = await asking.ask(subject, payload)
        assert found.status == "rejected"
        assert found.error.startswith(error)

    async def test_an_answer_that_kafka_would_refuse(self, asking: Asking) -> None:
        """A quarter of a megabyte of code may break rules at every few characters."""
        found = await asking.ask("validate", {"code": "def f(a=[]):0\n" * 15_000})
        assert found.status == "rejected"
        assert found.error.endswith("bytes; expected at most 900000")
        assert (await asking.ask("validate", {"code": "x = 1"})).status == "completed"


class TestDeadLetters:
    """What cannot be answered is kept, with the reason, and does not stop what comes after it."""

    async def test_none_for_what_can_be_answered(self, asking: Asking) -> None:
        await asking.ask("validate", {"code": "x = 1"})
        await asking.ask("validate", {})
        await asking.stream.dead_letters_empty(DEAD_LETTERS)

    @pytest.mark.parametrize(
        ("value", "error"),
        [
            ('{{"correlation_id": "{}"', "Invalid JSON"),
            ('["{}"]', "Input should be an object"),
            ('["{}", ' + "[" * 100_000, "recursion limit exceeded"),
            ('{{"payload": {{}}, "note": "{}"}}', "correlation_id: Field required"),
            ('{{"correlation_id": "{}", "payload": "code"}}', "payload: Input should be an object"),
            ('{{"correlation_id": "{}"}}', "payload: Field required"),
            ('{{"correlation_id": "{}", "payload": {{}}, "event_type": "codegen.request.mixin"}}', "event_type is"),
        ],
        ids=["not-json", "no-object", "too-deep", "no-correlation", "no-payload-object", "no-payload", "wrong-topic"],
    )
    async def test_what_does_not_say_what_it_is(
        self, asking: Asking, async_kafka_producer: Any, value: str, error: str
    ) -> None:
        correlation = asking.correlation()
        raw = value.format(correlation)
        sent = await async_kafka_producer.send_and_wait(request_topic("validate"), raw, key=correlation)
        letter = await asking.dead_letter(correlation)
        assert error in letter.error
        assert letter.raw == raw[:2000]
        assert (letter.source.topic, letter.source.offset) == (sent.topic, sent.offset)
        assert (await asking.ask("validate", {"code": "x = 1"})).status == "completed"

    async def test_one_that_is_too_large(self, asking: Asking) -> None:
        correlation = asking.correlation()
        await asking.send("analyze", {"code": f"# {correlation}\n" + "x = 1\n" * 50_000}, correlation)
        letter = await asking.dead_letter(correlation)
        assert "expected at most 262144" in letter.error
        assert len(letter.raw) == 2000

    async def test_code_that_is_too_deep_for_the_parser_is_answered(self, asking: Asking) -> None:
        found = await asking.ask("validate", {"code": "(" * 5000 + ")" * 5000})
        assert [violation.rule for violation in found.violations] == ["syntax"]


async def test_a_request_without_an_id_is_named_by_its_place(asking: Asking, async_kafka_producer: Any) -> None:
    correlation = asking.correlation()
    value = {"correlation_id": correlation, "payload": {"code": "x = 1"}}
    sent = await async_kafka_producer.send_and_wait(request_topic("analyze"), value, key=correlation)
    found = await asking.response("analyze", correlation)
    assert found.causation_id == f"{sent.topic}/{sent.partition}/{sent.offset}"
    assert str(uuid.UUID(found.event_id)) == found.event_id
