"""What the service promises about its topics, written down apart from its code: an unknown or missing member fails."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

GROUP = "intelligence-service"
SUBJECTS = {"validation": "validate", "analysis": "analyze", "pattern": "pattern", "mixin": "mixin"}
"""The first part of a topic's short name -> the subject in the topic's own name."""
DEAD_LETTERS = "omninode.codegen.dlq.v1"


def request_topic(subject: str) -> str:
    return f"omninode.codegen.request.{subject}.v1"


def response_topic(subject: str) -> str:
    return f"omninode.codegen.response.{subject}.v1"


REQUESTS = [request_topic(subject) for subject in SUBJECTS.values()]
RESPONSES = [response_topic(subject) for subject in SUBJECTS.values()]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Response(Strict):
    """The members of every response."""

    subject: ClassVar[str]

    event_id: str
    event_type: str
    correlation_id: str
    causation_id: str
    status: Literal["completed", "rejected"]
    error: str | None = None


class Violation(Strict):
    rule: str
    severity: Literal["error", "warning", "info"]
    message: str
    line: int


class Validation(Response):
    subject = "validate"

    is_valid: bool
    quality_score: float
    node_type: str | None = None
    violations: list[Violation]


class Function(Strict):
    name: str
    line: int
    complexity: int


class Analysis(Response):
    subject = "analyze"

    quality_score: float
    functions: list[Function]
    lines_of_code: int = 0
    classes: int = 0
    max_complexity: int = 0
    imports: list[str] = []


class Pattern(Strict):
    pattern: str
    confidence: float
    lines: list[int]


class Patterns(Response):
    subject = "pattern"

    patterns: list[Pattern]


class Recommendation(Strict):
    mixin: str
    confidence: float
    reasons: list[str]


class Unfit(Strict):
    mixin: str
    reason: str


class Mixins(Response):
    subject = "mixin"

    node_type: str | None = None
    recommendations: list[Recommendation]
    unfit: list[Unfit] = []


class Source(Strict):
    topic: str
    partition: int
    offset: int


class DeadLetter(Strict):
    event_id: str
    event_type: Literal["codegen.dead-letter"]
    correlation_id: str | None
    causation_id: str
    error: str
    source: Source
    raw: str


MODELS: dict[str, type[Response]] = {model.subject: model for model in (Validation, Analysis, Patterns, Mixins)}


def read(subject: str, value: Any) -> Response:
    """A response, checked: every member is there, none is unknown, and its type says whose response it is."""
    response = MODELS[subject].model_validate(value)
    assert response.event_type == f"codegen.response.{subject}"
    assert (response.error is not None) == (response.status == "rejected")
    return response
