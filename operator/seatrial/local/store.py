"""Objects as the API server keeps them, in memory: enough of it for one run."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seatrial.naming import RUN_UID_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

Object = dict[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace, name."""


def key_of(item: Object) -> Key:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def run_of(item: Object) -> str:
    """Uid of the run that an object belongs to."""
    return str((item["metadata"].get("labels") or {}).get(RUN_UID_LABEL, ""))


class Store:
    """Objects by kind, namespace and name. What it gives is not to be changed, only replaced by `put`."""

    def __init__(self) -> None:
        self.on_change: list[Callable[[Object], None]] = []
        """Called with each object that was written, after it is there."""
        self._objects: dict[Key, Object] = {}
        self._versions = itertools.count(1)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        return self._objects.get((kind, namespace, name))

    def put(self, item: Object) -> Object:
        """Write an object over the one that is there; what only that one has stays, as with server-side apply."""
        there = self._objects.get(key_of(item), {})
        known = there.get("metadata") or {"uid": str(uuid.uuid4()), "creationTimestamp": _now()}
        metadata = {**known, **item["metadata"], "resourceVersion": str(next(self._versions))}
        whole = {**there, **item, "metadata": metadata}
        self._objects[key_of(item)] = whole
        self._tell(whole)
        return whole

    def delete(self, kind: str, namespace: str, name: str) -> None:
        gone = self._objects.pop((kind, namespace, name), None)
        if gone is not None:
            self._tell(gone)

    def items(self, kind: str, *, namespace: str | None = None, run: str | None = None) -> list[Object]:
        """The objects of a kind, of one namespace or of one run."""
        return [
            item
            for (its_kind, its_namespace, _), item in self._objects.items()
            if its_kind == kind and namespace in {None, its_namespace} and run in {None, run_of(item)}
        ]

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace and everything in it."""
        for kind, namespace, its_name in list(self._objects):
            if namespace == name:
                self.delete(kind, namespace, its_name)
        self.delete("Namespace", "", name)

    def _tell(self, item: Object) -> None:
        for callback in self.on_change:
            callback(item)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merge(target: Any, patch: Any) -> Any:
    """The target with a patch applied (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result
