"""A TestRun's spec: what the models refuse, which is what the API server refuses, with what would be allowed."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from seatrial.api.schema import structural_schema
from seatrial.api.spec import TestRunSpec, spec_problems
from seatrial.cli.suggest import did_you_mean

if TYPE_CHECKING:
    from seatrial.api.schema import Schema
    from seatrial.cli.manifest import Manifest, Problem
    from seatrial.cli.nodes import Path

ALLOWED = {
    r"^[a-z]([-a-z0-9]*[a-z0-9])?$": "lower-case letters, digits and dashes, a letter first, no dash last",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "lower-case letters, digits and dashes, no dash first or last",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$": (
        "the name of an object: lower-case letters, digits, dashes and dots"
    ),
    r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$": "hours, minutes and seconds in this order, such as 1h30m or 45s",
    r"^[!-~]+$": "printable ASCII without spaces, such as registry.example.com/team/app:1.4",
    r"^[a-zA-Z0-9._-]+$": "letters, digits, dots, underscores and dashes",
    r"^[-._a-zA-Z0-9]+$": "letters, digits, dots, underscores and dashes",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "letters, digits and underscores, no digit first",
    r"^[a-z_][a-z0-9_]*$": "lower-case letters, digits and underscores, no digit first",
    r"^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$": "a number with a unit, such as 500m or 256Mi",
    r"^/[!-~]*$": "a path that starts with a slash, without spaces",
    r"^[^-]": "a file, folder or node id; options belong under args",
    r"^(/[a-zA-Z0-9_-][a-zA-Z0-9._-]*){2,}$": "an absolute path with a folder, such as /results/junit.xml",
}
"""What the patterns of the schema mean."""


def check_spec(manifest: Manifest) -> list[Problem]:
    """Problems of the spec, each at its field."""
    if "spec" not in manifest.body:
        return [manifest.problem(("spec",), "is required; write at least `spec: {suites: [{name: core}]}`")]
    return [
        manifest.problem(("spec", *path), text + _hint(path, text))
        for path, text in spec_problems(manifest.body["spec"])
    ]


def _hint(path: Path, text: str) -> str:
    if text == "is an unknown field":
        return did_you_mean(str(path[-1]), (schema_at(path[:-1]) or {}).get("properties", {}))
    schema = schema_at(path) or {}
    if "should match pattern" in text:
        return f"; allowed: {ALLOWED[schema['pattern']]}" if schema.get("pattern") in ALLOWED else ""
    if text.startswith("must be a string") and schema.get("type") == "string":
        return ": put it in quotes"
    if text == "is required":
        return f"; {_lower(schema.get('description', ''))}" if schema.get("description") else ""
    return ""


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


@functools.cache
def _root() -> Schema:
    return structural_schema(TestRunSpec)


def schema_at(path: Path) -> dict[str, Any] | None:
    """The schema of a field of the spec, or None where there is no such field."""
    schema: dict[str, Any] | None = _root()
    for part in path:
        if schema is None:
            return None
        inner = schema.get("items") if isinstance(part, int) else schema.get("properties", {}).get(part)
        if inner is None and not isinstance(part, int):
            inner = schema.get("additionalProperties")
        schema = inner
    return schema
