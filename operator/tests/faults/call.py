"""A request as the API server understands it: verb, kind of resource, namespace, name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
CUT, PENDING = -1, 0
"""In the place of a status: the connection was cut without an answer; there is no answer yet."""


@dataclass(frozen=True)
class Call:
    """One request."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    streaming: bool = False
    """A watch or a followed log."""

    @property
    def is_write(self) -> bool:
        return self.verb in {"create", "update", "patch", "delete", "deletecollection"}

    @property
    def kind(self) -> str:
        """Resource and subresource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def __str__(self) -> str:
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.kind} {where}".strip()


@dataclass
class Record:
    """A request, and what became of it."""

    call: Call
    number: int
    """Of the write among all writes, from 1; 0 for what is no write."""
    status: int = PENDING
    by_fault: bool = False
    """Whether the status is a fault's and the API server never saw the request."""
    at: float = 0.0
    """Seconds of the event loop's clock."""

    def __str__(self) -> str:
        what = "cut off" if self.status == CUT else self.status or "unanswered"
        return f"{self.number or '-'}: {self.call} -> {what}{' (by a fault)' if self.by_fault else ''}"


def parse_call(method: str, path: str, query: Mapping[str, str]) -> Call:
    """Understand a request from its method, path and query, as the API server does."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"]:
        rest = parts[2:]
    elif parts[:1] == ["apis"]:
        rest = parts[3:]
    else:
        return Call("get", path)
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = [*rest, "", "", ""][:3]
    watch = query.get("watch") in {"1", "true"}
    if method == "GET":
        verb = "watch" if watch else "get" if name else "list"
    elif method == "DELETE" and not name:
        verb = "deletecollection"
    else:
        verb = WRITES.get(method, method.lower())
    streaming = watch or (subresource == "log" and query.get("follow") in {"1", "true"})
    return Call(verb, resource, namespace, name, subresource, streaming)
