"""How many runs may be active: as many as the nodes can start, shared fairly between namespaces."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from seatrial.naming import RunId


@dataclass
class Slots:
    """Admits the oldest run of the namespace that has the fewest active ones; of several such namespaces, of the one
    that has waited longest since it was given a slot.
    """

    limit: int
    _active: dict[str, str] = field(default_factory=dict)
    """uid -> namespace."""
    _used: Counter[str] = field(default_factory=Counter)
    """How many are active, by namespace."""
    _waiting: dict[str, tuple[str, str, Callable[[], None]]] = field(default_factory=dict)
    """uid -> namespace, creation, and how to wake it."""
    _queues: defaultdict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """Creation and uid of those that wait, oldest first, by namespace: thousands may, and each asks now and then."""
    _turns: dict[str, int] = field(default_factory=dict)
    """When a namespace was last given a slot: the number of slots given before."""
    _given: int = 0

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
        self._leave_queue(run.uid)
        if run.uid not in self._active:
            self._active[run.uid] = run.namespace
            self._used[run.namespace] += 1
            self._given += 1
            self._turns[run.namespace] = self._given

    def ask(self, run: RunId, created_at: str, wake: Callable[[], None]) -> bool:
        """Whether a run may start. One that may not is woken when it is its turn."""
        if run.uid in self._active:
            return True
        self._leave_queue(run.uid)
        self._waiting[run.uid] = (run.namespace, created_at, wake)
        insort(self._queues[run.namespace], (created_at, run.uid))
        if len(self._active) >= self.limit or self._next() != run.uid:
            return False
        self.adopt(run)
        self._wake_next()
        return True

    def release(self, uid: str) -> None:
        """Give the slot back, and wake whoever is next."""
        if (namespace := self._active.pop(uid, None)) is not None:
            self._used[namespace] -= 1
        self._leave_queue(uid)
        self._wake_next()

    def retain(self, uids: Collection[str]) -> None:
        """Give back the slots of runs that are gone."""
        for uid in [uid for uid in self._active if uid not in uids]:
            self.release(uid)

    def _leave_queue(self, uid: str) -> None:
        if (found := self._waiting.pop(uid, None)) is None:
            return
        namespace, created_at, _ = found
        queue = self._queues[namespace]
        del queue[bisect_left(queue, (created_at, uid))]
        if not queue:
            del self._queues[namespace]

    def _wake_next(self) -> None:
        if len(self._active) < self.limit and self._waiting:
            self._waiting[self._next()][2]()

    def _next(self) -> str:
        namespace = min(self._queues, key=self._rank)
        return self._queues[namespace][0][1]

    def _rank(self, namespace: str) -> tuple[int, int, tuple[str, str]]:
        return self._used[namespace], self._turns.get(namespace, 0), self._queues[namespace][0]
