"""How many runs may be active: as many as the nodes can start, first come first served."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Slots:
    """Admits runs in the order of their creation."""

    limit: int
    _active: set[str] = field(default_factory=set)
    _waiting: dict[str, tuple[str, Callable[[], None]]] = field(default_factory=dict)

    @property
    def active(self) -> int:
        """Number of active runs."""
        return len(self._active)

    def adopt(self, uid: str) -> None:
        """Count a run that was started before, whatever the limit says."""
        self._waiting.pop(uid, None)
        self._active.add(uid)

    def ask(self, uid: str, created_at: str, wake: Callable[[], None]) -> bool:
        """Whether a run may start. One that may not is woken when it is its turn."""
        if uid in self._active:
            return True
        self._waiting[uid] = (created_at, wake)
        if len(self._active) >= self.limit or self._next() != uid:
            return False
        self.adopt(uid)
        self._wake_next()
        return True

    def release(self, uid: str) -> None:
        """Give the slot back, and wake whoever is next."""
        self._active.discard(uid)
        self._waiting.pop(uid, None)
        self._wake_next()

    def _wake_next(self) -> None:
        if len(self._active) < self.limit and self._waiting:
            self._waiting[self._next()][1]()

    def _next(self) -> str:
        return min(self._waiting, key=lambda uid: (self._waiting[uid][0], uid))
