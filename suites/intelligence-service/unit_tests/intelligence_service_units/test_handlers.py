"""What the handlers say about code, and that no payload makes them fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence_service.handlers import EMPTY, HANDLERS, PayloadError, analysis, mixins, patterns, validation
from intelligence_service.handlers.payload import words

CODE = st.sampled_from(
    [
        "class NodeAEffect(NodeEffect): pass",
        "def f(a, b=[]): return a and b",
        "try:\n    x = eval('1')\nexcept:\n    pass",
        "@retry\nasync def f(): pass",
        "class A:\n    _instance = None\n    def __new__(cls): ...",
        "match x:\n    case 1: ...\n    case _: ...",
        "def (",
        "\x00",
        "x = 1 if a else 2",
    ]
)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=10), st.lists, max_leaves=3)
PAYLOADS = st.dictionaries(
    st.sampled_from(["code", "code_content", "node_type", "limit", "min_confidence", "requirements", "other"]),
    CODE | JSON | st.floats() | st.sampled_from(["effect", "compute"]) | st.lists(CODE, max_size=2),
)


@given(st.sampled_from(sorted(HANDLERS)), PAYLOADS)
def test_every_payload_is_answered_or_rejected_with_a_reason(subject: str, payload: dict[str, Any]) -> None:
    try:
        answer = HANDLERS[subject](payload)
    except PayloadError as error:
        reason = str(error)
    else:
        reason = "payload."
        assert answer.keys() >= EMPTY[subject].keys()
        assert json.loads(json.dumps(answer)) == answer
    assert reason.startswith("payload.")


@given(CODE, st.sampled_from([None, "effect", "compute", "reducer", "orchestrator"]))
def test_a_score_is_between_0_and_1_and_best_without_violations(code: str, node_type: str | None) -> None:
    answer = validation.handle({"code": code, "node_type": node_type})
    assert 0 <= answer["quality_score"] <= 1
    assert (answer["quality_score"] == 1) == (not answer["violations"])
    assert answer["is_valid"] == all(entry["severity"] != "error" for entry in answer["violations"])


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        ("class NodeOrderEffect(NodeEffect): pass", []),
        ("class NodeOrderEffect: pass", ["node-base"]),
        ("class NodeOrderEffect(NodeReducer): pass", ["node-base"]),
        ("class NodeEffect: pass", ["node-name"]),
        ("class OrderNode: pass", ["node-name"]),
        ("x = 1", ["node-name"]),
        ("class NodeOrderEffect(NodeEffect):\n    def _f(self) -> None: ...", []),
        ("class NodeOrderEffect(NodeEffect):\n    def f(self): ...", ["annotations", "docstring"]),
        ("class NodeOrderEffect(NodeEffect):\n    def _f(self, a: int = {}) -> None: ...", ["mutable-default"]),
        ("class NodeOrderEffect(NodeEffect):\n    x = exec('1')", ["dynamic-code"]),
    ],
)
def test_the_rules_for_an_effect(code: str, rules: list[str]) -> None:
    assert [entry["rule"] for entry in validation.handle({"code": code, "node_type": "effect"})["violations"]] == rules


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("return 1", 1),
        ("if a: pass", 2),
        ("if a and b or c: pass", 4),
        ("for x in a:\n        while x: pass", 3),
        ("return [x for x in a if x]", 2),
        ("try: pass\n    except OSError: pass\n    except ValueError: pass", 3),
        ("match a:\n        case 1: pass\n        case _: pass", 2),
        ("assert a", 2),
        ("def inner():\n        if a: pass", 1),
        ("return 1 if a else 2", 2),
    ],
)
def test_cyclomatic_complexity(body: str, complexity: int) -> None:
    found = analysis.handle({"code": f"def f(a, b, c):\n    {body}\n"})["functions"]
    assert found[0]["complexity"] == complexity


def test_a_complex_function_costs_points() -> None:
    code = "def f(a):\n" + "".join(f"    if a == {number}: return {number}\n" for number in range(30))
    assert analysis.handle({"code": code})["quality_score"] == 0


@pytest.mark.parametrize(
    ("code", "pattern"),
    [
        ("class A:\n    def __enter__(self): ...\n    def __exit__(self): ...", "context-manager"),
        ("class A:\n    _instance = None\n    def __new__(cls): ...", "singleton"),
        ("class OrderRepository:\n    def get(self): ...\n    def save(self): ...", "repository"),
        ("class CircuitBreaker: ...", "circuit-breaker"),
        ("@tenacity.retry(stop=3)\ndef f(): ...", "retry"),
        ("class WidgetFactory: ...", "factory"),
        ("class Bus:\n    def attach(self): ...\n    def notify(self): ...", "observer"),
    ],
)
def test_each_pattern_is_found(code: str, pattern: str) -> None:
    assert [entry["pattern"] for entry in patterns.handle({"code": code})["patterns"]] == [pattern]


def test_plain_code_has_no_pattern() -> None:
    assert patterns.handle({"code": "def add(a, b):\n    return a + b"}) == {"patterns": []}


def test_comments_are_no_reason_for_a_mixin() -> None:
    assert mixins.handle({"code": "# retry, cache\nx = 1"})["recommendations"] == []


def test_more_reasons_are_surer() -> None:
    found = mixins.handle({"requirements": ["retry with backoff after transient errors", "cache"]})["recommendations"]
    assert [(entry["mixin"], entry["confidence"]) for entry in found] == [("MixinRetry", 1.0), ("MixinCaching", 0.5)]


def test_words_of_names() -> None:
    assert words("publishEvent on_error HTTPServer2") == {"publish", "event", "on", "error", "httpserver"}
