"""How many runs may be active: as many as the nodes can start, shared fairly between namespaces."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from seatrial.naming import RunId


class _Waiting(NamedTuple):
    namespace: str
    created_at: str
    wake: Callable[[], None]


@dataclass
class Slots:
    """Admits the oldest run of the namespace that has the fewest active ones."""

    limit: int
    _active: dict[str, str] = field(default_factory=dict)
    """uid -> namespace."""
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    """By uid."""

    @property
    def active(self) -> int:
        """Number of active runs."""
        return len(self._active)

    @property
    def waiting(self) -> int:
        """Number of runs that are queued."""
        return len(self._waiting)

    def adopt(self, run: RunId) -> None:
        """Count a run that was started before, whatever the limit says."""
        self._waiting.pop(run.uid, None)
        self._active[run.uid] = run.namespace

    def ask(self, run: RunId, created_at: str, wake: Callable[[], None]) -> bool:
        """Whether a run may start. One that may not is woken when it is its turn."""
        if run.uid in self._active:
            return True
        self._waiting[run.uid] = _Waiting(run.namespace, created_at, wake)
        if len(self._active) >= self.limit or self._next() != run.uid:
            return False
        self.adopt(run)
        self._wake_next()
        return True

    def release(self, uid: str) -> None:
        """Give the slot back, and wake whoever is next."""
        self._active.pop(uid, None)
        self._waiting.pop(uid, None)
        self._wake_next()

    def retain(self, uids: Collection[str]) -> None:
        """Give back the slots of runs that are gone."""
        for uid in [uid for uid in self._active if uid not in uids]:
            self.release(uid)

    def _wake_next(self) -> None:
        if len(self._active) < self.limit and self._waiting:
            self._waiting[self._next()].wake()

    def _next(self) -> str:
        used = Counter(self._active.values())
        return min(
            self._waiting, key=lambda uid: (used[self._waiting[uid].namespace], self._waiting[uid].created_at, uid)
        )
