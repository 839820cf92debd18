"""JSON of the WebSocket v2 API: decimals are numbers there, and keep all their digits."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

_MARK: Final = "\u0001"
_MARKED: Final = re.compile(r'"\\u0001([-0-9.]+)"')


def dump(message: dict[str, Any]) -> str:
    return _MARKED.sub(r"\1", json.dumps(message, default=_decimal))


def _decimal(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{_MARK}{value:f}"
    raise TypeError(f"{type(value).__name__} is no part of a message")


def timestamp(at: float) -> str:
    """RFC 3339 with microseconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
