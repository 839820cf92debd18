"""One handler for each kind of question. A handler is pure: from a payload to the members of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intelligence_service.handlers import analysis, mixins, patterns, validation
from intelligence_service.handlers.payload import PayloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Handler = Callable[[Mapping[str, Any]], dict[str, Any]]

HANDLERS: Mapping[str, Handler] = {
    "validate": validation.handle,
    "analyze": analysis.handle,
    "pattern": patterns.handle,
    "mixin": mixins.handle,
}
"""By the subject in the topic's name."""

EMPTY: Mapping[str, dict[str, Any]] = {
    "validate": {"is_valid": False, "quality_score": 0.0, "violations": []},
    "analyze": {"quality_score": 0.0, "functions": []},
    "pattern": {"patterns": []},
    "mixin": {"recommendations": []},
}
"""What a response to a request that was rejected has, so that its consumers need no second model."""

__all__ = ["EMPTY", "HANDLERS", "PayloadError"]
