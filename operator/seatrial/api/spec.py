"""The spec of a TestRun. Every rule stands twice, side by side: as CEL for the API server and for the local engine."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from seatrial.api.applications import (
    RESERVED_NAMES,
    Application,
    Env,
    EnvVar,
    EnvVarSource,
    ExecReady,
    HttpReady,
    KeyRef,
    Port,
    Ready,
    ResourceList,
    Resources,
    TcpReady,
)
from seatrial.api.base import SpecModel, UniqueNames, cel, map_list, unchanged
from seatrial.api.services import (
    ConfigMapRef,
    ConfigMapSource,
    InfluxDB,
    Kafka,
    Postgres,
    Redis,
    Redpanda,
    Services,
    Topic,
)
from seatrial.api.suites import JUnit, Pytest, Suite
from seatrial.api.timeouts import MAX_TIMEOUT_HOURS, Retention, Timeouts
from seatrial.errors import SpecError

__all__ = [
    "FROZEN_SPEC_RULES",
    "MAX_TIMEOUT_HOURS",
    "RESERVED_NAMES",
    "Application",
    "ConfigMapRef",
    "ConfigMapSource",
    "Env",
    "EnvVar",
    "EnvVarSource",
    "ExecReady",
    "HttpReady",
    "InfluxDB",
    "JUnit",
    "Kafka",
    "KeyRef",
    "Port",
    "Postgres",
    "Pytest",
    "Ready",
    "Redis",
    "Redpanda",
    "ResourceList",
    "Resources",
    "Retention",
    "Services",
    "Suite",
    "TcpReady",
    "TestRunSpec",
    "Timeouts",
    "Topic",
    "parse_spec",
    "spec_problems",
]

_MUTABLE = ("suspend", "cancel", "retention")
_FROZEN = ("services", "applications", "suites", "parallelism", "timeouts")


class TestRunSpec(SpecModel):
    """One execution of test suites against services that exist for this run alone."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    services: Services = Services()
    """The backing services of the environment."""
    applications: Annotated[list[Application], Field(max_length=16, json_schema_extra=map_list()), UniqueNames] = []
    """The systems under test, beside the services."""
    suites: Annotated[list[Suite], Field(min_length=1, max_length=32, json_schema_extra=map_list()), UniqueNames]
    """The test suites, in the order in which they start."""
    parallelism: Annotated[int, Field(ge=1, le=16)] = 1
    """How many suites may run at a time."""
    timeouts: Timeouts = Timeouts()
    """How long each part of the run may take."""
    retention: Retention = Retention()
    """How long the environment is kept after the verdict."""
    suspend: bool = False
    """Hold the run: nothing is started while it is true. Suites that already run are left alone."""
    cancel: bool = False
    """End the run now, with what is known so far."""


FROZEN_SPEC_RULES = [
    cel(
        f"!has(oldSelf.status) || !has(oldSelf.status.__namespace__) || {unchanged(f'spec.{field}')}",
        f"cannot change once the run has started: create a new TestRun (only {', '.join(_MUTABLE)} may change)",
        fieldPath=f".spec.{field}",
        reason="FieldValueForbidden",
    )
    for field in _FROZEN
]
"""Rules of the object's root, since they read the status: the spec is immutable once the run has a namespace."""


def parse_spec(data: Any) -> TestRunSpec:
    """Parse a spec. Raises SpecError whose message names each field and what is wrong with it."""
    if isinstance(data, Mapping):
        data = dict(data)  # frameworks hand out read-only views
    try:
        return TestRunSpec.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise SpecError("; ".join(_explain(dict(item)) for item in error.errors()[:10])) from None


def spec_problems(data: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Every problem of a spec, as the path of the field within it and what is wrong there."""
    try:
        TestRunSpec.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        return [(tuple(item["loc"]), _what(dict(item))) for item in error.errors()]
    return []


_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is an unknown field",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "bool_type": "must be true or false",
}
_SHOWN = 60


def _explain(item: dict[str, Any]) -> str:
    path = ""
    for part in item["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"spec{path}: {_what(item)}"


def _what(item: dict[str, Any]) -> str:
    text = str(item["msg"]).replace(" after validation", "")
    for prefix in ("Value error, ", "Input ", "String ", "List ", "Dictionary "):
        text = text.removeprefix(prefix)
    text = _WORDS.get(item["type"], text)
    seen = item["input"]
    if item["type"] not in {"missing", "extra_forbidden", "value_error"} and isinstance(seen, str | int | float):
        text += f", not {seen!r}" if len(str(seen)) <= _SHOWN else f", not {len(str(seen))} characters"
    return text
