"""What a fault may do to a request. Each hook does nothing unless a fault says otherwise."""

# ruff: noqa: ARG002 - hooks are given what some fault needs

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from .call import Call, Record

REASONS = {
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


@dataclass(frozen=True)
class Answer:
    """What the client gets. Status -1 cuts the connection."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, *, retry_after: int | None = None, message: str = "") -> Answer:
    """A Status object as the API server sends it."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": status,
        "reason": REASONS[status],
        "message": message or f"{REASONS[status]} (a fault of the test)",
    }
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Answer(status, json.dumps(body).encode(), headers)


class Fault:
    """A fault without any effect."""

    async def before(self, record: Record) -> Answer | None:
        """An answer in the place of the API server's, which then never sees the request."""
        return None

    async def after(self, record: Record) -> Answer | None:
        """An answer in the place of the API server's, which has carried the request out."""
        return None

    def ask(self, call: Call, query: dict[str, str]) -> dict[str, str]:
        """The query with which a request is passed on."""
        return query

    def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The events of a watch, one a line, as the client sees them."""
        return events

    def log(self, call: Call, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes of a followed log as the client sees them."""
        return chunks
