"""Reading what other versions have written.

A version is MAJOR.MINOR. A later minor version only adds members, which are ignored. An earlier major version is
brought up to date, one step at a time. A later major version cannot be understood: such an event becomes a dead letter
and can be replayed once the service is new enough.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pydantic import ValidationError

from alpha_panda.events.envelope import SCHEMA_VERSION, EventEnvelope, span_of
from alpha_panda.mutations import Bug, active
from alpha_panda.streaming.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Callable

Raw = dict[str, Any]
CURRENT: Final = int(SCHEMA_VERSION.partition(".")[0])
FIRST: Final = "1.0"
"""The first version had no member for it."""


def decode(value: bytes | None) -> EventEnvelope:
    """An envelope of any known version. Raises PoisonError with what is wrong."""
    try:
        raw = json.loads(value or b"")
    except ValueError as error:
        raise PoisonError(f"not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise PoisonError(f"not an envelope: a JSON object is expected, this is {type(raw).__name__}")
    try:
        return EventEnvelope.model_validate(_current(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise PoisonError(f"not an envelope: {where}: {first['msg']}") from None


def _current(raw: Raw) -> Raw:
    version = str(raw.get("schema_version", FIRST))
    major = _major(version)
    while major < CURRENT and not active(Bug.REFUSED_HISTORY):
        try:
            raw = _STEPS[major](raw)
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise PoisonError(f"an envelope of version {version} that is not complete: {error!r}") from None
        major += 1
    return raw


def _major(version: str) -> int:
    text = version.partition(".")[0]
    major = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= major <= CURRENT:
        raise PoisonError(f"schema version {version}: this service reads 1.x to {CURRENT}.x")
    return major


def _from_version_1(raw: Raw) -> Raw:
    """Version 1 knew neither traces nor decimals, and had other names for some members."""
    identifier = UUID(raw["event_id"])
    kind = raw["event_type"]
    return {
        "id": str(identifier),
        "type": kind,
        "ts": raw["timestamp"],
        "broker": raw["broker"],
        "key": raw["key"],
        "source": raw.get("source", "unknown"),
        "correlation_id": raw["correlation_id"],
        "causation_id": raw.get("causation_id"),
        # One chain is one trace, for all who read it.
        "trace_id": UUID(raw["correlation_id"]).hex,
        "span_id": span_of(identifier),
        "schema_version": "2.0",
        "data": _DATA_FROM_VERSION_1.get(kind, dict)(raw["payload"]),
    }


def _tick_from_version_1(data: Raw) -> Raw:
    return {**data, "last_price": _decimal(data["price"])}


def _signal_from_version_1(data: Raw) -> Raw:
    return {**data, "signal_type": data["action"].lower(), "price": _decimal(data["price"])}


def _decimal(number: float | str) -> str:
    """Version 1 wrote floats: the shortest notation is what was meant."""
    return repr(number) if isinstance(number, float) else str(number)


_DATA_FROM_VERSION_1: dict[str, Callable[[Raw], Raw]] = {
    "market_tick": _tick_from_version_1,
    "trading_signal": _signal_from_version_1,
    "signal_validated": _signal_from_version_1,
}
_STEPS: dict[int, Callable[[Raw], Raw]] = {1: _from_version_1}
