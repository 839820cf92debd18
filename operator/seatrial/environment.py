"""What the environment pod has said, folded into one state. Pure; every byte comes from a tenant's namespace."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from seatrial.records import clip

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TEXT = 1024
MAX_NAMES = 64
MAX_NUMBER = 1e12
MAX_LINE_BYTES = 64 << 10
"""The pod's own lines are shorter, and what is made of a line takes up to twenty times its size."""
FAILURES = frozenset({"SeedFailed", "ServiceNotReady", "ApplicationNotReady"})
"""The reasons that the environment pod may give."""


@dataclass(frozen=True)
class ComponentState:
    """What is known about one service or application."""

    ready_after: float | None = None
    seeded: bool = False
    message: str = ""


@dataclass(frozen=True)
class EnvironmentState:
    """What the environment pod has said so far."""

    started_at: float | None = None
    services: Mapping[str, ComponentState] = field(default_factory=dict)
    applications: Mapping[str, ComponentState] = field(default_factory=dict)
    services_ready: bool = False
    open_at: float | None = None
    failed_reason: str = ""
    failed_message: str = ""
    failed_name: str = ""

    @property
    def is_open(self) -> bool:
        return self.open_at is not None


def fold_environment(state: EnvironmentState, line: bytes) -> EnvironmentState:
    """Add one line of the environment pod's log. What is not an event is ignored: it can be a library's warning."""
    if len(line) > MAX_LINE_BYTES:
        return state
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return state
    if not isinstance(event, dict):
        return state
    match event.get("t"):
        case "started":
            return replace(state, started_at=state.started_at or _number(event.get("at")))
        case "waiting":
            return _update(state, event, message=_text(event.get("message")))
        case "ready":
            return _update(state, event, ready_after=_number(event.get("seconds")) or 0.0, message="")
        case "seeded":
            return _update(state, {**event, "kind": "service"}, seeded=True, message="")
        case "servicesReady":
            return replace(state, services_ready=True)
        case "open":
            return replace(state, open_at=state.open_at or _number(event.get("at")) or 0.0)
        case "failed":
            return replace(
                state,
                failed_reason=state.failed_reason or _reason(event.get("reason")),
                failed_message=state.failed_message or _text(event.get("message")),
                failed_name=state.failed_name or _text(event.get("name"), 64),
            )
        case _:
            return state


def _update(state: EnvironmentState, event: dict[str, Any], **changes: Any) -> EnvironmentState:
    name = _text(event.get("name"), 64)
    which = "applications" if event.get("kind") == "application" else "services"
    known = dict(getattr(state, which))
    if name not in known and len(known) >= MAX_NAMES:
        return state
    known[name] = replace(known.get(name, ComponentState()), **changes)
    if which == "applications":
        return replace(state, applications=known)
    return replace(state, services=known)


def _reason(value: Any) -> str:
    return value if isinstance(value, str) and value in FAILURES else "EnvironmentFailed"


def _text(value: Any, limit: int = MAX_TEXT) -> str:
    return clip(value, limit) if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        return None
    return float(min(value, MAX_NUMBER))
