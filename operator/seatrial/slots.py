"""How many runs may be active, in all and of one namespace, and who is next: shared fairly between namespaces."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from seatrial.naming import RunId


EXACT = 10
"""Up to here a place in the queue is told as it is, beyond only roughly: each change of it is written to a status."""
_ROUGH = (20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Place:
    """Where a run stands in the queue, and what it waits for."""

    ahead: int
    """How many runs are before it."""
    limit: int
    namespace: str = ""
    """Whose bound it waits for; empty when it is that of all."""

    def __str__(self) -> str:
        whose = f"namespace {self.namespace} has as many active runs as one may have"
        everybody = "as many runs are active as the operator allows"
        return (
            f"{whose if self.namespace else everybody} ({self.limit}); this one is at {self._position()} of the queue"
        )

    def _position(self) -> str:
        if self.ahead < EXACT:
            return f"position {self.ahead + 1}"
        known = [bound for bound in _ROUGH if self.ahead + 1 > bound]
        return f"a position after {known[-1] if known else EXACT}"


@dataclass
class Slots:
    """Admits the oldest run of the namespace that has the fewest active ones; of several such namespaces, of the one
    that has waited longest since it was given a slot. A namespace that has as many as one may have is passed over.
    """

    limit: int
    namespace_limit: int | None = None
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
        if self._next() != run.uid:
            return False
        self.adopt(run)
        self._wake_next()
        return True

    def place(self, uid: str) -> Place | None:
        """Where a run that waits stands, if slots come back as evenly as they were given; None for any other."""
        if (found := self._waiting.get(uid)) is None:
            return None
        namespace, created_at, _ = found
        before = bisect_left(self._queues[namespace], (created_at, uid))
        if self.namespace_limit is not None and self._is_full(namespace):
            return Place(before, self.namespace_limit, namespace)
        # Each slot goes to whoever has the fewest: the n-th run of a namespace has its turn when the others have
        # been given as many. Among them those come first that had more before, since they have waited longer.
        level = self._used[namespace] + before
        ahead = before
        for other in self._queues.keys() - {namespace}:
            turns = level - self._used[other] + (self._order(other) < self._order(namespace))
            ahead += max(0, min(turns, self._candidates(other)))
        return Place(ahead, self.limit)

    def _order(self, namespace: str) -> tuple[int, int, tuple[str, str]]:
        """Who has the earlier turn among namespaces that have been given as many slots."""
        return -self._used[namespace], self._turns.get(namespace, 0), self._queues[namespace][0]

    def _candidates(self, namespace: str) -> int:
        """How many of those that wait could start before another one of the namespace ends."""
        waiting = len(self._queues[namespace])
        if self.namespace_limit is None:
            return waiting
        return max(0, min(waiting, self.namespace_limit - self._used[namespace]))

    def _is_full(self, namespace: str) -> bool:
        return self.namespace_limit is not None and self._used[namespace] >= self.namespace_limit

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
        if (uid := self._next()) is not None:
            self._waiting[uid][2]()

    def _next(self) -> str | None:
        """The run whose turn it is; None when there is no slot that a waiting one may have."""
        if len(self._active) >= self.limit:
            return None
        namespace = min((name for name in self._queues if not self._is_full(name)), key=self._rank, default=None)
        return None if namespace is None else self._queues[namespace][0][1]

    def _rank(self, namespace: str) -> tuple[int, int, tuple[str, str]]:
        return self._used[namespace], self._turns.get(namespace, 0), self._queues[namespace][0]
