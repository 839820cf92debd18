"""Which mixins would a node need, by what it is required to do or by what its code does?"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from intelligence_service.handlers.payload import PayloadError, called, code_of, node_type_of, parse, words

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Mixin:
    """What it is good for, and for which types of node it is not: a compute node and a reducer have no effects."""

    name: str
    about: frozenset[str]
    not_for: frozenset[str] = frozenset()


PURE: Final = frozenset({"compute", "reducer"})
CATALOGUE: Final = (
    Mixin("MixinCaching", frozenset({"cache", "caching", "memoize", "ttl", "redis"})),
    Mixin("MixinCircuitBreaker", frozenset({"breaker", "outage", "unavailable", "overload"}), PURE),
    Mixin("MixinEventBus", frozenset({"event", "events", "kafka", "publish", "subscribe", "emit"}), PURE),
    Mixin("MixinHealthCheck", frozenset({"health", "healthy", "liveness", "readiness", "ready"})),
    Mixin("MixinMetrics", frozenset({"metric", "metrics", "prometheus", "counter", "histogram", "observe"})),
    Mixin("MixinRetry", frozenset({"retry", "retries", "backoff", "transient", "attempts"}), PURE),
    Mixin("MixinTransaction", frozenset({"transaction", "atomic", "commit", "rollback"}), PURE),
)


def handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The mixins by `requirements` (texts), else by the code; those unfit for the type of node are named apart."""
    node_type = node_type_of(payload)
    seen = _required(payload) if "requirements" in payload else _used(payload)
    recommendations, unfit = [], []
    for mixin in CATALOGUE:
        reasons = sorted(mixin.about & seen)
        if not reasons:
            continue
        if node_type in mixin.not_for:
            unfit.append({"mixin": mixin.name, "reason": f"a {node_type} node has no effects"})
        else:
            confidence = round(min(1.0, 0.5 + 0.25 * (len(reasons) - 1)), 2)
            recommendations.append({"mixin": mixin.name, "confidence": confidence, "reasons": reasons})
    recommendations.sort(key=lambda entry: (-float(str(entry["confidence"])), str(entry["mixin"])))
    return {"node_type": node_type, "recommendations": recommendations, "unfit": unfit}


def _required(payload: Mapping[str, Any]) -> set[str]:
    requirements = payload["requirements"]
    if not isinstance(requirements, list) or not all(isinstance(text, str) for text in requirements):
        raise PayloadError(f"payload.requirements is {str(requirements)[:40]!r}; expected a list of texts")
    return set().union(*(words(text) for text in requirements))


def _used(payload: Mapping[str, Any]) -> set[str]:
    """Words of what the code calls, imports and is decorated with. Not of comments: they are intentions."""
    try:
        tree = parse(code_of(payload))
    except SyntaxError as error:
        raise PayloadError(f"payload.code_content cannot be parsed: line {error.lineno}: {error.msg}") from None
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= words(called(node))
        elif isinstance(node, ast.Import):
            found |= {word for alias in node.names for word in words(alias.name)}
        elif isinstance(node, ast.ImportFrom):
            found |= words(node.module or "")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found |= {word for decorator in node.decorator_list for word in words(called(decorator))}
    return found
