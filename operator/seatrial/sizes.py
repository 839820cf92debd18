"""How much of etcd a value takes."""

from __future__ import annotations

import json
from typing import Any

_ESCAPED = {"<": 5, ">": 5, "&": 5, "\u2028": 3, "\u2029": 3}
"""What the API server's JSON (Go's encoding/json) takes more for a character than Python's."""


def stored_size(value: Any) -> int:
    """Bytes of a value in the JSON that the API server stores."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) + sum(more * text.count(character) for character, more in _ESCAPED.items())
